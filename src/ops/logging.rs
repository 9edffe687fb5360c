//! What is the process itself doing? Diagnostic lines on stderr, from our code and from the libraries below it.
//!
//! Libraries may say warnings and errors, never more: at finer levels some of them print whole requests, cookies
//! included. Whatever anybody says, what looks like a query is cut out, and so are the raw bytes that pingora quotes
//! when it meets a malformed head. One event is one line; see [`super::line`].
//!
//! The access and the audit log do not pass through here.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::line;
use crate::clock::{Clock, SystemClock};

/// The most of one value that is written, in bytes.
const LONGEST: usize = 4096;
const OURS: &str = "anteroom";

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// Not a level.
    #[error("`{0}` is no log level; use error, warn, info, debug or trace")]
    Level(String),
    /// Something else logs in this process already.
    #[error("logging is set up already")]
    Twice,
}

/// Sends events of `tracing` and records of `log` (pingora's) to stderr. `level` is for our own code: `error`, `warn`,
/// `info`, `debug` or `trace`. Once per process.
pub fn init(format: LogFormat, level: &str) -> Result<(), LoggingError> {
    let write = |line: &[u8]| {
        // There is nowhere left to complain.
        let _ = io::stderr().lock().write_all(line);
    };
    let lines = Diagnostics { format, clock: Box::new(SystemClock), write: Box::new(write) };
    tracing_subscriber::registry()
        .with(filter(level)?)
        .with(lines)
        .try_init()
        .map_err(|_| LoggingError::Twice)
}

fn filter(level: &str) -> Result<Targets, LoggingError> {
    let level = match level.to_ascii_lowercase().as_str() {
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => return Err(LoggingError::Level(level.into())),
    };
    Ok(Targets::new().with_default(level.min(LevelFilter::WARN)).with_target(OURS, level))
}

/// Makes a line of each event.
struct Diagnostics {
    format: LogFormat,
    clock: Box<dyn Clock>,
    write: Box<dyn Fn(&[u8]) + Send + Sync>,
}

impl<S: Subscriber> Layer<S> for Diagnostics {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        let time = line::timestamp(self.clock.now_millis());
        let level = event.metadata().level().as_str();
        // A record of `log` brings its own target along.
        let logger = said.logger.as_deref().unwrap_or(event.metadata().target());
        let write = |out: &mut Vec<u8>| match self.format {
            LogFormat::Json => line::json(out, &Record::new(time, level, logger, &said)),
            LogFormat::Text => text(out, &time, level, logger, &said),
        };
        line::build(write, |line| (self.write)(line));
    }
}

/// What an event carries, cleaned.
#[derive(Default)]
struct Said {
    message: String,
    logger: Option<String>,
    request_id: Option<String>,
    error: Option<String>,
    others: Vec<(&'static str, String)>,
}

impl Said {
    fn put(&mut self, field: &Field, value: &str) {
        let value = cleaned(line::cut(value, LONGEST));
        match field.name() {
            "message" => self.message = value,
            "log.target" => self.logger = Some(value),
            "request_id" => self.request_id = Some(value),
            "error" => self.error = Some(value),
            // Where in a library's source a record comes from.
            "log.module_path" | "log.file" | "log.line" => {}
            name => self.others.push((name, value)),
        }
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Writing into a String does not fail.
        let _ = write!(text, "{value:?}");
        self.put(field, &text);
    }
}

/// An event under the names of the log.
#[derive(Serialize)]
struct Record<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: line::Time,
    #[serde(rename = "event.dataset")]
    dataset: &'static str,
    #[serde(rename = "log.level")]
    level: String,
    #[serde(rename = "log.logger")]
    logger: &'a str,
    message: &'a str,
    #[serde(rename = "http.request.id", skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(rename = "error.message", skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    labels: Map<String, Value>,
}

impl<'a> Record<'a> {
    fn new(timestamp: line::Time, level: &str, logger: &'a str, said: &'a Said) -> Self {
        let label = |(name, value): &(&'static str, String)| ((*name).into(), value.as_str().into());
        Self {
            timestamp,
            dataset: "anteroom.log",
            level: level.to_ascii_lowercase(),
            logger,
            message: &said.message,
            request_id: said.request_id.as_deref(),
            error: said.error.as_deref(),
            labels: said.others.iter().map(label).collect(),
        }
    }
}

fn text(out: &mut Vec<u8>, time: &line::Time, level: &str, logger: &str, said: &Said) -> io::Result<()> {
    write!(out, "{time} {level:5} {logger}: ")?;
    line::prose(out, &said.message)?;
    let named = [("error", said.error.as_deref()), ("id", said.request_id.as_deref())];
    let named = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
    for (name, value) in said.others.iter().map(|(name, value)| (*name, value.as_str())).chain(named) {
        write!(out, " {name}=")?;
        line::word(out, value)?;
    }
    Ok(())
}

/// Without anything that could be a query, and without quoted raw bytes.
fn cleaned(text: &str) -> String {
    // pingora's errors quote the buffer last: `..., cause: ..., buf: GET / HTTP/1.1\r\nCookie: ...`.
    let (text, cut) = text.split_once("buf: ").map_or((text, ""), |(before, _)| (before, "buf: [left out]"));
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('?') {
        out.push_str(before);
        out.push('?');
        let end = after.find(|c: char| c.is_whitespace() || "\"'<>)".contains(c)).unwrap_or(after.len());
        let (query, behind) = after.split_at_checked(end).unwrap_or((after, ""));
        out.push_str(if query.is_empty() { "" } else { "[left out]" });
        rest = behind;
    }
    out + rest + cut
}
