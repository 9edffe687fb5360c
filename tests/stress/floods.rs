//! Do HTTP/2 floods hold anybody up, or fill the memory? Fifty attackers at a time, each as fast as it can, reconnecting
//! when it is cut, while ordinary requests go on beside them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::anteroom::{Anteroom, HOST};
use crate::support::http2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, RawHttp2, SETTINGS,
    WINDOW_UPDATE, block, framed,
};
use crate::support::raw::exchange;
use crate::support::upstream::{Answer, Upstream};

const ATTACKERS: usize = 50;
const LASTS: Duration = Duration::from_secs(10);
/// Before that nobody gives up. The attackers, the upstream and the program share the machine's cores.
const PROMPT: Duration = Duration::from_secs(5);
/// Per connection: 100 streams (`proxy.limits.http2_streams`), each with a piece of an answer that is not taken.
const ALLOWANCE: u64 = ATTACKERS as u64 * 100 * (64 << 10) + (64 << 20);

/// A kind of flood: the frames of its `n`th round.
type Flood = fn(n: u32) -> Vec<u8>;

const FLOODS: &[(&str, Flood)] = &[
    ("rapid reset (CVE-2023-44487)", |n| {
        let stream = 2 * n + 1;
        [request(stream, END_STREAM), framed(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    }),
    ("provoked resets (CVE-2025-8671)", |n| {
        let stream = 2 * n + 1;
        // A window cannot grow by nothing: the server has to reset the stream.
        [request(stream, END_STREAM), framed(WINDOW_UPDATE, 0, stream, &0_u32.to_be_bytes())].concat()
    }),
    ("endless header (CONTINUATION)", |n| match n {
        0 => framed(HEADERS, END_STREAM, 1, &block(&head())),
        _ => framed(CONTINUATION, 0, 1, &block(&[("x-more", &"y".repeat(8000))])),
    }),
    ("settings", |_| framed(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0])),
    ("pings", |n| framed(PING, 0, 0, &u64::from(n).to_be_bytes())),
    ("empty data (CVE-2019-9518)", |n| match n {
        0 => request(1, 0),
        _ => framed(DATA, 0, 1, b""),
    }),
    ("priorities", |n| framed(2, 0, 2 * n + 1, &[0, 0, 0, 0, 15])),
    ("answers that nobody takes", |n| match n {
        // No window for bodies, and many large ones asked for.
        0 => framed(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]),
        _ => request(2 * n - 1, END_STREAM),
    }),
];

fn head() -> Vec<(&'static str, &'static str)> {
    vec![(":method", "GET"), (":scheme", "http"), (":path", "/public/"), (":authority", HOST)]
}

fn request(stream: u32, end: u8) -> Vec<u8> {
    framed(HEADERS, END_HEADERS | end, stream, &block(&head()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_hold_nobody_up() {
    let upstream = Upstream::answering(Answer::ok(&"x".repeat(64 * 1024))).await;
    let anteroom = Arc::new(Anteroom::start(&format!("upstream = \"{}\"", upstream.url())).await);
    // Warm: what an ordinary load leaves in the allocator is not a flood's.
    ordinary(&anteroom, Duration::from_secs(1)).await;
    for (name, flood) in FLOODS {
        let before = anteroom.resident();
        let rounds = Arc::new(AtomicU64::new(0));
        let mut attackers = JoinSet::new();
        for _ in 0..ATTACKERS {
            let (anteroom, rounds) = (Arc::clone(&anteroom), Arc::clone(&rounds));
            attackers.spawn(async move {
                loop {
                    attack(&anteroom, *flood, &rounds).await;
                }
            });
        }
        let (slowest, highest) = ordinary(&anteroom, LASTS).await;
        attackers.shutdown().await;
        let grown = highest.saturating_sub(before);
        let rounds = rounds.load(Ordering::Relaxed);
        println!("{name}: {rounds} rounds, {} MiB more, slowest ordinary request {slowest:?}", grown >> 20);
        assert!(rounds > 1000, "{name}: hardly an attack");
        assert!(slowest < PROMPT, "{name}: an ordinary request took {slowest:?}");
        assert!(grown < ALLOWANCE, "{name}: {} MiB more", grown >> 20);
        anteroom.falls_to("anteroom_connections", 0.0).await;
    }
}

/// Floods until it is cut. What the server says is read, so that it is not the socket that stops us.
async fn attack(anteroom: &Anteroom, flood: Flood, rounds: &AtomicU64) {
    let Ok(client) = RawHttp2::try_connect(anteroom.address).await else { return };
    let (mut reader, mut writer) = client.into_socket().into_split();
    let read = async {
        let mut said = vec![0; 64 * 1024];
        while reader.read(&mut said).await.is_ok_and(|read| read > 0) {}
    };
    let write = async {
        for n in 0.. {
            if writer.write_all(&flood(n)).await.is_err() {
                return;
            }
            rounds.fetch_add(1, Ordering::Relaxed);
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
    }
}

/// Ordinary requests for a while: the longest time one took, and the most memory that was seen.
async fn ordinary(anteroom: &Anteroom, lasts: Duration) -> (Duration, u64) {
    let (mut slowest, mut highest, end) = (Duration::ZERO, 0, Instant::now() + lasts);
    while Instant::now() < end {
        let began = Instant::now();
        let request = anteroom.request("GET /", "Connection: close\r\n");
        let answer = timeout(Duration::from_secs(30), exchange(anteroom.address, request)).await;
        assert_eq!(answer.expect("an answer").status, 200);
        slowest = slowest.max(began.elapsed());
        highest = highest.max(anteroom.resident());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (slowest, highest)
}
