//! What does a client get that only knows HTTP/1.0? No chunks, no interim answers, and an end it can see.

use super::rig::Rig;
use crate::support::raw::RawClient;
use crate::support::upstream::{Answer, Upstream};

fn get(rig: &Rig, target: &str, headers: &str) -> String {
    rig.signed_in(&format!("GET {target}"), headers).replace("HTTP/1.1\r\n", "HTTP/1.0\r\n")
}

#[tokio::test]
async fn a_body_of_unknown_length_ends_with_the_connection() {
    let upstream = Upstream::with(|request| match request.target() {
        "/chunks" => Answer::raw(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        ),
        "/close" => Answer::raw("HTTP/1.0 200 OK\r\n\r\nabcde").then_close(),
        "/hints" => Answer::raw("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
            .then("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde"),
        _ => Answer::ok("abcde"),
    })
    .await;
    let rig = Rig::in_front_of(upstream.address()).await;
    for headers in ["", "Connection: keep-alive\r\n", "Connection: keep-alive\r\nExpect: 100-continue\r\n"] {
        for target in ["/chunks", "/close", "/length", "/hints"] {
            let mut client = RawClient::connect(rig.address).await;
            client.send(get(&rig, target, headers)).await;
            let answer = client.response().await;
            let context = format!("{target} {headers:?} {answer:?}");
            assert_eq!((answer.status, answer.text().as_str()), (200, "abcde"), "{context}");
            assert_eq!(answer.header("transfer-encoding"), None, "{context}");
            let stays = !headers.is_empty() && answer.header("content-length").is_some();
            assert_eq!(
                answer.header("connection"),
                Some(if stays { "keep-alive" } else { "close" }),
                "{context}"
            );
            if stays {
                client.send(get(&rig, "/again", "")).await;
                assert_eq!(client.response().await.text(), "abcde", "{context}");
            }
            assert_eq!(client.rest().await, b"", "{context}");
        }
    }
}

#[tokio::test]
async fn our_own_answers_end_as_well() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send("GET / HTTP/1.0\r\nHost: app.example\r\nAccept: application/json\r\n\r\n").await;
    let answer = client.response().await;
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")));
    assert_eq!(client.rest().await, b"");
}
