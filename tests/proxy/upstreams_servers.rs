//! Which of an app's servers answers, and what when some of them do not?

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anteroom::proxy::settings::{Balance, Ejection, HealthCheck, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::time::timeout;

use super::rig::{Plan, Rig, plan};
use crate::support::DEADLINE;
use crate::support::raw::{RawClient, RawResponse};
use crate::support::upstream::{Answer, Gate, Upstream};

fn in_front_of(servers: &[SocketAddr]) -> Plan {
    let mut plan = plan(servers[0]);
    let server = |address: &SocketAddr| Server::Tcp { host: address.ip().to_string(), port: address.port() };
    plan.upstream().servers = servers.iter().map(server).collect();
    plan
}

async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Waits until the metrics say whether a server takes requests.
async fn until_healthy(rig: &Rig, server: SocketAddr, healthy: u8) {
    let line = format!("anteroom_upstream_healthy{{upstream=\"app\",server=\"{server}\"}} {healthy}\n");
    let seen = async {
        while !rig.auth.metrics().expose().contains(&line) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(DEADLINE, seen).await.is_ok(), "{line} in {}", rig.auth.metrics().expose());
}

async fn post(rig: &Rig) -> RawResponse {
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("POST /", "Content-Length: 3\r\n") + "abc").await;
    client.response().await
}

#[tokio::test]
async fn servers_take_turns() {
    let (one, two) = (Upstream::start().await, Upstream::start().await);
    let rig = Rig::start(in_front_of(&[one.address(), two.address()])).await;
    for _ in 0..6 {
        assert_eq!(rig.get("/", "").await.status, 200);
    }
    assert_eq!((one.requests().len(), two.requests().len()), (3, 3));
}

