//! Do connections live as long as they should, on both sides?

use std::time::Duration;

use super::rig::{Rig, plan};
use crate::support::DEADLINE;
use crate::support::raw::RawClient;
use crate::support::upstream::{Answer, Upstream, When};

#[tokio::test]
async fn one_connection_carries_many_requests_on_both_sides() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    for n in 0..20 {
        // Answers of ours in between keep the connection as well.
        client.send(rig.signed_in(&format!("GET /{n}"), "")).await;
        assert_eq!(client.response().await.status, 200);
        client.send("GET /api HTTP/1.1\r\nHost: app.example\r\n\r\n").await;
        assert_eq!(client.response().await.status, 401);
        client.send("GET /_anteroom/me HTTP/1.1\r\nHost: app.example\r\n\r\n").await;
        assert_eq!(client.response().await.status, 401);
        client.send("POST /api HTTP/1.1\r\nHost: app.example\r\nContent-Length: 3\r\n\r\nabc").await;
        assert_eq!(client.response().await.header("connection"), Some("keep-alive"));
        client.send("GET /a/../b HTTP/1.1\r\nHost: app.example\r\n\r\n").await;
        assert_eq!(client.response().await.status, 400);
    }
    assert_eq!(upstream.requests().len(), 20);
    assert_eq!(upstream.connections(), 1);
}

/// However the bytes of header and chunks arrive, and whatever the chunks carry: the connection goes on.
#[tokio::test]
async fn chunks_keep_the_connection() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    let mut asked = 0;
    for body in [
        "0\r\n\r\n",
        "3\r\nabc\r\n0\r\n\r\n",
        "1\r\na\r\n002;x=y;z=\"; \"\r\nbc\r\n0;last\r\n\r\n",
        "3\r\nabc\r\n0\r\nX-Trailer: 1\r\nContent-Length: 7\r\n\r\n",
    ] {
        for method in ["POST", "GET"] {
            let request =
                rig.signed_in(&format!("{method} /chunks"), "Transfer-Encoding: chunked\r\n") + body;
            let header = request.len() - body.len();
            for split in [0, 1, 60, header - 2, header, header + 1, request.len() - 1] {
                let (first, second) = request.split_at(split);
                client.send(first).await;
                // Other bytes than these may share a packet: the claim holds either way.
                tokio::time::sleep(Duration::from_millis(2)).await;
                client.send(second).await;
                let answer = client.response().await;
                let context = format!("{body:?} at {split}: {answer:?}");
                assert_eq!(
                    (answer.status, answer.header("connection")),
                    (200, Some("keep-alive")),
                    "{context}"
                );
                client.send(rig.signed_in("GET /plain", "")).await;
                assert_eq!(client.response().await.status, 200, "{context}");
                asked += 2;
            }
        }
    }
    assert_eq!(upstream.requests().len(), asked);
    assert!(upstream.requests().iter().all(|r| ["/chunks", "/plain"].contains(&r.target())));
}

/// A request sent too early is dropped behind chunks as behind a length, whatever packet it comes in.
#[tokio::test]
async fn what_follows_chunks_too_early_is_no_request() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let first = rig.signed_in("POST /first", "Transfer-Encoding: chunked\r\n");
    for (with_header, later) in [("0\r\n\r\nEARLY", ""), ("", "0\r\n\r\nEARLY"), ("0\r\n", "\r\nEARLY")] {
        let early = |part: &str| part.replace("EARLY", &rig.signed_in("GET /early", ""));
        let mut client = RawClient::connect(rig.address).await;
        client.send(first.clone() + early(with_header).as_str()).await;
        client.send(early(later)).await;
        assert_eq!(client.response().await.status, 200);
        assert_eq!(client.rest().await, b"");
    }
    assert!(!upstream.saw("/early"));
}

