//! What do people and programs see when the app does not answer?

use std::net::SocketAddr;
use std::time::Duration;

use anteroom::proxy::settings::Server;
use tokio::net::TcpListener;

use super::rig::{Rig, plan};
use crate::support::raw::RawClient;
use crate::support::upstream::{Answer, Upstream};

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_refused_connection_is_502_in_the_shape_of_the_asker() {
    let rig = Rig::in_front_of(nobody().await).await;
    let page = rig.get("/", "Accept: text/html\r\n").await;
    assert_eq!(page.status, 502);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    assert_eq!((page.header("server"), page.header("x-request-id").unwrap().len()), (None, 32));
    let json = rig.get("/", "Accept: application/json\r\n").await;
    assert_eq!((json.status, json.header("content-type")), (502, Some("application/json")));
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("POST /", "Content-Length: 3\r\n") + "abc").await;
    assert_eq!(client.response().await.status, 502);
    assert!(rig.log.lines().iter().all(|line| line.contains("status: 502")));
    let metrics = rig.auth.metrics().expose();
    assert!(metrics.contains("anteroom_upstream_errors_total 3"), "{metrics}");
}

#[tokio::test]
async fn silence_is_504() {
    let upstream = Upstream::answering(Answer::default().then_hang()).await;
    let mut plan = plan(upstream.address());
    plan.upstream().timeouts.read = Duration::from_millis(100);
    let rig = Rig::start(plan).await;
    assert_eq!(rig.get("/", "").await.status, 504);
}

#[tokio::test]
async fn what_is_no_http_is_502_and_not_quoted() {
    for answer in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 20",
    ] {
        let upstream = Upstream::answering(Answer::raw(answer).then_close()).await;
        let rig = Rig::in_front_of(upstream.address()).await;
        let response = rig.get("/", "").await;
        assert_eq!(response.status, 502, "{answer:?}");
        assert!(!response.text().contains("nonsense"));
    }
}

/// `localhost` is two addresses, and most apps listen on one of them.
#[tokio::test]
async fn the_other_address_of_a_name_is_tried() {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.upstream().servers = vec![Server::Tcp { host: "localhost".into(), port: upstream.address().port() }];
    let rig = Rig::start(plan).await;
    for _ in 0..3 {
        assert_eq!(rig.get("/", "").await.text(), "ok");
    }
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_502() {
    let mut plan = plan(nobody().await);
    plan.upstream().servers = vec![Server::Tcp { host: "no-such-host.invalid".into(), port: 8080 }];
    let rig = Rig::start(plan).await;
    assert_eq!(rig.get("/", "").await.status, 502);
}

#[tokio::test]
async fn an_upstream_that_comes_back_is_found() {
    let address = nobody().await;
    let rig = Rig::in_front_of(address).await;
    assert_eq!(rig.get("/", "").await.status, 502);
    let listener = TcpListener::bind(address).await.unwrap();
    let answering = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 4096];
        assert!(stream.read(&mut head).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nback").await.unwrap();
        stream
    });
    assert_eq!(rig.get("/", "").await.text(), "back");
    answering.await.unwrap();
}
