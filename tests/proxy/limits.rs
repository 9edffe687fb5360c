//! What may a client cost us?

use std::time::Duration;

use super::rig::{Rig, plan};
use crate::support::raw::{RawClient, exchange};
use crate::support::upstream::{Answer, Upstream, When};

#[tokio::test]
async fn large_headers_are_431_and_the_connection_survives_what_was_read() {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.settings.limits.header_bytes = 4096;
    plan.settings.limits.header_count = 20;
    let rig = Rig::start(plan).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("GET /", &format!("X-Big: {}\r\n", "x".repeat(4096)))).await;
    assert_eq!(client.response().await.status, 431);
    let many: String = (0..20).map(|n| format!("X-{n}: 1\r\n")).collect();
    client.send(rig.signed_in("GET /", &many)).await;
    assert_eq!(client.response().await.status, 431);
    client.send(rig.signed_in("GET /", "")).await;
    assert_eq!(client.response().await.status, 200);
    assert_eq!(upstream.requests().len(), 1);
}

/// A header that never ends is not kept in memory until pingora's own limit of a mebibyte.
#[tokio::test]
async fn a_header_without_end_is_cut() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send("GET / HTTP/1.1\r\nHost: app.example\r\nX-Big: ").await;
    client.send("x".repeat(512 * 1024)).await;
    let response = client.response().await;
    assert_eq!((response.status, response.header("server")), (431, None));
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn a_header_has_one_deadline_however_it_drips() {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.settings.timeouts.header_read = Duration::from_millis(300);
    let rig = Rig::start(plan).await;
    // Drop by drop, each sooner than the deadline; on a fresh connection and on one that has served.
    for served in [false, true] {
        let mut client = RawClient::connect(rig.address).await;
        if served {
            client.send(rig.signed_in("GET /", "")).await;
            client.response().await;
        }
        client.send("GET / HTTP/1.1\r\n").await;
        let mut drops = tokio::time::interval(Duration::from_millis(50));
        let answer = loop {
            tokio::select! {
                _ = drops.tick() => client.send("X-A: 1\r\n").await,
                answer = client.rest() => break answer,
            }
        };
        assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
    }
}

/// How long a connection may rest says nothing about how long a header may take.
#[tokio::test]
async fn a_header_has_its_time_however_short_the_rest() {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.settings.timeouts.keep_alive = Duration::from_millis(10);
    let rig = Rig::start(plan).await;
    let mut client = RawClient::connect(rig.address).await;
    let (first, rest) = ("GET / HTTP/1.1\r\n", rig.signed_in("GET /", "").split_off(16));
    for piece in ["", first, &rest] {
        // The engine counts rest in whole seconds.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        client.send(piece).await;
    }
    assert_eq!(client.response().await.status, 200);
    assert_eq!(client.rest().await, b"", "and then it rests no longer");
}

#[tokio::test]
async fn a_client_that_says_nothing_is_not_waited_for() {
    let upstream = Upstream::start().await;
    for http2 in [false, true] {
        let mut plan = plan(upstream.address());
        plan.settings.entrance.http2 = http2;
        plan.settings.timeouts.header_read = Duration::from_millis(300);
        let rig = Rig::start(plan).await;
        let mut silent = RawClient::connect(rig.address).await;
        assert_eq!(silent.rest().await, b"");
        rig.wait_until_counted("anteroom_limits_total{limit=\"header_read\"} 1").await;
    }
}

#[tokio::test]
async fn our_endpoints_read_small_bodies_only() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let post = "POST /_anteroom/sign-out HTTP/1.1\r\nHost: app.example\r\n";
    let big = format!("{post}Content-Length: 9000\r\n\r\n{}", "x".repeat(9000));
    assert_eq!(exchange(rig.address, big).await.status, 413);
    let chunked =
        format!("{post}Transfer-Encoding: chunked\r\n\r\n2329\r\n{}\r\n0\r\n\r\n", "x".repeat(9001));
    assert_eq!(exchange(rig.address, chunked).await.status, 413);
    let announced = format!("{post}Content-Length: 999999999\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(exchange(rig.address, announced).await.status, 413);
    let small = format!("{post}Content-Length: 5\r\n\r\nabcde");
    assert_ne!(exchange(rig.address, small).await.status, 413);
    assert!(upstream.requests().is_empty());
}

