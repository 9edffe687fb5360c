//! `[[proxy.upstreams]]` as typed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::raw::{RawHeaderFiles, RawSecretHeaders};

/// One app: servers that can stand in for each other.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawUpstream {
    /// Its name in logs and metrics. Without it: from `hosts` and `path`.
    pub(crate) name: Option<String>,
    /// The hosts it is for, of those in `public_url` and `app_urls`. Without it: all.
    pub(crate) hosts: Option<Vec<String>>,
    /// The paths it is for: this one and all below it.
    pub(crate) path: String,
    /// What the app sees in place of `path`. Without it: the path as it is.
    pub(crate) rewrite: Option<String>,
    /// Where it runs, written as `proxy.upstream` is, all of one scheme. Required.
    pub(crate) servers: Vec<String>,
    /// The HTTP that it speaks. Without it: `http2` for `h2c`, otherwise `http1`.
    pub(crate) protocol: Option<RawProtocol>,
    /// Which of the servers a request goes to.
    pub(crate) balance: RawBalance,
    /// The name that its certificate must carry. Without it: the host in `servers`, if all have the same name.
    pub(crate) server_name: Option<String>,
    /// A PEM file with the certificate authorities that it is checked against, instead of the system's.
    pub(crate) ca_file: Option<String>,
    /// A PEM file with the certificate to show when it asks for one.
    pub(crate) cert_file: Option<String>,
    /// A PEM file with the key of `cert_file`.
    pub(crate) key_file: Option<String>,
    /// Whether it sees the `Host` that the browser sent. Without it: as `proxy.pass_host` says.
    pub(crate) pass_host: Option<bool>,
    /// Headers that every request to it carries, in place of the client's.
    #[serde(skip_serializing)]
    #[schemars(with = "std::collections::BTreeMap<String, String>", extend("writeOnly" = true))]
    pub(crate) headers: RawSecretHeaders,
    /// The same with values from files, which hold the value and nothing else: `{ Authorization = "/run/secrets/x" }`.
    pub(crate) headers_files: RawHeaderFiles,
    pub(crate) timeouts: RawUpstreamTimeouts,
    /// How many idle connections to it are kept. All upstreams share the room that this makes at the start: a change needs a
    /// restart.
    pub(crate) keep_alive_pool: u64,
    pub(crate) health: Option<RawHealth>,
    pub(crate) ejection: RawEjection,
}

/// Time limits of this upstream alone. Without one: that of `[proxy.timeouts]`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawUpstreamTimeouts {
    /// For a connection, TLS included.
    pub(crate) connect: Option<String>,
    /// For the next bytes of an answer. Not for WebSockets and event streams.
    pub(crate) read: Option<String>,
    /// For it to take the next bytes.
    pub(crate) write: Option<String>,
    /// How long an unused connection is kept.
    pub(crate) idle: Option<String>,
}

/// Every server is asked whether it is well. On when the table is there.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawHealth {
    /// The path (and query) to `GET`; a status from 200 to 399 is well. Required.
    pub(crate) path: Option<String>,
    /// How often.
    pub(crate) interval: String,
    /// How long the answer may take.
    pub(crate) timeout: String,
    /// So many good answers in a row bring a server back.
    pub(crate) healthy_after: u64,
    /// So many bad ones in a row take it out.
    pub(crate) unhealthy_after: u64,
}

/// A server that takes no connections is left alone for a while.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawEjection {
    /// After so many failures in a row. 0 for never.
    pub(crate) failures: u64,
    /// For so long.
    pub(crate) duration: String,
}

/// The HTTP that an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawProtocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2. gRPC servers speak it.
    Http2,
    /// HTTP/2 where the server offers it by ALPN, otherwise HTTP/1.1. `https` only.
    Auto,
}

/// Which server a request goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawBalance {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one with the fewest requests under way.
    LeastRequests,
    /// Always the same one for the same account, as long as it is there.
    Account,
}

impl Default for RawUpstream {
    fn default() -> Self {
        Self {
            name: None,
            hosts: None,
            path: "/".into(),
            rewrite: None,
            servers: Vec::new(),
            protocol: None,
            balance: RawBalance::RoundRobin,
            server_name: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            pass_host: None,
            headers: RawSecretHeaders::default(),
            headers_files: RawHeaderFiles::default(),
            timeouts: RawUpstreamTimeouts::default(),
            keep_alive_pool: 256,
            health: None,
            ejection: RawEjection::default(),
        }
    }
}

impl Default for RawHealth {
    fn default() -> Self {
        Self {
            path: None,
            interval: "10s".into(),
            timeout: "2s".into(),
            healthy_after: 2,
            unhealthy_after: 3,
        }
    }
}

impl Default for RawEjection {
    fn default() -> Self {
        Self { failures: 3, duration: "10s".into() }
    }
}
