//! What does the operator choose about proxying? Plain values, already valid; `config` makes them.

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::gate::Hosts;
use crate::net::TrustedProxies;
use crate::net::hops::ClientHeader;

/// How a proxy listens, forwards and gives up. All of it can be replaced while the proxy runs, except for what
/// [`Entrance::tls`] and [`Entrance::http2`] turn on or off.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How connections begin.
    pub entrance: Entrance,
    /// For which paths a probe of the app is answered without a session, on a listener of its own.
    pub probes: Vec<String>,
    /// The apps behind: for a request it is one that names its host, else one for any; among them that of the longest path.
    pub upstreams: Vec<Upstream>,
    /// Whether people reach this site over `https`: what `X-Forwarded-Proto` says.
    pub public_scheme_https: bool,
    /// The hops in front whose word about the client counts. Nobody, when empty.
    pub trusted: TrustedProxies,
    /// In which header they say whom a request is from.
    pub client_header: ClientHeader,
    /// Whether the upstream is told of the way by `Forwarded` (RFC 7239) besides `X-Forwarded-*`.
    pub forwarded: bool,
    /// From which pages a WebSocket may be opened.
    pub websocket_origins: WebSocketOrigins,
    /// When to give up on a client.
    pub timeouts: Timeouts,
    /// How much a client may ask for.
    pub limits: Limits,
}

/// How connections begin.
#[derive(Clone, Debug, Default)]
pub struct Entrance {
    /// The load balancers that begin every connection with a PROXY header (v1 or v2); all others must not.
    pub proxy_protocol: TrustedProxies,
    /// The certificates; plain HTTP without.
    pub tls: Option<Tls>,
    /// Whether HTTP/2 is offered: by ALPN over TLS, with prior knowledge in the clear.
    pub http2: bool,
}

/// TLS towards clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Certificate chains and keys, PEM. Chosen by server name; the first one is for clients that name none of them.
    pub certificates: Vec<CertificateFiles>,
    /// Whether TLS 1.2 is refused.
    pub only_tls13: bool,
    /// Whom a client's certificate must be from, if one is asked for.
    pub clients: Option<ClientCertificates>,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM: the chain, leaf first.
    pub chain: PathBuf,
    /// PEM: the key.
    pub key: PathBuf,
}

/// Which certificates of clients count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates {
    /// PEM: the authorities.
    pub ca_file: PathBuf,
    /// Whether a client without one is turned away.
    pub required: bool,
}

/// From which pages a WebSocket may be opened (RFC 6455 §10.2). A client that sends no `Origin` is no browser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WebSocketOrigins {
    /// Those of this site's own hosts.
    #[default]
    Own,
    /// Those and these: `https://host[:port]`, lower case.
    OwnAnd(Vec<String>),
    /// Any; the app checks.
    Any,
}

/// One app: a few servers that can stand in for each other.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// In logs and metrics.
    pub name: String,
    /// For requests to these hosts.
    pub hosts: Hosts,
    /// For paths under this one; begins and ends with `/`.
    pub path: String,
    /// What the upstream sees instead of [`Upstream::path`]; begins and ends with `/`.
    pub rewrite: Option<String>,
    /// Where it runs; at least one.
    pub servers: Vec<Server>,
    /// TLS; plain without.
    pub tls: Option<UpstreamTls>,
    /// Which HTTP is spoken.
    pub protocol: Protocol,
    /// Which server a request goes to.
    pub balance: Balance,
    /// Whether the servers are asked if they are well.
    pub health: Option<HealthCheck>,
    /// When a server that fails is left alone.
    pub ejection: Ejection,
    /// Whether it gets the client's `Host`; otherwise its own name and port.
    pub pass_host: bool,
    /// Set on every request to it, in place of the client's.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// When to give up on it.
    pub timeouts: UpstreamTimeouts,
    /// How many idle connections to it are kept.
    pub keep_alive_pool: usize,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// TCP.
    Tcp {
        /// A name, or an IP address without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

/// TLS towards an upstream, always verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// The name that the certificate must carry; never empty.
    pub server_name: String,
    /// PEM file of the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// What to show when asked for a certificate.
    pub certificate: Option<CertificateFiles>,
}

/// The HTTP that an upstream speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2, with prior knowledge in the clear. gRPC servers speak it.
    Http2,
    /// HTTP/2 where the server offers it by ALPN, otherwise HTTP/1.1. TLS only.
    Negotiated,
}

