//! What does volume cost in memory? Thousands of open WebSockets and of resting connections, a gigabyte up and down.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::anteroom::{Anteroom, descriptors};
use crate::support::websocket_app::WebSocketApp;

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;
const MANY: usize = 10_000;
/// Bytes of resident memory at most. The engine's task for one request alone takes 14 KB (16 as allocated), and the
/// beginnings of its two buffers for what passes another 8.
const PER_WEBSOCKET: u64 = 60 * 1024;
/// A message of 100,000 bytes in each direction; what the engine keeps for a second try is in there too.
const PER_WEBSOCKET_AFTER_LONG_MESSAGES: u64 = 128 * 1024;
/// Nothing of the engine's.
const PER_RESTING_CONNECTION: u64 = 8 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_websockets() {
    let app = WebSocketApp::start().await;
    let anteroom = Anteroom::start(&many(&app.url())).await;
    // Two descriptors each: one to the client, one to the app.
    let count = MANY.min((descriptors() - 100) / 2);
    let handshake = anteroom.request(
        "GET /",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    );
    let before = anteroom.resident();
    let mut sockets = Vec::new();
    for _ in 0..count {
        sockets.push(open(&anteroom, &handshake).await);
    }
    let after = anteroom.resident();
    assert_eq!(anteroom.metric("anteroom_websockets").await as usize, count);
    let per = (after - before) / count as u64;
    println!("{count} open WebSockets: {} MiB, {per} bytes each", (after - before) / MIB);
    for socket in &mut sockets {
        hail(socket).await;
    }
    let (used, limit) = ((anteroom.resident() - before) / count as u64, PER_WEBSOCKET);
    println!("after a message each: {used} bytes each");
    assert!(used <= limit, "{used} bytes per WebSocket, of {limit}");
    for socket in &mut sockets {
        long(socket).await;
    }
    let (used, limit) = ((anteroom.resident() - before) / count as u64, PER_WEBSOCKET_AFTER_LONG_MESSAGES);
    println!("after a long message each: {used} bytes each");
    assert!(used <= limit, "{used} bytes per WebSocket, of {limit}");
    drop(sockets);
    anteroom.falls_to("anteroom_websockets", 0.0).await;
    println!(
        "after all have closed: {} MiB more than before",
        anteroom.resident().saturating_sub(before) / MIB
    );
}

async fn open(anteroom: &Anteroom, handshake: &str) -> TcpStream {
    let mut stream = TcpStream::connect(anteroom.address).await.unwrap();
    stream.write_all(handshake.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert!(stream.read_buf(&mut head).await.unwrap() > 0, "closed");
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// A masked text message of four bytes, and its echo.
async fn hail(stream: &mut TcpStream) {
    stream.write_all(&[0x81, 0x84, 0, 0, 0, 0, b'h', b'a', b'i', b'l']).await.unwrap();
    let mut echo = [0; 6];
    stream.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"\x81\x04hail");
}

/// A masked binary message of 100,000 bytes, and its echo.
async fn long(stream: &mut TcpStream) {
    let length = 100_000_u64.to_be_bytes();
    let payload = [0; 100_000];
    stream.write_all(&[&[0x82, 0xff], &length[..], &[0; 4], &payload].concat()).await.unwrap();
    let mut echo = vec![1; 10 + payload.len()];
    stream.read_exact(&mut echo).await.unwrap();
    assert_eq!(echo, [&[0x82, 127], &length[..], &payload].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resting_connections() {
    let upstream = crate::support::upstream::Upstream::start().await;
    let anteroom = Anteroom::start(&many(&upstream.url())).await;
    let count = MANY.min(descriptors() - 200);
    let request = anteroom.request("GET /", "");
    let before = anteroom.resident();
    let mut connections = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(anteroom.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nok") {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "closed");
        }
        connections.push(stream);
    }
    let per = anteroom.resident().saturating_sub(before) / count as u64;
    println!("{count} resting connections: {per} bytes each");
    assert!(per <= PER_RESTING_CONNECTION, "{per} bytes");
}

fn many(upstream: &str) -> String {
    format!(
        "upstream = \"{upstream}\"\n[proxy.timeouts]\nkeep_alive = \"10m\"\n\
         [proxy.limits]\nconnections = 20000\nconnections_per_client = 20000"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gigabyte_each_way() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        let mut piece = vec![0; MIB as usize];
        take(&mut stream, GIB, &mut piece, |_| {}).await;
        stream
            .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {GIB}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        for _ in 0..GIB / MIB {
            stream.write_all(&piece).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let anteroom = Anteroom::start(&format!("upstream = \"http://{address}\"")).await;
    let before = anteroom.resident();
    let mut highest = before;
    let mut client = TcpStream::connect(anteroom.address).await.unwrap();
    let request = anteroom.request("POST /", &format!("Content-Length: {GIB}\r\n"));
    client.write_all(request.as_bytes()).await.unwrap();
    let mut piece = vec![0; MIB as usize];
    for _ in 0..GIB / MIB {
        client.write_all(&piece).await.unwrap();
        highest = highest.max(anteroom.resident());
    }
    head(&mut client).await;
    take(&mut client, GIB, &mut piece, |_| highest = highest.max(anteroom.resident())).await;
    println!("1 GiB up and down: {} MiB more at most", (highest - before) / MIB);
    assert!(highest - before < 16 * MIB, "{} MiB more", (highest - before) / MIB);
}

async fn take(stream: &mut TcpStream, mut left: u64, piece: &mut [u8], mut look: impl FnMut(u64)) {
    while left > 0 {
        let most = piece.len().min(usize::try_from(left).unwrap());
        let read = stream.read(&mut piece[..most]).await.unwrap();
        assert!(read > 0, "closed with {left} bytes missing");
        left -= read as u64;
        if left % (64 * MIB) < read as u64 {
            look(left);
        }
    }
}

async fn head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
}
