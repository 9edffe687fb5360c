//! One upstream, checked: servers of one kind, verified when they speak TLS.

use std::net::IpAddr;
use std::path::PathBuf;

use http::{HeaderName, HeaderValue};

use super::server::{self, Scheme, Server};
use super::tls::CertificateFiles;
use super::{Ejection, HealthCheck, UpstreamTimeouts, tls};
use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::{RawBalance, RawProtocol, RawUpstream};
use crate::gate::Hosts;

/// An app behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// In logs and metrics; unique.
    pub name: String,
    /// For requests to these hosts.
    pub hosts: Hosts,
    /// For paths under this one; begins and ends with `/`.
    pub path: String,
    /// What it sees in place of `path`; begins and ends with `/`.
    pub rewrite: Option<String>,
    /// Where it runs; at least one.
    pub servers: Vec<Server>,
    /// TLS, if it speaks it.
    pub tls: Option<UpstreamTls>,
    /// The HTTP that it speaks.
    pub protocol: Protocol,
    /// Which server a request goes to.
    pub balance: Balance,
    /// Whether the servers are asked if they are well.
    pub health: Option<HealthCheck>,
    /// When a server that fails is left alone.
    pub ejection: Ejection,
    /// Whether it sees the browser's `Host`.
    pub pass_host: bool,
    /// Set on every request to it; values are sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How long to wait for it.
    pub timeouts: UpstreamTimeouts,
    /// How many idle connections to it are kept.
    pub keep_alive_pool: usize,
}

/// TLS towards an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// The name that its certificate must carry; never empty.
    pub server_name: String,
    /// The authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// What to show when it asks for a certificate.
    pub certificate: Option<CertificateFiles>,
}

/// The HTTP that an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
    /// What ALPN finds; TLS only.
    Auto,
}

/// Which server a request goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// One after the other.
    RoundRobin,
    /// The one with the fewest requests under way.
    LeastRequests,
    /// The same one for the same account.
    Account,
}

/// Every server, as it would be written.
impl std::fmt::Display for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match (&self.tls, self.protocol) {
            (Some(_), _) => Scheme::Https,
            (None, Protocol::Http2) => Scheme::H2c,
            (None, _) => Scheme::Http,
        };
        let servers = self.servers.iter().map(|server| server.display(scheme.as_str()));
        f.write_str(&servers.collect::<Vec<_>>().join(", "))
    }
}

/// Where the settings of an upstream stand: in a table of `[[proxy.upstreams]]`, or in `[proxy]` itself.
pub(super) struct Keys {
    /// `servers`, or `upstream`.
    pub(super) servers: KeyPath,
    /// Whether `servers` is a list.
    pub(super) list: bool,
    /// `server_name`.
    pub(super) server_name: KeyPath,
    /// `ca_file`.
    pub(super) ca_file: KeyPath,
    /// The table.
    pub(super) table: KeyPath,
}

/// The servers, and the one scheme of all.
pub(super) fn servers(texts: &[String], keys: &Keys, check: &mut Check<'_>) -> Option<(Scheme, Vec<Server>)> {
    let (mut found, mut all_good) = (Vec::<(Scheme, Server)>::new(), true);
    for (index, text) in texts.iter().enumerate() {
        let key = if keys.list { keys.servers.at(index) } else { keys.servers.clone() };
        let problem = match server::parse(text, check) {
            Ok((scheme, _)) if found.first().is_some_and(|(first, _)| *first != scheme) => {
                "its scheme is not that of the server before it"
            }
            Ok((_, server)) if found.iter().any(|(_, other)| *other == server) => "it is listed twice",
            Ok(one) => {
                found.push(one);
                continue;
            }
            Err(reason) => reason,
        };
        all_good = false;
        let mistake = Mistake::new(
            "config.upstream",
            format!("`{key}` cannot be used: {problem}"),
            "Requests go there with the path that the browser asked for",
            "write scheme, host and port alone: \"http://127.0.0.1:8080\", \"https://app.internal:8443\", \
             \"h2c://grpc.internal:50051\", or \"unix:/run/app.sock\"; all of one kind",
        );
        check.wrong::<()>(&key, mistake.showing_the_url(text));
    }
    let scheme = found.first().map(|(scheme, _)| *scheme)?;
    all_good.then(|| (scheme, found.into_iter().map(|(_, server)| server).collect()))
}

