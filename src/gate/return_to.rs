//! Where may a person be sent after signing in? Only to a path of this very site.
//!
//! Everything that a browser could read as another origin is refused (RFC 3986 §4.2; `//`, `/\`, white space between
//! slashes, control characters), and so are Anteroom's own endpoints, which would loop.

use serde::{Deserialize, Serialize};

use super::CanonicalPath;

/// A path of this site with its query: where the person wanted to go. At most [`ReturnTo::MAX`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReturnTo(Box<str>);

/// Not a path of this site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a path of this site")]
pub struct NotLocal;

impl ReturnTo {
    /// The longest one that is carried along, in bytes: it has to fit into a cookie.
    pub const MAX: usize = 2048;

    /// Parses a path with an optional query. `None` for anything else: the caller falls back to the start page.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\' && b != b'#');
        let (path, _query) = text.split_once('?').unwrap_or((text, ""));
        let path = (plain && text.len() <= Self::MAX).then(|| CanonicalPath::parse(path).ok()).flatten()?;
        let own = std::iter::once(path.as_str()).chain(path.other_readings()).any(|p| {
            p == "/_anteroom" || p.starts_with("/_anteroom/") || p.starts_with("/api/auth/callback/")
        });
        (!own).then(|| Self(text.into()))
    }

    /// Path and query, fit for a `Location`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Fit for the value of a query parameter.
    pub fn encoded(&self) -> String {
        url::form_urlencoded::byte_serialize(self.0.as_bytes()).collect()
    }
}

impl TryFrom<String> for ReturnTo {
    type Error = NotLocal;
    fn try_from(text: String) -> Result<Self, NotLocal> {
        Self::parse(&text).ok_or(NotLocal)
    }
}

impl From<ReturnTo> for String {
    fn from(value: ReturnTo) -> Self {
        value.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_of_this_site() {
        for good in ["/", "/board?id=1&x=%2F%2F", "/a/b/", "/x?u=https://other.example/", "/a?b=c?d"] {
            assert_eq!(ReturnTo::parse(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn everything_that_ever_was_an_open_redirect() {
        for bad in [
            "",
            "https://evil.com",
            "HTTPS://evil",
            "//evil.com",
            "/\\evil.com",
            "\\\\evil.com",
            "/\t/evil.com",
            "/ /evil.com",
            "/\u{b}/evil.com",
            "/\n/evil.com",
            "/\r/evil.com",
            "/\t\t/\t/evil.com",
            "/./\\evil.com",
            "/./../../\\evil.com",
            "/./../evil.com",
            "https:evil.com",
            "https:///evil.com",
            "https://good@evil.com",
            "https://evil.com\\@good",
            "javascript:alert(1)",
            "data:text/plain,x",
            "example.com/x",
            "https://",
            "%3a%2f%2fevil",
            "http://example.com.somewherelse.com/",
            "/%09/evil.com",
            "/%2f/evil.com",
            "/%5cevil.com",
            "/.//evil.example/admin",
            "/é",
            "/a#b",
            "/\u{2028}/x",
            "http://evilbar.foo",
            "/_anteroom/start",
            "/_anteroom/sign-out",
            "/%5fanteroom/start",
            "/_anteroom;x/start",
            "/api/auth/callback/atlassian?code=x",
        ] {
            assert_eq!(ReturnTo::parse(bad), None, "{bad:?}");
        }
        assert_eq!(ReturnTo::parse(&format!("/{}", "x".repeat(2048))), None);
    }

    proptest! {
        /// Whatever passes stays on the site, in the eyes of the URL standard that browsers follow.
        #[test]
        fn a_browser_stays_here(text in "[/\\\\.:@%?#a-z0-9\\t\\n ;]{0,16}") {
            if let Some(path) = ReturnTo::parse(&text) {
                let here = url::Url::parse("https://app.example/deep/page?q").unwrap();
                let there = here.join(path.as_str()).unwrap();
                prop_assert_eq!(there.origin(), here.origin());
                prop_assert_eq!(&there.as_str()["https://app.example".len()..], path.as_str());
            }
        }
    }
}
