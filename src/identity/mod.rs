//! Who are they? The types of a person as Atlassian describes them and as Anteroom remembers them.
//!
//! Values are parsed once: an [`Email`] has exactly one `@`, an [`AccountId`] has no control characters. Nothing here
//! proves that somebody signed in; that proof is `sign_in::VerifiedIdentity`.
//! Source: <https://developer.atlassian.com/cloud/confluence/user-identity-api/> (`GET /me`).

pub mod assertion;
pub mod headers;

use std::fmt;

use serde::{Deserialize, Serialize};

/// An Atlassian account ID: opaque, 1 to 128 visible ASCII characters (colons occur). The key of a user.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(Box<str>);

/// An email address with exactly one `@`, an ASCII domain in lower case and no white space; at most 254 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(Box<str>);

/// The domain of an email address: lower-case labels of letters, digits and hyphens, at least one dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EmailDomain(Box<str>);

/// A text that is not what it claims to be; says which kind of value was expected, never the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not 1 to 128 visible ASCII characters.
    #[error("not an Atlassian account ID (1 to 128 visible ASCII characters)")]
    AccountId,
    /// Not an address with exactly one `@` and a plain domain.
    #[error("not an email address (exactly one @, a plain domain, no spaces)")]
    Email,
    /// Not a plain domain name.
    #[error("not a domain name (letters, digits and hyphens, with at least one dot)")]
    Domain,
}

impl AccountId {
    /// Parses an account ID.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(text.into())).ok_or(IdentityError::AccountId)
    }

    /// The ID as Atlassian wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Email {
    /// Parses an address; the domain is lower-cased, the local part kept.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let (local, domain) = text.split_once('@').ok_or(IdentityError::Email)?;
        let domain = EmailDomain::parse(domain).map_err(|_| IdentityError::Email)?;
        // Quotes, and a second `@` inside them, are legal in RFC 5322 and have only ever served to confuse a rule.
        let plain = |c: char| {
            !c.is_control() && !c.is_whitespace() && !matches!(c, '"' | '@' | '<' | '>' | ',' | '\\')
        };
        if local.is_empty() || text.len() > 254 || !local.chars().all(plain) {
            return Err(IdentityError::Email);
        }
        Ok(Self(format!("{local}@{}", domain.as_str()).into()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows the `@`, in lower case.
    pub fn domain(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, domain)| domain)
    }

    /// Whether both name the same mailbox, the case of ASCII letters aside. Other letters are compared as they are: the
    /// Kelvin sign is no `k`, though Unicode lower-cases it to one.
    pub fn same_mailbox(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl EmailDomain {
    /// Parses a domain, in any letter case.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let label = |l: &str| {
            (1..=63).contains(&l.len())
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !l.starts_with('-')
                && !l.ends_with('-')
        };
        let fits = text.len() <= 253 && text.contains('.') && text.split('.').all(label);
        fits.then(|| Self(text.to_ascii_lowercase().into())).ok_or(IdentityError::Domain)
    }

    /// The domain in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! text_conversions {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $type {
            type Error = IdentityError;
            fn try_from(text: String) -> Result<Self, IdentityError> {
                Self::parse(&text)
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.0.into()
            }
        }
    };
}
text_conversions!(AccountId);
text_conversions!(Email);
text_conversions!(EmailDomain);

/// Has Atlassian verified the email address? Atlassian does not always say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EmailVerified {
    /// `"email_verified": true`.
    True,
    /// `"email_verified": false`.
    False,
    /// The field was absent.
    #[default]
    Unknown,
}

impl EmailVerified {
    /// `true`, `false` or `unknown`: the value of the identity header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Unknown => "unknown",
        }
    }
}

/// What Anteroom remembers of a person and hands to the upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The key; never changes.
    pub account_id: AccountId,
    /// May change, may be absent.
    pub email: Option<Email>,
    /// What Atlassian says of `email`.
    pub email_verified: EmailVerified,
    /// Display name, any script; free of control characters.
    pub name: Option<Box<str>>,
    /// `https` URL of the avatar.
    pub picture: Option<Box<str>>,
}

/// `GET /me`, read tolerantly: only the account ID is certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The part that is remembered.
    pub person: Person,
    /// `atlassian`, `app`, `customer`; absent when Atlassian did not say.
    pub account_type: Option<Box<str>>,
    /// `active`, `inactive`, `closed`; absent when Atlassian did not say.
    pub account_status: Option<Box<str>>,
}

/// A display text made safe to keep: control characters become spaces, ends trimmed, at most `max` bytes; `None` if
/// nothing is left.
pub fn display_text(text: &str, max: usize) -> Option<Box<str>> {
    let mut clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    while clean.len() > max {
        clean.pop();
    }
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_are_other_mailboxes() {
        let kate = Email::parse("kate@corp.com").unwrap();
        assert!(kate.same_mailbox(&Email::parse("KATE@Corp.com").unwrap()));
        for other in ["\u{212a}ate@corp.com", "kat\u{e9}@corp.com", "k\u{430}te@corp.com"] {
            assert!(!kate.same_mailbox(&Email::parse(other).unwrap()), "{other}");
        }
    }

    #[test]
    fn account_ids() {
        for good in ["112233aa-bb11-cc22-33dd-445566abcabc", "655362:312d3308-ab", "5b10a2844c20165700ede21g"]
        {
            assert_eq!(AccountId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a\r\nb", "naïve", &"x".repeat(129)] {
            assert_eq!(AccountId::parse(bad), Err(IdentityError::AccountId), "{bad:?}");
        }
    }

    #[test]
    fn emails_that_have_fooled_domain_rules() {
        assert_eq!(Email::parse("Ada@Example.COM").unwrap().as_str(), "Ada@example.com");
        assert_eq!(Email::parse("ada@example.com").unwrap().domain(), "example.com");
        for bad in [
            "a@evil.com@corp.com",
            "a@corp.com@",
            "\"a@corp.com\"@evil.com",
            "a@corp.com.",
            "a@corp.com ",
            " a@corp.com",
            "a@corp\u{3002}com",
            "a@",
            "@corp.com",
            "corp.com",
            "a@corp",
            "a\n@corp.com",
            "a@-corp.com",
            "a@corp..com",
        ] {
            assert_eq!(Email::parse(bad), Err(IdentityError::Email), "{bad:?}");
        }
    }

    #[test]
    fn display_text_is_one_line_and_bounded() {
        assert_eq!(display_text(" Eve\r\nX-Admin: 1\0 ", 100).as_deref(), Some("Eve  X-Admin: 1"));
        assert_eq!(display_text("日本語", 7).as_deref(), Some("日本"));
        assert_eq!(display_text("\r\n", 10), None);
    }
}
