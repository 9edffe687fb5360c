//! Which requests were answered, and how? One line per request, on stdout.
//!
//! A line names method, path, status, size, time, decision and account. It never holds a query, a cookie, a header
//! other than the user agent, or a token; an entry has no place for them. As JSON, an operator chooses the names:
//!
//! | file | names |
//! |---|---|
//! | `own` | ours: those of the Elastic Common Schema where it has one, and no more |
//! | `ecs` | the Elastic Common Schema, with what its dashboards want besides |
//! | `ocsf` | the Open Cybersecurity Schema Framework: HTTP Activity |
//!
//! `docs/reference/logs.md` lists them.

mod ecs;
mod ocsf;
mod own;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use super::line;
use super::line_writer::Lines;

/// The most of a path or user agent that is written, in bytes: a line stays small whatever a client sends.
const LONGEST: usize = 1024;

/// One answered request.
#[derive(Clone, Copy, Debug)]
pub struct AccessEntry<'a> {
    /// When it came in, in milliseconds since the Unix epoch (`Clock::now_millis`).
    pub time_ms: u64,
    /// Its name, as in `X-Request-Id` and on error pages.
    pub request_id: &'a str,
    /// Who sent it.
    pub client: IpAddr,
    /// Method, as received.
    pub method: &'a str,
    /// Path, as received. Not the query: what stands behind a `?` is left out.
    pub path: &'a str,
    /// The status that was sent; 0 when the connection ended before one was.
    pub status: u16,
    /// Bytes of body that were sent.
    pub bytes_out: u64,
    /// From the request's first byte to the answer's last.
    pub duration: Duration,
    /// How it was decided: the values of `anteroom_authz_decisions_total`'s label.
    pub decision: &'static str,
    /// Whose session it ran under.
    pub account_id: Option<&'a str>,
    /// `User-Agent`, as received.
    pub user_agent: Option<&'a str>,
    /// How long the upstream took to answer with a header, in milliseconds.
    pub upstream_ms: Option<u64>,
    /// The version of HTTP that the client spoke: `1.0`, `1.1` or `2`; none when it was no request.
    pub http_version: Option<&'static str>,
    /// The trace that the request belongs to: ours, or that of a trusted hop.
    pub trace_id: Option<[u8; 16]>,
}

/// How an entry writes a version of HTTP.
pub fn http_version(version: http::Version) -> Option<&'static str> {
    match version {
        http::Version::HTTP_10 => Some("1.0"),
        http::Version::HTTP_11 => Some("1.1"),
        http::Version::HTTP_2 => Some("2"),
        _ => None,
    }
}

/// Where entries go. Must not block.
pub trait AccessLog: Send + Sync + 'static {
    /// Writes one request down.
    fn record(&self, entry: &AccessEntry<'_>);

    /// Whether anything comes of that: an entry that nobody writes down need not be made.
    fn writes(&self) -> bool {
        true
    }
}

/// What the fields of a JSON line are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schema {
    /// As we call them.
    #[default]
    Anteroom,
    /// Elastic Common Schema 9 (<https://www.elastic.co/docs/reference/ecs/ecs-field-reference>).
    Ecs,
    /// OCSF 1.3, HTTP Activity (<https://schema.ocsf.io/1.3.0/classes/http_activity>).
    Ocsf,
}

/// One JSON object per line.
#[derive(Clone, Debug)]
pub struct JsonLines {
    lines: Lines,
    schema: Schema,
}

/// One line for people: time, client, method, path, status, bytes, milliseconds, decision, then `key=value`.
#[derive(Clone, Debug)]
pub struct Text(Lines);

/// Nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Off;

impl JsonLines {
    /// Into this queue.
    pub fn new(lines: Lines, schema: Schema) -> Self {
        Self { lines, schema }
    }
}

impl Text {
    /// Into this queue.
    pub fn new(lines: Lines) -> Self {
        Self(lines)
    }
}

impl AccessLog for JsonLines {
    fn record(&self, entry: &AccessEntry<'_>) {
        let write = |out: &mut Vec<u8>| match self.schema {
            Schema::Anteroom => line::json(out, &own::Record::from(entry)),
            Schema::Ecs => line::json(out, &ecs::Record::from(entry)),
            Schema::Ocsf => line::json(out, &ocsf::Record::from(entry)),
        };
        line::build(write, |line| self.lines.push(line));
    }
}

impl AccessLog for Text {
    fn record(&self, entry: &AccessEntry<'_>) {
        line::build(|out| text(out, entry), |line| self.0.push(line));
    }
}

impl AccessLog for Off {
    fn record(&self, _: &AccessEntry<'_>) {}

    fn writes(&self) -> bool {
        false
    }
}

fn nanoseconds(entry: &AccessEntry<'_>) -> u64 {
    u64::try_from(entry.duration.as_nanos()).unwrap_or(u64::MAX)
}

fn agent<'a>(entry: &AccessEntry<'a>) -> Option<&'a str> {
    entry.user_agent.map(|agent| line::cut(agent, LONGEST))
}

/// The path; a caller that passes a whole target by mistake still cannot leak its query.
fn path<'a>(entry: &AccessEntry<'a>) -> &'a str {
    let path = entry.path.split(['?', '#']).next().unwrap_or_default();
    line::cut(path, LONGEST)
}

fn text(out: &mut Vec<u8>, entry: &AccessEntry<'_>) -> io::Result<()> {
    write!(out, "{} {} ", line::timestamp(entry.time_ms), entry.client)?;
    line::word(out, line::cut(entry.method, LONGEST))?;
    out.push(b' ');
    line::word(out, path(entry))?;
    let millis = entry.duration.as_secs_f64() * 1000.0;
    write!(out, " {} {} {millis:.1} {} id=", entry.status, entry.bytes_out, entry.decision)?;
    line::word(out, entry.request_id)?;
    if let Some(account) = entry.account_id {
        out.write_all(b" user=")?;
        line::word(out, account)?;
    }
    if let Some(millis) = entry.upstream_ms {
        write!(out, " upstream={millis}")?;
    }
    if let Some(version) = entry.http_version {
        write!(out, " http={version}")?;
    }
    if let Some(trace) = entry.trace_id {
        write!(out, " trace={}", line::Hex(trace))?;
    }
    if let Some(agent) = entry.user_agent {
        out.write_all(b" agent=")?;
        line::word(out, line::cut(agent, LONGEST))?;
    }
    Ok(())
}
