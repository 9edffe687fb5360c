//! Do slow clients hold anybody up? slowhttptest in its three modes, while ordinary requests go on beside it.

use std::time::Duration;

use tokio::time::Instant;

use super::anteroom::{Anteroom, HOST};
use super::tools::run;
use crate::support::raw::exchange;
use crate::support::upstream::{Answer, Upstream};

const SECONDS: u64 = 20;
/// What nobody would call held up, on the slowest of machines.
const PROMPT: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_hold_nobody_up() {
    let upstream = Upstream::answering(Answer::ok(&"x".repeat(64 * 1024))).await;
    let anteroom = Anteroom::start(&format!(
        "upstream = \"{}\"\n[proxy.timeouts]\nheader_read = \"5s\"\nbody_read = \"5s\"\nwrite = \"5s\"\nkeep_alive = \"5s\"\n\
         [proxy.limits]\nconnections_per_client = 5000",
        upstream.url()
    ))
    .await;
    let before = anteroom.resident();
    let url = format!("http://{}/public/", anteroom.address);
    let seconds = SECONDS.to_string();
    let common = ["-c", "800", "-r", "400", "-i", "2", "-l", &seconds, "-p", "3", "-u", &url];
    let host = format!("Host: {HOST}");
    for (mode, own) in [
        ("headers", &["-H"][..]),
        ("bodies", &["-B", "-s", "100000"]),
        ("readers", &["-X", "-w", "10", "-y", "20", "-n", "2", "-z", "5", "-k", "3"]),
    ] {
        let arguments: Vec<&str> = own.iter().chain(&common).chain(&["-j", &host]).copied().collect();
        let attack = run("slowhttptest", &arguments);
        let (attacked, slowest) = tokio::join!(attack, ordinary(&anteroom));
        let said = String::from_utf8_lossy(&attacked.stdout).into_owned();
        println!("slow {mode}: slowest ordinary request {slowest:?}, {} MiB", anteroom.resident() >> 20);
        assert!(slowest < PROMPT, "slow {mode}: an ordinary request took {slowest:?}\n{said}");
        anteroom.falls_to("anteroom_connections", 1.0).await;
    }
    let grown = anteroom.resident().saturating_sub(before);
    assert!(grown < 100 << 20, "{} MiB more", grown >> 20);
}

/// Ordinary requests, each on a fresh connection, for as long as the attack lasts: the longest time one took.
async fn ordinary(anteroom: &Anteroom) -> Duration {
    let end = Instant::now() + Duration::from_secs(SECONDS);
    let mut slowest = Duration::ZERO;
    while Instant::now() < end {
        let began = Instant::now();
        let answer = exchange(anteroom.address, anteroom.request("GET /", "Connection: close\r\n")).await;
        assert_eq!(answer.status, 200);
        slowest = slowest.max(began.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    slowest
}
