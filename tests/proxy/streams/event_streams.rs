//! Event streams: one last event after a complete one, and a clean end.

use super::{CAUSES, Cause, TWO_LOOKS, counted, in_time};
use crate::proxy::rig::Rig;
use crate::support::raw::RawClient;
use crate::support::upstream::{Answer, Upstream};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";

/// An app that sends this as the first piece of a stream, and then nothing.
async fn sending(headers: &str, piece: &str) -> Upstream {
    let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
    let head = format!("{HEAD}{headers}Transfer-Encoding: chunked\r\n\r\n");
    Upstream::answering(Answer::raw(head).then(chunk).then_hang()).await
}

/// A client that has read the first piece.
async fn listen(rig: &Rig, piece: &str) -> RawClient {
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("GET /events", "Accept: text/event-stream\r\n")).await;
    client.head().await;
    client.until(piece).await;
    client
}

#[tokio::test]
async fn each_cause_ends_with_an_event_that_says_why() {
    for (cause, reason) in CAUSES {
        let upstream = sending("", "data: x\n\n").await;
        let rig = Rig::in_front_of(upstream.address()).await;
        let mut client = listen(&rig, "data: x\n\n\r\n").await;
        cause.befalls(&rig).await;
        let said = String::from_utf8(in_time(client.rest()).await).unwrap();
        let event = format!(
            "event: session-ended\ndata: {{\"reason\":\"{reason}\",\"sign_in_url\":\"/_anteroom/sign-in\"}}\n\n"
        );
        assert_eq!(said, format!("{:X}\r\n{event}\r\n0\r\n\r\n", event.len()));
        in_time(upstream.wait_for_open_connections(0)).await;
        counted(&rig, "event_stream", reason, 1).await;
    }
}

/// A line that is not finished must not become a line of ours, and half an event none at all.
#[tokio::test]
async fn nothing_is_added_where_it_would_be_misread() {
    for (headers, piece) in
        [("", "data: x"), ("", "data: x\n"), ("Content-Encoding: gzip\r\n", "data: x\n\n")]
    {
        let upstream = sending(headers, piece).await;
        let rig = Rig::in_front_of(upstream.address()).await;
        let mut client = listen(&rig, &format!("{piece}\r\n")).await;
        Cause::SignOut.befalls(&rig).await;
        assert_eq!(in_time(client.rest()).await, b"0\r\n\r\n", "{piece:?}");
    }
}

/// An answer whose length was told cannot be longer, and must not look complete.
#[tokio::test]
async fn a_stream_of_known_length_is_cut() {
    let upstream =
        Upstream::answering(Answer::raw(format!("{HEAD}Content-Length: 500\r\n\r\ndata: x\n\n")).then_hang())
            .await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = listen(&rig, "data: x\n\n").await;
    Cause::SignOut.befalls(&rig).await;
    assert_eq!(in_time(client.rest()).await, b"");
}

#[tokio::test]
async fn a_connection_serves_the_next_session_as_if_nothing_had_been() {
    let upstream = Upstream::with(|request| match request.target() {
        "/quick" => Answer::ok("quick"),
        _ => Answer::raw(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n9\r\ndata: x\n\n\r\n")).then_hang(),
    })
    .await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("GET /quick", "")).await;
    assert_eq!(client.response().await.text(), "quick");
    Cause::SignOut.befalls(&rig).await;
    // The session before is over, the connection is not; the sweeper has looked at it since.
    tokio::time::sleep(TWO_LOOKS).await;
    let next = format!("GET /events HTTP/1.1\r\nHost: app.example\r\nCookie: {}\r\n\r\n", rig.new_user);
    client.send(next).await;
    client.until("data: x\n\n\r\n").await;
    assert!(client.silent_for(TWO_LOOKS).await);
    rig.sign_out(&rig.new_user).await;
    in_time(client.until("session-ended")).await;
    counted(&rig, "event_stream", "signed_out", 1).await;
}

/// Nobody is signed in there, so nothing ends.
#[tokio::test]
async fn public_streams_go_on() {
    let upstream = sending("", "data: x\n\n").await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send("GET /public/events HTTP/1.1\r\nHost: app.example\r\n\r\n").await;
    client.until("data: x\n\n\r\n").await;
    Cause::SignOut.befalls(&rig).await;
    Cause::Expiry.befalls(&rig).await;
    assert!(client.silent_for(TWO_LOOKS).await);
}
