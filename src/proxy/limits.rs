//! Does a client ask for too much? The sizes of a request, and the pace of its body.
//!
//! Guarantees: a body that is announced as too long is refused before the app is asked; one that turns out to be is cut
//! where it passes the limit. A body has its total time, and more the longer it is, so that it cannot drip for ever.
//! RFC 9110 §15.5.9 (408), §15.5.14 (413), §15.5.15 (414); RFC 6585 §5 (431).

use std::time::Duration;

use http::header::{CONTENT_LENGTH, EXPECT};
use http::{StatusCode, Version};
use pingora::http::RequestHeader;
use tokio::time::Instant;

use super::http2::request;
use super::settings::{Limits, Timeouts};
use super::upstreams::Kind;
use crate::net::Limit;

/// Which limit a header is beyond. `raw` is the same as it was on the wire; HTTP/2 has no such thing.
pub(super) fn of_header(header: &RequestHeader, raw: &[u8], limits: &Limits) -> Option<Limit> {
    let size = if header.version == Version::HTTP_2 { request::size(header) } else { raw.len() };
    [
        (header.raw_path().len() > limits.target_bytes, Limit::TargetBytes),
        (size > limits.header_bytes, Limit::HeaderBytes),
        (header.headers.len() > limits.header_count, Limit::HeaderCount),
    ]
    .into_iter()
    .find_map(|(beyond, limit)| beyond.then_some(limit))
}

/// Whether the body that a header announces is too long.
pub(super) fn announced(header: &RequestHeader, limits: &Limits) -> Option<Limit> {
    let most = limits.body_bytes?;
    let length: u64 = header.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
    (length > most).then_some(Limit::BodyBytes)
}

