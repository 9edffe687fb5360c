//! Other bodies: cut so that nobody takes them for whole, both ways; 401 where no answer had begun.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{CAUSES, Cause, counted, in_time};
use crate::proxy::rig::Rig;
use crate::support::raw::RawClient;
use crate::support::upstream::{Answer, Upstream};

#[tokio::test]
async fn a_download_is_cut_and_looks_cut() {
    for (cause, reason) in CAUSES {
        for head in ["Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n", "Content-Length: 99\r\n\r\npart"] {
            let answer = Answer::raw(format!("HTTP/1.1 200 OK\r\n{head}")).then_hang();
            let upstream = Upstream::answering(answer).await;
            let rig = Rig::in_front_of(upstream.address()).await;
            let mut client = RawClient::connect(rig.address).await;
            client.send(rig.signed_in("GET /file", "")).await;
            client.until("part").await;
            cause.befalls(&rig).await;
            let rest = in_time(client.rest()).await;
            assert!(rest.is_empty() || rest == b"\r\n", "{rest:?}");
            in_time(upstream.wait_for_open_connections(0)).await;
            counted(&rig, "body", reason, 1).await;
        }
    }
}

#[tokio::test]
async fn a_request_without_an_answer_yet_gets_401() {
    for (cause, reason) in CAUSES {
        let upstream = Upstream::answering(Answer::default().then_hang()).await;
        let rig = Rig::in_front_of(upstream.address()).await;
        let mut client = RawClient::connect(rig.address).await;
        client.send(rig.signed_in("GET /slow", "")).await;
        upstream.wait_for_request(1).await;
        cause.befalls(&rig).await;
        let response = in_time(client.response()).await;
        assert_eq!((response.status, response.header("connection")), (401, Some("close")));
        assert!(response.text().contains("session has ended") && response.header("x-request-id").is_some());
        assert_eq!(in_time(client.rest()).await, b"");
        counted(&rig, "body", reason, 1).await;
    }
}

/// gRPC as it says it, with the header alone.
#[tokio::test]
async fn a_call_without_an_answer_yet_is_unauthenticated() {
    let upstream = Upstream::answering(Answer::default().then_hang()).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client
        .send(rig.signed_in("POST /pkg.Svc/Call", "Content-Type: application/grpc\r\nContent-Length: 0\r\n"))
        .await;
    upstream.wait_for_request(1).await;
    Cause::SignOut.befalls(&rig).await;
    let response = in_time(client.response()).await;
    assert_eq!((response.status, response.header("grpc-status")), (200, Some("16")));
    assert_eq!(response.header("content-type"), Some("application/grpc"));
}

#[tokio::test]
async fn an_upload_that_pauses_is_refused() {
    let upstream = Upstream::answering(Answer::ok("all of it")).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("POST /file", "Content-Length: 9000\r\n") + "begun").await;
    while !upstream.saw("begun") {
        tokio::task::yield_now().await;
    }
    Cause::SignOut.befalls(&rig).await;
    assert_eq!(in_time(client.response()).await.status, 401);
    in_time(upstream.wait_for_open_connections(0)).await;
}

/// pingora reads nothing from a client as long as the upstream takes nothing: the end must not wait for either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_the_upstream_does_not_take_is_cut() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rig = Rig::in_front_of(listener.local_addr().unwrap()).await;
    let mut client = TcpStream::connect(rig.address).await.unwrap();
    client.write_all(rig.signed_in("POST /file", "Content-Length: 900000000\r\n").as_bytes()).await.unwrap();
    let (_held, _) = listener.accept().await.unwrap();
    let piece = vec![0; 1 << 20];
    // Until nobody takes any more.
    while tokio::time::timeout(super::TWO_LOOKS, client.write_all(&piece)).await.is_ok() {}
    Cause::SignOut.befalls(&rig).await;
    let mut rest = [0; 64];
    let read = in_time(client.read(&mut rest)).await;
    assert!(read.is_err() || read.is_ok_and(|n| n == 0 || rest.starts_with(b"HTTP/1.1 401")));
    counted(&rig, "body", "signed_out", 1).await;
}
