//! `[proxy.timeouts]` and `[proxy.limits]` as typed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::raw::RawSize;

/// How long to wait, as spans such as `500ms`, `30s`, `5m`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawTimeouts {
    /// For a connection to the upstream, TLS included.
    pub(crate) connect: String,
    /// For the next bytes: of the upstream's answer, and of a client's body. Not for WebSockets and event streams.
    pub(crate) read: String,
    /// For the upstream, or the client, to take the next bytes.
    pub(crate) write: String,
    /// How long an unused connection to the upstream is kept.
    pub(crate) idle: String,
    /// For a client to finish sending the header of a request; once more for TLS and a PROXY header together.
    pub(crate) header_read: String,
    /// For a client to finish sending the body of a request; longer bodies have more, at `limits.body_rate`.
    pub(crate) body_read: String,
    /// How long an unused connection of a client is kept, in whole seconds.
    pub(crate) keep_alive: String,
    /// After which an HTTP/2 connection of a client ends: what is under way finishes, and the client makes a new one, maybe to
    /// another replica. A tenth more or less.
    pub(crate) http2_age: String,
}

/// How much a client may ask for. Bytes are numbers, or text such as `64KiB`, `10MB`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawLimits {
    /// Bytes of the request line and all header lines together; beyond it 431.
    pub(crate) header_bytes: RawSize,
    /// Number of header lines; beyond it 431.
    pub(crate) header_count: u64,
    /// Bytes of the path and query; beyond it 414.
    pub(crate) target_bytes: RawSize,
    /// Bytes of a request's body; beyond it 413. 0 for no limit.
    pub(crate) body_bytes: RawSize,
    /// The least speed of a request's body, in bytes per second; below it 408.
    pub(crate) body_rate: RawSize,
    /// Connections in all; beyond it new ones wait.
    pub(crate) connections: u64,
    /// Connections of one client address; beyond it new ones are closed. Does not count for `trusted_proxies`.
    pub(crate) connections_per_client: u64,
    /// Requests on one HTTP/1.1 connection before it is closed.
    pub(crate) keep_alive_requests: u64,
    /// Requests under way on one HTTP/2 connection.
    pub(crate) http2_streams: u64,
    /// Streams that a client may reset on one HTTP/2 connection within a minute; beyond it the connection ends
    /// (CVE-2023-44487).
    pub(crate) http2_resets: u64,
}

impl Default for RawTimeouts {
    fn default() -> Self {
        Self {
            connect: "5s".into(),
            read: "60s".into(),
            write: "60s".into(),
            idle: "30s".into(),
            header_read: "15s".into(),
            body_read: "60s".into(),
            keep_alive: "75s".into(),
            http2_age: "1h".into(),
        }
    }
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            header_bytes: RawSize::Bytes(32 * 1024),
            header_count: 100,
            target_bytes: RawSize::Bytes(16 * 1024),
            body_bytes: RawSize::Bytes(0),
            body_rate: RawSize::Bytes(500),
            connections: 20_000,
            connections_per_client: 1_000,
            keep_alive_requests: 10_000,
            http2_streams: 100,
            http2_resets: 200,
        }
    }
}