/// What to answer to whoever runs into it.
pub(super) const fn status(limit: Limit) -> StatusCode {
    match limit {
        Limit::HeaderRead | Limit::BodyRead | Limit::Read => StatusCode::REQUEST_TIMEOUT,
        Limit::HeaderBytes | Limit::HeaderCount => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Limit::TargetBytes => StatusCode::URI_TOO_LONG,
        Limit::BodyBytes => StatusCode::PAYLOAD_TOO_LARGE,
        Limit::SignInRate => StatusCode::TOO_MANY_REQUESTS,
        Limit::Exchanges => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The body of a request, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Body {
    bytes: u64,
    /// Since when its time counts; not at all where the body is a stream of its own.
    since: Option<Instant>,
    /// Its time begins with its first byte: until then the client waits for the app (RFC 9110 §10.1.1).
    awaited: bool,
}

impl Body {
    /// That of a request whose header has just been read.
    pub(super) fn of(header: &RequestHeader, kind: Kind, now: Instant) -> Self {
        let stream = matches!(kind, Kind::Upgrade | Kind::Grpc);
        let since = (!stream).then_some(now);
        Self { bytes: 0, since, awaited: header.headers.contains_key(EXPECT) }
    }

    /// Whether nothing of it has come.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// More of it has come.
    pub(super) fn add(&mut self, bytes: usize) {
        if bytes > 0 && std::mem::take(&mut self.awaited) {
            self.since = self.since.map(|_| Instant::now());
        }
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// Which limit it is beyond.
    pub(super) fn beyond(&self, limits: &Limits, times: &Timeouts, now: Instant) -> Option<Limit> {
        if limits.body_bytes.is_some_and(|most| self.bytes > most) {
            return Some(Limit::BodyBytes);
        }
        self.left(limits, times, now).is_some_and(|left| left.is_zero()).then_some(Limit::BodyRead)
    }

    /// How long the client may be silent now; as long as it likes where the body is a stream of its own.
    pub(super) fn patience(&self, limits: &Limits, times: &Timeouts, now: Instant) -> Option<Duration> {
        self.since?;
        // A timer of nothing could fire before what is there has been read.
        let least = Duration::from_millis(1);
        Some(self.left(limits, times, now).map_or(times.read, |left| left.min(times.read).max(least)))
    }

    /// What is left of its time. An app that reads slowly uses it up as well; its own time limit is shorter.
    fn left(&self, limits: &Limits, times: &Timeouts, now: Instant) -> Option<Duration> {
        if self.awaited {
            return None;
        }
        let seconds = self.bytes / u64::from(limits.body_rate.max(1));
        let whole = times.body_read.saturating_add(Duration::from_secs(seconds));
        Some(whole.saturating_sub(now.saturating_duration_since(self.since?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(method: &str, target: &str, lines: &[(&'static str, &'static str)]) -> RequestHeader {
        let mut header = RequestHeader::build(method, target.as_bytes(), None).unwrap();
        for (name, value) in lines {
            header.append_header(*name, *value).unwrap();
        }
        header
    }

    #[test]
    fn sizes_of_a_header() {
        let limits = Limits { target_bytes: 10, header_bytes: 100, header_count: 2, ..Limits::default() };
        let (a, b, c) = (("A", "1"), ("B", "2"), ("C", "3"));
        for (target, lines, raw, want) in [
            ("/234567890", &[a, b][..], 100, None),
            ("/2345678901", &[a, b], 100, Some(Limit::TargetBytes)),
            ("/", &[a, b], 101, Some(Limit::HeaderBytes)),
            ("/", &[a, b, c], 100, Some(Limit::HeaderCount)),
        ] {
            assert_eq!(
                of_header(&header("GET", target, lines), &vec![b'x'; raw], &limits),
                want,
                "{target} {raw}"
            );
        }
    }

    #[test]
    fn announced_bodies() {
        let limits = |body_bytes| Limits { body_bytes, ..Limits::default() };
        let post = |length| header("POST", "/", &[("Content-Length", length)]);
        assert_eq!(announced(&post("10"), &limits(Some(10))), None);
        assert_eq!(announced(&post("11"), &limits(Some(10))), Some(Limit::BodyBytes));
        assert_eq!(announced(&post("11"), &limits(None)), None);
        assert_eq!(announced(&header("POST", "/", &[]), &limits(Some(10))), None);
    }

    /// A body that began so long ago and has so many bytes.
    fn judged(ago: u64, bytes: usize, header: &RequestHeader, kind: Kind) -> (Option<Limit>, Duration) {
        let limits = Limits { body_bytes: Some(10_000), body_rate: 100, ..Limits::default() };
        let (body_read, read) = (Duration::from_secs(60), Duration::from_secs(20));
        let times = Timeouts { body_read, read, ..Timeouts::default() };
        let mut body = Body::of(header, kind, Instant::now());
        body.since = body.since.and_then(|since| since.checked_sub(Duration::from_secs(ago)));
        body.add(bytes);
        let now = Instant::now();
        (body.beyond(&limits, &times, now), body.patience(&limits, &times, now).unwrap_or(Duration::MAX))
    }

    #[test]
    fn a_body_has_its_time_and_more_the_longer_it_is() {
        let post = header("POST", "/", &[]);
        let plain = |ago, bytes| judged(ago, bytes, &post, Kind::Plain);
        assert_eq!(plain(0, 10_000), (None, Duration::from_secs(20)));
        assert_eq!(plain(0, 10_001).0, Some(Limit::BodyBytes));
        assert_eq!(plain(39, 0), (None, Duration::from_secs(20)));
        let (beyond, patience) = plain(55, 0);
        assert!(beyond.is_none() && patience <= Duration::from_secs(5), "{patience:?}");
        assert_eq!(plain(60, 99).0, Some(Limit::BodyRead));
        assert_eq!(plain(60, 1_000).0, None);
        assert_eq!(plain(70, 1_000).0, Some(Limit::BodyRead));
    }

    #[test]
    fn streams_have_no_total_and_whoever_waits_for_the_app_is_not_timed() {
        for kind in [Kind::Grpc, Kind::Upgrade] {
            assert_eq!(judged(9_999, 0, &header("POST", "/", &[]), kind), (None, Duration::MAX));
        }
        let expects = header("POST", "/", &[("Expect", "100-continue")]);
        assert_eq!(judged(9_999, 0, &expects, Kind::Plain), (None, Duration::from_secs(20)));
        assert_eq!(judged(9_999, 1, &expects, Kind::Plain).0, None);
    }
}
