//! Which requests were answered, and how? One line per request, on stdout.
//!
//! A line names method, path, status, size, time, decision and account. It never holds a query, a cookie, a header
//! other than the user agent, or a token; an entry has no place for them. Names follow the Elastic Common Schema
//! (<https://www.elastic.co/guide/en/ecs/current/ecs-field-reference.html>); `docs/reference/logs.md` lists them.

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

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
}

/// Where entries go. Must not block.
pub trait AccessLog: Send + Sync + 'static {
    /// Writes one request down.
    fn record(&self, entry: &AccessEntry<'_>);
}

/// One JSON object per line.
#[derive(Clone, Debug)]
pub struct JsonLines(Lines);

/// One line for people: time, client, method, path, status, bytes, milliseconds, decision, then `key=value`.
#[derive(Clone, Debug)]
pub struct Text(Lines);

/// Nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Off;

impl JsonLines {
    /// Into this queue.
    pub fn new(lines: Lines) -> Self {
        Self(lines)
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
        line::build(|out| line::json(out, &Record::from(entry)), |line| self.0.push(line));
    }
}

impl AccessLog for Text {
    fn record(&self, entry: &AccessEntry<'_>) {
        line::build(|out| text(out, entry), |line| self.0.push(line));
    }
}

impl AccessLog for Off {
    fn record(&self, _: &AccessEntry<'_>) {}
}

/// An entry under the names of the log.
#[derive(Serialize)]
struct Record<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: line::Time,
    #[serde(rename = "event.dataset")]
    dataset: &'static str,
    #[serde(rename = "http.request.id")]
    request_id: &'a str,
    #[serde(rename = "source.ip")]
    client: IpAddr,
    #[serde(rename = "http.request.method")]
    method: &'a str,
    #[serde(rename = "url.path")]
    path: &'a str,
    #[serde(rename = "http.response.status_code")]
    status: u16,
    #[serde(rename = "http.response.body.bytes")]
    bytes_out: u64,
    /// Nanoseconds: the unit that ECS prescribes.
    #[serde(rename = "event.duration")]
    duration: u64,
    #[serde(rename = "anteroom.decision")]
    decision: &'static str,
    #[serde(rename = "user.id", skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(rename = "user_agent.original", skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    #[serde(rename = "anteroom.upstream_ms", skip_serializing_if = "Option::is_none")]
    upstream_ms: Option<u64>,
}