/// What TLS needs, if it is spoken; warns of settings for it otherwise.
pub(super) fn tls(
    raw: &RawUpstream,
    scheme: Scheme,
    servers: &[Server],
    keys: &Keys,
    check: &mut Check<'_>,
) -> Option<Option<UpstreamTls>> {
    let ca_file = check.readable_at(&keys.ca_file, raw.ca_file.as_deref());
    let certificate = tls::files(raw.cert_file.as_deref(), raw.key_file.as_deref(), &keys.table, check);
    if scheme != Scheme::Https {
        if raw.server_name.is_some() || raw.ca_file.is_some() || raw.cert_file.is_some() {
            let mistake = Mistake::new(
                "config.upstream-tls-unused",
                format!("`{}` is not https, and there are settings for https", keys.servers),
                "They do not count: nothing is encrypted or verified",
                "write https://…, or remove the server name and the files of certificates",
            );
            check.warn(&keys.servers, mistake);
        }
        return ca_file.and(certificate).map(|_| None);
    }
    let first = servers.first().and_then(Server::name);
    let same = servers.iter().all(|server| server.name() == first);
    let server_name = match (&raw.server_name, first) {
        (Some(name), _) => server_name(name, &keys.server_name, check),
        (None, Some(name)) if same => Some(name.to_owned()),
        (None, _) => {
            let mistake = Mistake::new(
                "config.upstream-server-name",
                format!(
                    "`{}` is https, and it is not said which name the certificate must carry",
                    keys.servers
                ),
                "The servers are known by address, or by different names: whoever answers there could not be verified",
                format!("add {} = \"app.internal\"", keys.server_name),
            );
            check.wrong(&keys.servers, mistake.showing_the_value())
        }
    };
    Some(Some(UpstreamTls { server_name: server_name?, ca_file: ca_file?, certificate: certificate? }))
}

/// A host name or an address: both can stand in a certificate (RFC 9525 §6.3, §6.5).
fn server_name(text: &str, key: &KeyPath, check: &mut Check<'_>) -> Option<String> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if text.parse::<IpAddr>().is_ok() || (text.len() <= 253 && text.split('.').all(label)) {
        return Some(text.to_ascii_lowercase());
    }
    let mistake = Mistake::new(
        "config.upstream-server-name",
        format!("`{key}` is not a name that a certificate could carry"),
        "No certificate would fit: every request would fail",
        "write the name alone, without scheme and port: \"app.internal\"",
    );
    check.wrong(key, mistake.showing_the_value())
}

pub(super) fn protocol(
    raw: Option<RawProtocol>,
    scheme: Scheme,
    table: &KeyPath,
    check: &mut Check<'_>,
) -> Option<Protocol> {
    let (what, remedy) = match (raw, scheme) {
        (Some(RawProtocol::Auto), scheme) if scheme != Scheme::Https => (
            "`protocol` is auto, and the servers do not speak TLS",
            "write \"http1\" or \"http2\"; only TLS lets both sides find out what they speak",
        ),
        (Some(RawProtocol::Http1), Scheme::H2c) => {
            ("`protocol` is http1, and the servers are h2c", "write http://…, or remove protocol")
        }
        (Some(RawProtocol::Auto), _) => return Some(Protocol::Auto),
        (Some(RawProtocol::Http2), _) | (None, Scheme::H2c) => return Some(Protocol::Http2),
        (Some(RawProtocol::Http1) | None, _) => return Some(Protocol::Http1),
    };
    let meaning = "The app would not understand Anteroom";
    let mistake = Mistake::new("config.upstream-protocol", what, meaning, remedy);
    check.wrong(&table.key("protocol"), mistake.showing_the_value())
}

pub(super) const fn balance(raw: RawBalance) -> Balance {
    match raw {
        RawBalance::RoundRobin => Balance::RoundRobin,
        RawBalance::LeastRequests => Balance::LeastRequests,
        RawBalance::Account => Balance::Account,
    }
}
