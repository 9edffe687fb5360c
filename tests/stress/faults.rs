//! Does every answer reach its own client while the upstream fails in every way it can?
//!
//! A million requests, 256 at a time. Each carries a nonce that the upstream repeats in header and body, if it answers at
//! all: it also dies in the middle, resets, answers garbage, answers too much, is slow, and closes resting connections.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::anteroom::Anteroom;
use crate::support::raw::RawClient;

const REQUESTS: u64 = 1_000_000;
const AT_ONCE: u64 = 256;
/// One request in so many meets a fault.
const FAULT_EVERY: u64 = 50;

/// What the upstream does with the request of a nonce.
fn fault(nonce: u64) -> Option<u64> {
    nonce.is_multiple_of(FAULT_EVERY).then_some(nonce / FAULT_EVERY % 8)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_reaches_its_own_client() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _as_it_ends = serve(stream).await;
            });
        }
    });
    let anteroom = Arc::new(
        Anteroom::start(&format!("upstream = \"http://{upstream}\"\n[proxy.timeouts]\nread = \"2s\"")).await,
    );
    let next = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (anteroom, next) = (Arc::clone(&anteroom), Arc::clone(&next));
        clients.spawn(async move { ask_on(&anteroom, &next).await });
    }
    let mut outcomes: BTreeMap<(u64, String), u64> = BTreeMap::new();
    while let Some(seen) = clients.join_next().await {
        for (outcome, count) in seen.expect("no client saw another's answer") {
            *outcomes.entry(outcome).or_default() += count;
        }
    }
    println!("fault → outcome: times (fault 8 is none)");
    for ((fault, outcome), count) in &outcomes {
        println!("{fault} → {outcome}: {count}");
    }
    assert_eq!(outcomes.values().sum::<u64>(), REQUESTS);
    let healthy: Vec<_> =
        outcomes.keys().filter(|(fault, outcome)| *fault == 8 && outcome != "200").collect();
    assert!(healthy.is_empty(), "requests that met no fault: {healthy:?}");
    let clean = ["200", "502", "504", "cut"];
    let odd: Vec<_> = outcomes.keys().filter(|(_, outcome)| !clean.contains(&outcome.as_str())).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

/// Asks until all nonces are used; says how often each fault had which outcome.
async fn ask_on(anteroom: &Anteroom, next: &AtomicU64) -> BTreeMap<(u64, String), u64> {
    let mut outcomes = BTreeMap::new();
    let mut client = RawClient::connect(anteroom.address).await;
    loop {
        let nonce = next.fetch_add(1, Ordering::Relaxed);
        if nonce >= REQUESTS {
            return outcomes;
        }
        client.send(anteroom.request(&format!("GET /{nonce}"), "")).await;
        let answer = timeout(Duration::from_secs(30), client.try_response("GET")).await;
        let answer = answer.unwrap_or_else(|_| panic!("nonce {nonce} hangs (fault {:?})", fault(nonce)));
        let (outcome, closed) = match &answer {
            Ok(answer) => {
                if answer.status == 200 {
                    assert_eq!(answer.text(), body(nonce), "the answer of somebody else");
                    assert_eq!(answer.header("x-nonce"), Some(nonce.to_string().as_str()));
                } else {
                    assert_eq!(answer.header("x-nonce"), None, "nonce {nonce}: {}", answer.status);
                }
                (answer.status.to_string(), answer.header("connection") == Some("close"))
            }
            Err(_) => ("cut".to_owned(), true),
        };
        *outcomes.entry((fault(nonce).unwrap_or(8), outcome)).or_default() += 1;
        if closed {
            client = RawClient::connect(anteroom.address).await;
        }
    }
}

fn body(nonce: u64) -> String {
    format!("{nonce};").repeat(50)
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        buffer.drain(..end);
        let nonce: u64 = head.split(['/', ' ']).nth(2).and_then(|n| n.parse().ok()).expect("a nonce");
        let body = body(nonce);
        let good =
            format!("HTTP/1.1 200 OK\r\nX-Nonce: {nonce}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let half = good.len() - body.len() / 2;
        match fault(nonce) {
            None => stream.write_all(good.as_bytes()).await?,
            // Dies before an answer.
            Some(0) => return Ok(()),
            // Dies in the middle of one.
            Some(1) => return stream.write_all(&good.as_bytes()[..half]).await,
            // Resets in the middle.
            Some(2) => {
                stream.write_all(&good.as_bytes()[..half]).await?;
                return reset(&stream);
            }
            Some(3) => return stream.write_all(b"SSH-2.0-not HTTP at all\r\n\r\n").await,
            // A head without an end.
            Some(4) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
                for line in 0..40_000 {
                    stream.write_all(format!("X-{line}: {}\r\n", "y".repeat(100)).as_bytes()).await?;
                }
                return Ok(());
            }
            // More than it announced: the surplus must not become the next answer.
            Some(5) => {
                stream
                    .write_all(
                        format!("{good}HTTP/1.1 200 OK\r\nX-Nonce: 0\r\nContent-Length: 0\r\n\r\n")
                            .as_bytes(),
                    )
                    .await?
            }
            Some(6) => {
                sleep(Duration::from_millis(100)).await;
                stream.write_all(good.as_bytes()).await?;
            }
            // A good answer, then the resting connection is closed under us.
            Some(_) => return stream.write_all(good.as_bytes()).await,
        }
    }
}

/// Closes with RST instead of FIN.
fn reset(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_zero_linger()
}