#[tokio::test]
async fn the_one_with_fewer_requests_under_way_is_asked() {
    let gate = Gate::new();
    let slow = Answer::default().then_wait(&gate).then("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let both = [Upstream::answering(slow.clone()).await, Upstream::answering(slow).await];
    let mut plan = in_front_of(&[both[0].address(), both[1].address()]);
    plan.upstream().balance = Balance::LeastRequests;
    let rig = Rig::start(plan).await;
    let mut clients = Vec::new();
    for n in 1..=4 {
        let mut client = RawClient::connect(rig.address).await;
        client.send(rig.signed_in("GET /", "")).await;
        clients.push(client);
        let arrived = async {
            while both[0].requests().len() + both[1].requests().len() < n {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(DEADLINE, arrived).await.unwrap();
        let difference = both[0].requests().len().abs_diff(both[1].requests().len());
        assert!(difference <= 1, "{difference} after {n}");
    }
    gate.open();
    for mut client in clients {
        assert_eq!(client.response().await.status, 200);
    }
}

#[tokio::test]
async fn an_account_keeps_its_server_until_that_one_dies() {
    let mut servers = Vec::new();
    for _ in 0..4 {
        servers.push(Upstream::start().await);
    }
    let mut plan = in_front_of(&servers.iter().map(Upstream::address).collect::<Vec<_>>());
    plan.upstream().balance = Balance::Account;
    let rig = Rig::start(plan).await;
    for _ in 0..8 {
        assert_eq!(rig.get("/", "").await.status, 200);
    }
    let home =
        servers.iter().position(|server| server.requests().len() == 8).expect("one server had them all");
    // Another one dies: nothing changes for this account.
    let other = servers.remove((home + 1) % 4);
    let home = if (home + 1) % 4 < home { home - 1 } else { home };
    drop(other);
    assert_eq!(rig.get("/", "").await.status, 200);
    assert_eq!(servers[home].requests().len(), 9);
    // Its own dies: it has a new home at once, and stays there.
    drop(servers.remove(home));
    for _ in 0..4 {
        assert_eq!(rig.get("/", "").await.status, 200);
    }
    let counts: Vec<usize> = servers.iter().map(|server| server.requests().len()).collect();
    assert_eq!(counts.iter().max(), Some(&4), "{counts:?}");
}

#[tokio::test]
async fn a_server_that_takes_no_connections_is_left_alone_and_found_again() {
    let (alive, dead) = (Upstream::start().await, nobody().await);
    let mut plan = in_front_of(&[alive.address(), dead]);
    plan.upstream().ejection = Ejection { failures: 2, duration: Duration::from_millis(50) };
    let rig = Rig::start(plan).await;
    until_healthy(&rig, dead, 1).await;
    // Nothing was sent yet when a connection fails: a POST may try another server too.
    for _ in 0..4 {
        assert_eq!(post(&rig).await.status, 200);
    }
    until_healthy(&rig, dead, 0).await;
    assert_eq!(alive.requests().len(), 4);
    let listener = TcpListener::bind(dead).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            assert!(stream.read(&mut head).await.unwrap() > 0);
            let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nback";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let back = async { while rig.get("/", "").await.text() != "back" {} };
    timeout(DEADLINE, back).await.expect("it is tried again");
    until_healthy(&rig, dead, 1).await;
}

#[tokio::test]
async fn a_server_that_says_it_is_unwell_gets_nothing_until_it_is_well() {
    let well = Arc::new(AtomicBool::new(true));
    let says = Arc::clone(&well);
    let moody = Upstream::with(move |request| match request.target() {
        "/healthz?deep" if !says.load(Ordering::SeqCst) => {
            Answer::raw("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        }
        _ => Answer::ok("moody"),
    })
    .await;
    let steady = Upstream::start().await;
    let mut plan = in_front_of(&[moody.address(), steady.address()]);
    plan.upstream().health = Some(HealthCheck {
        path: "/healthz?deep".into(),
        interval: Duration::from_millis(20),
        timeout: Duration::from_secs(5),
        healthy_after: 2,
        unhealthy_after: 2,
    });
    let mut rig = Rig::start(plan).await;
    let question = moody.wait_for_request(1).await;
    assert_eq!((question.method(), question.target()), ("GET", "/healthz?deep"));
    assert_eq!(question.header("host"), Some(&*moody.address().to_string()));
    assert_eq!(question.header("connection"), Some("close"), "the next one takes a new connection");
    well.store(false, Ordering::SeqCst);
    until_healthy(&rig, moody.address(), 0).await;
    for _ in 0..4 {
        assert_eq!(rig.get("/", "").await.text(), "ok");
    }
    well.store(true, Ordering::SeqCst);
    until_healthy(&rig, moody.address(), 1).await;
    let both = [rig.get("/", "").await.text(), rig.get("/", "").await.text()];
    assert!(both.contains(&"moody".to_owned()), "{both:?}");
    // Nobody is asked any more once the proxy has stopped.
    rig.stop();
    rig.stopped().await;
    let asked = steady.connections();
    tokio::time::sleep(Duration::from_millis(200)).await;
    // One may have been on its way.
    assert!(steady.connections() <= asked + 1);
}

/// An upstream that reads a request and hangs up may have acted on it.
#[tokio::test]
async fn only_what_may_be_repeated_is_sent_again_and_only_on_a_kept_connection() {
    let close = || Answer::default().then_close();
    for (method, kept, status, sent) in
        [("POST", true, 502, 1), ("POST", false, 502, 1), ("GET", true, 200, 2), ("GET", false, 502, 1)]
    {
        let first = if kept { vec![Answer::ok("first")] } else { Vec::new() };
        let before = first.len();
        let upstream = Upstream::scripted([first, vec![close(), Answer::ok("second")]].concat()).await;
        let rig = Rig::in_front_of(upstream.address()).await;
        for _ in 0..before {
            assert_eq!(rig.get("/", "").await.status, 200);
        }
        let response = if method == "POST" { post(&rig).await } else { rig.get("/", "").await };
        assert_eq!(response.status, status, "{method}, kept: {kept}");
        assert_eq!(upstream.requests().len() - before, sent, "{method}, kept: {kept}");
    }
}

/// Answers with the head of the request, and echoes after an upgrade.
fn on_unix(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                loop {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = stream.read_u8().await else { return };
                        head.push(byte);
                    }
                    if head.windows(9).any(|w| w == b"websocket") {
                        let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
                        stream.write_all(switching.as_bytes()).await.unwrap();
                        let mut piece = [0; 64];
                        while let Ok(n @ 1..) = stream.read(&mut piece).await {
                            stream.write_all(&piece[..n]).await.unwrap();
                        }
                        return;
                    }
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", head.len());
                    stream.write_all(&[answer.as_bytes(), &head].concat()).await.unwrap();
                }
            });
        }
    });
}

#[tokio::test]
async fn a_unix_socket_is_a_server_like_any_other() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("app.sock");
    on_unix(&path);
    let mut plan = plan(nobody().await);
    plan.upstream().servers = vec![Server::Unix(path)];
    plan.upstream().pass_host = false;
    let rig = Rig::start(plan).await;
    for _ in 0..3 {
        assert!(rig.get("/a?b", "").await.text().starts_with("GET /a?b HTTP/1.1\r\nHost: localhost\r\n"));
    }
    for _ in 0..50 {
        let mut client = RawClient::connect(rig.address).await;
        client.send(rig.signed_in("GET /ws", "Connection: Upgrade\r\nUpgrade: websocket\r\n")).await;
        assert_eq!(client.response().await.status, 101);
        client.send("ping").await;
        client.until("ping").await;
    }
    let mut plan = super::rig::plan(nobody().await);
    plan.upstream().servers = vec![Server::Unix(folder.path().join("nobody.sock"))];
    assert_eq!(Rig::start(plan).await.get("/", "").await.status, 502);
}
