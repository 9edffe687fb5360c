//! Under which addresses do people reach the apps? The origins that the operator named, and no others: a request for
//! any other host belongs to nobody here.
//!
//! An origin is scheme, host and port (RFC 6454). The first one is the central origin: the one that Atlassian sends
//! people back to. Hosts are compared in lower case; the port of the scheme may be written out or not.

use std::collections::HashMap;

use url::Url;

/// One address of an app: `https://wiki.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    text: Box<str>,
    host: usize,
}

/// Which of the [`Origins`]: its place among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OriginId(usize);

/// All addresses, the central one first. At least that one.
#[derive(Clone, Debug)]
pub struct Origins {
    central: Origin,
    apps: Vec<Origin>,
    by_host: HashMap<Box<str>, OriginId>,
}

/// Not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an http or https origin")]
pub struct NotAnOrigin(String);

impl Origin {
    /// Parses `scheme://host[:port]`.
    pub fn parse(text: &str) -> Result<Self, NotAnOrigin> {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let origin = url.map(|url| url.origin().ascii_serialization());
        let origin = origin.ok_or_else(|| NotAnOrigin(text.to_owned()))?;
        let host = origin.find("://").map(|at| at + 3).ok_or_else(|| NotAnOrigin(text.to_owned()))?;
        Ok(Self { text: origin.into(), host })
    }

    /// As browsers write it in `Origin`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and port, as browsers write them in `Host`.
    pub fn authority(&self) -> &str {
        self.text.get(self.host..).unwrap_or_default()
    }

    /// Whether it is `https`.
    pub fn secure(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// The authority with the port that goes without saying, if it does.
    fn with_usual_port(&self) -> Option<String> {
        let authority = self.authority();
        let plain = authority.rsplit_once(']').map_or(authority, |(_, port)| port);
        let usual = if self.secure() { 443 } else { 80 };
        (!plain.contains(':')).then(|| format!("{authority}:{usual}"))
    }
}

impl OriginId {
    /// The central origin.
    pub const CENTRAL: Self = Self(0);

    /// The place: 0 for the central origin, then the apps in the order they were named.
    pub const fn place(self) -> usize {
        self.0
    }
}

impl Origins {
    /// The central origin and further ones.
    pub fn new(central: Origin, apps: Vec<Origin>) -> Self {
        let mut by_host = HashMap::new();
        for (place, origin) in std::iter::once(&central).chain(&apps).enumerate() {
            by_host.entry(origin.authority().into()).or_insert(OriginId(place));
            if let Some(written_out) = origin.with_usual_port() {
                by_host.entry(written_out.into()).or_insert(OriginId(place));
            }
        }
        Self { central, apps, by_host }
    }

    /// The origin of a `Host`, in any letter case.
    pub fn of_host(&self, host: &str) -> Option<OriginId> {
        if host.eq_ignore_ascii_case(self.central.authority()) {
            return Some(OriginId::CENTRAL);
        }
        if self.by_host.len() < 2 {
            return None;
        }
        match self.by_host.get(host) {
            Some(found) => Some(*found),
            None => self.by_host.get(host.to_ascii_lowercase().as_str()).copied(),
        }
    }

    /// An origin; the central one for an ID of other [`Origins`].
    pub fn get(&self, id: OriginId) -> &Origin {
        let place = id.0.checked_sub(1);
        place.and_then(|place| self.apps.get(place)).unwrap_or(&self.central)
    }

    /// The origin that Atlassian sends people back to.
    pub fn central(&self) -> &Origin {
        &self.central
    }

    /// All of them, the central one first.
    pub fn iter(&self) -> impl Iterator<Item = &Origin> {
        std::iter::once(&self.central).chain(&self.apps)
    }

    /// Whether there is more than one.
    pub fn several(&self) -> bool {
        !self.apps.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::parse(text).unwrap()
    }

    #[test]
    fn hosts_find_their_origin_and_strangers_find_none() {
        let apps = vec![origin("https://wiki.example.com"), origin("https://ci.example.com:8443")];
        let origins = Origins::new(origin("https://auth.example.com"), apps);
        for (host, want) in [
            ("auth.example.com", Some(0)),
            ("AUTH.example.com:443", Some(0)),
            ("wiki.example.com", Some(1)),
            ("Wiki.Example.COM", Some(1)),
            ("wiki.example.com:443", Some(1)),
            ("ci.example.com:8443", Some(2)),
            ("ci.example.com", None),
            ("wiki.example.com:80", None),
            ("wiki.example.com.", None),
            ("wiki.example.com.evil.example", None),
            ("xwiki.example.com", None),
            ("example.com", None),
            ("", None),
        ] {
            assert_eq!(origins.of_host(host).map(OriginId::place), want, "{host}");
        }
        assert_eq!(origins.get(OriginId(2)).as_str(), "https://ci.example.com:8443");
    }

    #[test]
    fn one_origin_alone() {
        let origins = Origins::new(origin("http://localhost:4180"), Vec::new());
        assert_eq!(origins.of_host("localhost:4180"), Some(OriginId::CENTRAL));
        assert_eq!(origins.of_host("localhost"), None);
        let https = Origins::new(origin("https://[::1]"), Vec::new());
        assert_eq!(https.of_host("[::1]:443"), Some(OriginId::CENTRAL));
        for bad in ["", "app.example.com", "ftp://x"] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }
}
