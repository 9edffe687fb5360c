//! What may a client cost us?

use std::time::Duration;

use super::rig::{Rig, plan};
use crate::support::raw::{RawClient, exchange};
use crate::support::upstream::Upstream;

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
    // Nothing at all.
    let mut silent = RawClient::connect(rig.address).await;
    assert_eq!(silent.rest().await, b"");
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
