//! `[proxy]` as typed: the listener, the upstream, time and size limits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where requests arrive and where they go.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawProxy {
    /// The address and port to listen on. In a container: `0.0.0.0:4180`.
    pub(crate) listen: String,
    /// The app: `http://host:port` or `https://host:port`. Required, unless there is a `[forward_auth]`: without an
    /// upstream Anteroom then only answers gateways.
    pub(crate) upstream: Option<String>,
    /// The name that the upstream's certificate must carry, when it differs from the host in `upstream`.
    pub(crate) upstream_server_name: Option<String>,
    /// A PEM file with the certificate authorities that an `https` upstream is checked against, instead of the
    /// system's.
    pub(crate) upstream_ca_file: Option<String>,
    /// Whether the upstream sees the `Host` that the browser sent. Otherwise it sees its own.
    pub(crate) pass_host: bool,
    pub(crate) timeouts: RawTimeouts,
    pub(crate) limits: RawLimits,
}

/// How long to wait, as spans such as `500ms`, `30s`, `5m`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawTimeouts {
    /// For a connection to the upstream.
    pub(crate) connect: String,
    /// For the next bytes from the upstream.
    pub(crate) read: String,
    /// For the upstream to take the next bytes.
    pub(crate) write: String,
    /// How long an unused connection to the upstream is kept.
    pub(crate) idle: String,
    /// For a client to finish sending the header of a request.
    pub(crate) header_read: String,
    /// How long an unused connection of a client is kept.
    pub(crate) keep_alive: String,
}

/// What a request may bring at most.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawLimits {
    /// Bytes of all header lines together.
    pub(crate) header_bytes: usize,
    /// Number of header lines.
    pub(crate) header_count: usize,
}

impl Default for RawProxy {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4180".into(),
            upstream: None,
            upstream_server_name: None,
            upstream_ca_file: None,
            pass_host: true,
            timeouts: RawTimeouts::default(),
            limits: RawLimits::default(),
        }
    }
}

impl Default for RawTimeouts {
    fn default() -> Self {
        Self {
            connect: "5s".into(),
            read: "60s".into(),
            write: "60s".into(),
            idle: "60s".into(),
            header_read: "30s".into(),
            keep_alive: "75s".into(),
        }
    }
}

impl Default for RawLimits {
    fn default() -> Self {
        Self { header_bytes: 32 * 1024, header_count: 100 }
    }
}
