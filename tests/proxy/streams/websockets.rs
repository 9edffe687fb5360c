//! WebSockets: a Close frame between two frames, whatever the upstream and the client do.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{CAUSES, Cause, TWO_LOOKS, counted, in_time};
use crate::proxy::rig::{IDLE, Rig};
use crate::support::raw::RawClient;
use crate::support::upstream::{Answer, Upstream};

const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

type Socket = WebSocketStream<TcpStream>;

/// An app of a real library's that says everything back.
pub(super) async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                while let Some(Ok(message)) = socket.next().await {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// An app that sends messages of fragments without a pause, each in as many writes as it takes.
async fn chatty() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let fragment = |first: u8| {
        let mut frame = vec![first, 127];
        frame.extend(300_000_u64.to_be_bytes());
        frame.resize(10 + 300_000, b'x');
        frame
    };
    let message = [fragment(0x01), vec![0x89, 1, b'p'], fragment(0x00), fragment(0x80)].concat();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let message = message.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    stream.read_buf(&mut head).await.unwrap();
                }
                stream.write_all(SWITCHING.as_bytes()).await.unwrap();
                while stream.write_all(&message).await.is_ok() {}
            });
        }
    });
    address
}

pub(super) async fn open(rig: &Rig, cookie: &str) -> Socket {
    let mut request = format!("ws://{}/ws", rig.address).into_client_request().unwrap();
    request.headers_mut().insert("host", "app.example".parse().unwrap());
    request.headers_mut().insert("cookie", cookie.parse().unwrap());
    let stream = TcpStream::connect(rig.address).await.unwrap();
    tokio_tungstenite::client_async(request, stream).await.unwrap().0
}

async fn echoes(socket: &mut Socket) -> bool {
    socket.send(Message::text("hello")).await.is_ok()
        && socket
            .next()
            .await
            .is_some_and(|answer| answer.is_ok_and(|answer| answer == Message::text("hello")))
}

