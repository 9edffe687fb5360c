//! May this URL stand in an `href`? Paths on this origin and `http(s)` URLs may; the rest becomes `/`.
//!
//! Callers hand in URLs they made or checked; this is the second lock, so that `javascript:` or `//evil.example` cannot
//! reach a page whatever happens before it. Where to land after sign-in is decided by the return-to code, not here.

use std::fmt;

/// A URL that is safe to link to. Escaping is the template's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link<'a>(&'a str);

impl<'a> Link<'a> {
    /// The URL itself, or `/`.
    pub(super) fn new(url: &'a str) -> Self {
        let path = url.starts_with('/') && !url.starts_with("//") && !url.starts_with("/\\");
        let absolute = ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme));
        // Browsers drop tabs and newlines inside a URL, which can turn `/\t/evil` into `//evil`.
        let printable = !url.contains(|c: char| c.is_ascii_control());
        if (path || absolute) && printable { Self(url) } else { Self("/") }
    }

    /// For what an operator wrote as "Need help?": `https:` and `mailto:` become links, so does a bare email address.
    pub(super) fn support(text: &str) -> Option<String> {
        let address =
            text.contains('@') && !text.contains(|c: char| c.is_whitespace() || c == ':' || c == '/');
        match text {
            _ if text.contains(|c: char| c.is_ascii_control()) => None,
            _ if text.starts_with("https://") || text.starts_with("mailto:") => Some(text.to_owned()),
            _ if address => Some(format!("mailto:{text}")),
            _ => None,
        }
    }
}

impl fmt::Display for Link<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_paths_and_http_urls() {
        for good in ["/", "/a?b=c#d", "/_anteroom/start?return_to=%2Fx", "https://app.example.com/a"] {
            assert_eq!(Link::new(good), Link(good));
        }
        for bad in [
            "",
            "a",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "javascript:alert(1)",
            "JAVASCRIPT:x",
            "data:text/html,x",
        ] {
            assert_eq!(Link::new(bad), Link("/"), "{bad}");
        }
    }

    #[test]
    fn support_lines() {
        let table = [
            ("help@example.com", Some("mailto:help@example.com")),
            ("mailto:help@example.com", Some("mailto:help@example.com")),
            ("https://help.example.com/", Some("https://help.example.com/")),
            ("javascript:alert(1)//@", None),
            ("Ask Mia in room 3", None),
        ];
        for (text, expected) in table {
            assert_eq!(Link::support(text).as_deref(), expected, "{text}");
        }
    }
}
