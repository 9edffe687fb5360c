//! For whom is a connection? Behind load balancers that speak the PROXY protocol, and on a Unix socket.

use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anteroom::net::TrustedProxies;
use anteroom::ops::listen::Listen;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

use super::rig::{Plan, Rig, plan};
use crate::support::http1::Reader;
use crate::support::raw::RawClient;
use crate::support::upstream::Upstream;

const BALANCER: [u8; 4] = [127, 0, 0, 1];
const STRANGER: [u8; 4] = [127, 0, 0, 2];
const REFUSED: &str = "anteroom_connections_refused_total{reason=\"proxy_header\"} ";

async fn behind_a_balancer(change: impl FnOnce(&mut Plan)) -> (Rig, Upstream) {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.settings.entrance.proxy_protocol = TrustedProxies::parse(["127.0.0.1"]).unwrap();
    change(&mut plan);
    (Rig::start(plan).await, upstream)
}

/// Version 2, TCP over IPv4, from 192.0.2.9.
fn v2(command: u8) -> Vec<u8> {
    let addresses = [192, 0, 2, 9, 10, 0, 0, 1, 0x30, 0x39, 0, 80];
    [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[command, 0x11, 0, 12], &addresses].concat()
}

#[tokio::test]
async fn the_header_tells_the_client_and_the_rest_is_the_request() {
    // With HTTP/2 on offer, the first bytes of the request are looked at once more.
    for http2 in [false, true] {
        let (rig, upstream) = behind_a_balancer(|plan| plan.settings.entrance.http2 = http2).await;
        for (header, client) in [
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 80\r\n".to_vec(), "192.0.2.7"),
            (b"PROXY TCP6 2001:db8::7 ::1 12345 80\r\n".to_vec(), "2001:db8::7"),
            (b"PROXY TCP6 ::ffff:192.0.2.8 ::1 12345 80\r\n".to_vec(), "192.0.2.8"),
            (v2(0x21), "192.0.2.9"),
            (v2(0x20), "127.0.0.1"),
            (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        ] {
            for step in [1, 7, 10_000] {
                let mut balancer = RawClient::connect_from(BALANCER, rig.address).await;
                let request = rig.signed_in("POST /", "Content-Length: 5\r\n") + "hello";
                for piece in [&header, request.as_bytes()].concat().chunks(step) {
                    balancer.send(piece).await;
                }
                assert_eq!(balancer.response().await.status, 200, "{client} {step}");
                let seen = upstream.last();
                assert_eq!(seen.header("x-forwarded-for"), Some(client));
                assert_eq!(seen.body, b"hello");
                // The next request has no header any more, and is still the same client's.
                balancer.send(rig.signed_in("GET /", "")).await;
                assert_eq!(balancer.response().await.status, 200);
                assert_eq!(upstream.last().header("x-forwarded-for"), Some(client));
            }
        }
        assert!(rig.log.lines().iter().any(|line| line.contains("client: 2001:db8::7")));
    }
}

#[tokio::test]
async fn a_balancer_without_a_header_is_not_served() {
    let (rig, upstream) = behind_a_balancer(|plan| {
        plan.settings.timeouts.header_read = Duration::from_millis(300);
    })
    .await;
    let garbled = [
        rig.signed_in("GET /", "").into_bytes(),
        b"PROXY TCP4 192.0.2.256 10.0.0.1 12345 80\r\n".to_vec(),
        [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 120], b"\r\n"].concat(),
        [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[0x21, 0x11, 0xff, 0xff]].concat(),
        // Never whole: the time ends it.
        b"PROXY TCP4 192.0.2.7".to_vec(),
        b"".to_vec(),
    ];
    for (n, bytes) in garbled.iter().enumerate() {
        let mut balancer = RawClient::connect_from(BALANCER, rig.address).await;
        balancer.send(bytes).await;
        assert_eq!(balancer.rest().await, b"", "{}", String::from_utf8_lossy(bytes));
        assert!(rig.counted(&format!("{REFUSED}{}", n + 1)));
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn nobody_else_can_speak_for_a_client_like_this() {
    let (rig, upstream) = behind_a_balancer(|_| {}).await;
    for header in [b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 80\r\n".to_vec(), v2(0x21)] {
        let mut stranger = RawClient::connect_from(STRANGER, rig.address).await;
        stranger.send([&header, rig.signed_in("GET /", "").as_bytes()].concat()).await;
        assert_eq!(stranger.response().await.status, 400);
    }
    assert!(upstream.requests().is_empty());
    let mut stranger = RawClient::connect_from(STRANGER, rig.address).await;
    stranger.send(rig.signed_in("GET /", "")).await;
    assert_eq!(stranger.response().await.status, 200);
    assert_eq!(upstream.last().header("x-forwarded-for"), Some("127.0.0.2"));
}

/// The limit is the client's, not the balancer's.
#[tokio::test]
async fn each_client_behind_a_balancer_has_its_own_limit() {
    let (rig, _upstream) = behind_a_balancer(|plan| plan.settings.limits.connections_per_client = 1).await;
    let connect = async |client: &str| {
        let mut balancer = RawClient::connect_from(BALANCER, rig.address).await;
        balancer.send(format!("PROXY TCP4 {client} 10.0.0.1 12345 80\r\n")).await;
        balancer.send(rig.signed_in("GET /", "")).await;
        let served = balancer.try_response("GET").await.is_ok();
        (balancer, served)
    };
    let (_first, served) = connect("192.0.2.1").await;
    assert!(served);
    assert!(!connect("192.0.2.1").await.1);
    assert!(connect("192.0.2.2").await.1);
}

#[tokio::test]
async fn a_unix_socket_serves_clients_without_an_address() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("proxy.sock");
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.settings.limits.connections_per_client = 1;
    let mut rig = Rig::at(&Listen::Unix { path: path.clone(), mode: 0o620 }, plan).await;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o620);
    let mut open = vec![];
    for _ in 0..3 {
        let mut client = Reader::new(UnixStream::connect(&path).await.unwrap());
        for _ in 0..2 {
            client.stream.write_all(rig.signed_in("GET /", "").as_bytes()).await.unwrap();
            let head = client.head().await.unwrap().expect("an answer");
            assert_eq!(head.start_line, "HTTP/1.1 200 OK");
            client.body(head.response_framing("GET", 200)).await.unwrap();
        }
        open.push(client);
    }
    // Nobody's address is made up.
    assert_eq!(upstream.last().header("x-forwarded-for"), Some("unknown"));
    rig.stop();
    assert_eq!(rig.stopped().await.aborted, 0);
    for client in &mut open {
        assert!(client.head().await.unwrap().is_none(), "closed");
    }
    assert!(!path.exists(), "it goes with the listener");
}

