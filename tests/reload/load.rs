//! People who go on working: signed-in requests at a steady rate, on fresh connections and on kept ones, every answer
//! looked at.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::support::raw::{RawClient, RawResponse};

/// Requests per second of one client; there are eight.
const EACH: u64 = 40;

pub(super) struct Load {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    clients: JoinSet<Vec<String>>,
}

type Judge = Arc<dyn Fn(&RawResponse) -> bool + Send + Sync>;

impl Load {
    /// Asks for `/` with this cookie line; `good` says whether an answer is one.
    pub(super) fn start(
        address: SocketAddr,
        cookie: &str,
        good: impl Fn(&RawResponse) -> bool + Send + Sync + 'static,
    ) -> Self {
        let port = address.port();
        let head = format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: {cookie}\r\n");
        Self::asking(address, &head, good)
    }

    /// Asks with this head, to which `Connection` may be added.
    pub(super) fn asking(
        address: SocketAddr,
        head: &str,
        good: impl Fn(&RawResponse) -> bool + Send + Sync + 'static,
    ) -> Self {
        let (stop, asked): (Arc<AtomicBool>, Arc<AtomicU64>) = Default::default();
        let good: Judge = Arc::new(good);
        let mut clients = JoinSet::new();
        for client in 0..8 {
            let request = head.to_owned();
            let (stop, asked, good) = (Arc::clone(&stop), Arc::clone(&asked), Arc::clone(&good));
            clients.spawn(work(address, request, client % 2 == 0, (stop, asked, good)));
        }
        Self { stop, asked, clients }
    }

    /// How many requests have been answered.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    /// Waits until this many more have been.
    pub(super) async fn goes_on(&self, more: u64) {
        let enough = self.asked() + more;
        let wait = async {
            while self.asked() < enough {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(crate::support::DEADLINE, wait).await.expect("requests go on");
    }

    /// Ends it; every request must have had a good answer.
    pub(super) async fn without_a_failure(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        let failures: Vec<String> = self.clients.join_all().await.into_iter().flatten().collect();
        let asked = self.asked.load(Ordering::SeqCst);
        assert!(failures.is_empty(), "{} of {asked} failed: {failures:#?}", failures.len());
        asked
    }
}

async fn work(
    address: SocketAddr,
    request: String,
    kept: bool,
    (stop, asked, good): (Arc<AtomicBool>, Arc<AtomicU64>, Judge),
) -> Vec<String> {
    let (mut failures, mut connection) = (Vec::new(), None);
    let mut pace = interval(Duration::from_millis(1000 / EACH));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.load(Ordering::SeqCst) {
        pace.tick().await;
        let mut client = match connection.take() {
            Some(client) => client,
            None => RawClient::connect(address).await,
        };
        let last = if kept { "" } else { "Connection: close\r\n" };
        client.send(format!("{request}{last}\r\n")).await;
        match client.try_response("GET").await {
            Ok(answer) if good(&answer) => {
                if kept && answer.header("connection") != Some("close") {
                    connection = Some(client);
                }
            }
            Ok(answer) => failures.push(format!("kept: {kept}, {answer:?}")),
            Err(error) => failures.push(format!("kept: {kept}, {error}")),
        }
        asked.fetch_add(1, Ordering::SeqCst);
    }
    failures
}
