//! Is anything held? 200 MiB through the proxy each way, with the process's memory watched.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::rig::Rig;

const MIB: usize = 1024 * 1024;
const SIZE: usize = 200 * MIB;
/// Other tests run beside this one; a body that is held would show as 200.
const ALLOWANCE: usize = 100 * MIB;

/// Resident memory of this process now, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_are_streamed_both_ways() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = head(&mut stream).await;
        assert!(head.contains(&format!("content-length: {SIZE}")), "{head}");
        let mut piece = vec![0; 256 * 1024];
        let mut left = SIZE;
        while left > 0 {
            left -= stream.read(&mut piece).await.unwrap();
        }
        stream
            .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        for _ in 0..SIZE / piece.len() {
            stream.write_all(&piece).await.unwrap();
        }
        stream
    });
    let rig = Rig::in_front_of(address).await;
    let before = resident();
    let mut highest = before;
    let mut client = TcpStream::connect(rig.address).await.unwrap();
    let request = rig.signed_in("POST /upload", &format!("Content-Length: {SIZE}\r\n"));
    client.write_all(request.as_bytes()).await.unwrap();
    let mut piece = vec![0; 256 * 1024];
    for _ in 0..SIZE / piece.len() {
        client.write_all(&piece).await.unwrap();
        highest = highest.max(resident());
    }
    let answer = head(&mut client).await;
    assert!(answer.contains(&format!("content-length: {SIZE}")), "{answer}");
    // A client that pauses must not fill the proxy up.
    tokio::task::yield_now().await;
    let mut left = SIZE;
    while left > 0 {
        left -= client.read(&mut piece).await.unwrap();
        highest = highest.max(resident());
    }
    drop(app.await.unwrap());
    let grown = highest - before;
    assert!(grown < ALLOWANCE, "{} MiB more", grown / MIB);
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}
