//! Where does a server of an app listen, and how is it spoken to? `http://host:port`, `https://`, `h2c://`, `unix:/path`.

use std::net::IpAddr;
use std::path::PathBuf;

use url::{Host, Url};

use crate::config::check::Check;
use crate::config::valid::listen::{self, Listen};
use crate::net;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// TCP.
    Tcp {
        /// A name or an address, IPv6 without brackets.
        host: String,
        /// Its port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// In the clear.
    Http,
    /// TLS.
    Https,
    /// HTTP/2 in the clear, with prior knowledge (RFC 9113 §3.3).
    H2c,
    /// In the clear, over a Unix socket.
    Unix,
}

impl Scheme {
    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::H2c => "h2c",
            Self::Unix => "unix",
        }
    }
}

impl Server {
    /// As it is written, with this scheme.
    pub(super) fn display(&self, scheme: &str) -> String {
        match self {
            Self::Tcp { host, port } => {
                format!("{scheme}://{}", net::authority(host, *port, scheme == "https"))
            }
            Self::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    /// The name, if it is known by one.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Tcp { host, .. } if host.parse::<IpAddr>().is_err() => Some(host),
            _ => None,
        }
    }

    /// Whether this is the listener itself.
    pub(super) fn is(&self, listen: &Listen) -> bool {
        match (self, listen) {
            (Self::Unix(path), Listen::Unix { path: own, .. }) => path == own,
            (Self::Tcp { host, port }, Listen::Tcp(own)) => {
                let address = match host.as_str() {
                    "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
                    host => host.parse().ok(),
                };
                let same_host =
                    address.is_some_and(|a| a == own.ip() || (own.ip().is_unspecified() && a.is_loopback()));
                same_host && own.port() == *port
            }
            _ => false,
        }
    }
}

/// `Err` says what is wrong, without repeating the text.
pub(super) fn parse(text: &str, check: &Check<'_>) -> Result<(Scheme, Server), &'static str> {
    match text.strip_prefix("unix:") {
        Some(path) => Ok((Scheme::Unix, Server::Unix(listen::socket(path, check)?))),
        None => tcp(text),
    }
}

fn tcp(text: &str) -> Result<(Scheme, Server), &'static str> {
    // The URL parser normalises hosts and knows usual ports for schemes of the web alone.
    let (scheme, text) = match text.strip_prefix("h2c://") {
        Some(rest) => (Some(Scheme::H2c), format!("http://{rest}")),
        None => (None, text.to_owned()),
    };
    let url = Url::parse(&text).map_err(|_| "it is not a URL with a scheme and a host")?;
    let scheme = match (scheme, url.scheme()) {
        (Some(scheme), _) => scheme,
        (None, "http") => Scheme::Http,
        (None, "https") => Scheme::Https,
        _ => return Err("it is none of http, https, h2c and unix"),
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
    Ok((scheme, Server::Tcp { host, port }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, want) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://app.internal", "https://app.internal"),
            ("https://App.internal:8443/", "https://app.internal:8443"),
            ("http://[::1]:80", "http://[::1]"),
            ("h2c://grpc.internal:50051", "h2c://grpc.internal:50051"),
        ] {
            let (scheme, server) = tcp(text).unwrap();
            assert_eq!(server.display(scheme.as_str()), want);
        }
        for bad in [
            "",
            "app:8080",
            "ftp://app",
            "http://u:p@app",
            "h2c://u@app",
            "http://app/x",
            "h2c://app/x",
            "http://app?x",
            "http://app#x",
            "http://app:0",
            "h2c://",
        ] {
            assert!(tcp(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_listener_itself() {
        let is = |text: &str, listen: &str| tcp(text).unwrap().1.is(&Listen::Tcp(listen.parse().unwrap()));
        assert!(is("http://localhost:4180", "127.0.0.1:4180") && is("http://127.0.0.2:1", "0.0.0.0:1"));
        assert!(!is("http://localhost:4181", "127.0.0.1:4180") && !is("http://app:1", "0.0.0.0:1"));
    }
}
