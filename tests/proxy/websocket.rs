//! Do WebSockets open, carry and close, whatever the upstream's speed?

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::rig::{Rig, plan};
use crate::support::http1::find;
use crate::support::raw::RawClient;
use crate::support::upstream::{Answer, Upstream};

const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
/// More would only repeat: pingora without the gate loses some hundred of them.
const UPGRADES: usize = 6000;

/// An upstream that answers on the first byte of a request, before it has read the rest, and echoes.
async fn eager() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                stream.set_nodelay(true).unwrap();
                stream.readable().await.unwrap();
                stream.write_all(SWITCHING.as_bytes()).await.unwrap();
                let mut seen = Vec::new();
                let end = loop {
                    if let Some(at) = find(&seen, b"\r\n\r\n") {
                        break at + 4;
                    }
                    if stream.read_buf(&mut seen).await.unwrap_or(0) == 0 {
                        return;
                    }
                };
                // The first message may have come in the same read.
                if stream.write_all(&seen[end..]).await.is_err() {
                    return;
                }
                let mut piece = [0; 256];
                while let Ok(n @ 1..) = stream.read(&mut piece).await {
                    if stream.write_all(&piece[..n]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// cloudflare/pingora#946: the empty request body was taken for the end of the tunnel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_upgrade_is_torn_by_an_eager_upstream() {
    let rig = Arc::new(Rig::in_front_of(eager().await).await);
    let torn = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..16 {
        let (rig, torn) = (Arc::clone(&rig), Arc::clone(&torn));
        clients.spawn(async move {
            for _ in 0..UPGRADES / 16 {
                if !echoes(&rig).await {
                    torn.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    assert_eq!(torn.load(Ordering::Relaxed), 0, "of {UPGRADES}");
}

async fn echoes(rig: &Rig) -> bool {
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    stream.write_all(rig.signed_in("GET /ws", HANDSHAKE).as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    let round_trip = async {
        while !seen.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut seen).await.unwrap_or(0) == 0 {
                return false;
            }
        }
        let mut echo = [0; 4];
        stream.write_all(b"ping").await.is_ok()
            && stream.read_exact(&mut echo).await.is_ok()
            && echo == *b"ping"
    };
    timeout(Duration::from_secs(20), round_trip).await.unwrap_or(false)
}

#[tokio::test]
async fn messages_travel_both_ways_and_the_close_arrives() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() {
                return true;
            }
            socket.send(message).await.unwrap();
        }
        false
    });
    let rig = Rig::in_front_of(address).await;
    let mut request = format!("ws://{}/ws?room=1", rig.address).into_client_request().unwrap();
    request.headers_mut().insert("host", "app.example".parse().unwrap());
    request.headers_mut().insert("cookie", rig.cookie.parse().unwrap());
    let stream = TcpStream::connect(rig.address).await.unwrap();
    let (mut socket, response) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    assert_eq!(response.status(), 101);
    for message in ["short".to_owned(), "long".repeat(100_000)] {
        socket.send(Message::text(message.clone())).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap(), message);
    }
    assert!(rig.auth.metrics().expose().contains("anteroom_websockets 1"));
    socket.close(None).await.unwrap();
    while socket.next().await.is_some_and(|message| message.is_ok()) {}
    assert!(app.await.unwrap());
}

#[tokio::test]
async fn silence_does_not_end_a_websocket() {
    let upstream = Upstream::answering(Answer::raw(SWITCHING).then_echo()).await;
    let mut plan = plan(upstream.address());
    plan.upstream().timeouts.read = Duration::from_millis(100);
    plan.upstream().timeouts.idle = Duration::from_millis(100);
    let rig = Rig::start(plan).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("GET /ws", HANDSHAKE)).await;
    assert_eq!(client.response().await.status, 101);
    assert!(client.silent_for(Duration::from_millis(500)).await);
    client.send("ping").await;
    client.until("ping").await;
}

#[tokio::test]
async fn without_a_session_there_is_no_upgrade() {
    let upstream = Upstream::answering(Answer::raw(SWITCHING).then_echo()).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(format!("GET /ws HTTP/1.1\r\nHost: app.example\r\n{HANDSHAKE}\r\n")).await;
    assert_eq!(client.response().await.status, 401);
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_refused_upgrade_is_an_ordinary_answer() {
    let upstream = Upstream::answering(Answer::raw("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    for _ in 0..2 {
        client.send(rig.signed_in("GET /ws", HANDSHAKE)).await;
        let response = client.response().await;
        assert_eq!((response.status, response.text().as_str()), (403, "no"));
    }
}

/// Half a handshake is none: a proxy in front of us would not see a tunnel either.
#[tokio::test]
async fn half_a_handshake_is_an_ordinary_request() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    for (line, headers) in [
        ("GET /ws", "Upgrade: websocket\r\n"),
        ("GET /ws", "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"),
        ("POST /ws", "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n"),
        ("GET /ws", "Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n"),
    ] {
        let mut client = RawClient::connect(rig.address).await;
        let body = if headers.contains("chunked") { "0\r\n\r\n" } else { "" };
        client.send(rig.signed_in(line, headers) + body).await;
        assert_eq!(client.response().await.text(), "ok", "{headers}");
        let seen = upstream.last();
        assert_eq!((seen.header("upgrade"), seen.header("connection")), (None, None), "{headers}");
        assert_eq!(seen.header("http2-settings"), None);
    }
}

/// CVE-2026-2833: bytes behind an upgrade request that was not granted are no request.
#[tokio::test]
async fn bytes_behind_a_refused_upgrade_are_not_passed_on() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client
        .send(rig.signed_in("GET /ws", HANDSHAKE) + "GET /smuggled HTTP/1.1\r\nHost: app.example\r\n\r\n")
        .await;
    assert_eq!(client.response().await.text(), "ok");
    assert_eq!(client.rest().await, b"");
    assert!(!upstream.saw("smuggled"));
}
