//! `[ops]`, checked: health, metrics, logs, traces, renewal and the end of the process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use url::Url;

use super::listen::{self, Listen};
use super::set_headers;
use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::{RawAccessLogSchema, RawLevel, RawLogFormat, RawOps, RawTracing};

/// How Anteroom is watched and stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct Ops {
    /// Where health and metrics are served; `None` when they are not.
    pub listen: Option<SocketAddr>,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Whether every request is logged.
    pub access_log: bool,
    /// How the fields of the access log are named.
    pub access_log_schema: AccessLogSchema,
    /// Whether changed files are read anew without being asked.
    pub reload: bool,
    /// Where a new version takes over the listeners; `None` when it cannot.
    pub upgrade_socket: Option<PathBuf>,
    /// Where traces are sent, if anywhere.
    pub tracing: Option<Tracing>,
    /// The least severe lines that are written.
    pub level: Level,
    /// How long to go on accepting after SIGTERM.
    pub shutdown_delay: Duration,
    /// How long requests may then take.
    pub drain_timeout: Duration,
}

impl Ops {
    /// `upgrade_socket` as the listener that it is: for the owner alone.
    pub(super) fn upgrade_listen(&self) -> Option<Listen> {
        self.upgrade_socket.clone().map(|path| Listen::Unix { path, mode: 0o600 })
    }
}

/// Traces over OTLP/HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracing {
    /// The collector; `http` or `https`, without a user name.
    pub endpoint: Url,
    /// Which part of the traces that begin here is kept, from 0 to 1.
    pub sample: f64,
    /// Sent along; values are sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// How the fields of the access log are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLogSchema {
    /// Anteroom's own names.
    Anteroom,
    /// Elastic Common Schema.
    Ecs,
    /// Open Cybersecurity Schema Framework.
    Ocsf,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    Text,
}

/// How severe a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is off.
    Warn,
    /// What happens.
    Info,
    /// How it happens.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// In lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

const MOST: Duration = Duration::from_secs(60 * 60);

pub(super) fn check(raw: &RawOps, check: &mut Check<'_>) -> Option<Ops> {
    let listen = match raw.listen.as_str() {
        "off" => Some(None),
        text => check.address("ops.listen", text).map(Some),
    };
    let mut span = |name: &str, text: &str| match text {
        // Nothing to wait for is a choice; for other spans it would be a mistake.
        "0" | "0s" => Some(Duration::ZERO),
        text => check.span(&format!("ops.{name}"), text, MOST),
    };
    let shutdown_delay = span("shutdown_delay", &raw.shutdown_delay);
    let drain_timeout = span("drain_timeout", &raw.drain_timeout);
    let upgrade_socket = match &raw.upgrade_socket {
        Some(text) => listen::unix("ops.upgrade_socket", text, check).map(Some),
        None => Some(None),
    };
    let tracing = tracing(raw.tracing.as_ref(), check);
    let access_log_schema = match raw.access_log_schema {
        RawAccessLogSchema::Anteroom => AccessLogSchema::Anteroom,
        RawAccessLogSchema::Ecs => AccessLogSchema::Ecs,
        RawAccessLogSchema::Ocsf => AccessLogSchema::Ocsf,
    };
    if access_log_schema != AccessLogSchema::Anteroom && matches!(raw.log_format, RawLogFormat::Text) {
        let mistake = Mistake::new(
            "config.access-log-schema",
            "`ops.access_log_schema` names fields, and `ops.log_format` is text",
            "Lines for people have no fields: it does not count",
            "write log_format = \"json\", or remove access_log_schema",
        );
        check.warn(&KeyPath::of("ops.access_log_schema"), mistake.showing_the_value());
    }
    Some(Ops {
        listen: listen?,
        log_format: match raw.log_format {
            RawLogFormat::Json => LogFormat::Json,
            RawLogFormat::Text => LogFormat::Text,
        },
        access_log: raw.access_log,
        access_log_schema,
        reload: raw.reload,
        upgrade_socket: upgrade_socket?,
        tracing: tracing?,
        level: match raw.level {
            RawLevel::Error => Level::Error,
            RawLevel::Warn => Level::Warn,
            RawLevel::Info => Level::Info,
            RawLevel::Debug => Level::Debug,
            RawLevel::Trace => Level::Trace,
        },
        shutdown_delay: shutdown_delay?,
        drain_timeout: drain_timeout?,
    })
}

/// `Some(None)` when there is no such table.
fn tracing(raw: Option<&RawTracing>, check: &mut Check<'_>) -> Option<Option<Tracing>> {
    let Some(raw) = raw else { return Some(None) };
    let table = KeyPath::of("ops.tracing");
    if cfg!(not(feature = "otel")) {
        let mistake = Mistake::new(
            "config.tracing-not-built",
            "`[ops.tracing]` is there, and this build of Anteroom cannot send traces",
            "It would not start: it was made without the cargo feature `otel`",
            "make one with `cargo build --release --features otel`, or remove [ops.tracing]",
        );
        check.warn(&table, mistake);
    }
    let endpoint = endpoint(raw.endpoint.as_deref(), check);
    let headers = set_headers::check(&raw.headers, &raw.headers_files, &table, |_| None, check);
    if !(0.0..=1.0).contains(&raw.sample) {
        let mistake = Mistake::new(
            "config.tracing-sample",
            "`ops.tracing.sample` is not a part",
            "It says which part of the traces is kept",
            "write a number from 0 (none) to 1 (all), for example 0.1",
        );
        return check.wrong(&table.key("sample"), mistake.showing_the_value());
    }
    Some(Some(Tracing { endpoint: endpoint?, sample: raw.sample, headers: headers? }))
}

fn endpoint(text: Option<&str>, check: &mut Check<'_>) -> Option<Url> {
    const KEY: &str = "ops.tracing.endpoint";
    let Some(text) = text else {
        return check.missing(
            KEY,
            "Traces would go nowhere",
            "write the address of the collector, for example endpoint = \"http://127.0.0.1:4318\"",
        );
    };
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    url.or_else(|| {
        let mistake = Mistake::new(
            "config.tracing-endpoint",
            format!("`{KEY}` is not an http or https URL without a user name and a query"),
            "Traces would go nowhere",
            "write for example \"http://127.0.0.1:4318\"; keys of a collector go into [ops.tracing] headers_files",
        );
        check.wrong(&KeyPath::of(KEY), mistake.showing_the_url(text))
    })
}
