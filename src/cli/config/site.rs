//! What goes into a gateway's configuration? Addresses, hosts, paths and header names, each proven harmless.
//!
//! Guarantees: no value of a [`Site`] needs quoting in any gateway's language (letters, digits and a few marks), and none
//! is secret: of the shared key only whether there is one. What would need quoting is refused, with its name.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use url::Url;

use super::names::{NEVER_FROM_A_CLIENT, OUR_OTHER_NAMES, titled};
use crate::config::{Config, Listen as ConfiguredListen, PublicUrl};
use crate::identity::headers::Layout;

/// Everything that a template needs.
#[derive(Debug)]
pub(super) struct Site {
    /// Anteroom's listener for gateways, as the gateway reaches it.
    pub(super) anteroom: Anteroom,
    /// The app, as the gateway reaches it.
    pub(super) upstream: Upstream,
    /// The gateway's own address.
    pub(super) listen: Listen,
    /// Every host that people type; the central one first.
    pub(super) hosts: Vec<Host>,
    /// Where Atlassian sends the browser back to, at the central host: `/api/auth/callback/atlassian`.
    pub(super) callback_path: String,
    /// The headers that a gateway copies from Anteroom's answer, as people write them: `X-Anteroom-Email`.
    pub(super) headers: Vec<String>,
    /// Names that Anteroom does not set here and that no client may send either: other presets', path rewriters, hearsay.
    pub(super) also_reserved: Vec<String>,
    /// Whether Anteroom demands the shared key.
    pub(super) key: bool,
    /// Whether one session is good for several hosts: an app that sees the cookie could use it at the others.
    pub(super) shared_cookies: bool,
}

/// Where Anteroom listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Anteroom {
    /// A name or an address (IPv6 in brackets), with its port: `127.0.0.1:4182`.
    Tcp(String),
    /// The path of a Unix socket.
    Unix(String),
}

/// The app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Upstream {
    /// Whether it speaks TLS.
    pub(super) tls: bool,
    /// A name or an address, IPv6 in brackets.
    pub(super) host: String,
    /// Its port, also where it is the scheme's own.
    pub(super) port: u16,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listen {
    /// An address, IPv6 in brackets; `None` for all of them.
    pub(super) host: Option<String>,
    /// The port.
    pub(super) port: u16,
}

/// One of the hosts that people type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// Without port, IPv6 in brackets: `wiki.example.com`.
    pub(super) host: String,
    /// As in `Host`: with the port where it is not the scheme's own.
    pub(super) authority: String,
    /// `https://wiki.example.com`
    pub(super) origin: String,
    /// Whether it is the one with Atlassian's callback.
    pub(super) central: bool,
}

/// What was typed.
#[derive(Debug)]
pub(super) struct Flags<'a> {
    /// `--anteroom`
    pub(super) anteroom: Option<&'a str>,
    /// `--upstream`
    pub(super) upstream: &'a str,
    /// `--listen`
    pub(super) listen: &'a str,
}

impl Site {
    /// From the configuration and the flags. `Err` is for people.
    pub(super) fn of(config: &Config, flags: &Flags<'_>) -> Result<Self, String> {
        let Some(forward_auth) = &config.forward_auth else {
            return Err(
                "There is no [forward_auth] in this configuration: Anteroom would not listen to a gateway. \
                        Add it with trusted_proxies, then print this again."
                    .into(),
            );
        };
        let anteroom = match flags.anteroom {
            Some(text) => Anteroom::parse(text)?,
            None => Anteroom::of(&forward_auth.listen)?,
        };
        let urls: Vec<&PublicUrl> = [&config.public_url].into_iter().chain(&config.app_urls).collect();
        let (layout, key) = (&config.headers.layout, forward_auth.key.is_some());
        let site = Self::new(anteroom, flags, &urls, &config.atlassian.callback_path, layout, key)?;
        Ok(Self { shared_cookies: config.session.cookie_domain.is_some(), ..site })
    }

