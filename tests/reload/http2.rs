//! Does an HTTP/2 client lose a request when another binary takes over? It may be told to go elsewhere (`GOAWAY`, RFC 9113
//! §6.8): what it then asks again has not been processed. Anything else that goes wrong is a failure.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use h2::Reason;
use h2::client::{SendRequest, handshake};
use http::Request;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::binary::upgraded;
use super::rig::House;
use crate::support::DEADLINE;

/// Requests at a time on one connection.
const AT_A_TIME: usize = 3;

#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    answered: AtomicU64,
    connections: AtomicU64,
}

#[tokio::test]
async fn an_http2_client_loses_nothing_when_another_binary_takes_over() {
    let house = House::new().await;
    let mut process = house.started().await;
    let ada = house.ada().await;
    let request = Request::get(house.url("/")).header("cookie", house.cookie(&ada)).body(()).unwrap();
    let (kept, fresh) = (Arc::<Seen>::default(), Arc::<Seen>::default());
    let mut clients = JoinSet::new();
    for client in 0..6 {
        let (stays, seen) = if client < 3 { (true, &kept) } else { (false, &fresh) };
        clients.spawn(work(house.proxy, request.clone(), stays, Arc::clone(seen)));
    }
    for _ in 0..3 {
        go_on(&kept, 60).await;
        go_on(&fresh, 60).await;
        process = upgraded(&house, process).await;
    }
    go_on(&kept, 60).await;
    for seen in [&kept, &fresh] {
        seen.stop.store(true, Ordering::SeqCst);
    }
    let failures: Vec<String> = clients.join_all().await.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{failures:#?}");
    assert_eq!(kept.connections.load(Ordering::SeqCst), 3 * 4, "each came anew once per binary");
    drop(process);
}

async fn go_on(seen: &Seen, more: u64) {
    let enough = seen.answered.load(Ordering::SeqCst) + more;
    let wait = async {
        while seen.answered.load(Ordering::SeqCst) < enough {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, wait).await.expect("requests go on");
}

/// One client: connects whenever it has been told to go elsewhere, or always.
async fn work(address: SocketAddr, request: Request<()>, stays: bool, seen: Arc<Seen>) -> Vec<String> {
    let mut failures = Vec::new();
    while !seen.stop.load(Ordering::SeqCst) {
        let tcp = match TcpStream::connect(address).await {
            Ok(tcp) => tcp,
            Err(error) => return vec![format!("refused: {error}")],
        };
        let (sender, connection) = handshake(tcp).await.expect("a preface is sent");
        let connection = tokio::spawn(connection);
        seen.connections.fetch_add(1, Ordering::SeqCst);
        loop {
            let (answers, welcome) = ask(&sender, &request, &seen).await;
            failures.extend(answers.into_iter().map(|error| format!("stays: {stays}, {error}")));
            if !welcome || !stays || seen.stop.load(Ordering::SeqCst) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        drop(sender);
        connection.abort();
    }
    failures
}

/// A few requests at a time: what went wrong, and whether more may be asked here.
async fn ask(sender: &SendRequest<bytes::Bytes>, request: &Request<()>, seen: &Seen) -> (Vec<String>, bool) {
    let (mut failures, mut asked, mut welcome) = (Vec::new(), Vec::new(), true);
    for _ in 0..AT_A_TIME {
        // What is not sent is not lost.
        match sender.clone().ready().await.and_then(|mut ready| ready.send_request(request.clone(), true)) {
            Ok((answer, _)) => asked.push(answer),
            Err(_) => welcome = false,
        }
    }
    for answer in asked {
        let whole = async {
            let mut answer = answer.await?;
            let mut length = 0;
            while let Some(piece) = answer.body_mut().data().await {
                length += piece?.len();
            }
            Ok::<_, h2::Error>((answer.status().as_u16(), length))
        };
        match timeout(DEADLINE, whole).await {
            Ok(Ok((200, 1..))) => drop(seen.answered.fetch_add(1, Ordering::SeqCst)),
            Ok(Err(error))
                if error.is_go_away() && error.is_remote() && error.reason() == Some(Reason::NO_ERROR) =>
            {
                welcome = false;
            }
            other => {
                welcome = false;
                failures.push(format!("{other:?}"));
            }
        }
    }
    (failures, welcome)
}
