//! What is the process itself doing? Diagnostic lines on stderr, from our code and from the libraries below it.
//!
//! Libraries may say warnings and errors, never more: at finer levels some of them print whole requests, cookies
//! included. Whatever anybody says, what looks like a query is cut out, and so are the raw bytes that pingora quotes
//! when it meets a malformed head. One event is one line; see [`super::line`]. A library that says more than its
//! quota (`super::quota`) is cut short.
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
use super::quota::Quota;
use super::tracing::{Traces, TracingError, TracingSettings};
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
    /// Traces were asked for and cannot be sent.
    #[error(transparent)]
    Traces(#[from] TracingError),
    /// Something else logs in this process already.
    #[error("logging is set up already")]
    Twice,
}

/// As [`init`], and sends spans to a collector besides.
pub fn init_with_traces(
    format: LogFormat,
    level: &str,
    settings: &TracingSettings,
) -> Result<Traces, LoggingError> {
    let traces = Traces::start(settings)?;
    let lines = Diagnostics::new(format, SystemClock, to_stderr);
    // Each layer has a filter of its own: the log must not hear of spans, nor the collector of events.
    tracing_subscriber::registry()
        .with(lines.with_filter(filter(level)?))
        .with(traces.layer())
        .try_init()
        .map_err(|_| LoggingError::Twice)?;
    Ok(traces)
}

/// Sends events of `tracing` and records of `log` (pingora's) to stderr. `level` is for our own code: `error`, `warn`,
/// `info`, `debug` or `trace`. Once per process.
pub fn init(format: LogFormat, level: &str) -> Result<(), LoggingError> {
    init_to(format, level, to_stderr)
}

/// As [`init`], with somewhere else for the lines to go, one call for each. `write` must not log.
pub fn init_to(
    format: LogFormat,
    level: &str,
    write: impl Fn(&[u8]) + Send + Sync + 'static,
) -> Result<(), LoggingError> {
    tracing_subscriber::registry()
        .with(filter(level)?)
        .with(Diagnostics::new(format, SystemClock, write))
        .try_init()
        .map_err(|_| LoggingError::Twice)
}

