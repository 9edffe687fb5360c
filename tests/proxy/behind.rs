//! What if a client sends on behind a whole request? The request is answered in full, what came behind it is no request,
//! and the connection ends in peace (RFC 9112 §2.2, §9.3.2 and §9.6).

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::rig::Rig;
use crate::support::DEADLINE;
use crate::support::log::Warnings;
use crate::support::raw::RawClient;
use crate::support::upstream::{Answer, Gate, Upstream, When};

/// Larger than what the sockets hold, so that much of it is still to come when the proxy is done.
const LONG: usize = 4 * 1024 * 1024;

/// Until the proxy has most likely seen what was sent; the claims hold either way.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// While the app takes its time, what follows a complete request harms neither: an empty line is nothing (RFC 9112 §2.2), and
/// whoever sends more is answered first and then told by the end of the connection to ask again.
#[tokio::test]
async fn what_comes_behind_a_request_does_not_take_its_answer_away() {
    let long = "x".repeat(300_000);
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (method, headers, body) in [
        ("GET", "", ""),
        ("POST", "Content-Length: 3\r\n", "abc"),
        ("POST", chunked, "3\r\nabc\r\n0\r\n\r\n"),
    ] {
        for (behind, kept) in [("\r\n", true), ("\n", true), ("\r\n\r\n\r\n", false), ("GET", false)] {
            let gate = Gate::new();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", long.len());
            let upstream =
                Upstream::answering(Answer::default().then_wait(&gate).then(head + long.as_str())).await;
            let rig = Rig::in_front_of(upstream.address()).await;
            let mut client = RawClient::connect(rig.address).await;
            let header = rig.signed_in(&format!("{method} /1"), headers);
            client.send(&header).await;
            client.send(body).await;
            upstream.wait_for_request(1).await;
            client.send(behind).await;
            if !kept {
                client.send("x".repeat(100_000)).await;
            }
            let context = format!("{method} {headers:?} {behind:?}");
            let time_to_read_on = if kept { 50 } else { 250 };
            assert!(client.silent_for(Duration::from_millis(time_to_read_on)).await, "{context}");
            gate.open();
            let answer = client.response().await;
            assert_eq!((answer.status, answer.text() == long), (200, true), "{context}");
            if kept {
                client.send(rig.signed_in("GET /2", "")).await;
                assert_eq!(client.response().await.status, 200, "{context}");
                assert_eq!(upstream.requests().len(), 2, "{context}");
            } else {
                assert_eq!(answer.header("connection"), Some("close"), "{context}");
                assert_eq!(client.rest().await, b"", "{context}");
                assert_eq!(upstream.requests().len(), 1, "{context}");
            }
        }
    }
}

/// In the same packet or in a later one, little or much: closing does not reset what the client has not read yet.
#[tokio::test]
async fn a_long_answer_arrives_whole() {
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: {LONG}\r\n\r\n{}", "a".repeat(LONG - 1));
    let post = "Content-Length: 1\r\n";
    let early = "GET /early HTTP/1.1\r\nHost: app.example\r\n\r\n".repeat(2000);
    for (line, headers, body, together) in [
        ("GET /long", "", "", true),
        ("GET /long", "", "", false),
        ("POST /long", post, "a", true),
        ("POST /long", post, "a", false),
        ("POST /long", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n", true),
        ("POST /long", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n", false),
    ] {
        let gate = Gate::new();
        let answer = Answer::raw(long.clone()).then_wait(&gate).then("a");
        let upstream = Upstream::start_with(When::Complete, move |_| answer.clone()).await;
        let rig = Rig::in_front_of(upstream.address()).await;
        let request = rig.signed_in(line, headers) + body;
        let mut client = RawClient::connect(rig.address).await;
        if together {
            client.send([request.as_str(), &early].concat()).await;
        } else {
            client.send(&request).await;
            a_moment().await;
            client.send(&early).await;
        }
        upstream.wait_for_request(1).await;
        gate.open();
        a_moment().await;
        client.send(&early).await;
        let answer = client.try_response("GET").await;
        let seen = answer.as_ref().map(|answer| (answer.status, answer.body.len()));
        assert!(matches!(seen, Ok((200, LONG))), "{line} {together}: {seen:?}");
        // What comes later may find the answer done, and be a request of its own: one without a session.
        let rest = client.rest().await;
        assert!((rest.is_empty() || !together) && !upstream.saw("/early"), "{line} {together}");
    }
}

/// Whoever has gone is nobody to answer, behind whatever they sent.
#[tokio::test]
async fn the_end_of_the_connection_is_still_seen() {
    let upstream = Upstream::start_with(When::Complete, |_| Answer::default().then_hang()).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("GET /asked", "")).await;
    upstream.wait_for_request(1).await;
    client.send("behind").await;
    a_moment().await;
    assert_eq!(upstream.open_connections(), 1);
    client.finish().await;
    upstream.wait_for_open_connections(0).await;
}

/// Or else a connection, its place and the app's would be kept by somebody who has left long ago.
#[tokio::test]
async fn who_sends_too_much_behind_a_request_is_given_up() {
    let upstream = Upstream::start_with(When::Complete, |_| Answer::default().then_hang()).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = TcpStream::connect(rig.address).await.unwrap();
    client.write_all(rig.signed_in("GET /asked", "").as_bytes()).await.unwrap();
    upstream.wait_for_request(1).await;
    let flood = async { while client.write_all(&[b'x'; 64 * 1024]).await.is_ok() {} };
    tokio::time::timeout(DEADLINE, flood).await.expect("it is not taken in for ever, nor left waiting");
    upstream.wait_for_open_connections(0).await;
}

/// Each is in the access log; a line of its own for each would let anybody fill a disk.
#[tokio::test]
async fn what_clients_break_off_is_said_now_and_then() {
    let warnings = Warnings::collect();
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    for _ in 0..20 {
        let mut client = RawClient::connect(rig.address).await;
        client.send(rig.signed_in("POST /", "Transfer-Encoding: chunked\r\n") + "no chunk\r\n").await;
        assert_eq!(client.response().await.status, 400);
    }
    let said = warnings.lines().iter().filter(|line| line.contains("a request failed")).count();
    assert_eq!(said, 1, "{:#?}", warnings.lines());
}
