//! `[proxy]`, checked: one listener, one upstream, and limits that leave room to work.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use url::{Host, Url};

use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::{RawLimits, RawProxy, RawTimeouts};

/// Where requests arrive and where they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The app.
    pub upstream: Upstream,
    /// Certificate authorities for the upstream, instead of the system's.
    pub upstream_ca_file: Option<PathBuf>,
    /// Whether the upstream sees the browser's `Host`.
    pub pass_host: bool,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// What a request may bring.
    pub limits: Limits,
}

/// How the upstream is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// TLS.
    Https,
}

/// The app behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// How to speak to it.
    pub scheme: Scheme,
    /// A name or an address, IPv6 without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The name its certificate must carry.
    pub sni: String,
}

impl Upstream {
    /// Host and port, as in a `Host` header; the port is left out when it is the scheme's own.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.scheme, self.port) {
            (Scheme::Http, 80) | (Scheme::Https, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl std::fmt::Display for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.scheme == Scheme::Https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection to the upstream.
    pub connect: Duration,
    /// For the next bytes from the upstream.
    pub read: Duration,
    /// For the upstream to take bytes.
    pub write: Duration,
    /// How long an unused upstream connection is kept.
    pub idle: Duration,
    /// For a client's request header.
    pub header_read: Duration,
    /// How long an unused client connection is kept.
    pub keep_alive: Duration,
}

/// What a request may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all header lines.
    pub header_bytes: usize,
    /// Number of header lines.
    pub header_count: usize,
}

/// `Some(None)` when there is no upstream and `optional` says that none is needed. What else is written is checked all the
/// same.
pub(super) fn check(raw: &RawProxy, optional: bool, check: &mut Check<'_>) -> Option<Option<Proxy>> {
    let listen = check.address("proxy.listen", &raw.listen);
    let off = optional && raw.upstream.is_none();
    let upstream = if off { None } else { upstream(raw, check) };
    let upstream_ca_file = check.readable("proxy.upstream_ca_file", raw.upstream_ca_file.as_deref());
    let timeouts = timeouts(&raw.timeouts, check);
    let limits = limits(&raw.limits, check);
    if let (Some(listen), Some(upstream)) = (listen, &upstream) {
        not_itself(listen, upstream, check);
    }
    let (listen, upstream_ca_file, timeouts, limits) = (listen?, upstream_ca_file?, timeouts?, limits?);
    if off {
        return Some(None);
    }
    let (upstream, pass_host) = (upstream?, raw.pass_host);
    Some(Some(Proxy { listen, upstream, upstream_ca_file, pass_host, timeouts, limits }))
}

fn upstream(raw: &RawProxy, check: &mut Check<'_>) -> Option<Upstream> {
    let Some(text) = raw.upstream.as_deref() else {
        return check.missing(
            "proxy.upstream",
            "Anteroom would not know where to send requests",
            "write the address of the app, for example upstream = \"http://127.0.0.1:8080\" (or, if a gateway is to ask \
             Anteroom, a table [forward_auth])",
        );
    };
    parse_upstream(text, raw.upstream_server_name.as_deref()).map_or_else(
        |reason| {
            let mistake = Mistake::new(
                "config.upstream",
                format!("`proxy.upstream` cannot be used: {reason}"),
                "Requests go there with the path that the browser asked for",
                "write scheme, host and port alone: \"http://127.0.0.1:8080\" or \"https://app.internal:8443\"",
            );
            check.wrong(&KeyPath::of("proxy.upstream"), mistake.showing_the_url(text))
        },
        Some,
    )
}

fn parse_upstream(text: &str, server_name: Option<&str>) -> Result<Upstream, &'static str> {
    let url = Url::parse(text).map_err(|_| "it is not a URL with a scheme and a host")?;
    let scheme = match url.scheme() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return Err("it is neither http nor https"),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user name or a password");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("it has something behind the host");
    }
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        None => return Err("it has no host"),
    };
    let port = url.port_or_known_default().filter(|port| *port != 0).ok_or("port 0 is no port")?;
    let sni = server_name.unwrap_or(&host).to_owned();
    Ok(Upstream { scheme, host, port, sni })
}

/// Refuses an upstream that is Anteroom's own listener: every request would come back until nothing is left.
fn not_itself(listen: SocketAddr, upstream: &Upstream, check: &mut Check<'_>) {
    let address = match upstream.host.as_str() {
        "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
        host => host.parse().ok(),
    };
    let same_host =
        address.is_some_and(|a| a == listen.ip() || (listen.ip().is_unspecified() && a.is_loopback()));
    if same_host && listen.port() == upstream.port {
        let mistake = Mistake::new(
            "config.upstream-loop",
            "`proxy.upstream` is Anteroom's own listener",
            "Every request would come back in",
            "write the address of the app, or listen on another port",
        );
        check.wrong::<()>(&KeyPath::of("proxy.upstream"), mistake.showing_the_value());
    }
}

fn timeouts(raw: &RawTimeouts, check: &mut Check<'_>) -> Option<Timeouts> {
    let mut span = |name: &str, text: &str| {
        check.span(&format!("proxy.timeouts.{name}"), text, Duration::from_secs(24 * 60 * 60))
    };
    let (connect, read, write) =
        (span("connect", &raw.connect), span("read", &raw.read), span("write", &raw.write));
    let (idle, header_read) = (span("idle", &raw.idle), span("header_read", &raw.header_read));
    let keep_alive = span("keep_alive", &raw.keep_alive);
    Some(Timeouts {
        connect: connect?,
        read: read?,
        write: write?,
        idle: idle?,
        header_read: header_read?,
        keep_alive: keep_alive?,
    })
}

fn limits(raw: &RawLimits, check: &mut Check<'_>) -> Option<Limits> {
    let mut within = |name: &str, value: usize, least: usize, most: usize| {
        if (least..=most).contains(&value) {
            return Some(value);
        }
        let key = format!("proxy.limits.{name}");
        let mistake = Mistake::new(
            "config.limit",
            format!("`{key}` is out of range"),
            "Too little stops ordinary browsers, too much invites abuse",
            format!("write a number from {least} to {most}"),
        );
        check.wrong(&KeyPath::of(&key), mistake.showing_the_value())
    };
    // Cookies alone may take 4 KB each; more than a megabyte is no header.
    let header_bytes = within("header_bytes", raw.header_bytes, 4 * 1024, 1024 * 1024);
    let header_count = within("header_count", raw.header_count, 20, 256);
    Some(Limits { header_bytes: header_bytes?, header_count: header_count? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams() {
        for (text, want) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://app.internal", "https://app.internal"),
            ("https://app.internal:8443/", "https://app.internal:8443"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(parse_upstream(text, None).unwrap().to_string(), want);
        }
        assert_eq!(parse_upstream("https://10.0.0.1", Some("app.internal")).unwrap().sni, "app.internal");
        for bad in
            ["", "app:8080", "ftp://app", "http://u:p@app", "http://app/x", "http://app?x", "http://app:0"]
        {
            assert!(parse_upstream(bad, None).is_err(), "{bad}");
        }
    }
}
