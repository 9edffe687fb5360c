//! What do we ask Atlassian for? The scopes of the authorize URL, checked before anybody is sent there: Atlassian
//! answers a wrong one with an error page of its own that never leads back to us.
//!
//! `read:me` is always among them: without it `/me`, the only source of identity, is refused.
//! <https://developer.atlassian.com/cloud/confluence/scopes-for-oauth-2-3LO-and-forge-apps/>

use std::fmt;

/// The scope of `/me`, in the console's "User identity API".
pub const READ_ME: &str = "read:me";
/// Atlassian recommends fewer than 50 scopes; tokens grow with every one.
pub const MAX: usize = 50;

/// A set of scopes that Atlassian could grant: at least `read:me`, none twice, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scopes(Vec<Box<str>>);

/// A scope that can only fail. Says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// A scope of OpenID Connect.
    #[error(
        "Atlassian refuses the scope `{0}`: it has no OpenID Connect for apps. Remove it; `read:me` gives the account's \
         name, picture and email address"
    )]
    OpenId(Box<str>),
    /// A scope of another profile API.
    #[error("the scope `profile:me` does not open Atlassian's user identity API: write `read:me` instead")]
    ProfileMe,
    /// Several in one.
    #[error(
        "`{0}` is more than one scope: write a list with one scope in each entry, like [\"read:me\", \"read:jira-user\"]"
    )]
    Several(Box<str>),
    /// Not a scope by RFC 6749 §3.3.
    #[error(
        "a scope is written in visible ASCII without quotes or backslashes, like `read:me`; entry {0} is not"
    )]
    NotAScope(usize),
    /// Too many.
    #[error(
        "{0} scopes are too many: Atlassian recommends fewer than {MAX}; remove those that no rule needs"
    )]
    TooMany(usize),
}

impl Scopes {
    /// Checks what was configured and adds `read:me` as the first where it is missing; it counts towards [`MAX`].
    pub fn parse(configured: &[String]) -> Result<Self, ScopeError> {
        let mut scopes: Vec<Box<str>> = Vec::new();
        for (index, text) in configured.iter().enumerate() {
            match text.as_str() {
                "openid" | "profile" | "email" => return Err(ScopeError::OpenId(text.as_str().into())),
                "profile:me" => return Err(ScopeError::ProfileMe),
                _ => {}
            }
            if text.contains([' ', '\t', '\n', '\r', ',', ';']) {
                return Err(ScopeError::Several(text.escape_default().to_string().into()));
            }
            let fits = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\');
            if text.is_empty() || !text.bytes().all(fits) {
                return Err(ScopeError::NotAScope(index + 1));
            }
            if !scopes.iter().any(|s| **s == **text) {
                scopes.push(text.as_str().into());
            }
        }
        if !scopes.iter().any(|s| &**s == READ_ME) {
            scopes.insert(0, READ_ME.into());
        }
        if scopes.len() > MAX {
            return Err(ScopeError::TooMany(scopes.len()));
        }
        Ok(Self(scopes))
    }

    /// The scopes one by one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|s| &**s)
    }
}

impl Default for Scopes {
    /// `read:me` alone: enough to sign in.
    fn default() -> Self {
        Self(vec![READ_ME.into()])
    }
}

impl fmt::Display for Scopes {
    /// Joined by single spaces, as OAuth wants them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<String, ScopeError> {
        let texts: Vec<_> = texts.iter().map(|t| (*t).to_owned()).collect();
        Scopes::parse(&texts).map(|s| s.to_string())
    }

    #[test]
    fn what_is_asked_for() {
        for (configured, want) in [
            (&[][..], "read:me"),
            (&["read:me"], "read:me"),
            (&["read:jira-user"], "read:me read:jira-user"),
            (&["read:jira-user", "read:me", "offline_access"], "read:jira-user read:me offline_access"),
            (&["b:x", "a:y", "b:x", "a:y"], "read:me b:x a:y"),
            (&["read:content-details:confluence"], "read:me read:content-details:confluence"),
        ] {
            assert_eq!(parse(configured).unwrap(), want);
        }
        assert_eq!(Scopes::default(), Scopes::parse(&[]).unwrap());
    }

    #[test]
    fn what_can_only_fail_is_refused_with_a_remedy() {
        for (configured, remedy) in [
            (&["openid"][..], "Remove it"),
            (&["read:me", "profile"], "Remove it"),
            (&["email"], "Remove it"),
            (&["profile:me"], "write `read:me` instead"),
            (&["read:me,read:jira-user"], "one scope in each entry"),
            (&["read:me read:jira-user"], "one scope in each entry"),
            (&["read:me\n"], "one scope in each entry"),
            (&["read:me", ""], "entry 2"),
            (&["read:\"me\""], "entry 1"),
            (&["lésen:me"], "entry 1"),
        ] {
            let error = parse(configured).unwrap_err().to_string();
            assert!(error.contains(remedy), "{configured:?}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn fifty_are_enough() {
        let many: Vec<_> = (0..50).map(|n| format!("read:thing-{n}:jira")).collect();
        assert_eq!(Scopes::parse(&many[..49]).unwrap().iter().count(), 50);
        assert_eq!(Scopes::parse(&many), Err(ScopeError::TooMany(51)));
    }
}
