//! Do events arrive when they are sent? Ordered by gates, not by clocks.

use std::time::Duration;

use super::rig::{Rig, plan};
use crate::support::raw::RawClient;
use crate::support::upstream::{Answer, Gate, Upstream};

#[tokio::test]
async fn each_event_arrives_before_the_next_is_sent() {
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = gates
        .iter()
        .fold(Answer::raw(head), |answer, gate| answer.then_wait(gate).then("8\r\ndata: x\n\r\n"));
    let upstream = Upstream::answering(answer.then_hang()).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("GET /events", "Accept: text/event-stream\r\n")).await;
    assert_eq!(client.head().await.header("transfer-encoding"), Some("chunked"));
    for gate in &gates {
        gate.open();
        client.until("data: x\n").await;
    }
    // The client leaves, and so does the proxy.
    drop(client);
    upstream.wait_for_open_connections(0).await;
}

/// A stream may be silent for longer than any other answer.
#[tokio::test]
async fn silence_ends_answers_but_not_event_streams() {
    let gate = Gate::new();
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n";
    let upstream =
        Upstream::answering(Answer::raw(head).then_wait(&gate).then("4\r\nlate\r\n0\r\n\r\n")).await;
    let mut plan = plan(upstream.address());
    plan.upstream().timeouts.read = Duration::from_millis(200);
    let rig = Rig::start(plan).await;
    let mut stream = RawClient::connect(rig.address).await;
    stream.send(rig.signed_in("GET /", "Accept: text/event-stream\r\n")).await;
    stream.until("ok").await;
    let mut plain = RawClient::connect(rig.address).await;
    plain.send(rig.signed_in("GET /", "")).await;
    // The plain one is cut, which takes as long as the time set; the stream, which is older, is still open.
    assert!(!plain.rest().await.ends_with(b"0\r\n\r\n"));
    gate.open();
    stream.until("late").await;
}
