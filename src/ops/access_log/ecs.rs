//! What does the Elastic Common Schema call the fields of an entry, and what does it want to be told besides?
//! <https://www.elastic.co/docs/reference/ecs/ecs-field-reference>; the names were compared with those of the package
//! `@elastic/ecs` 9.4.0. Fields of ours stand below `anteroom`, as the schema's guidelines ask.

use std::net::IpAddr;

use serde::Serialize;

use super::{AccessEntry, LONGEST, agent, nanoseconds, path};
use crate::ops::line;

/// The version whose names these are.
const VERSION: &str = "9.4.0";

/// An entry under the names of the log.
#[derive(Serialize)]
pub(super) struct Record<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: line::Time,
    #[serde(rename = "ecs.version")]
    version: &'static str,
    #[serde(rename = "event.kind")]
    kind: &'static str,
    #[serde(rename = "event.category")]
    category: [&'static str; 1],
    #[serde(rename = "event.type")]
    types: [&'static str; 1],
    #[serde(rename = "event.dataset")]
    dataset: &'static str,
    #[serde(rename = "event.outcome")]
    outcome: &'static str,
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
    #[serde(rename = "http.version", skip_serializing_if = "Option::is_none")]
    http_version: Option<&'static str>,
    #[serde(rename = "trace.id", skip_serializing_if = "Option::is_none")]
    trace_id: Option<line::Hex>,
}

impl<'a> From<&AccessEntry<'a>> for Record<'a> {
    fn from(entry: &AccessEntry<'a>) -> Self {
        Self {
            timestamp: line::timestamp(entry.time_ms),
            version: VERSION,
            kind: "event",
            category: ["web"],
            types: ["access"],
            dataset: "anteroom.access",
            outcome: outcome(entry.status),
            request_id: entry.request_id,
            client: entry.client,
            method: line::cut(entry.method, LONGEST),
            path: path(entry),
            status: entry.status,
            bytes_out: entry.bytes_out,
            duration: nanoseconds(entry),
            decision: entry.decision,
            account_id: entry.account_id,
            user_agent: agent(entry),
            upstream_ms: entry.upstream_ms,
            http_version: entry.http_version,
            trace_id: entry.trace_id.map(line::Hex),
        }
    }
}

/// `event.outcome`: how it went from the point of view of whoever sent the request.
fn outcome(status: u16) -> &'static str {
    match status {
        0 => "unknown",
        400.. => "failure",
        _ => "success",
    }
}