impl<'a> From<&AccessEntry<'a>> for Record<'a> {
    fn from(entry: &AccessEntry<'a>) -> Self {
        Self {
            timestamp: line::timestamp(entry.time_ms),
            dataset: "anteroom.access",
            request_id: entry.request_id,
            client: entry.client,
            method: line::cut(entry.method, LONGEST),
            path: path(entry),
            status: entry.status,
            bytes_out: entry.bytes_out,
            duration: u64::try_from(entry.duration.as_nanos()).unwrap_or(u64::MAX),
            decision: entry.decision,
            account_id: entry.account_id,
            user_agent: entry.user_agent.map(|agent| line::cut(agent, LONGEST)),
            upstream_ms: entry.upstream_ms,
        }
    }
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
    if let Some(agent) = entry.user_agent {
        out.write_all(b" agent=")?;
        line::word(out, line::cut(agent, LONGEST))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metrics::Metrics;
    use crate::ops::line_writer::{LineWriter, tests::Buffer};

    fn entry<'a>(path: &'a str, user_agent: &'a str) -> AccessEntry<'a> {
        AccessEntry {
            time_ms: 1_500,
            request_id: "r1",
            client: [203, 0, 113, 7].into(),
            method: "GET",
            path,
            status: 200,
            bytes_out: 42,
            duration: Duration::from_micros(12_345),
            decision: "signed_in",
            account_id: Some("5b10:a"),
            user_agent: Some(user_agent),
            upstream_ms: Some(11),
        }
    }

    fn written(log: fn(Lines) -> Box<dyn AccessLog>, entry: &AccessEntry<'_>) -> String {
        let out = Buffer::default();
        let writer = LineWriter::start(out.clone(), Arc::new(Metrics::new())).unwrap();
        log(writer.lines()).record(entry);
        writer.close();
        out.text()
    }

    fn json(entry: &AccessEntry<'_>) -> String {
        written(|lines| Box::new(JsonLines::new(lines)), entry)
    }

    fn text(entry: &AccessEntry<'_>) -> String {
        written(|lines| Box::new(Text::new(lines)), entry)
    }

    #[test]
    fn both_formats() {
        let entry = entry("/a", "curl/8 (x)");
        assert_eq!(
            json(&entry),
            concat!(
                r#"{"@timestamp":"1970-01-01T00:00:01.500Z","event.dataset":"anteroom.access","http.request.id":"r1","#,
                r#""source.ip":"203.0.113.7","http.request.method":"GET","url.path":"/a","#,
                r#""http.response.status_code":200,"http.response.body.bytes":42,"event.duration":12345000,"#,
                r#""anteroom.decision":"signed_in","user.id":"5b10:a","user_agent.original":"curl/8 (x)","#,
                r#""anteroom.upstream_ms":11}"#,
                "\n"
            )
        );
        assert_eq!(
            text(&entry),
            concat!(
                "1970-01-01T00:00:01.500Z 203.0.113.7 GET /a 200 42 12.3 signed_in id=r1 user=5b10:a ",
                "upstream=11 agent=\"curl/8 (x)\"\n"
            )
        );
    }

    #[test]
    fn what_is_absent_is_left_out() {
        let nobody = AccessEntry { account_id: None, user_agent: None, upstream_ms: None, ..entry("/", "") };
        let line: serde_json::Value = serde_json::from_str(&json(&nobody)).unwrap();
        let absent = ["user.id", "user_agent.original", "anteroom.upstream_ms"];
        assert!(absent.iter().all(|name| line.get(name).is_none()), "{line}");
        assert!(text(&nobody).ends_with("12.3 signed_in id=r1\n"));
    }

    /// Whatever a client puts into a path or a user agent, an entry is one line whose other fields are as they were.
    #[test]
    fn nobody_can_forge_a_line() {
        let forged = "1970-01-01T00:00:00Z 127.0.0.1 GET /admin 200 0 0 signed_in user=root";
        let forged_json = r#"","user.id":"root"}"#;
        for evil in [
            &format!("/x\n{forged}\n"),
            &format!("/x\r{forged}"),
            &format!("/x\u{2028}{forged}"),
            &format!("/x\u{85}{forged}"),
            &format!("/x {forged}"),
            &format!("/x\" {forged}"),
            forged_json,
            "/\u{1b}[1A\u{1b}[2K",
            "/\u{9b}2K",
            "/\u{202e}",
        ] {
            for entry in [entry(evil, "x"), entry("/x", evil)] {
                let line = json(&entry);
                assert_eq!(line.chars().filter(|c| c.is_control()).count(), 1, "{line:?}");
                let line: serde_json::Value = serde_json::from_str(&line).unwrap();
                assert_eq!((&line["user.id"], &line["source.ip"]), (&"5b10:a".into(), &"203.0.113.7".into()));

                let line = text(&entry);
                assert!(line.ends_with('\n'), "{line:?}");
                assert_eq!(
                    line.chars().filter(|c| c.is_control() || "\u{2028}\u{202e}".contains(*c)).count(),
                    1
                );
                // Outside the quotes, nothing but ours.
                let (mut bare, mut quoted, mut escaped) = (String::new(), false, false);
                for c in line.chars() {
                    match c {
                        '"' if !escaped => quoted = !quoted,
                        c if !quoted => bare.push(c),
                        _ => {}
                    }
                    escaped = c == '\\' && !escaped;
                }
                assert!(!quoted && !bare.contains("admin") && !bare.contains("root"), "{line}");
                assert_eq!(bare.split(' ').count(), 12, "{line}");
            }
        }
    }

    #[test]
    fn a_query_does_not_slip_in_with_the_path() {
        for target in ["/cb?code=SECRET", "/cb#SECRET", "https://x/cb?SECRET"] {
            let both = json(&entry(target, "x")) + text(&entry(target, "x")).as_str();
            assert!(both.contains("/cb") && !both.contains("SECRET"), "{both}");
        }
    }

    #[test]
    fn a_line_stays_small() {
        let long = "é".repeat(50_000);
        for line in [json(&entry(&long, &long)), text(&entry(&long, &long))] {
            assert!(line.len() < 3 * LONGEST, "{} bytes", line.len());
        }
    }

    #[test]
    fn off_writes_nothing() {
        assert_eq!(written(|_| Box::new(Off), &entry("/", "x")), "");
    }
}
