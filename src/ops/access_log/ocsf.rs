//! What does the Open Cybersecurity Schema Framework call the fields of an entry? Class HTTP Activity (4002) of version
//! 1.3 (<https://schema.ocsf.io/1.3.0/classes/http_activity>), with the profile Host, which is where `actor` comes from.
//! What it has no name for stands below `unmapped`, its place for that.

use std::net::IpAddr;

use serde::Serialize;

use super::{AccessEntry, LONGEST, agent, path};
use crate::ops::line;

const CLASS: u32 = 4002;
/// An activity that the class has no number for; its name then says which.
const OTHER: u32 = 99;

/// An entry under the names of OCSF.
#[derive(Serialize)]
pub(super) struct Record<'a> {
    class_uid: u32,
    class_name: &'static str,
    category_uid: u32,
    category_name: &'static str,
    activity_id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    activity_name: Option<&'a str>,
    type_uid: u32,
    severity_id: u32,
    /// When it came in, in milliseconds since the Unix epoch.
    time: u64,
    /// Milliseconds.
    duration: u64,
    status_id: u32,
    metadata: Metadata<'a>,
    src_endpoint: Endpoint,
    http_request: HttpRequest<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_response: Option<HttpResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Actor<'a>>,
    unmapped: Unmapped,
}

#[derive(Serialize)]
struct Metadata<'a> {
    version: &'static str,
    profiles: [&'static str; 1],
    product: Product,
    log_name: &'static str,
    uid: &'a str,
    /// The trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_uid: Option<line::Hex>,
}

#[derive(Serialize)]
struct Product {
    name: &'static str,
    vendor_name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Endpoint {
    ip: IpAddr,
}

#[derive(Serialize)]
struct HttpRequest<'a> {
    uid: &'a str,
    http_method: &'a str,
    url: Url<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
}

#[derive(Serialize)]
struct Url<'a> {
    path: &'a str,
}

#[derive(Serialize)]
struct HttpResponse {
    code: u16,
    /// Bytes of body.
    length: u64,
}

#[derive(Serialize)]
struct Actor<'a> {
    user: User<'a>,
}

#[derive(Serialize)]
struct User<'a> {
    uid: &'a str,
}

#[derive(Serialize)]
struct Unmapped {
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_ms: Option<u64>,
}

impl<'a> From<&AccessEntry<'a>> for Record<'a> {
    fn from(entry: &AccessEntry<'a>) -> Self {
        let method = line::cut(entry.method, LONGEST);
        let activity_id = activity(method);
        Self {
            class_uid: CLASS,
            class_name: "HTTP Activity",
            category_uid: 4,
            category_name: "Network Activity",
            activity_id,
            activity_name: (activity_id == OTHER).then_some(method),
            type_uid: CLASS * 100 + activity_id,
            severity_id: 1,
            time: entry.time_ms,
            duration: u64::try_from(entry.duration.as_millis()).unwrap_or(u64::MAX),
            status_id: status(entry.status),
            metadata: Metadata {
                version: "1.3.0",
                profiles: ["host"],
                product: Product {
                    name: "Anteroom",
                    vendor_name: "Anteroom",
                    version: env!("CARGO_PKG_VERSION"),
                },
                log_name: "anteroom.access",
                uid: entry.request_id,
                correlation_uid: entry.trace_id.map(line::Hex),
            },
            src_endpoint: Endpoint { ip: entry.client },
            http_request: HttpRequest {
                uid: entry.request_id,
                http_method: method,
                url: Url { path: path(entry) },
                version: entry.http_version,
                user_agent: agent(entry),
            },
            http_response: (entry.status > 0)
                .then_some(HttpResponse { code: entry.status, length: entry.bytes_out }),
            actor: entry.account_id.map(|uid| Actor { user: User { uid } }),
            unmapped: Unmapped { decision: entry.decision, upstream_ms: entry.upstream_ms },
        }
    }
}

/// `activity_id`, by method.
fn activity(method: &str) -> u32 {
    match method {
        "" => 0,
        "CONNECT" => 1,
        "DELETE" => 2,
        "GET" => 3,
        "HEAD" => 4,
        "OPTIONS" => 5,
        "POST" => 6,
        "PUT" => 7,
        "TRACE" => 8,
        _ => OTHER,
    }
}

/// `status_id`: unknown, success or failure.
fn status(code: u16) -> u32 {
    match code {
        0 => 0,
        400.. => 2,
        _ => 1,
    }
}