/// Code and text of the Close frame; whatever comes before it is read.
pub(super) async fn close_of(socket: &mut Socket) -> (CloseCode, String) {
    loop {
        match socket.next().await.expect("a Close frame before the end").expect("well-formed frames") {
            Message::Close(Some(close)) => return (close.code, close.reason.as_str().to_owned()),
            Message::Close(None) => panic!("a Close frame that says nothing"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn each_cause_closes_with_4401_and_says_why() {
    for (cause, reason) in CAUSES {
        let rig = Rig::in_front_of(echo().await).await;
        let mut socket = open(&rig, &rig.cookie).await;
        assert!(echoes(&mut socket).await);
        assert!(rig.auth.metrics().expose().contains("anteroom_streams_open{kind=\"websocket\"} 1"));
        cause.befalls(&rig).await;
        assert_eq!(in_time(close_of(&mut socket)).await, (CloseCode::from(4401), reason.to_owned()));
        // The other half of the handshake is answered by the end of the connection.
        while let Some(Ok(_)) = in_time(socket.next()).await {}
        counted(&rig, "websocket", reason, 1).await;
        assert!(rig.auth.metrics().expose().contains("anteroom_streams_open{kind=\"websocket\"} 0"));
    }
}

#[tokio::test]
async fn the_sockets_of_others_stay_open() {
    let rig = Rig::in_front_of(echo().await).await;
    let (mut mine, mut other) = (open(&rig, &rig.cookie).await, open(&rig, &rig.new_user).await);
    Cause::SignOut.befalls(&rig).await;
    in_time(close_of(&mut mine)).await;
    tokio::time::sleep(TWO_LOOKS).await;
    assert!(echoes(&mut other).await);
    rig.sign_out(&rig.new_user).await;
    in_time(close_of(&mut other)).await;
}

/// The client's messages count as use, its silence does not; what the app says is no use by anybody.
#[tokio::test]
async fn an_active_socket_is_not_idled_out_and_a_silent_one_is() {
    let rig = Rig::in_front_of(echo().await).await;
    let mut socket = open(&rig, &rig.cookie).await;
    for _ in 0..3 {
        rig.clock.advance(IDLE - Duration::from_secs(60));
        assert!(echoes(&mut socket).await);
        tokio::time::sleep(TWO_LOOKS).await;
    }
    rig.clock.advance(IDLE);
    assert_eq!(in_time(close_of(&mut socket)).await.1, "expired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_never_pauses_is_cut_between_two_frames() {
    for (cause, reason) in CAUSES {
        let rig = Rig::in_front_of(chatty().await).await;
        let mut client = RawClient::connect(rig.address).await;
        client.send(rig.signed_in("GET /ws", HANDSHAKE)).await;
        assert_eq!(client.head().await.start_line, "HTTP/1.1 101 Switching Protocols");
        let first = client.bytes(100_000).await.len();
        cause.befalls(&rig).await;
        let bytes = in_time(client.rest()).await;
        let close = [&[0x88, 2 + reason.len() as u8, 0x11, 0x31][..], reason.as_bytes()].concat();
        assert!(bytes.ends_with(&close), "{:?}", &bytes[bytes.len().saturating_sub(40)..]);
        let sent = first + bytes.len() - close.len();
        // Three fragments and a ping make a message; one of its four frames was the last.
        let (fragment, ping) = (300_010, 3);
        let ends = [0, fragment, fragment + ping, 2 * fragment + ping];
        assert!(ends.contains(&(sent % (3 * fragment + ping))), "{sent}");
    }
}

#[tokio::test]
async fn a_frame_that_never_ends_is_not_waited_for() {
    let half = format!("{SWITCHING}\u{1}\u{64}half");
    let upstream = Upstream::answering(Answer::raw(half).then_hang()).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("GET /ws", HANDSHAKE)).await;
    client.until("half").await;
    Cause::SignOut.befalls(&rig).await;
    assert_eq!(in_time(client.rest()).await, b"", "no Close frame in the middle of another");
    in_time(upstream.wait_for_open_connections(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_nothing_is_cut_as_well() {
    let upstream = Upstream::answering(
        Answer::raw(SWITCHING).then([&[0x82, 127, 0, 0, 0, 0, 4, 0, 0, 0][..], &vec![0; 64 << 20]].concat()),
    )
    .await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("GET /ws", HANDSHAKE)).await;
    client.bytes(10).await;
    Cause::SignOut.befalls(&rig).await;
    in_time(upstream.wait_for_open_connections(0)).await;
    counted(&rig, "websocket", "signed_out", 1).await;
}

/// The close that the app begins is passed on as it is, and nothing follows it.
#[tokio::test]
async fn a_close_frame_is_not_said_twice() {
    let closing = [SWITCHING.as_bytes(), &[0x88, 2, 0x03, 0xe8]].concat();
    let upstream = Upstream::answering(Answer::raw(closing).then_hang()).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("GET /ws", HANDSHAKE)).await;
    client.head().await;
    assert_eq!(client.bytes(4).await, [0x88, 2, 0x03, 0xe8]);
    Cause::SignOut.befalls(&rig).await;
    assert_eq!(in_time(client.rest()).await, b"");
}

/// What follows `101` would be read as the next answer by a client that asked for nothing.
#[tokio::test]
async fn protocols_that_nobody_asked_to_switch_are_a_failure() {
    let upstream =
        Upstream::answering(Answer::raw(SWITCHING).then("HTTP/1.1 200 OK\r\n\r\nsmuggled").then_hang()).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    for headers in ["", "Upgrade: websocket\r\n", "Connection: Upgrade\r\nUpgrade: h2c\r\n"] {
        let mut client = RawClient::connect(rig.address).await;
        client.send(rig.signed_in("GET /", headers)).await;
        let response = client.response().await;
        assert_eq!(response.status, 502, "{headers}");
        let rest = client.rest().await;
        assert!(!String::from_utf8_lossy(&[response.body, rest].concat()).contains("smuggled"));
    }
}