/// Nobody can tell them apart, so one of them must not use up what all of them have.
#[tokio::test]
async fn on_a_unix_socket_everybody_is_a_crowd() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("proxy.sock");
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.sign_in_rate = NonZeroU32::new(1);
    let _rig = Rig::at(&Listen::Unix { path: path.clone(), mode: 0o600 }, plan).await;
    let mut begun = 0;
    for _ in 0..12 {
        let mut client = Reader::new(UnixStream::connect(&path).await.unwrap());
        let start = b"GET /_anteroom/start HTTP/1.1\r\nHost: app.example\r\nAccept: text/html\r\n\r\n";
        client.stream.write_all(start).await.unwrap();
        let head = client.head().await.unwrap().expect("an answer");
        begun += usize::from(head.start_line.contains(" 302 "));
    }
    assert_eq!(begun, 10);
}

#[tokio::test]
async fn on_a_unix_socket_the_header_is_asked_for_by_name() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("proxy.sock");
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.settings.entrance.proxy_protocol = TrustedProxies::parse(["unix"]).unwrap();
    let rig = Rig::at(&Listen::Unix { path: path.clone(), mode: 0o600 }, plan).await;
    for (header, client) in
        [("PROXY TCP4 192.0.2.7 10.0.0.1 1 80\r\n", "192.0.2.7"), ("PROXY UNKNOWN\r\n", "unknown")]
    {
        let mut balancer = Reader::new(UnixStream::connect(&path).await.unwrap());
        balancer.stream.write_all(header.as_bytes()).await.unwrap();
        balancer.stream.write_all(rig.signed_in("GET /", "").as_bytes()).await.unwrap();
        assert_eq!(balancer.head().await.unwrap().expect("an answer").start_line, "HTTP/1.1 200 OK");
        assert_eq!(upstream.last().header("x-forwarded-for"), Some(client));
    }
}

/// Only the whole preface is HTTP/2 (RFC 9113 §3.4), and only where it is spoken.
#[tokio::test]
async fn the_first_bytes_tell_which_http_is_spoken() {
    const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let upstream = Upstream::start().await;
    for (http2, first, read_as_http1) in [
        (true, PREFACE, false),
        (true, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r ", true),
        (true, "PRI * HTTP/1.1\r\n\r\n", true),
        (true, "P", true),
        (false, PREFACE, true),
    ] {
        let mut plan = plan(upstream.address());
        plan.settings.entrance.http2 = http2;
        plan.settings.timeouts.header_read = Duration::from_millis(300);
        let rig = Rig::start(plan).await;
        let mut client = RawClient::connect(rig.address).await;
        client.send(first).await;
        if first == "P" {
            let answer = client.response().await;
            assert_eq!(answer.status, 408, "a header has one deadline, looked at ahead of time or not");
            continue;
        }
        client.finish().await;
        let answer = client.rest().await;
        let answered = answer.starts_with(b"HTTP/1.1 400");
        assert_eq!(answered, read_as_http1, "{http2} {first:?}: {}", String::from_utf8_lossy(&answer));
    }
}
