//! Under which address do people reach the app? An origin: scheme, host and port, and nothing behind them.
//!
//! `https`, or `http` where the browser treats the host as secure and no network is in between: `localhost` and loopback
//! addresses (<https://w3c.github.io/webappsec-secure-contexts/#is-origin-trustworthy>).

use url::{Host, Url};

use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::gate::Origin;

/// The address under which people reach the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    url: Url,
    origin: Origin,
}

impl PublicUrl {
    /// Scheme, host and port as browsers write an `Origin`: `https://app.example.com`.
    pub fn origin(&self) -> &str {
        self.origin.as_str()
    }

    /// The same, as requests are compared with it.
    pub fn as_origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether it is `https`, so that cookies can be `Secure` and carry the `__Host-` prefix.
    pub fn secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The host alone, IPv6 addresses in brackets.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Host and port as in a `Host` header; the port is left out when it is the scheme's own.
    pub fn authority(&self) -> &str {
        self.origin.authority()
    }

    /// The URL of a path of this site.
    pub fn callback_url(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(path);
        url
    }

    /// Whether a URL is of this site.
    pub fn same_origin(&self, url: &Url) -> bool {
        url.origin() == self.url.origin()
    }

    /// Parses an origin. `Err` says what is wrong with it, without repeating it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "it is not a URL with a scheme and a host")?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("it is not an http or https URL");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds a user name or a password");
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err("it has something behind the host");
        }
        if url.scheme() == "http" && !is_loopback(&url) && !is_below_localhost(&url) {
            return Err("it is http, which is only safe on localhost");
        }
        let origin = Origin::parse(text).map_err(|_| "it is not an http or https URL")?;
        Ok(Self { url, origin })
    }
}

/// Whether a URL's host is `localhost` or a loopback address.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether browsers keep this name on the machine: `wiki.localhost` (RFC 6761 §6.3). Servers ask DNS about it all the same,
/// so that no secret may be sent there.
fn is_below_localhost(url: &Url) -> bool {
    matches!(url.host(), Some(Host::Domain(name)) if name.ends_with(".localhost"))
}

pub(super) fn check(text: Option<&str>, check: &mut Check<'_>) -> Option<PublicUrl> {
    let Some(text) = text else {
        return check.missing(
            "public_url",
            "The callback URL and the cookies follow from it",
            "write the address that people type, for example public_url = \"https://app.example.com\"",
        );
    };
    match PublicUrl::parse(text) {
        Ok(url) => Some(url),
        Err(reason) => check.wrong(
            &KeyPath::of("public_url"),
            Mistake::new(
                "config.public-url",
                format!("`public_url` cannot be used: {reason}"),
                "Session cookies and the callback URL would not work or not be safe",
                "write scheme and host alone: \"https://app.example.com\", or \"http://localhost:4180\" on your machine",
            ).showing_the_url(text),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        for (text, origin, secure) in [
            ("https://app.example.com", "https://app.example.com", true),
            ("https://App.Example.com:443/", "https://app.example.com", true),
            ("https://app.example.com:8443", "https://app.example.com:8443", true),
            ("http://localhost:4180", "http://localhost:4180", false),
            ("http://127.0.0.1:4180", "http://127.0.0.1:4180", false),
            ("http://Wiki.localhost:4180", "http://wiki.localhost:4180", false),
            ("http://127.9.9.9", "http://127.9.9.9", false),
            ("http://[::1]:4180", "http://[::1]:4180", false),
        ] {
            let url = PublicUrl::parse(text).unwrap();
            assert_eq!((url.origin(), url.secure()), (origin, secure), "{text}");
        }
        let authority = |text| PublicUrl::parse(text).unwrap().authority().to_owned();
        assert_eq!(authority("https://App.example.com:443"), "app.example.com");
        assert_eq!(authority("http://[::1]:4180"), "[::1]:4180");
        let callback =
            PublicUrl::parse("http://localhost:4180").unwrap().callback_url("/api/auth/callback/atlassian");
        assert_eq!(callback.as_str(), "http://localhost:4180/api/auth/callback/atlassian");
    }

    #[test]
    fn what_is_no_origin() {
        for text in [
            "",
            "app.example.com",
            "ftp://app.example.com",
            "http://app.example.com",
            "http://0.0.0.0:4180",
            "http://localhost.evil.example",
            "http://evillocalhost",
            "http://wiki.localhost.evil.example",
            "https://user:pass@app.example.com",
            "https://app.example.com/path",
            "https://app.example.com/?q",
            "https://app.example.com/#f",
        ] {
            assert!(PublicUrl::parse(text).is_err(), "{text}");
        }
    }
}
