//! Which spans does a request leave, and what do they say? The one place where they are made, so that what may be in them
//! is read here.
//!
//! A span never holds a query, a header, a cookie, a code, an address of mail or a person's name. Names follow
//! OpenTelemetry's conventions for HTTP (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>). Where nobody
//! collects spans, making one costs a look at a cached flag; the values are not even read.

use tracing::field::Empty;
use tracing::{Span, info_span};

/// The target of all of them; whoever listens to it collects them, and the log does not.
pub const TARGET: &str = "spans";
/// The most of a path that is told, in bytes.
const LONGEST: usize = 1024;

/// A request as it came in. `scheme`: how the client came, where that is known.
pub fn request(method: &str, path: &str, scheme: Option<&str>, request_id: &str) -> Span {
    info_span!(
        target: TARGET,
        parent: None,
        "request",
        otel.kind = "server",
        otel.name = known(method),
        http.request.method = known(method),
        url.path = short(path),
        url.scheme = scheme,
        http.request.id = request_id,
        http.response.status_code = Empty,
        anteroom.decision = Empty,
        error.type = Empty,
        otel.status_code = Empty,
    )
}

/// How the request that a span is for ended. `status` 0: without an answer.
pub fn answered(span: &Span, status: u16, decision: &'static str) {
    if span.is_disabled() {
        return;
    }
    span.record("anteroom.decision", decision);
    if status > 0 {
        span.record("http.response.status_code", i64::from(status));
    }
    // A client's mistake is no error of the server's span.
    if status == 0 || status >= 500 {
        span.record("error.type", if status == 0 { "no_answer" } else { known_error(status) });
        span.record("otel.status_code", "ERROR");
    }
}

/// May it pass?
pub fn decision() -> Span {
    info_span!(target: TARGET, "decision")
}

/// One attempt to have the upstream answer.
pub fn upstream(request: &Span, method: &str) -> Span {
    info_span!(
        target: TARGET,
        parent: request,
        "upstream",
        otel.kind = "client",
        otel.name = known(method),
        http.request.method = known(method),
        http.response.status_code = Empty,
        otel.status_code = Empty,
    )
}

/// How an attempt ended. `status` 0: without an answer.
pub fn upstream_answered(span: &Span, status: u16) {
    if span.is_disabled() {
        return;
    }
    if status > 0 {
        span.record("http.response.status_code", i64::from(status));
    }
    // To a client's span, 4xx is an error too.
    if status == 0 || status >= 400 {
        span.record("otel.status_code", "ERROR");
    }
}

/// One call to Atlassian.
pub fn atlassian(place: &'static str) -> Span {
    info_span!(
        target: TARGET,
        "atlassian",
        otel.kind = "client",
        otel.name = %format_args!("atlassian {place}"),
        anteroom.outcome = Empty,
        otel.status_code = Empty,
    )
}

/// One call of the store.
pub fn store(operation: &'static str) -> Span {
    info_span!(
        target: TARGET,
        "store",
        otel.name = %format_args!("store {operation}"),
        db.operation.name = operation,
        otel.status_code = Empty,
    )
}

/// It went wrong; why is in the log.
pub fn failed(span: &Span) {
    span.record("otel.status_code", "ERROR");
}

/// A method as the conventions name it: nobody makes up names of spans.
fn known(method: &str) -> &str {
    match method {
        "CONNECT" | "DELETE" | "GET" | "HEAD" | "OPTIONS" | "PATCH" | "POST" | "PUT" | "TRACE" => method,
        _ => "_OTHER",
    }
}

fn known_error(status: u16) -> &'static str {
    match status {
        502 => "502",
        503 => "503",
        504 => "504",
        _ => "500",
    }
}

/// The path, and nothing behind a `?` even if somebody passes it along.
fn short(path: &str) -> &str {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let end = path.len().min(LONGEST);
    let end = (0..=end).rev().find(|at| path.is_char_boundary(*at)).unwrap_or(0);
    path.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told_that_a_client_makes_up() {
        for (method, want) in [("GET", "GET"), ("get", "_OTHER"), ("X-SECRET", "_OTHER"), ("", "_OTHER")] {
            assert_eq!(known(method), want);
        }
        for (path, want) in [("/a?q=secret", "/a"), ("/a#x", "/a"), ("", "")] {
            assert_eq!(short(path), want);
        }
        assert!(short(&"é".repeat(5000)).len() <= LONGEST);
    }

    #[test]
    fn where_nobody_collects_there_are_none() {
        assert!(request("GET", "/", None, "r1").is_disabled());
        assert!(decision().is_disabled());
    }
}
