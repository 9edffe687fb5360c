//! `[ops]`, checked: health, metrics, logs and the end of the process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::check::Check;
use crate::config::raw::{RawLevel, RawLogFormat, RawOps};

/// How Anteroom is watched and stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ops {
    /// Where health and metrics are served; `None` when they are not.
    pub listen: Option<SocketAddr>,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Whether every request is logged.
    pub access_log: bool,
    /// The least severe lines that are written.
    pub level: Level,
    /// How long to go on accepting after SIGTERM.
    pub shutdown_delay: Duration,
    /// How long requests may then take.
    pub drain_timeout: Duration,
    /// Whether files are watched for changes.
    pub reload: bool,
    /// Where the next process asks for what this one holds; nowhere when `None`.
    pub upgrade_socket: Option<PathBuf>,
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
    Some(Ops {
        listen: listen?,
        log_format: match raw.log_format {
            RawLogFormat::Json => LogFormat::Json,
            RawLogFormat::Text => LogFormat::Text,
        },
        access_log: raw.access_log,
        level: match raw.level {
            RawLevel::Error => Level::Error,
            RawLevel::Warn => Level::Warn,
            RawLevel::Info => Level::Info,
            RawLevel::Debug => Level::Debug,
            RawLevel::Trace => Level::Trace,
        },
        shutdown_delay: shutdown_delay?,
        drain_timeout: drain_timeout?,
        reload: raw.reload,
        upgrade_socket: raw.upgrade_socket.as_deref().map(|path| check.path(path)),
    })
}
