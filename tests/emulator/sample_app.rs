//! The demo's upstream.

use std::net::{Ipv4Addr, SocketAddr};

use anteroom::emulator::SampleApp;
use futures_util::{SinkExt as _, StreamExt as _, stream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::support::client;

async fn start() -> (SampleApp, reqwest::Client) {
    (SampleApp::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap(), client())
}

#[tokio::test]
async fn it_shows_who_is_signed_in() {
    let (app, http) = start().await;
    let page = http
        .get(app.url())
        .header("x-anteroom-name", "%D9%86%D9%88%D8%B1")
        .header("x-anteroom-new-user", "true");
    let page = page.header("x-anteroom-email", "<b>@example.com").send().await.unwrap().text().await.unwrap();
    for needle in [
        "This is a demo",
        "<bdi id=\"name\">نور</bdi>",
        "You are new here",
        "x-anteroom-new-user",
        "/_anteroom/sign-out",
    ] {
        assert!(page.contains(needle), "{needle}: {page}");
    }
    assert!(!page.contains("<b>"));
    let stranger = http.get(app.url()).send().await.unwrap().text().await.unwrap();
    assert!(stranger.contains("Hello, stranger") && stranger.contains("This is a demo"));
    app.stop().await;
}

#[tokio::test]
async fn it_exercises_a_proxy() {
    let (app, http) = start().await;
    let url = |path: &str| app.url().join(path).unwrap();
    let list = http
        .get(url("/headers"))
        .header("x-a", "1")
        .header("x-a", "2")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let list: Vec<(String, String)> = serde_json::from_str(&list).unwrap();
    let ours: Vec<_> =
        list.iter().filter(|(name, _)| name == "x-a").map(|(_, value)| value.as_str()).collect();
    assert_eq!(ours, ["1", "2"]);
    let body = vec![7_u8; 300_000];
    let echo = http.post(url("/echo")).header("content-type", "x/y").body(body.clone()).send().await.unwrap();
    assert_eq!(echo.headers()["content-type"], "x/y");
    assert_eq!(echo.bytes().await.unwrap(), body);
    let provision = http.get(url("/provision")).send().await.unwrap();
    assert_eq!(provision.headers()["x-anteroom-provisioned"], "true");
    let sse = http.get(url("/sse")).send().await.unwrap();
    assert_eq!(sse.headers()["content-type"], "text/event-stream");
    assert_eq!(sse.text().await.unwrap().matches("event: tick").count(), 5);
    let json = http
        .get(url("/json"))
        .header("x-anteroom-account-id", "a")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(json, r#"{"hello":"a","path":"/json"}"#);
    assert_eq!(http.get(url("/nothing")).send().await.unwrap().status(), 404);
    // A page at any address, so that a deep link can be tried.
    let deep = http.get(url("/reports?q=1")).header("accept", "text/html,*/*;q=0.8").send().await.unwrap();
    assert!(deep.text().await.unwrap().contains("Headers of this request"));
    assert_eq!(http.get(url("/ws")).send().await.unwrap().status(), 426);
    app.stop().await;
}

#[tokio::test]
async fn it_echoes_over_a_websocket() {
    let (app, _) = start().await;
    let port = app.url().port().unwrap();
    let request = format!("ws://127.0.0.1:{port}/ws").into_client_request().unwrap();
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let messages = [Message::text("hello"), Message::binary(vec![0; 100_000])];
    for message in messages {
        socket.send_all(&mut stream::iter([Ok(message.clone())])).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
    while socket.next().await.is_some() {}
    app.stop().await;
}

#[tokio::test]
async fn it_listens_on_loopback_only() {
    let error = SampleApp::start("0.0.0.0:0".parse().unwrap()).await.err().unwrap();
    assert!(error.to_string().contains("loopback"));
}
