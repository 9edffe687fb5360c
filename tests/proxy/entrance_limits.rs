//! How many connections may there be, and how many requests on one?

use std::time::Duration;

use super::rig::{Plan, Rig, plan};
use crate::support::raw::RawClient;
use crate::support::upstream::Upstream;
use anteroom::net::TrustedProxies;

const REFUSED: &str = "anteroom_connections_refused_total{reason=\"client_limit\"} ";
const HERE: [u8; 4] = [127, 0, 0, 1];
const ELSEWHERE: [u8; 4] = [127, 0, 0, 2];

async fn limited(change: impl FnOnce(&mut Plan)) -> (Rig, Upstream) {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    change(&mut plan);
    (Rig::start(plan).await, upstream)
}

async fn is_served(rig: &Rig, client: &mut RawClient) -> bool {
    client.send(rig.signed_in("GET /", "")).await;
    client.try_response("GET").await.is_ok_and(|response| response.status == 200)
}

#[tokio::test]
async fn one_client_does_not_take_everybodys_connections() {
    let (rig, _upstream) = limited(|plan| plan.settings.limits.connections_per_client = 2).await;
    let mut mine = vec![];
    for _ in 0..2 {
        let mut client = RawClient::connect_from(HERE, rig.address).await;
        assert!(is_served(&rig, &mut client).await);
        mine.push(client);
    }
    for _ in 0..2 {
        assert_eq!(RawClient::connect_from(HERE, rig.address).await.rest().await, b"");
    }
    assert!(rig.counted(&format!("{REFUSED}2")));
    let mut other = RawClient::connect_from(ELSEWHERE, rig.address).await;
    assert!(is_served(&rig, &mut other).await, "others have their own");
    for client in &mut mine {
        assert!(is_served(&rig, client).await, "those that are here stay");
    }
    drop(mine.pop());
    rig.wait_until_counted("anteroom_connections 2").await;
    let mut again = RawClient::connect_from(HERE, rig.address).await;
    assert!(is_served(&rig, &mut again).await, "the place is free again");
}

#[tokio::test]
async fn whoever_stands_for_many_has_no_such_limit() {
    let trusted = || TrustedProxies::parse(["127.0.0.1"]).unwrap();
    let (rig, _upstream) = limited(|plan| {
        plan.settings.limits.connections_per_client = 1;
        plan.settings.trusted = trusted();
    })
    .await;
    let mut clients = vec![];
    for _ in 0..4 {
        let mut client = RawClient::connect_from(HERE, rig.address).await;
        assert!(is_served(&rig, &mut client).await);
        clients.push(client);
    }
    let mut stranger = RawClient::connect_from(ELSEWHERE, rig.address).await;
    assert!(is_served(&rig, &mut stranger).await);
    assert_eq!(RawClient::connect_from(ELSEWHERE, rig.address).await.rest().await, b"");
}

#[tokio::test]
async fn beyond_the_limit_in_all_connections_wait_and_are_served_then() {
    let (rig, _upstream) = limited(|plan| plan.settings.limits.connections = 2).await;
    let (mut first, mut second) =
        (RawClient::connect(rig.address).await, RawClient::connect(rig.address).await);
    assert!(is_served(&rig, &mut first).await && is_served(&rig, &mut second).await);
    let mut third = RawClient::connect(rig.address).await;
    third.send(rig.signed_in("GET /third", "")).await;
    assert!(third.silent_for(Duration::from_millis(300)).await, "it waits, and is not closed");
    assert!(is_served(&rig, &mut second).await);
    drop(first);
    assert_eq!(third.response().await.status, 200);
    assert!(is_served(&rig, &mut third).await);
}

#[tokio::test]
async fn a_limit_that_is_raised_lets_those_in_who_wait() {
    let mut settings = None;
    let (rig, _upstream) = limited(|plan| {
        plan.settings.limits.connections = 1;
        settings = Some(plan.settings.clone());
    })
    .await;
    let mut first = RawClient::connect(rig.address).await;
    assert!(is_served(&rig, &mut first).await);
    let mut second = RawClient::connect(rig.address).await;
    let mut settings = settings.unwrap();
    settings.limits.connections = 2;
    rig.replacer.replace(settings, rig.auth.clone()).unwrap();
    assert!(is_served(&rig, &mut second).await);
}

#[tokio::test]
async fn the_last_request_of_a_connection_is_told_so() {
    let (rig, upstream) = limited(|plan| plan.settings.limits.keep_alive_requests = 3).await;
    let mut client = RawClient::connect(rig.address).await;
    for (target, connection) in [("GET /1", "keep-alive"), ("GET /2", "keep-alive"), ("GET /3", "close")] {
        client.send(rig.signed_in(target, "")).await;
        let response = client.response().await;
        assert_eq!((response.status, response.header("connection")), (200, Some(connection)), "{target}");
    }
    assert_eq!(client.rest().await, b"");
    // Answers of ours count as well.
    let mut client = RawClient::connect(rig.address).await;
    for connection in ["keep-alive", "keep-alive", "close"] {
        client.send("GET /api HTTP/1.1\r\nHost: app.example\r\n\r\n").await;
        let response = client.response().await;
        assert_eq!((response.status, response.header("connection")), (401, Some(connection)));
    }
    assert_eq!(client.rest().await, b"");
    assert_eq!(upstream.requests().len(), 3);
}
