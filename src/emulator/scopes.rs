//! What does a scope mean? Its product, its words on the consent page, and which call it opens.
//!
//! Follows the scope tables of developer.atlassian.com (Jira, Confluence and User identity API). Unknown scopes are
//! not judged here: an app may hold any scope its fixture lists.

use std::collections::BTreeSet;

use super::fixture::Product;

/// A set of scopes.
pub(super) type Scopes = BTreeSet<String>;

/// Splits a `scope` parameter at spaces. Commas do not separate: `a,b` is one unknown scope, as at Atlassian.
pub(super) fn parse(text: &str) -> Scopes {
    text.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

/// Joined with single spaces.
pub(super) fn join<'a>(scopes: impl Iterator<Item = &'a String>) -> String {
    scopes.map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// The product whose site a scope needs; `None` for `read:me`, `offline_access` and the like.
pub(super) fn product(scope: &str) -> Option<Product> {
    match scope {
        "read:me" | "read:account" | "offline_access" => None,
        _ if scope.contains("confluence") => Some(Product::Confluence),
        _ if scope.contains("jira") => Some(Product::Jira),
        _ => None,
    }
}

/// The products that a set of scopes spans.
pub(super) fn products(scopes: &Scopes) -> BTreeSet<Product> {
    scopes.iter().filter_map(|scope| product(scope)).collect()
}

/// The block of the consent page and of the console's "Permissions" that holds a scope.
pub(super) fn api(scope: &str) -> &'static str {
    match product(scope) {
        Some(Product::Jira) => "Jira API",
        Some(Product::Confluence) => "Confluence API",
        None => "User identity API",
    }
}

/// What the scope allows, in words.
pub(super) fn words(scope: &str) -> &'static str {
    match scope {
        "read:me" => "See your profile: account ID, name, email address and picture",
        "read:account" => "See your account's details",
        "offline_access" => "Keep this access while you are away",
        "read:jira-user" => "See Jira users and groups that you can see",
        "read:jira-work" => "See Jira projects and issues that you can see",
        "write:jira-work" => "Create and change Jira issues as you",
        "manage:jira-configuration" => "Change Jira's configuration as you",
        "read:confluence-user" => "See Confluence users and groups that you can see",
        "read:confluence-content.all" => "See Confluence pages that you can see",
        _ => "Use this permission as you",
    }
}

/// A gateway call's scopes: one classic scope, or all of the granular ones.
pub(super) struct Needed {
    /// The classic scope.
    pub(super) classic: &'static str,
    /// The full granular set.
    pub(super) granular: &'static [&'static str],
}

impl Needed {
    /// Whether these scopes open the call.
    pub(super) fn met_by(&self, scopes: &Scopes) -> bool {
        scopes.contains(self.classic) || self.granular.iter().all(|scope| scopes.contains(*scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_separate_and_commas_do_not() {
        assert_eq!(parse("read:me  offline_access").len(), 2);
        assert_eq!(parse("read:me,offline_access").len(), 1);
    }

    #[test]
    fn products_follow_the_names() {
        for (scope, expected) in [
            ("read:me", None),
            ("offline_access", None),
            ("read:jira-user", Some(Product::Jira)),
            ("read:group:jira", Some(Product::Jira)),
            ("read:confluence-user", Some(Product::Confluence)),
            ("read:user:confluence", Some(Product::Confluence)),
        ] {
            assert_eq!(product(scope), expected, "{scope}");
        }
    }

    #[test]
    fn granular_scopes_count_only_together() {
        let needed = Needed { classic: "read:jira-user", granular: &["read:group:jira", "read:user:jira"] };
        assert!(needed.met_by(&parse("read:jira-user")));
        assert!(needed.met_by(&parse("read:group:jira read:user:jira")));
        assert!(!needed.met_by(&parse("read:group:jira")));
    }
}