    /// From plain values; the first URL is the central host.
    pub(super) fn new(
        anteroom: Anteroom,
        flags: &Flags<'_>,
        urls: &[&PublicUrl],
        callback_path: &str,
        layout: &Layout,
        key: bool,
    ) -> Result<Self, String> {
        let mut hosts: Vec<Host> = Vec::new();
        for (index, url) in urls.iter().enumerate() {
            let host = Host::new(url, index == 0)?;
            if hosts.iter().any(|other| other.host == host.host && other.origin != host.origin) {
                return Err(format!(
                    "{} is served under two ports or schemes, which one gateway configuration cannot tell apart. \
                     Print one for each, from a configuration that has only that one.",
                    host.host
                ));
            }
            if !hosts.contains(&host) && !hosts.iter().any(|other| other.origin == host.origin) {
                hosts.push(host);
            }
        }
        let headers = layout.names().map(|name| written("a header", &titled(name.as_str()), "-_"));
        let headers: Vec<String> = headers.collect::<Result<_, _>>()?;
        let taken = |name: &String| headers.iter().any(|header| header.eq_ignore_ascii_case(name));
        let names = layout.reserved_names().chain(OUR_OTHER_NAMES).chain(NEVER_FROM_A_CLIENT);
        let mut also_reserved: Vec<String> = names.map(titled).filter(|name| !taken(name)).collect();
        also_reserved.sort();
        also_reserved.dedup();
        Ok(Self {
            anteroom,
            upstream: Upstream::parse(flags.upstream)?,
            listen: Listen::parse(flags.listen)?,
            hosts,
            callback_path: written("the callback path", callback_path, "/-_.~")?,
            headers,
            also_reserved,
            key,
            shared_cookies: false,
        })
    }

    /// The host with Atlassian's callback.
    pub(super) fn central(&self) -> Option<&Host> {
        self.hosts.iter().find(|host| host.central)
    }
}

impl Anteroom {
    /// As a gateway on the same machine reaches it.
    fn of(listen: &ConfiguredListen) -> Result<Self, String> {
        match listen {
            ConfiguredListen::Tcp(address) => Ok(Self::at(*address)),
            ConfiguredListen::Unix { path, .. } => Self::parse(&format!("unix:{}", path.display())),
            ConfiguredListen::Systemd { .. } => Err(
                "systemd knows where Anteroom listens, this configuration does not: say it with --anteroom"
                    .into(),
            ),
        }
    }

    /// A listener on this address, as a gateway on the same machine reaches it: nobody connects to "all addresses".
    fn at(mut listens: SocketAddr) -> Self {
        if listens.ip().is_unspecified() {
            let v4 = listens.is_ipv4();
            listens.set_ip(if v4 { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
        }
        Self::Tcp(listens.to_string())
    }

    /// Parses `HOST:PORT` or `unix:PATH`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            if !path.starts_with('/') {
                return Err("--anteroom is unix: and an absolute path, for example unix:/run/anteroom/forward-auth.sock".into());
            }
            return Ok(Self::Unix(written("--anteroom", path, "/-_.")?));
        }
        match host_and_port(text) {
            Some((host, port)) if !host.is_empty() => {
                Ok(Self::Tcp(format!("{}:{port}", written("--anteroom", host, "-.:[]")?)))
            }
            _ => Err("--anteroom is HOST:PORT or unix:PATH, for example 127.0.0.1:4182".into()),
        }
    }
}

impl Upstream {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = "--upstream is http:// or https:// with a host and nothing behind it, for example http://127.0.0.1:8080";
        let url = Url::parse(text).map_err(|_| wrong.to_owned())?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none();
        match (url.host_str(), url.port_or_known_default()) {
            (Some(host), Some(port)) if plain => {
                Ok(Self { tls: url.scheme() == "https", host: written("--upstream", host, "-.:[]_")?, port })
            }
            _ => Err(wrong.into()),
        }
    }

    /// With its port: `127.0.0.1:8080`.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// `https` or `http`.
    pub(super) fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// `http://127.0.0.1:8080`
    pub(super) fn url(&self) -> String {
        format!("{}://{}", self.scheme(), self.authority())
    }
}

impl Listen {
    fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = host_and_port(text)
            .ok_or("--listen is an address and a port, for example :80 or 127.0.0.1:8000")?;
        let host = (!host.is_empty()).then(|| written("--listen", host, "-.:[]"));
        Ok(Self { host: host.transpose()?, port })
    }
}

impl Host {
    fn new(url: &PublicUrl, central: bool) -> Result<Self, String> {
        let origin = url.origin();
        let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
        Ok(Self {
            host: written("a host", url.host(), "-.:[]")?,
            authority: written("a host", authority, "-.:[]")?,
            origin: origin.to_owned(),
            central,
        })
    }

    /// `https` or `http`.
    pub(super) fn scheme(&self) -> &str {
        self.origin.split_once("://").map_or("https", |(scheme, _)| scheme)
    }
}

/// The host (IPv6 in brackets) before the last colon and the port behind it.
fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let bare_v6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
    (!bare_v6).then_some((host, port.parse().ok()?))
}

