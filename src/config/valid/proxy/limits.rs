//! `[proxy.timeouts]` and `[proxy.limits]`, checked: everything ends, and ordinary browsers fit in.

use std::time::Duration;

use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::{RawLimits, RawSize, RawTimeouts, RawUpstreamTimeouts};
use crate::config::valid::size;

/// How long to wait for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the header of a request.
    pub header_read: Duration,
    /// For the next bytes of its body.
    pub read: Duration,
    /// For its body in total, and more for long ones.
    pub body_read: Duration,
    /// For a client to take bytes.
    pub write: Duration,
    /// How long an unused connection is kept; whole seconds.
    pub keep_alive: Duration,
    /// After which an HTTP/2 connection ends.
    pub http2_age: Duration,
}

/// How long to wait for an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the next bytes.
    pub read: Duration,
    /// For it to take bytes.
    pub write: Duration,
    /// How long an unused connection is kept.
    pub idle: Duration,
}

/// How much a client may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of request line and header lines.
    pub header_bytes: usize,
    /// Number of header lines.
    pub header_count: usize,
    /// Bytes of path and query.
    pub target_bytes: usize,
    /// Bytes of a body; `None` for no limit.
    pub body_bytes: Option<u64>,
    /// Bytes per second of a body, at least; never 0.
    pub body_rate: u32,
    /// Connections in all.
    pub connections: usize,
    /// Connections of one client address.
    pub connections_per_client: usize,
    /// Requests on one HTTP/1.1 connection.
    pub keep_alive_requests: u32,
    /// Requests under way on one HTTP/2 connection.
    pub http2_streams: u32,
    /// Streams reset within a minute on one HTTP/2 connection.
    pub http2_resets: u32,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// For clients, and for upstreams that say nothing else.
pub(super) fn timeouts(raw: &RawTimeouts, check: &mut Check<'_>) -> Option<(Timeouts, UpstreamTimeouts)> {
    let mut span = |name: &str, text: &str| check.span(&format!("proxy.timeouts.{name}"), text, DAY);
    let (connect, read, write) =
        (span("connect", &raw.connect), span("read", &raw.read), span("write", &raw.write));
    let (idle, header_read) = (span("idle", &raw.idle), span("header_read", &raw.header_read));
    let body_read = span("body_read", &raw.body_read);
    let (keep_alive, http2_age) = (span("keep_alive", &raw.keep_alive), span("http2_age", &raw.http2_age));
    let keep_alive = keep_alive.and_then(|span| whole_seconds("proxy.timeouts.keep_alive", span, check));
    let (read, write) = (read?, write?);
    let clients = Timeouts {
        header_read: header_read?,
        read,
        body_read: body_read?,
        write,
        keep_alive: keep_alive?,
        http2_age: http2_age?,
    };
    Some((clients, UpstreamTimeouts { connect: connect?, read, write, idle: idle? }))
}

/// What an upstream says itself, before what is said for all.
pub(super) fn of_upstream(
    raw: &RawUpstreamTimeouts,
    table: &KeyPath,
    all: Option<UpstreamTimeouts>,
    check: &mut Check<'_>,
) -> Option<UpstreamTimeouts> {
    let mut span = |name: &str, text: &Option<String>| match text {
        Some(text) => check.span_at(&table.key(name), text, DAY).map(Some),
        None => Some(None),
    };
    let (connect, read) = (span("connect", &raw.connect), span("read", &raw.read));
    let (write, idle) = (span("write", &raw.write), span("idle", &raw.idle));
    let (connect, read, write, idle) = (connect?, read?, write?, idle?);
    let all = all?;
    Some(UpstreamTimeouts {
        connect: connect.unwrap_or(all.connect),
        read: read.unwrap_or(all.read),
        write: write.unwrap_or(all.write),
        idle: idle.unwrap_or(all.idle),
    })
}

fn whole_seconds(key: &str, span: Duration, check: &mut Check<'_>) -> Option<Duration> {
    if span.subsec_nanos() == 0 {
        return Some(span);
    }
    let mistake = Mistake::new(
        "config.duration",
        format!("`{key}` is not a number of whole seconds"),
        "It is counted in seconds",
        "write for example \"75s\"",
    );
    check.wrong(&KeyPath::of(key), mistake.showing_the_value())
}

pub(super) fn check(raw: &RawLimits, check: &mut Check<'_>) -> Option<Limits> {
    let key = |name: &str| KeyPath::of("proxy.limits").key(name);
    // Cookies alone may take 4 KB each; more than a megabyte is no header. pingora reads 256 header lines at most.
    let header_bytes = bytes(&key("header_bytes"), &raw.header_bytes, 4 << 10, 1 << 20, check);
    let header_count = number(&key("header_count"), raw.header_count, 20, 256, check);
    let target_bytes = bytes(&key("target_bytes"), &raw.target_bytes, 1 << 10, 1 << 20, check);
    let body_bytes: Option<u64> = bytes(&key("body_bytes"), &raw.body_bytes, 0, 1 << 50, check);
    let body_rate = bytes(&key("body_rate"), &raw.body_rate, 1, 1_000_000_000, check);
    let connections = number(&key("connections"), raw.connections, 1, 1_000_000, check);
    let per_client = number(&key("connections_per_client"), raw.connections_per_client, 1, 1_000_000, check);
    let requests = number(&key("keep_alive_requests"), raw.keep_alive_requests, 1, 1_000_000_000, check);
    let streams = number(&key("http2_streams"), raw.http2_streams, 1, 10_000, check);
    let resets = number(&key("http2_resets"), raw.http2_resets, 10, 1_000_000, check);
    Some(Limits {
        header_bytes: header_bytes?,
        header_count: header_count?,
        target_bytes: target_bytes?,
        body_bytes: Some(body_bytes?).filter(|most| *most != 0),
        body_rate: body_rate?,
        connections: connections?,
        connections_per_client: per_client?,
        keep_alive_requests: requests?,
        http2_streams: streams?,
        http2_resets: resets?,
    })
}

fn bytes<T: TryFrom<u64>>(
    key: &KeyPath,
    raw: &RawSize,
    least: u64,
    most: u64,
    check: &mut Check<'_>,
) -> Option<T> {
    size::check(key, raw, least, most, check).and_then(|bytes| T::try_from(bytes).ok())
}

/// A whole number in range, as the type that is needed; every range fits into its type.
pub(super) fn number<T: TryFrom<u64>>(
    key: &KeyPath,
    raw: u64,
    least: u64,
    most: u64,
    check: &mut Check<'_>,
) -> Option<T> {
    check.count(key, raw, least, most).and_then(|count| T::try_from(count).ok())
}
