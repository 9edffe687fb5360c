//! Who lives in this offline Atlassian? Users, sites, groups and apps, as a TOML file describes them.
//!
//! Guarantees: an unknown key is refused with its line, and so are references to nothing (a user on a site that does
//! not exist) and duplicate ids. Field names follow the JSON of `GET https://api.atlassian.com/me`
//! (developer.atlassian.com/cloud/confluence/oauth-2-3lo-apps) where they mean the same thing.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Everything the emulator knows before anybody signs in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fixture {
    /// RSA private key, PKCS#8 PEM, that signs access tokens. Absent: a fresh one per start.
    pub signing_key: Option<String>,
    /// Registered OAuth 2.0 (3LO) apps, as the developer console holds them.
    pub apps: Vec<App>,
    /// Cloud sites (tenants).
    pub sites: Vec<Site>,
    /// Atlassian accounts.
    pub users: Vec<User>,
    /// Groups, each on one site.
    pub groups: Vec<Group>,
}

/// An OAuth 2.0 (3LO) app of the developer console.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// 32 alphanumerics at the real Atlassian.
    pub client_id: String,
    /// Starts with `ATOA` at the real Atlassian.
    pub client_secret: String,
    /// Shown on the consent page.
    pub name: String,
    /// Registered callback URLs, compared byte for byte. The real console holds exactly one.
    pub callbacks: Vec<String>,
    /// Scopes added under "Permissions"; `offline_access` is never among them.
    pub scopes: Vec<String>,
    /// Chosen when the app is created.
    #[serde(default)]
    pub grant: GrantKind,
    /// Who may use it.
    #[serde(default)]
    pub distribution: Distribution,
    /// `account_id` of the app's owner, who may use it even while it is private.
    #[serde(default)]
    pub owner: Option<String>,
    /// Whether Atlassian has reviewed it; the consent page warns when not.
    #[serde(default)]
    pub reviewed: bool,
}

/// What one consent covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrantKind {
    /// Every site of the account; sites accumulate, and existing tokens gain them.
    #[default]
    Account,
    /// Only the site picked on the consent page.
    Resource,
}

/// The "Distribution" tab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// "Not sharing", the console's default: the owner only.
    #[default]
    Private,
    /// Anybody.
    Sharing,
}

/// A cloud site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The `cloudid`, a UUID.
    pub id: String,
    /// First label of the host name.
    pub name: String,
    /// `https://<name>.atlassian.net`.
    pub url: String,
    /// Absent here, absent in the answer.
    #[serde(default)]
    pub avatar_url: Option<String>,
    /// Products it runs.
    #[serde(default = "Product::all")]
    pub products: Vec<Product>,
    /// The site's admin has blocked user-installed apps.
    #[serde(default)]
    pub user_apps_blocked: bool,
}

/// A product with a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Product {
    /// Jira.
    Jira,
    /// Confluence.
    Confluence,
}

impl Product {
    /// Both.
    pub fn all() -> Vec<Self> {
        vec![Self::Jira, Self::Confluence]
    }

    /// The name people read.
    pub fn title(self) -> &'static str {
        match self {
            Self::Jira => "Jira",
            Self::Confluence => "Confluence",
        }
    }
}

/// An Atlassian account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Opaque, ≤128 characters; a colon is legal.
    pub account_id: String,
    /// Full name; any Unicode, control characters too.
    pub name: String,
    /// Absent here, absent in `/me`.
    #[serde(default)]
    pub email: Option<String>,
    /// Three-valued, as `/me` is: true, false, or absent.
    #[serde(default)]
    pub email_verified: Option<bool>,
    /// `atlassian`, `customer` or `app`.
    #[serde(default = "atlassian")]
    pub account_type: String,
    /// `active`, `inactive` or `closed`.
    #[serde(default = "active")]
    pub account_status: String,
    /// Public nickname; the name when absent.
    #[serde(default)]
    pub nickname: Option<String>,
    /// Avatar URL; `null` in `/me` when absent.
    #[serde(default)]
    pub picture: Option<String>,
    /// IANA time zone.
    #[serde(default)]
    pub zoneinfo: Option<String>,
    /// BCP 47 tag.
    #[serde(default)]
    pub locale: Option<String>,
    /// Job title and the like.
    #[serde(default)]
    pub extended_profile: Option<ExtendedProfile>,
    /// Cloud ids of the sites the account belongs to.
    #[serde(default)]
    pub sites: Vec<String>,
    /// Cloud ids where it is a Confluence guest only: it may consent, but the site list omits them (OAUTH20-2485).
    #[serde(default)]
    pub guest_of: Vec<String>,
    /// Has the ADMINISTER permission in Jira.
    #[serde(default)]
    pub admin: bool,
    /// Has "Browse users and groups"; without it Jira answers 403 to `user/groups`.
    #[serde(default)]
    pub browse_users: bool,
    /// Raised by a password change: refresh tokens issued before are dead.
    #[serde(default)]
    pub password_epoch: u32,
}

/// The `extended_profile` of `/me`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExtendedProfile {
    /// "Programmer".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_title: Option<String>,
    /// "Example Ltd".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// "Engines".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// "London".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Seen in real answers, not documented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_type: Option<String>,
}

/// A group of one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// `groupId`, a UUID; stays when the name changes.
    pub id: String,
    /// Shown to people.
    pub name: String,
    /// Cloud id of its site.
    pub site: String,
    /// `account_id`s.
    #[serde(default)]
    pub members: Vec<String>,
}

