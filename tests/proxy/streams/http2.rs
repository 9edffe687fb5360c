//! Over HTTP/2 each stream ends by itself: gRPC with its status, others cut or ended, and its neighbours go on.

use tokio::time::timeout;

use super::{CAUSES, Cause, TWO_LOOKS, counted, in_time};
use crate::proxy::http2::{request, signed_in};
use crate::proxy::http2_grpc::{call, rig};
use crate::proxy::rig::{Rig, plan};
use crate::support::http2::Http2Client;
use crate::support::upstream::{Answer, Upstream};

const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
                      9\r\ndata: x\n\n\r\n";

async fn over_http2(answer: Answer) -> (Rig, Upstream) {
    let upstream = Upstream::answering(answer.then_hang()).await;
    let mut plan = plan(upstream.address());
    plan.settings.entrance.http2 = true;
    (Rig::start(plan).await, upstream)
}

#[tokio::test]
async fn an_open_call_ends_unauthenticated() {
    for (cause, reason) in CAUSES {
        let rig = rig().await;
        let client = Http2Client::connect(rig.address).await;
        let (answer, mut upload) = client.begin(call(&rig, "/pkg.Service/Chat"), false).await;
        let mut body = answer.await.unwrap().into_body();
        upload.send_data("one".into(), false).unwrap();
        assert_eq!(body.data().await.unwrap().unwrap(), "one");
        assert!(rig.counted("anteroom_streams_open{kind=\"grpc\"} 1"));
        cause.befalls(&rig).await;
        let end = in_time(async {
            while let Some(piece) = body.data().await {
                assert!(piece.unwrap().is_empty());
            }
            body.trailers().await
        });
        let trailers = end.await.unwrap().unwrap();
        assert_eq!(
            (&trailers["grpc-status"], trailers.contains_key("grpc-message")),
            (&"16".parse().unwrap(), true)
        );
        counted(&rig, "grpc", reason, 1).await;
    }
}

#[tokio::test]
async fn a_call_without_an_answer_yet_is_answered_by_its_header() {
    let (rig, upstream) = over_http2(Answer::default()).await;
    let client = Http2Client::connect(rig.address).await;
    let asked = async { client.send(call(&rig, "/pkg.Service/Slow"), "").await };
    let ended = async {
        upstream.wait_for_request(1).await;
        Cause::SignOut.befalls(&rig).await;
    };
    let (answer, ()) = in_time(async { tokio::join!(asked, ended) }).await;
    let answer = answer.unwrap();
    assert_eq!(
        (answer.status, answer.header("grpc-status"), answer.trailers.is_some()),
        (200, Some("16"), false)
    );
}

#[tokio::test]
async fn a_request_without_an_answer_yet_gets_401() {
    let (rig, upstream) = over_http2(Answer::default()).await;
    let client = Http2Client::connect(rig.address).await;
    let asked = async { client.send(request(signed_in(&rig, "GET", "/slow")), "").await };
    let ended = async {
        upstream.wait_for_request(1).await;
        Cause::SignOut.befalls(&rig).await;
    };
    let (answer, ()) = in_time(async { tokio::join!(asked, ended) }).await;
    assert_eq!(answer.unwrap().status, 401);
}

#[tokio::test]
async fn an_event_stream_ends_with_its_event_and_its_neighbour_goes_on() {
    let (rig, _upstream) = over_http2(Answer::raw(EVENTS)).await;
    let client = Http2Client::connect(rig.address).await;
    let listen = |cookie: &str| {
        let mut get = request(signed_in(&rig, "GET", "/events"));
        get.headers_mut().insert("cookie", cookie.parse().unwrap());
        client.begin(get, true)
    };
    let mut mine = listen(&rig.cookie).await.0.await.unwrap().into_body();
    let mut other = listen(&rig.new_user).await.0.await.unwrap().into_body();
    assert_eq!(mine.data().await.unwrap().unwrap(), "data: x\n\n");
    assert_eq!(other.data().await.unwrap().unwrap(), "data: x\n\n");
    Cause::SignOut.befalls(&rig).await;
    let mut said = Vec::new();
    in_time(async {
        while let Some(piece) = mine.data().await {
            said.extend_from_slice(&piece.unwrap());
        }
    })
    .await;
    assert!(said.starts_with(b"event: session-ended\ndata: {\"reason\":\"signed_out\""));
    assert!(timeout(TWO_LOOKS, other.data()).await.is_err(), "on the same connection");
    rig.sign_out(&rig.new_user).await;
    assert!(in_time(other.data()).await.unwrap().unwrap().starts_with(b"event: session-ended"));
}

#[tokio::test]
async fn a_download_is_reset() {
    for head in ["Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n", "Content-Length: 99\r\n\r\npart"] {
        let (rig, _upstream) = over_http2(Answer::raw(format!("HTTP/1.1 200 OK\r\n{head}"))).await;
        let client = Http2Client::connect(rig.address).await;
        let get = client.begin(request(signed_in(&rig, "GET", "/file")), true).await.0;
        let mut body = get.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "part");
        Cause::SignOut.befalls(&rig).await;
        assert!(in_time(body.data()).await.unwrap().unwrap_err().is_reset());
        counted(&rig, "body", "signed_out", 1).await;
    }
}
