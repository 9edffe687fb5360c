//! `[ops]` as typed: how Anteroom is watched, renewed and stopped.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{RawHeaderFiles, RawSecretHeaders};

/// Health, metrics, logs and the end of the process.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawOps {
    /// The address of `/livez`, `/readyz` and `/metrics`, or `off`.
    pub(crate) listen: String,
    /// How log lines are written.
    pub(crate) log_format: RawLogFormat,
    /// The least severe lines that are written.
    pub(crate) level: RawLevel,
    /// Whether every request is logged.
    pub(crate) access_log: bool,
    /// How the fields of the access log are named, when `log_format` is `json`.
    pub(crate) access_log_schema: RawAccessLogSchema,
    /// Whether changed files are read anew while Anteroom runs. SIGHUP does so in any case.
    pub(crate) reload: bool,
    /// A Unix socket over which a new version takes over the listeners of the one that runs, without a gap. Without it:
    /// off.
    pub(crate) upgrade_socket: Option<String>,
    /// After SIGTERM: how long to go on accepting while saying "not ready".
    pub(crate) shutdown_delay: String,
    /// After that: how long requests may take to finish.
    pub(crate) drain_timeout: String,
    pub(crate) tracing: Option<RawTracing>,
}

/// Traces for OpenTelemetry, sent over OTLP/HTTP. On when the table is there.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawTracing {
    /// The collector: `http://host:4318`, or `https`. Required.
    pub(crate) endpoint: Option<String>,
    /// Which part of the traces that begin here is kept, from 0 to 1. For others, whoever began them has decided.
    pub(crate) sample: f64,
    /// Headers to send along, for collectors that ask for a key.
    #[serde(skip_serializing)]
    #[schemars(with = "std::collections::BTreeMap<String, String>", extend("writeOnly" = true))]
    pub(crate) headers: RawSecretHeaders,
    /// The same with values from files, which hold the value and nothing else.
    pub(crate) headers_files: RawHeaderFiles,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawLogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// How the fields of the access log are named.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawAccessLogSchema {
    /// As docs/reference/logs.md says.
    #[default]
    Anteroom,
    /// As the Elastic Common Schema says.
    Ecs,
    /// As the Open Cybersecurity Schema Framework says.
    Ocsf,
}

/// How severe a log line is.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawLevel {
    /// Something failed.
    Error,
    /// Something is off.
    Warn,
    /// What happens.
    #[default]
    Info,
    /// How it happens.
    Debug,
    /// Everything.
    Trace,
}

impl Default for RawOps {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4181".into(),
            log_format: RawLogFormat::Json,
            level: RawLevel::Info,
            access_log: true,
            access_log_schema: RawAccessLogSchema::Anteroom,
            reload: true,
            upgrade_socket: None,
            shutdown_delay: "5s".into(),
            drain_timeout: "20s".into(),
            tracing: None,
        }
    }
}

impl Default for RawTracing {
    fn default() -> Self {
        Self {
            endpoint: None,
            sample: 1.0,
            headers: RawSecretHeaders::default(),
            headers_files: RawHeaderFiles::default(),
        }
    }
}
