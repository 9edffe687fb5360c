//! `[proxy]` as typed: the listener, the upstreams, time and size limits.

mod limits;
mod probes;
mod tls;
mod upstream;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OneOrMany;

pub(crate) use limits::{RawLimits, RawTimeouts};
pub(crate) use probes::RawProbes;
pub(crate) use tls::{RawCertificate, RawClientCertificates, RawTls, RawTlsVersion};
pub(crate) use upstream::{
    RawBalance, RawEjection, RawHealth, RawProtocol, RawUpstream, RawUpstreamTimeouts,
};

/// Where requests arrive and where they go.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawProxy {
    /// Where to listen: an address and port (in a container `0.0.0.0:4180`), `unix:/path/of.sock`, `systemd` for the one
    /// socket that systemd hands over, or `systemd:NAME` for the one with this `FileDescriptorName=`.
    pub(crate) listen: String,
    /// The permissions of a `unix:` socket, in octal. Whoever may write to it can connect.
    pub(crate) unix_mode: String,
    /// The app: `http://host:port`, `https://host:port`, `h2c://host:port` for HTTP/2 in the clear, or `unix:/path/of.sock`.
    /// Required, unless there are `[[proxy.upstreams]]` or there is a `[forward_auth]`: without an upstream Anteroom then
    /// only answers gateways.
    pub(crate) upstream: Option<String>,
    /// The name that the certificate of `upstream` must carry, when it differs from the host there.
    pub(crate) upstream_server_name: Option<String>,
    /// A PEM file with the certificate authorities that an `https` upstream is checked against, instead of the
    /// system's.
    pub(crate) upstream_ca_file: Option<String>,
    /// Whether the upstream sees the `Host` that the browser sent. Otherwise it sees its own.
    pub(crate) pass_host: bool,
    /// Several apps, or several servers of one, in place of `upstream`. A request goes to one that names its
    /// host, else to one that names none, and among them to the longest `path` that it is under; 404 where there is none.
    pub(crate) upstreams: Vec<RawUpstream>,
    /// The load balancers and gateways in front, whose `X-Forwarded-For`, `traceparent` and `X-Request-Id` count:
    /// addresses, networks such as `10.0.0.0/8`, and `unix` for whoever reaches a Unix socket.
    pub(crate) trusted_proxies: Vec<String>,
    /// In which header these say whom a request is from. The other one is not read: they may let pass what a client has
    /// written into it.
    pub(crate) client_header: RawClientHeader,
    /// The load balancers that begin every connection with a PROXY header (version 1 or 2), written as in
    /// `trusted_proxies`. From everybody else such a header is refused.
    pub(crate) proxy_protocol: Vec<String>,
    /// Whether the upstream is also told of the way by `Forwarded` (RFC 7239).
    pub(crate) forwarded: bool,
    /// From which pages a WebSocket may be opened: `own` for those of this site, `any` when the app checks `Origin` itself,
    /// or a list of further origins such as `https://other.example`.
    pub(crate) websocket_origins: OneOrMany<String>,
    /// Whether clients may speak HTTP/2: by ALPN with TLS, with prior knowledge without.
    pub(crate) http2: bool,
    pub(crate) tls: Option<RawTls>,
    pub(crate) probes: Option<RawProbes>,
    pub(crate) timeouts: RawTimeouts,
    pub(crate) limits: RawLimits,
}

impl Default for RawProxy {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4180".into(),
            unix_mode: "0660".into(),
            upstream: None,
            upstream_server_name: None,
            upstream_ca_file: None,
            pass_host: true,
            upstreams: Vec::new(),
            trusted_proxies: Vec::new(),
            client_header: RawClientHeader::default(),
            proxy_protocol: Vec::new(),
            forwarded: false,
            websocket_origins: OneOrMany::One("own".into()),
            http2: true,
            tls: None,
            probes: None,
            timeouts: RawTimeouts::default(),
            limits: RawLimits::default(),
        }
    }
}

/// A header in which hops name the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawClientHeader {
    /// The one that everybody writes.
    #[default]
    XForwardedFor,
    /// That of RFC 7239.
    Forwarded,
}