/// Which server a request goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one with the fewest requests under way.
    LeastRequests,
    /// Always the same one for the same account, as long as it is there; one after the other for nobody.
    Account,
}

/// A question asked of every server from time to time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// Path (and query) of a `GET`; a status from 200 to 399 is well.
    pub path: String,
    /// How often.
    pub interval: Duration,
    /// How long the answer may take.
    pub timeout: Duration,
    /// So many good answers in a row bring a server back.
    pub healthy_after: u32,
    /// So many bad ones in a row take it out.
    pub unhealthy_after: u32,
}

/// When a server that takes no connections is left alone, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// So many failures in a row; never, when 0.
    pub failures: u32,
    /// For so long.
    pub duration: Duration,
}

/// Time limits towards an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// TCP and TLS handshakes, together.
    pub connect: Duration,
    /// Silence. Not applied to WebSockets and event streams.
    pub read: Duration,
    /// It takes nothing of what is sent to it.
    pub write: Duration,
    /// How long an unused connection is kept.
    pub idle: Duration,
}

/// Time limits towards clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first byte of a request, or the start of a connection, to the end of the header; in total. The handshake
    /// of TLS and a PROXY header have as long again, together.
    pub header_read: Duration,
    /// Silence in the middle of a request's body.
    pub read: Duration,
    /// For a request's body in total, and as much more as it is long at [`Limits::body_rate`]. Not for gRPC.
    pub body_read: Duration,
    /// A client that takes nothing of what is sent to it.
    pub write: Duration,
    /// How long a connection may rest between requests. Whole seconds.
    pub keep_alive: Duration,
    /// How long an HTTP/2 connection takes requests, a tenth more or less.
    pub http2_age: Duration,
}

/// How much a client may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Request line and header lines, in bytes; beyond it 431.
    pub header_bytes: usize,
    /// Header lines; beyond it 431, and beyond 256 always 400.
    pub header_count: usize,
    /// The request target, in bytes; beyond it 414.
    pub target_bytes: usize,
    /// A request's body, in bytes; beyond it 413.
    pub body_bytes: Option<u64>,
    /// The least speed of a request's body, in bytes per second; below it 408.
    pub body_rate: u32,
    /// Connections in all; beyond it new ones wait to be accepted.
    pub connections: usize,
    /// Connections of one client address; beyond it new ones are closed. Trusted hops are no clients.
    pub connections_per_client: usize,
    /// Requests on one HTTP/1.1 connection; the last one is answered with `Connection: close`.
    pub keep_alive_requests: u32,
    /// Requests under way on one HTTP/2 connection.
    pub http2_streams: u32,
    /// Streams that a client may reset on one HTTP/2 connection within a minute; beyond it the connection ends.
    pub http2_resets: u32,
}

impl Settings {
    /// One upstream, and everything else as it is when nobody says otherwise. `https`: how people reach this site.
    pub fn to(upstream: Upstream, https: bool) -> Self {
        Self {
            entrance: Entrance::default(),
            probes: Vec::new(),
            upstreams: vec![upstream],
            public_scheme_https: https,
            trusted: TrustedProxies::default(),
            client_header: ClientHeader::default(),
            forwarded: false,
            websocket_origins: WebSocketOrigins::default(),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            name: "app".into(),
            hosts: Hosts::Any,
            path: "/".into(),
            rewrite: None,
            servers: Vec::new(),
            tls: None,
            protocol: Protocol::Http1,
            balance: Balance::RoundRobin,
            health: None,
            ejection: Ejection::default(),
            pass_host: true,
            headers: Vec::new(),
            timeouts: UpstreamTimeouts::default(),
            keep_alive_pool: 256,
        }
    }
}

impl Default for Ejection {
    fn default() -> Self {
        Self { failures: 3, duration: Duration::from_secs(10) }
    }
}

impl Default for UpstreamTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(60),
            write: Duration::from_secs(60),
            idle: Duration::from_secs(30),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            header_read: Duration::from_secs(15),
            read: Duration::from_secs(60),
            body_read: Duration::from_secs(60),
            write: Duration::from_secs(60),
            keep_alive: Duration::from_secs(75),
            http2_age: Duration::from_secs(60 * 60),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: 32 * 1024,
            header_count: 100,
            target_bytes: 16 * 1024,
            body_bytes: None,
            body_rate: 500,
            connections: 20_000,
            connections_per_client: 1_000,
            keep_alive_requests: 10_000,
            http2_streams: 100,
            http2_resets: 200,
        }
    }
}
