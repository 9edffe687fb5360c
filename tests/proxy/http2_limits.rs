//! What may an HTTP/2 client cost us, and how does its connection end?

use std::time::Duration;

use anteroom::proxy::Drained;

use super::http2::{fields, http2, request, signed_in};
use super::rig::Rig;
use crate::support::DEADLINE;
use crate::support::http2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, Http2Client, PING, RST_STREAM,
    RawHttp2, SETTINGS, WINDOW_UPDATE, block, framed,
};
use crate::support::raw::RawClient;
use crate::support::upstream::{Answer, Gate, Upstream};

const NO_ERROR: u32 = 0;
const REFUSED_STREAM: u32 = 7;
const CANCEL: [u8; 4] = [0, 0, 0, 8];
const ENHANCE_YOUR_CALM: u32 = 11;

fn slow(gate: &Gate) -> Answer {
    Answer::default().then_wait(gate).then("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
}

fn counted(rig: &Rig, reason: &str) -> bool {
    rig.auth.metrics().expose().contains(&format!("anteroom_http2_refusals_total{{reason=\"{reason}\"}}"))
}

/// Waits for one of these: the client may hear of the end before it is counted.
async fn until_counted(rig: &Rig, reasons: &[&str]) {
    let found = async {
        while !reasons.iter().any(|reason| counted(rig, reason)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(DEADLINE, found).await;
    assert!(in_time.is_ok(), "none of {reasons:?} in {}", rig.auth.metrics().expose());
}

/// The `GOAWAY` that ends a connection, `None` when it just ends.
async fn goodbye(raw: &mut RawHttp2) -> Option<Frame> {
    let mut last = None;
    while let Some(frame) = raw.next_of(&[GOAWAY]).await {
        last = Some(frame);
    }
    last
}

#[tokio::test]
async fn what_is_in_flight_finishes_at_shutdown() {
    let gate = Gate::new();
    let upstream = Upstream::answering(slow(&gate)).await;
    let mut rig = Rig::start(http2(&upstream)).await;
    let busy = Http2Client::connect(rig.address).await;
    let mut resting = RawHttp2::connect(rig.address).await;
    resting.next_of(&[SETTINGS]).await.unwrap();
    let (answer, _stream) = busy.begin(request(signed_in(&rig, "GET", "/")), true).await;
    upstream.wait_for_request(1).await;
    rig.stop();
    // Told to go; as a client that does not even close, it is let go.
    assert_eq!(goodbye(&mut resting).await.unwrap().code(), NO_ERROR);
    gate.open();
    let answer = answer.await.unwrap();
    let mut body = answer.into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "done");
    busy.closed().await.unwrap();
    assert_eq!(rig.stopped().await, Drained { finished: 2, aborted: 0 });
}

#[tokio::test]
async fn the_drain_has_a_deadline() {
    let gate = Gate::new();
    let upstream = Upstream::answering(slow(&gate)).await;
    let mut plan = http2(&upstream);
    plan.drain_deadline = Duration::from_millis(200);
    let mut rig = Rig::start(plan).await;
    let busy = Http2Client::connect(rig.address).await;
    let (answer, _stream) = busy.begin(request(signed_in(&rig, "GET", "/")), true).await;
    upstream.wait_for_request(1).await;
    rig.stop();
    assert_eq!(rig.stopped().await, Drained { finished: 0, aborted: 1 });
    assert!(answer.await.is_err());
    gate.open();
    upstream.wait_for_open_connections(0).await;
}

#[tokio::test]
async fn a_connection_on_which_nothing_happens_is_closed_and_a_busy_one_is_not() {
    let gate = Gate::new();
    let upstream = Upstream::answering(slow(&gate)).await;
    let mut plan = http2(&upstream);
    plan.settings.timeouts.keep_alive = Duration::from_millis(200);
    let rig = Rig::start(plan).await;
    let busy = Http2Client::connect(rig.address).await;
    let (answer, _stream) = busy.begin(request(signed_in(&rig, "GET", "/")), true).await;
    let mut idle = RawHttp2::connect(rig.address).await;
    assert_eq!(goodbye(&mut idle).await.unwrap().code(), NO_ERROR);
    gate.open();
    assert_eq!(answer.await.unwrap().status(), 200);
    busy.closed().await.unwrap();
}

/// The client goes elsewhere with its next request, and loses none.
#[tokio::test]
async fn a_connection_that_is_old_is_let_go() {
    let gate = Gate::new();
    let upstream = Upstream::answering(slow(&gate)).await;
    let mut plan = http2(&upstream);
    plan.settings.timeouts.http2_age = Duration::from_millis(200);
    let rig = Rig::start(plan).await;
    let busy = Http2Client::connect(rig.address).await;
    let (answer, _stream) = busy.begin(request(signed_in(&rig, "GET", "/")), true).await;
    let mut resting = RawHttp2::connect(rig.address).await;
    assert_eq!(goodbye(&mut resting).await.unwrap().code(), NO_ERROR);
    let until_it_takes_no_more =
        async { while busy.send(request(signed_in(&rig, "GET", "/_anteroom/me")), "").await.is_ok() {} };
    tokio::time::timeout(DEADLINE, until_it_takes_no_more).await.expect("it is told to go, too");
    gate.open();
    assert_eq!(answer.await.unwrap().into_body().data().await.unwrap().unwrap(), "done");
    busy.closed().await.unwrap();
    let next = Http2Client::connect(rig.address).await;
    assert_eq!(next.send(request(signed_in(&rig, "GET", "/")), "").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_handshake_that_is_never_finished_is_cut() {
    let upstream = Upstream::start().await;
    let mut plan = http2(&upstream);
    plan.settings.timeouts.header_read = Duration::from_millis(200);
    let rig = Rig::start(plan).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send("PRI * HTTP/2.0\r\n\r\nS").await;
    client.rest().await;
    // One byte at a time, HTTP/1.1 is still HTTP/1.1, and HTTP/2 is HTTP/2.
    let mut slow = RawClient::connect(rig.address).await;
    slow.send("P").await;
    slow.send("UT / HTTP/1.1\r\nHost: app.example\r\nContent-Length: 0\r\nAccept: application/json\r\n\r\n")
        .await;
    assert_eq!(slow.response().await.status, 401);
}

#[tokio::test]
async fn only_so_many_streams_at_once() {
    let gate = Gate::new();
    let upstream = Upstream::answering(slow(&gate)).await;
    let mut plan = http2(&upstream);
    plan.settings.limits.http2_streams = 3;
    let rig = Rig::start(plan).await;
    let mut raw = RawHttp2::connect(rig.address).await;
    for stream in [1, 3, 5] {
        raw.request(stream, &fields(&rig, &[])).await.unwrap();
    }
    upstream.wait_for_request(3).await;
    raw.request(7, &fields(&rig, &[])).await.unwrap();
    let refused = raw.next_of(&[RST_STREAM, HEADERS]).await.unwrap();
    assert_eq!((refused.kind, refused.stream, refused.code()), (RST_STREAM, 7, REFUSED_STREAM));
    gate.open();
    for _ in 0..3 {
        assert_eq!(raw.next_of(&[RST_STREAM, HEADERS]).await.unwrap().kind, HEADERS);
    }
    assert_eq!(upstream.requests().len(), 3);
}

/// CVE-2023-44487, in both speeds: before we have looked at a stream, and after its request is under way.
#[tokio::test(flavor = "multi_thread")]
async fn rapid_resets_end_the_connection_and_no_other() {
    let upstream = Upstream::with(|request| match request.target() {
        "/" => Answer::default().then_hang(),
        _ => Answer::ok("ok"),
    })
    .await;
    let mut plan = http2(&upstream);
    plan.settings.limits.http2_resets = 20;
    let rig = Rig::start(plan).await;
    let other = Http2Client::connect(rig.address).await;
    for wait in [false, true] {
        let before = upstream.requests().len();
        let mut raw = RawHttp2::connect(rig.address).await;
        for n in 0..1000 {
            let stream = n * 2 + 1;
            let mut both = framed(HEADERS, END_STREAM | END_HEADERS, stream, &block(&fields(&rig, &[])));
            if wait {
                if raw.write(&both).await.is_err() {
                    break;
                }
                if n < 21 {
                    upstream.wait_for_request(before + n as usize + 1).await;
                }
                both.clear();
            }
            both.extend(framed(RST_STREAM, 0, stream, &CANCEL));
            if raw.write(&both).await.is_err() {
                break;
            }
            let answer = other.send(request(signed_in(&rig, "GET", "/other")), "").await.unwrap();
            assert_eq!(answer.status, 200);
            if n > 60 {
                break;
            }
        }
        let end = goodbye(&mut raw).await;
        assert!(end.is_none_or(|frame| frame.code() == ENHANCE_YOUR_CALM), "waiting: {wait}");
        let asked = upstream.requests().iter().skip(before).filter(|r| r.target() == "/").count();
        assert!(asked <= 40, "{asked} requests went through, waiting: {wait}");
    }
    until_counted(&rig, &["resets"]).await;
    upstream.wait_for_open_connections(1).await;
}

/// CVE-2025-8671: the client breaks the rules on stream after stream, so that the server does the resetting.
#[tokio::test(flavor = "multi_thread")]
async fn provoked_resets_end_the_connection() {
    let upstream = Upstream::answering(Answer::default().then_hang()).await;
    let mut plan = http2(&upstream);
    plan.settings.limits.http2_resets = 20;
    let rig = Rig::start(plan).await;
    let mut raw = RawHttp2::connect(rig.address).await;
    for n in 0..200_u32 {
        let stream = n * 2 + 1;
        // More than was announced is an error of the stream (RFC 9113 §8.1.1).
        let mut both =
            framed(HEADERS, END_HEADERS, stream, &block(&fields(&rig, &[("content-length", "1")])));
        both.extend(framed(DATA, 0, stream, b"abc"));
        if raw.write(&both).await.is_err() {
            break;
        }
    }
    let end = goodbye(&mut raw).await;
    assert!(end.is_none_or(|frame| frame.code() == ENHANCE_YOUR_CALM));
    until_counted(&rig, &["engine", "resets"]).await;
    assert!(upstream.requests().len() <= 60, "{}", upstream.requests().len());
}

/// What the engine does with a burst of streams that arrives in one piece, before we have seen any of them.
async fn burst(allowed: u32, streams: u32, one: fn(&Rig, u32) -> Vec<u8>) -> (bool, bool) {
    let upstream = Upstream::answering(Answer::ok("ok")).await;
    let mut plan = http2(&upstream);
    plan.settings.limits.http2_resets = allowed;
    let rig = Rig::start(plan).await;
    let mut raw = RawHttp2::connect(rig.address).await;
    raw.request(1, &fields(&rig, &[])).await.unwrap();
    raw.next_of(&[HEADERS]).await.unwrap();
    let all: Vec<u8> = (1..=streams).flat_map(|n| one(&rig, n * 2 + 1)).collect();
    raw.write(&all).await.unwrap();
    let last = streams * 2 + 3;
    let _may_have_ended = raw.request(last, &fields(&rig, &[])).await;
    let served = loop {
        match raw.next_of(&[HEADERS, GOAWAY]).await {
            Some(frame) if frame.kind == HEADERS && frame.stream == last => break true,
            Some(frame) if frame.kind == HEADERS => {}
            Some(frame) => {
                assert_eq!(frame.code(), ENHANCE_YOUR_CALM);
                break false;
            }
            None => break false,
        }
    };
    if !served {
        until_counted(&rig, &["engine"]).await;
    }
    (served, counted(&rig, "resets"))
}

/// Our own count would come too late: it begins when a stream has been seen.
#[tokio::test]
async fn streams_reset_unseen_have_a_budget_of_their_own() {
    let reset = |rig: &Rig, stream| {
        let header = framed(HEADERS, END_STREAM | END_HEADERS, stream, &block(&fields(rig, &[])));
        [header, framed(RST_STREAM, 0, stream, &CANCEL)].concat()
    };
    for (allowed, streams, served) in [(200, 20, true), (200, 21, false), (5, 5, true), (5, 6, false)] {
        assert_eq!(burst(allowed, streams, reset).await, (served, false), "{streams} of {allowed}");
    }
}

/// CVE-2025-8671, in one piece.
#[tokio::test]
async fn streams_that_we_have_to_reset_have_a_budget_too() {
    let overlong = |rig: &Rig, stream| {
        let lines = fields(rig, &[("content-length", "1")]);
        [framed(HEADERS, END_HEADERS, stream, &block(&lines)), framed(DATA, 0, stream, b"abc")].concat()
    };
    for (allowed, streams, served) in [(30, 30, true), (30, 31, false), (5, 5, true), (5, 6, false)] {
        assert_eq!(burst(allowed, streams, overlong).await, (served, false), "{streams} of {allowed}");
    }
}

#[tokio::test]
async fn requests_that_are_none_have_a_budget() {
    let upstream = Upstream::start().await;
    let rig = Rig::start(http2(&upstream)).await;
    let mut raw = RawHttp2::connect(rig.address).await;
    for n in 0..40_u32 {
        let malformed = fields(&rig, &[("host", "other.example")]);
        if raw.request(n * 2 + 1, &malformed).await.is_err() {
            break;
        }
    }
    assert_eq!(goodbye(&mut raw).await.map(|frame| frame.code()), Some(ENHANCE_YOUR_CALM));
    until_counted(&rig, &["malformed"]).await;
    assert_eq!(rig.log.lines().len(), 32);
}

/// CVE-2024-27316.
#[tokio::test(flavor = "multi_thread")]
async fn a_header_without_end_is_cut() {
    let upstream = Upstream::start().await;
    let rig = Rig::start(http2(&upstream)).await;
    let mut raw = RawHttp2::connect(rig.address).await;
    raw.frame(HEADERS, END_STREAM, 1, &block(&fields(&rig, &[]))).await.unwrap();
    let piece = block(&[("x", &"y".repeat(1000))]);
    let mut sent = 0;
    while sent < 10_000 && raw.frame(CONTINUATION, 0, 1, &piece).await.is_ok() {
        sent += 1;
    }
    assert!(sent < 10_000);
    let end = goodbye(&mut raw).await;
    assert!(end.is_none_or(|frame| frame.code() == ENHANCE_YOUR_CALM));
    until_counted(&rig, &["engine"]).await;
}

/// Nothing of these is an error; the connection must serve on, or end, but not swell or hang.
#[tokio::test(flavor = "multi_thread")]
async fn floods_of_small_frames_are_survived() {
    let upstream = Upstream::answering(Answer::ok("ok")).await;
    let rig = Rig::start(http2(&upstream)).await;
    for (kind, flags, stream, payload) in [
        (PING, 0, 0, &[0_u8; 8][..]),
        (SETTINGS, 0, 0, &[]),
        (SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]),
        (WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]),
        (DATA, 0, 1, &[]),
        (DATA, 0, 1, b"x"),
    ] {
        let mut raw = RawHttp2::connect(rig.address).await;
        if stream == 1 {
            let mut post = fields(&rig, &[]);
            post[0].1 = "POST";
            raw.frame(HEADERS, END_HEADERS, 1, &block(&post)).await.unwrap();
        }
        let flood = framed(kind, flags, stream, payload).repeat(1000);
        for _ in 0..20 {
            // Not reading the answers is part of the game; the writes may stall.
            match tokio::time::timeout(Duration::from_millis(500), raw.write(&flood)).await {
                Ok(Ok(())) => {}
                _ => break,
            }
        }
    }
    let other = Http2Client::connect(rig.address).await;
    assert_eq!(other.send(request(signed_in(&rig, "GET", "/")), "").await.unwrap().status, 200);
}

/// A client that opens no window must not make us keep its answers.
#[tokio::test]
async fn a_client_that_takes_nothing_is_given_up() {
    let upstream = Upstream::answering(Answer::ok(&"x".repeat(2_000_000))).await;
    let mut plan = http2(&upstream);
    plan.settings.timeouts.write = Duration::from_millis(300);
    let rig = Rig::start(plan).await;
    let mut raw = RawHttp2::connect(rig.address).await;
    raw.request(1, &fields(&rig, &[])).await.unwrap();
    let reset = raw.next_of(&[RST_STREAM]).await.unwrap();
    assert_eq!(reset.stream, 1);
    raw.request(3, &[(":method", "GET"), (":scheme", "http"), (":authority", "app.example"), (":path", "/")])
        .await
        .unwrap();
    assert_eq!(raw.next_of(&[HEADERS]).await.unwrap().stream, 3);
}

#[tokio::test]
async fn it_is_not_spoken_where_it_is_off() {
    let upstream = Upstream::start().await;
    let mut plan = http2(&upstream);
    plan.settings.entrance.http2 = false;
    let rig = Rig::start(plan).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(client.rest().await.starts_with(b"HTTP/1.1 400 "));
}