/// Why a fixture is refused.
#[derive(Debug, thiserror::Error)]
pub enum FixtureError {
    /// Not TOML, or not these keys; the message has line and column.
    #[error("the fixture does not parse: {0}")]
    Syntax(#[from] toml::de::Error),
    /// The same id twice.
    #[error("the fixture lists {kind} `{id}` twice; give each its own id")]
    Duplicate {
        /// "user", "site", "group" or "app".
        kind: &'static str,
        /// The id.
        id: String,
    },
    /// A reference to nothing.
    #[error(
        "{from} refers to {kind} `{id}`, which the fixture does not describe; add it or remove the reference"
    )]
    Unknown {
        /// Who refers.
        from: String,
        /// "site" or "user".
        kind: &'static str,
        /// The id.
        id: String,
    },
}

fn atlassian() -> String {
    "atlassian".to_owned()
}

fn active() -> String {
    "active".to_owned()
}

impl Fixture {
    /// The people, sites and apps of `anteroom demo`.
    pub fn demo() -> Self {
        // A unit test parses it, so the fallback is never what runs.
        Self::from_toml(include_str!("demo.toml")).unwrap_or_default()
    }

    /// Reads and checks a TOML fixture.
    ///
    /// # Errors
    /// [`FixtureError`] names the line, the duplicate or the dangling reference.
    pub fn from_toml(text: &str) -> Result<Self, FixtureError> {
        let fixture: Self = toml::from_str(text)?;
        fixture.check()?;
        Ok(fixture)
    }

    /// The user with this `account_id`, or else with this email.
    pub fn user(&self, subject: &str) -> Option<&User> {
        let by_id = self.users.iter().find(|user| user.account_id == subject);
        by_id.or_else(|| self.users.iter().find(|user| user.email.as_deref() == Some(subject)))
    }

    /// The app with this client id.
    pub fn app(&self, client_id: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.client_id == client_id)
    }

    /// The site with this cloud id.
    pub fn site(&self, id: &str) -> Option<&Site> {
        self.sites.iter().find(|site| site.id == id)
    }

    /// The groups of this account on this site.
    pub fn groups_of<'a>(&'a self, account_id: &'a str, site: &'a str) -> impl Iterator<Item = &'a Group> {
        let member = move |group: &&Group| group.members.iter().any(|id| id == account_id);
        self.groups.iter().filter(move |group| group.site == site).filter(member)
    }

    fn check(&self) -> Result<(), FixtureError> {
        unique("app", self.apps.iter().map(|app| &app.client_id))?;
        unique("site", self.sites.iter().map(|site| &site.id))?;
        unique("user", self.users.iter().map(|user| &user.account_id))?;
        unique("group", self.groups.iter().map(|group| &group.id))?;
        for user in &self.users {
            for id in user.sites.iter().chain(&user.guest_of) {
                self.known_site(id, || format!("user `{}`", user.account_id))?;
            }
        }
        for group in &self.groups {
            self.known_site(&group.site, || format!("group `{}`", group.name))?;
            for id in &group.members {
                if !self.users.iter().any(|user| user.account_id == *id) {
                    let from = format!("group `{}`", group.name);
                    return Err(FixtureError::Unknown { from, kind: "user", id: id.clone() });
                }
            }
        }
        Ok(())
    }

    fn known_site(&self, id: &str, from: impl FnOnce() -> String) -> Result<(), FixtureError> {
        match self.site(id) {
            Some(_) => Ok(()),
            None => Err(FixtureError::Unknown { from: from(), kind: "site", id: id.to_owned() }),
        }
    }
}

fn unique<'a>(kind: &'static str, ids: impl Iterator<Item = &'a String>) -> Result<(), FixtureError> {
    let mut seen = BTreeSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(FixtureError::Duplicate { kind, id: id.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_and_the_documented_example_parse() {
        let demo = Fixture::from_toml(include_str!("demo.toml")).unwrap();
        assert!(demo.user("ada@example.com").is_some_and(|ada| ada.email_verified == Some(true)));
        assert_eq!(demo.user("ada@example.com"), demo.user(&demo.users[0].account_id));
        assert!(
            demo.apps.iter().all(|app| app.client_id.len() == 32 && app.client_secret.starts_with("ATOA"))
        );
        Fixture::from_toml(include_str!("../../examples/emulator.toml")).unwrap();
    }

    #[test]
    fn mistakes_are_named() {
        let user = "[[users]]\naccount_id='a'\nname='A'\n";
        for (text, needle) in [
            ("colour = 1".to_owned(), "unknown field `colour`"),
            ("[[users]]\nacount_id='a'".to_owned(), "line 2"),
            (format!("{user}{user}"), "user `a` twice"),
            (format!("{user}sites=['nowhere']"), "site `nowhere`"),
            ("[[groups]]\nid='g'\nname='g'\nsite='s'".to_owned(), "site `s`"),
            (
                "[[sites]]\nid='s'\nname='s'\nurl='u'\n[[groups]]\nid='g'\nname='g'\nsite='s'\nmembers=['x']"
                    .to_owned(),
                "user `x`",
            ),
        ] {
            let error = Fixture::from_toml(&text).unwrap_err().to_string();
            assert!(error.contains(needle), "{text}: {error}");
        }
    }
}