/// What breaks off in the middle of a body was not one: its connection to the upstream carries nothing else.
#[tokio::test]
async fn malformed_chunks_end_both_connections() {
    let upstream = Upstream::start_with(When::Head, |_| Answer::default().then_hang()).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let late = ["2 \r\nab\r\n0\r\n\r\n", "2;\nab\r\n0\r\n\r\n", "\r\n\r\n", "0\r\nX\r\n\r\n"];
    for (number, late) in late.iter().enumerate() {
        let mut client = RawClient::connect(rig.address).await;
        client.send(rig.signed_in("POST /half", "Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n").await;
        upstream.wait_for_request(number + 1).await;
        assert_eq!((upstream.open_connections(), upstream.connections()), (1, number + 1));
        client.send([late, rig.signed_in("GET /hidden", "").as_str()].concat()).await;
        let answer = client.response().await;
        assert_eq!((answer.status, answer.header("connection")), (400, Some("close")), "{late:?}");
        assert_eq!(client.rest().await, b"");
        upstream.wait_for_open_connections(0).await;
    }
    assert!(!upstream.saw("/hidden"));
    let logged = async {
        while rig.log.lines().iter().filter(|line| line.contains("status: 400")).count() < late.len() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, logged).await.unwrap();
}

#[tokio::test]
async fn close_is_honoured_and_http_1_0_closes_by_itself() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    for request in [
        rig.signed_in("GET /", "Connection: close\r\n"),
        rig.signed_in("GET /", "").replace("HTTP/1.1", "HTTP/1.0"),
    ] {
        let mut client = RawClient::connect(rig.address).await;
        client.send(request).await;
        let response = client.response().await;
        assert_eq!((response.text().as_str(), response.header("connection")), ("ok", Some("close")));
        assert_eq!(client.rest().await, b"");
    }
    let mut client = RawClient::connect(rig.address).await;
    for _ in 0..2 {
        client
            .send(rig.signed_in("GET /", "Connection: keep-alive\r\n").replace("HTTP/1.1", "HTTP/1.0"))
            .await;
        assert_eq!(client.response().await.header("connection"), Some("keep-alive"));
    }
}

/// pingora alone would keep it for ever from the second request on.
#[tokio::test]
async fn a_resting_connection_ends_after_its_time() {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.settings.timeouts.keep_alive = Duration::from_secs(1);
    let rig = Rig::start(plan).await;
    let mut client = RawClient::connect(rig.address).await;
    for _ in 0..2 {
        client.send(rig.signed_in("GET /", "")).await;
        client.response().await;
    }
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn a_second_request_sent_too_early_is_never_mixed_up() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send([rig.signed_in("GET /1", ""), rig.signed_in("GET /2", "")].concat()).await;
    assert_eq!(client.response().await.text(), "ok");
    // Clients are told by the end of the connection to ask again (RFC 9112 §9.3.2).
    assert_eq!(client.rest().await, b"");
    assert_eq!(upstream.requests().len(), 1);
}

/// The upstream closes a connection that rests in the pool: the next request takes another one.
#[tokio::test]
async fn a_stale_pooled_connection_does_not_fail_a_request() {
    let closing = |n: u8| Answer::ok(&n.to_string()).then_close();
    let upstream = Upstream::scripted(vec![closing(1), closing(2), closing(3)]).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    for n in 1..=3 {
        assert_eq!(rig.get("/", "").await.text(), n.to_string());
        upstream.wait_for_open_connections(0).await;
    }
}

/// The upstream closes without a word while the request is under way: once more for what is idempotent, never for a
/// POST.
#[tokio::test]
async fn only_what_is_safe_is_sent_twice() {
    let upstream = Upstream::with(|request| match request.target() {
        "/warm" => Answer::ok("warm"),
        _ if request.connection == 0 => Answer::default().then_close(),
        _ => Answer::ok("again"),
    })
    .await;
    let rig = Rig::in_front_of(upstream.address()).await;
    rig.get("/warm", "").await;
    assert_eq!(rig.get("/", "").await.text(), "again");

    let upstream = Upstream::with(|request| match request.target() {
        "/warm" => Answer::ok("warm"),
        _ => Answer::default().then_close(),
    })
    .await;
    let rig = Rig::in_front_of(upstream.address()).await;
    rig.get("/warm", "").await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("POST /", "Content-Length: 3\r\n") + "abc").await;
    assert_eq!(client.response().await.status, 502);
    assert_eq!(upstream.requests().iter().filter(|r| r.method() == "POST").count(), 1);
}