fn to_stderr(line: &[u8]) {
    // There is nowhere left to complain.
    let _ = io::stderr().lock().write_all(line);
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

type Sink = Box<dyn Fn(&[u8]) + Send + Sync>;

/// Makes a line of each event.
struct Diagnostics {
    format: LogFormat,
    clock: Box<dyn Clock>,
    quota: Quota,
    write: Sink,
}

impl Diagnostics {
    fn new(
        format: LogFormat,
        clock: impl Clock + 'static,
        write: impl Fn(&[u8]) + Send + Sync + 'static,
    ) -> Self {
        Self { format, clock: Box::new(clock), quota: Quota::default(), write: Box::new(write) }
    }
}

impl<S: Subscriber> Layer<S> for Diagnostics {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        let now = self.clock.now_millis();
        let (time, level) = (line::timestamp(now), event.metadata().level().as_str());
        // A record of `log` brings its own target along.
        let logger = said.logger.take().unwrap_or_else(|| event.metadata().target().into());
        if !logger.starts_with(OURS) {
            let Some(left_out) = self.quota.admit(&logger, now) else { return };
            if left_out > 0 {
                said.others.push(("left_out_before", left_out.to_string()));
            }
        }
        let logger = logger.as_str();
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{debug, error, info, trace, warn};

    use super::*;
    use crate::clock::{ManualClock, Timestamp};

    /// What `say` makes of the log.
    fn logged(format: LogFormat, level: &str, say: impl FnOnce()) -> Vec<String> {
        let out = Arc::new(Mutex::new(Vec::new()));
        let write = {
            let out = Arc::clone(&out);
            move |line: &[u8]| out.lock().unwrap().extend_from_slice(line)
        };
        let lines = Diagnostics::new(format, ManualClock::at(Timestamp::from_secs(0)), write);
        let subscriber = tracing_subscriber::registry().with(filter(level).unwrap()).with(lines);
        tracing::subscriber::with_default(subscriber, say);
        String::from_utf8(out.lock().unwrap().clone()).unwrap().lines().map(Into::into).collect()
    }

    #[test]
    fn libraries_never_get_below_warn() {
        for (level, ours, theirs) in [("error", 1, 1), ("warn", 2, 2), ("info", 3, 2), ("trace", 5, 2)] {
            let say = || {
                error!(target: "anteroom::proxy", "x");
                warn!(target: "anteroom::proxy", "x");
                info!(target: "anteroom::proxy", "x");
                debug!(target: "anteroom::proxy", "x");
                trace!(target: "anteroom::proxy", "x");
            };
            assert_eq!(logged(LogFormat::Json, level, say).len(), ours, "{level}");
            let say = || {
                error!(target: "pingora_proxy", "x");
                warn!(target: "pingora_proxy", "x");
                info!(target: "pingora_proxy", "x");
                debug!(target: "hyper", "x");
                trace!(target: "h2", "x");
            };
            assert_eq!(logged(LogFormat::Json, level, say).len(), theirs, "{level}");
        }
    }

    #[test]
    fn a_library_that_says_too_much_is_cut_short() {
        let say = || {
            for _ in 0..100 {
                error!(target: "pingora_proxy", "Fail to proxy");
                warn!(target: "anteroom::proxy", "x");
            }
            error!(target: "pingora_core::listeners", "x");
        };
        let lines = logged(LogFormat::Text, "info", say);
        let of = |logger| lines.iter().filter(|line| line.contains(logger)).count();
        assert_eq!((of("pingora_proxy"), of("anteroom::proxy"), of("pingora_core")), (10, 100, 1));
    }

    #[test]
    fn both_formats() {
        let say = || {
            let error = io::Error::other("no\nroute");
            warn!(target: "anteroom::x", %error, request_id = "r1", tries = 2, "it \"failed\"\nERROR forged");
        };
        assert_eq!(
            logged(LogFormat::Json, "info", say),
            [concat!(
                r#"{"@timestamp":"1970-01-01T00:00:00.000Z","event.dataset":"anteroom.log","log.level":"warn","#,
                r#""log.logger":"anteroom::x","message":"it \"failed\"\nERROR forged","http.request.id":"r1","#,
                r#""error.message":"no\nroute","labels":{"tries":"2"}}"#
            )]
        );
        assert_eq!(
            logged(LogFormat::Text, "info", say),
            [concat!(
                r#"1970-01-01T00:00:00.000Z WARN  anteroom::x: it "failed"\u000aERROR forged tries=2 "#,
                r#"error="no\nroute" id=r1"#
            )]
        );
    }

    #[test]
    fn no_query_and_no_raw_head_gets_through() {
        let table = [
            ("Fail to proxy: x, GET /cb?code=SECRET&state=SECRET, Host: a", "GET /cb?[left out] Host: a"),
            ("error for url (https://a/b?SECRET)", "(https://a/b?[left out])"),
            ("\"/a?SECRET\" and '/b?SECRET'", "\"/a?[left out]\" and '/b?[left out]'"),
            ("/a?SECRET?SECRET", "/a?[left out]"),
            ("bad head, cause: x, buf: GET / HTTP/1.1\\r\\nCookie: a=SECRET", "cause: x, buf: [left out]"),
            ("is it up? try again", "is it up? try again"),
            ("is it?", "is it?"),
        ];
        for (raw, kept) in table {
            for format in [LogFormat::Json, LogFormat::Text] {
                let say = || error!(target: "pingora_proxy", error = raw, "{raw}");
                let lines = logged(format, "info", say).join("\n");
                assert!(!lines.contains("SECRET"), "{lines}");
                assert!(lines.replace("\\\"", "\"").contains(kept), "{kept} in {lines}");
            }
        }
    }

    #[test]
    fn a_level_that_is_none_is_refused_by_name() {
        let error = filter("loud").unwrap_err().to_string();
        assert_eq!(error, "`loud` is no log level; use error, warn, info, debug or trace");
        assert!(filter("INFO").is_ok());
    }
}
