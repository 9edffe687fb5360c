//! What does the operator choose about proxying? Plain values, already valid; `config` makes them.

use std::path::PathBuf;
use std::time::Duration;

/// How a proxy listens, forwards and gives up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The app behind.
    pub upstream: Upstream,
    /// Whether people reach this site over `https`: what `X-Forwarded-Proto` says.
    pub public_scheme_https: bool,
    /// Whether the upstream gets the client's `Host`; otherwise its own name and port.
    pub pass_host: bool,
    /// When to give up.
    pub timeouts: Timeouts,
    /// How much header a client may send.
    pub limits: Limits,
    /// How many idle connections to the upstream are kept.
    pub upstream_keepalive_pool: usize,
}

/// One app.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// A name, or an IP address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The name that the certificate must carry; never empty for [`Scheme::Https`].
    pub sni: String,
    /// PEM file of the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
}

/// How to speak to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain TCP.
    Http,
    /// TLS, always verified.
    Https,
}

/// Time limits.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// TCP and TLS handshakes with the upstream, together.
    pub connect: Duration,
    /// Silence of the upstream, and of a client in the middle of a body. Not applied to WebSockets and event streams.
    pub read: Duration,
    /// A peer that takes nothing of what is sent to it.
    pub write: Duration,
    /// How long an unused connection to the upstream is kept.
    pub idle: Duration,
    /// From the first byte of a request, or the start of a connection, to the end of the header; in total.
    pub header_read: Duration,
    /// How long a client's connection may rest between requests. Whole seconds.
    pub keep_alive: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(60),
            write: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            header_read: Duration::from_secs(15),
            keep_alive: Duration::from_secs(75),
        }
    }
}

/// Size limits.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Request line and header lines, in bytes; beyond it 431.
    pub header_bytes: usize,
    /// Header lines; beyond it 431, and beyond 256 always 400.
    pub header_count: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { header_bytes: 32 * 1024, header_count: 100 }
    }
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// TLS without a name to verify would not be verified at all.
    #[error("the https upstream needs a server name that its certificate carries")]
    NoServerName,
    /// The authorities cannot be read.
    #[error("cannot read the certificate authorities for the https upstream from {from}: {reason}")]
    Authorities {
        /// The file, or the system's store.
        from: String,
        /// What the reader said.
        reason: String,
    },
    /// There are none, so nothing could be verified.
    #[error("no certificate authority in {0}, so the https upstream could not be verified: name a CA file")]
    NoAuthorities(String),
}
