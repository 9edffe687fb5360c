//! How does everybody leave?

use std::time::Duration;

use anteroom::proxy::Drained;
use tokio::net::TcpStream;

use super::rig::{Rig, plan};
use crate::support::raw::RawClient;
use crate::support::upstream::{Answer, Gate, Upstream};

fn slow(gate: &Gate) -> Answer {
    Answer::default().then_wait(gate).then("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
}

#[tokio::test]
async fn what_is_in_flight_finishes_what_rests_is_closed_and_nobody_new_comes_in() {
    let gate = Gate::new();
    let answer = slow(&gate);
    let upstream = Upstream::with(move |request| match request.target() {
        "/slow" => answer.clone(),
        _ => Answer::ok("ok"),
    })
    .await;
    let mut rig = Rig::in_front_of(upstream.address()).await;
    let mut resting = RawClient::connect(rig.address).await;
    resting.send(rig.signed_in("GET /quick", "")).await;
    resting.response().await;
    let mut busy = RawClient::connect(rig.address).await;
    busy.send(rig.signed_in("GET /slow", "")).await;
    upstream.wait_for_request(2).await;

    rig.stop();
    assert_eq!(resting.rest().await, b"");
    assert!(TcpStream::connect(rig.address).await.is_err());
    gate.open();
    let response = busy.response().await;
    assert_eq!((response.text().as_str(), response.header("connection")), ("done", Some("close")));
    assert_eq!(busy.rest().await, b"");
    assert_eq!(rig.stopped().await, Drained { finished: 2, aborted: 0 });
}

#[tokio::test]
async fn the_deadline_is_the_end() {
    let gate = Gate::new();
    let upstream = Upstream::answering(slow(&gate)).await;
    let mut plan = plan(upstream.address());
    plan.drain_deadline = Duration::from_millis(100);
    let mut rig = Rig::start(plan).await;
    let mut busy = RawClient::connect(rig.address).await;
    busy.send(rig.signed_in("GET /", "")).await;
    upstream.wait_for_request(1).await;
    rig.stop();
    assert_eq!(rig.stopped().await, Drained { finished: 0, aborted: 1 });
    assert_eq!(busy.rest().await, b"");
    gate.open();
    upstream.wait_for_open_connections(0).await;
}
