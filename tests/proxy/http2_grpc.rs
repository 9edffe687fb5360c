//! Does gRPC pass whole: HTTP/2 on both sides, streams both ways at their own pace, trailers at the end?

use std::future::poll_fn;
use std::net::SocketAddr;
use std::time::Duration;

use anteroom::proxy::settings::{Protocol, Server};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::http2::{request, signed_in};
use super::rig::{Rig, plan};
use crate::support::DEADLINE;
use crate::support::http2::Http2Client;

/// A server that sends back what it gets and ends with a status; it insists on `te: trailers`, as gRPC's own does.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(tcp).await.unwrap();
                while let Some(Ok((call, respond))) = connection.accept().await {
                    tokio::spawn(call_back(call, respond));
                }
            });
        }
    });
    address
}

async fn call_back(call: Request<h2::RecvStream>, mut respond: h2::server::SendResponse<Bytes>) {
    let head = Response::builder()
        .header("content-type", "application/grpc")
        .header("x-authority", call.uri().authority().unwrap().as_str())
        .header("x-hosts", call.headers().get_all("host").iter().count());
    if call.headers().get("te").is_none_or(|te| te != "trailers") || call.uri().path() == "/refused" {
        let refused = head.header("grpc-status", "7").body(()).unwrap();
        respond.send_response(refused, true).unwrap();
        return;
    }
    let mut answer = respond.send_response(head.body(()).unwrap(), false).unwrap();
    let mut body = call.into_body();
    while let Some(Ok(piece)) = body.data().await {
        let _still_there = body.flow_control().release_capacity(piece.len());
        if piece.is_empty() {
            continue; // There is no room to wait for.
        }
        answer.reserve_capacity(piece.len());
        let _room = poll_fn(|context| answer.poll_capacity(context)).await;
        if answer.send_data(piece, false).is_err() {
            return;
        }
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    trailers.insert("grpc-message", "done".parse().unwrap());
    let _gone = answer.send_trailers(trailers);
}

pub(super) async fn rig() -> Rig {
    let address = echo().await;
    let mut plan = plan(address);
    plan.settings.entrance.http2 = true;
    plan.settings.timeouts.read = Duration::from_millis(100);
    plan.upstream().timeouts.read = Duration::from_millis(100);
    plan.upstream().protocol = Protocol::Http2;
    plan.upstream().servers = vec![Server::Tcp { host: address.ip().to_string(), port: address.port() }];
    Rig::start(plan).await
}

pub(super) fn call(rig: &Rig, path: &str) -> Request<()> {
    let call =
        signed_in(rig, "POST", path).header("content-type", "application/grpc").header("te", "trailers");
    request(call)
}

#[tokio::test]
async fn a_call_comes_back_with_its_status() {
    let rig = rig().await;
    let client = Http2Client::connect(rig.address).await;
    for length in [5, 300_000] {
        let message = vec![7; length];
        let answer = client.send(call(&rig, "/pkg.Service/Call"), message.clone()).await.unwrap();
        assert!(answer.body == message);
        let trailers = answer.trailers.clone().unwrap();
        assert_eq!(
            (&trailers["grpc-status"], &trailers["grpc-message"]),
            (&"0".parse().unwrap(), &"done".parse().unwrap())
        );
        assert_eq!(
            (answer.header("x-authority"), answer.header("x-hosts")),
            (Some("app.example"), Some("0"))
        );
    }
    let refused = client.send(call(&rig, "/refused"), "x").await.unwrap();
    assert_eq!((refused.header("grpc-status"), refused.trailers.is_some()), (Some("7"), false));
}

#[tokio::test]
async fn both_sides_speak_when_they_like() {
    let rig = rig().await;
    let client = Http2Client::connect(rig.address).await;
    let (answer, mut upload) = client.begin(call(&rig, "/pkg.Service/Chat"), false).await;
    let mut body = answer.await.unwrap().into_body();
    for word in ["one", "two"] {
        upload.send_data(word.into(), false).unwrap();
        assert_eq!(body.data().await.unwrap().unwrap(), word);
        let silence = timeout(Duration::from_millis(300), body.data()).await;
        assert!(silence.is_err(), "{silence:?}");
    }
    upload.send_data(Bytes::new(), true).unwrap();
    let rest = timeout(DEADLINE, body.data()).await.unwrap();
    assert!(rest.is_none_or(|piece| piece.unwrap().is_empty()));
    assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
}
