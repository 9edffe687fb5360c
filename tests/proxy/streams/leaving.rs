//! The drain: who would never end by itself leaves at once; everybody else may finish.

use std::time::Duration;

use anteroom::proxy::Drained;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::websockets::{close_of, echo, open};
use super::{counted, in_time};
use crate::proxy::rig::{Rig, plan};
use crate::support::raw::RawClient;
use crate::support::upstream::{Answer, Gate, Upstream};

#[tokio::test]
async fn websockets_are_told_to_go_elsewhere() {
    let mut rig = Rig::in_front_of(echo().await).await;
    let mut socket = open(&rig, &rig.cookie).await;
    rig.stop();
    assert_eq!(in_time(close_of(&mut socket)).await, (CloseCode::Away, "draining".to_owned()));
    drop(socket);
    assert_eq!(in_time(rig.stopped()).await, Drained { finished: 1, aborted: 0 });
    counted(&rig, "websocket", "draining", 1).await;
}

#[tokio::test]
async fn event_streams_end_and_other_bodies_finish() {
    let gate = Gate::new();
    let late = gate.clone();
    let upstream = Upstream::with(move |request| match request.target() {
        "/file" => {
            Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npart").then_wait(&late).then("rest")
        }
        _ => Answer::raw(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
             9\r\ndata: x\n\n\r\n",
        )
        .then_hang(),
    })
    .await;
    let mut plan = plan(upstream.address());
    plan.drain_deadline = Duration::from_secs(20);
    let mut rig = Rig::start(plan).await;
    let mut file = RawClient::connect(rig.address).await;
    file.send(rig.signed_in("GET /file", "")).await;
    file.until("part").await;
    let mut events = RawClient::connect(rig.address).await;
    events.send("GET /public/events HTTP/1.1\r\nHost: app.example\r\n\r\n").await;
    events.until("data: x\n\n\r\n").await;
    rig.stop();
    // The session is alive, so no event says otherwise; public streams leave as well.
    assert_eq!(in_time(events.rest()).await, b"0\r\n\r\n");
    assert!(file.silent_for(super::TWO_LOOKS).await);
    gate.open();
    file.until("rest").await;
    assert_eq!(in_time(rig.stopped()).await, Drained { finished: 2, aborted: 0 });
}

/// A session that ends during the drain still ends its streams.
#[tokio::test]
async fn the_drain_does_not_keep_a_session_alive() {
    let upstream =
        Upstream::answering(Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npart").then_hang())
            .await;
    let mut rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("GET /file", "")).await;
    client.until("part").await;
    rig.stop();
    rig.clock.advance(crate::proxy::rig::MAX);
    assert_eq!(in_time(client.rest()).await, b"");
    assert_eq!(in_time(rig.stopped()).await, Drained { finished: 1, aborted: 0 });
}