/// How often clients ran into a limit.
fn counted(rig: &Rig, limit: &str) -> usize {
    let (text, name) = (rig.auth.metrics().expose(), format!("anteroom_limits_total{{limit=\"{limit}\"}} "));
    text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn each_limit_of_a_header_has_its_status_and_is_counted() {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.settings.limits.target_bytes = 100;
    plan.settings.limits.header_bytes = 2048;
    plan.settings.limits.header_count = 10;
    let rig = Rig::start(plan).await;
    let long = "x".repeat(2000);
    let many: String = (0..10).map(|n| format!("X-{n}: 1\r\n")).collect();
    for (target, headers, status, limit) in [
        (format!("/{}", "x".repeat(99)), String::new(), 200, None),
        (format!("/{}", "x".repeat(100)), String::new(), 414, Some("target_bytes")),
        ("/".into(), format!("X-Big: {long}\r\n"), 431, Some("header_bytes")),
        ("/".into(), many, 431, Some("header_count")),
    ] {
        assert_eq!(rig.get(&target, &headers).await.status, status, "{limit:?}");
        if let Some(limit) = limit {
            assert_eq!(counted(&rig, limit), 1, "{limit}");
        }
    }
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_body_that_is_announced_as_too_long_is_refused_before_the_app_is_asked() {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.settings.limits.body_bytes = Some(10);
    let rig = Rig::start(plan).await;
    let fits = rig.signed_in("POST /", "Content-Length: 10\r\n") + "0123456789";
    assert_eq!(exchange(rig.address, fits).await.status, 200);
    // Whether it comes, is held back, or waits to be asked for.
    for (headers, body) in [("", "0123456789a"), ("", ""), ("Expect: 100-continue\r\n", "")] {
        let mut client = RawClient::connect(rig.address).await;
        client.send(rig.signed_in("POST /", &format!("Content-Length: 11\r\n{headers}")) + body).await;
        assert_eq!(client.response().await.status, 413, "{headers}{body}");
    }
    // Without a session it is no news that there is a limit.
    let anonymous = "POST / HTTP/1.1\r\nHost: app.example\r\nContent-Length: 11\r\n\r\n";
    assert_eq!(exchange(rig.address, anonymous).await.status, 401);
    assert_eq!((upstream.requests().len(), counted(&rig, "body_bytes")), (1, 3));
}

#[tokio::test]
async fn a_body_that_turns_out_too_long_is_cut_where_it_does() {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.settings.limits.body_bytes = Some(10);
    let rig = Rig::start(plan).await;
    let post = rig.signed_in("POST /", "Transfer-Encoding: chunked\r\n");
    let mut client = RawClient::connect(rig.address).await;
    client.send(post.clone() + "a\r\n0123456789\r\n0\r\n\r\n").await;
    assert_eq!(client.response().await.status, 200);
    let mut client = RawClient::connect(rig.address).await;
    client.send(post.clone() + "a\r\n0123456789\r\n").await;
    client.send("1\r\na\r\n").await;
    let refused = client.response().await;
    assert_eq!((refused.status, refused.header("connection")), (413, Some("close")));
    assert_eq!(client.rest().await, b"");
    assert_eq!((upstream.requests().len(), counted(&rig, "body_bytes")), (1, 1));
}

/// It cannot become a 413 any more, and must not look whole.
#[tokio::test]
async fn an_answer_that_has_begun_is_cut_with_the_body() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    let upstream = Upstream::start_with(When::Head, move |_: &_| Answer::raw(answer).then_hang()).await;
    let mut plan = plan(upstream.address());
    plan.settings.limits.body_bytes = Some(10);
    let rig = Rig::start(plan).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("POST /", "Transfer-Encoding: chunked\r\n") + "1\r\na\r\n").await;
    assert_eq!(client.head().await.start_line, "HTTP/1.1 200 OK");
    client.send("a\r\n0123456789\r\n").await;
    assert_eq!(client.rest().await, b"half");
    assert_eq!(counted(&rig, "body_bytes"), 1);
}

#[tokio::test]
async fn a_body_cannot_drip_for_ever() {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.settings.timeouts.body_read = Duration::from_millis(300);
    plan.settings.limits.body_rate = 1000;
    let rig = Rig::start(plan).await;
    let drip = async |headers: &str, drops: usize| {
        let mut client = RawClient::connect(rig.address).await;
        client.send(rig.signed_in("POST /", &format!("Content-Length: 50\r\n{headers}"))).await;
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        for _ in 0..drops {
            ticks.tick().await;
            client.send("x").await;
        }
        client.response().await.status
    };
    // Each drop comes long before the client would count as silent.
    assert_eq!(drip("", 40).await, 408);
    assert_eq!((upstream.requests().len(), counted(&rig, "body_read")), (0, 1));
    // Calls of gRPC may take their time, and are made over HTTP/2: here the word is no way around the limit.
    assert_eq!(drip("Content-Type: application/grpc\r\n", 40).await, 408);
}

#[tokio::test]
async fn a_silent_client_is_told_so() {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.settings.timeouts.read = Duration::from_millis(200);
    let rig = Rig::start(plan).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("POST /", "Content-Length: 5\r\n") + "ab").await;
    assert_eq!(client.response().await.status, 408);
    assert_eq!(client.rest().await, b"");
    assert_eq!((upstream.requests().len(), counted(&rig, "read")), (0, 1));
}

/// The answer does not wait for a body that nobody is going to read.
#[tokio::test]
async fn a_refusal_comes_before_the_body() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let post = "POST /api HTTP/1.1\r\nHost: app.example\r\n";
    let mut client = RawClient::connect(rig.address).await;
    client.send(format!("{post}Content-Length: 5\r\n\r\nabcde")).await;
    assert_eq!(client.response().await.header("connection"), Some("keep-alive"));
    client.send(rig.signed_in("GET /", "")).await;
    assert_eq!(client.response().await.status, 200);
    // A short one is waited for a moment, no longer. One that waits for a 100 gets none, and no body is read.
    for framing in [
        "Content-Length: 5\r\n",
        "Content-Length: 5\r\nExpect: 100-continue\r\n",
        "Content-Length: 99999\r\n",
        "Transfer-Encoding: chunked\r\n",
    ] {
        let mut client = RawClient::connect(rig.address).await;
        client.send(format!("{post}{framing}\r\n")).await;
        let asked = tokio::time::Instant::now();
        let refused = client.response().await;
        assert_eq!((refused.status, refused.header("connection")), (401, Some("close")), "{framing}");
        assert!(asked.elapsed() < Duration::from_secs(3), "{framing}: {:?}", asked.elapsed());
        assert_eq!(client.rest().await, b"", "{framing}");
    }
}