/// The text, if it is made of ASCII letters, digits and these marks: nothing that a gateway would want quoted.
fn written(what: &str, text: &str, marks: &str) -> Result<String, String> {
    let harmless = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
    if !text.is_empty() && text.chars().all(harmless) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{what} holds a character that would have to be quoted in a gateway's configuration: {text:?}. \
         Choose one of letters, digits and {}.",
        marks.chars().map(String::from).collect::<Vec<_>>().join(" ")
    ))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::identity::headers::{Claim, Preset};
    use http::HeaderName;

    /// A site with two hosts, as the other files' tests need one.
    pub(in crate::cli::config) fn site(key: bool) -> Site {
        made("127.0.0.1:4182", "/api/auth/callback/atlassian", &[], key).unwrap()
    }

    fn made(
        anteroom: &str,
        callback: &str,
        custom: &[(HeaderName, Claim)],
        key: bool,
    ) -> Result<Site, String> {
        let urls = ["https://auth.example.com", "https://wiki.example.com:8443"];
        let urls: Vec<PublicUrl> = urls.iter().map(|url| PublicUrl::parse(url).unwrap()).collect();
        let flags = Flags { anteroom: None, upstream: "http://127.0.0.1:8080", listen: ":80" };
        let layout = Layout::new(&[Preset::Anteroom], custom, Claim::Email);
        let urls: Vec<&PublicUrl> = urls.iter().collect();
        Site::new(Anteroom::parse(anteroom)?, &flags, &urls, callback, &layout, key)
    }

    #[test]
    fn what_a_template_gets() {
        let own = HeaderName::from_static("x-webauth-user");
        let site = made("[::1]:4182", "/callback", &[(own, Claim::Email)], false).unwrap();
        assert_eq!(site.anteroom, Anteroom::Tcp("[::1]:4182".into()));
        assert_eq!(site.central().unwrap().host, "auth.example.com");
        let wiki = &site.hosts[1];
        assert_eq!(
            (wiki.host.as_str(), wiki.authority.as_str()),
            ("wiki.example.com", "wiki.example.com:8443")
        );
        assert_eq!(
            site.headers,
            [
                "X-Anteroom-Account-Id",
                "X-Anteroom-Email",
                "X-Anteroom-Email-Verified",
                "X-Anteroom-Name",
                "X-Anteroom-Picture",
                "X-Anteroom-New-User",
                "X-Webauth-User",
                "X-Anteroom-Assertion",
            ]
        );
        for name in
            ["Remote-User", "X-Forwarded-Uri", "X-Auth-Request-Email", "Forwarded", "X-Real-Ip", "Proxy"]
        {
            assert!(site.also_reserved.iter().any(|other| other == name), "{name}");
        }
        assert!(!site.also_reserved.iter().any(|name| site.headers.contains(name)));
    }

    #[test]
    fn what_would_need_quoting_is_refused() {
        for path in
            ["/call back", "/a;b", "/a\"b", "/a'b", "/a{b}", "/$a", "/a\nb", "/a#b", "/a\\b", "/%41", ""]
        {
            assert!(made("127.0.0.1:4182", path, &[], false).is_err(), "{path:?}");
        }
        for anteroom in [
            "",
            "4182",
            ":4182",
            "a b:1",
            "a;b:1",
            "::1:4182",
            "unix:",
            "unix:run/x",
            "unix:/a b",
            "unix:/$x",
        ] {
            assert!(made(anteroom, "/callback", &[], false).is_err(), "{anteroom:?}");
        }
        let own = HeaderName::from_static("x-$user");
        assert!(made("127.0.0.1:4182", "/callback", &[(own, Claim::Email)], false).is_err());
    }

    #[test]
    fn upstreams_and_listeners() {
        for (listens, reached) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:2", "[::1]:2"), ("10.0.0.7:3", "10.0.0.7:3")]
        {
            assert_eq!(Anteroom::at(listens.parse().unwrap()), Anteroom::Tcp(reached.into()));
        }
        let upstream = Upstream::parse("https://app.internal").unwrap();
        assert_eq!((upstream.url(), upstream.tls), ("https://app.internal:443".into(), true));
        for text in ["app:8080", "ftp://app", "http://app/path", "http://u:p@app", "http://app/?q", ""] {
            assert!(Upstream::parse(text).is_err(), "{text}");
        }
        assert_eq!(Listen::parse(":80").unwrap(), Listen { host: None, port: 80 });
        assert_eq!(Listen::parse("[::1]:81").unwrap(), Listen { host: Some("[::1]".into()), port: 81 });
        for text in ["", "80", ":", ":x", "a b:80", ":99999"] {
            assert!(Listen::parse(text).is_err(), "{text}");
        }
    }
}
