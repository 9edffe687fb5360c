//! Does a connection outlive what it was let in by? Not by a request, when something else is asked of clients. And what
//! becomes of it when another process takes over?

use std::sync::Arc;
use std::time::Duration;

use anteroom::ops::listen::Listen;
use anteroom::proxy::Settings;
use anteroom::proxy::settings::{ClientCertificates, Tls};

use super::certificates::{Authority, Secure};
use super::http2::{fields, http2};
use super::rig::{Rig, plan};
use crate::support::DEADLINE;
use crate::support::http2::{GOAWAY, HEADERS, RST_STREAM, RawHttp2};
use crate::support::raw::RawClient;
use crate::support::upstream::{Answer, Gate, Upstream};

const NAME: &str = "app.example";
const NO_ERROR: u32 = 0;
const REFUSED_STREAM: u32 = 7;

fn slow(gate: &Gate) -> Answer {
    Answer::default().then_wait(gate).then("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
}

/// The same settings under other terms.
fn fewer(rig: &Rig, mut settings: Settings) {
    settings.limits.connections_per_client -= 1;
    rig.replacer.replace(settings, Arc::clone(&rig.auth)).unwrap();
}

#[tokio::test]
async fn a_client_whose_authority_is_gone_asks_no_second_time() {
    let (site, people) = (Authority::new(), Authority::new());
    let (server, ada) = (site.issue("site", &[NAME]), people.issue("ada", &["ada.example"]));
    let upstream = Upstream::answering(Answer::ok("ok")).await;
    // The file keeps its name: what it says counts.
    let ca = people.ca_file();
    let mut plan = plan(upstream.address());
    plan.settings.entrance.tls = Some(Tls {
        certificates: vec![server.files.clone()],
        only_tls13: false,
        clients: Some(ClientCertificates { ca_file: ca.clone(), required: true }),
    });
    plan.settings.timeouts.keep_alive = Duration::from_secs(3600);
    let settings = plan.settings.clone();
    let rig = Rig::start(plan).await;
    let connector = site.client().showing(&ada).connector();
    let mut kept = Secure::connect(&connector, rig.address, NAME).await.unwrap();
    assert_eq!(kept.ask(&rig.signed_in("GET /", "")).await.unwrap().1, "ok");
    let replace = || rig.replacer.replace(settings.clone(), Arc::clone(&rig.auth)).unwrap();
    replace();
    assert_eq!(kept.ask(&rig.signed_in("GET /", "")).await.unwrap().1, "ok", "nothing has changed");
    let other = Authority::new();
    std::fs::copy(other.ca_file(), &ca).unwrap();
    replace();
    let ended = tokio::time::timeout(DEADLINE, kept.ends_well()).await;
    assert_eq!(ended, Ok(true), "it is closed while it rests");
    assert_eq!(upstream.requests().len(), 2);
    let again = Secure::connect(&connector, rig.address, NAME).await;
    let asked = match again {
        Ok(mut again) => again.ask(&rig.signed_in("GET /", "")).await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert!(asked.is_err(), "nor does it come in again");
}

#[tokio::test]
async fn the_request_under_way_is_the_last_and_says_so() {
    let gate = Gate::new();
    let upstream = Upstream::answering(slow(&gate)).await;
    let plan = plan(upstream.address());
    let settings = plan.settings.clone();
    let rig = Rig::start(plan).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("GET /", "")).await;
    upstream.wait_for_request(1).await;
    fewer(&rig, settings);
    gate.open();
    let answer = client.response().await;
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("done", Some("close")));
    assert_eq!(client.rest().await, b"");
    assert_eq!(upstream.requests().len(), 1);
}

/// A client may never answer the `PING` that belongs to a `GOAWAY`, and go on asking.
#[tokio::test]
async fn http2_is_told_to_go_and_begins_nothing_more() {
    let gate = Gate::new();
    let upstream = Upstream::answering(slow(&gate)).await;
    let plan = http2(&upstream);
    let settings = plan.settings.clone();
    let rig = Rig::start(plan).await;
    let mut client = RawHttp2::connect(rig.address).await;
    client.request(1, &fields(&rig, &[])).await.unwrap();
    upstream.wait_for_request(1).await;
    rig.replacer.replace(settings.clone(), Arc::clone(&rig.auth)).unwrap();
    fewer(&rig, settings);
    assert_eq!(client.next_of(&[GOAWAY]).await.unwrap().code(), NO_ERROR);
    client.request(3, &fields(&rig, &[])).await.unwrap();
    let refused = client.next_of(&[RST_STREAM, HEADERS]).await.unwrap();
    assert_eq!((refused.kind, refused.stream, refused.code()), (RST_STREAM, 3, REFUSED_STREAM));
    gate.open();
    assert_eq!(client.next_of(&[HEADERS]).await.unwrap().stream, 1, "what is under way is finished");
    while client.next().await.is_some() {}
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn for_how_long_a_connection_rests_is_asked_when_it_does() {
    let upstream = Upstream::answering(Answer::ok("ok")).await;
    let mut plan = plan(upstream.address());
    plan.settings.timeouts.keep_alive = Duration::from_secs(3600);
    let mut settings = plan.settings.clone();
    let rig = Rig::start(plan).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("GET /", "")).await;
    assert_eq!(client.response().await.text(), "ok");
    settings.timeouts.keep_alive = Duration::from_millis(100);
    rig.replacer.replace(settings, Arc::clone(&rig.auth)).unwrap();
    client.send(rig.signed_in("GET /", "")).await;
    let answer = client.response().await;
    assert_eq!(answer.text(), "ok");
    assert_ne!(answer.header("connection"), Some("close"), "it stays");
    assert_eq!(client.rest().await, b"");
}

/// A read that fills its buffer, as one of a header of 4096 bytes does, does not tell that there is no more.
#[tokio::test]
async fn a_connection_rests_whatever_the_length_of_its_last_request() {
    let upstream = Upstream::answering(Answer::ok("ok")).await;
    for length in [4095, 4096, 4097, 8192] {
        for signed_in in [true, false] {
            let mut plan = plan(upstream.address());
            plan.settings.timeouts.keep_alive = Duration::from_millis(100);
            let mut settings = plan.settings.clone();
            let rig = Rig::start(plan).await;
            let bare = match signed_in {
                true => rig.signed_in("GET /", "X: \r\n"),
                false => "GET / HTTP/1.1\r\nHost: app.example\r\nX: \r\n\r\n".to_owned(),
            };
            let whole = bare.replace("X: ", &format!("X: {}", "x".repeat(length - bare.len())));
            assert_eq!(whole.len(), length);
            let mut client = RawClient::connect(rig.address).await;
            client.send(whole.clone()).await;
            let answer = client.response().await;
            assert_ne!(answer.header("connection"), Some("close"), "{length}: it stays");
            let ended = tokio::time::timeout(DEADLINE, client.rest()).await;
            assert_eq!(ended.expect("not for ever"), b"", "{length} {signed_in}");

            settings.timeouts.keep_alive = Duration::from_secs(3600);
            rig.replacer.replace(settings.clone(), Arc::clone(&rig.auth)).unwrap();
            let mut client = RawClient::connect(rig.address).await;
            for _ in 0..2 {
                client.send(whole.clone()).await;
                assert_eq!(client.response().await.status, answer.status, "{length}: and is heard again");
            }
            fewer(&rig, settings);
            let ended = tokio::time::timeout(DEADLINE, client.rest()).await;
            assert_eq!(ended.expect("closed under other terms"), b"", "{length} {signed_in}");
        }
    }
}

/// Who has connected and not said a word yet was accepted by this process, and nobody else will answer.
#[tokio::test]
async fn whoever_is_at_the_door_when_another_process_takes_over_is_served() {
    for taken_over in [true, false] {
        let upstream = Upstream::answering(Answer::ok("ok")).await;
        let mut rig = Rig::start(http2(&upstream)).await;
        let mut client = RawClient::connect(rig.address).await;
        rig.wait_until_counted("anteroom_connections 1").await;
        if taken_over {
            rig.replacer.hand_over();
        }
        rig.stop();
        if taken_over {
            client.send(rig.signed_in("GET /", "")).await;
            assert_eq!(client.response().await.text(), "ok");
        }
        assert_eq!(client.rest().await, b"");
        assert_eq!(rig.stopped().await.aborted, 0);
    }
}

#[tokio::test]
async fn the_file_of_a_unix_socket_stays_for_the_process_that_takes_over() {
    for taken_over in [true, false] {
        let upstream = Upstream::answering(Answer::ok("ok")).await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy.sock");
        let place = Listen::Unix { path: path.clone(), mode: 0o600 };
        let mut rig = Rig::at(&place, plan(upstream.address())).await;
        if taken_over {
            rig.replacer.hand_over();
        }
        rig.stop();
        rig.stopped().await;
        assert_eq!(path.exists(), taken_over);
    }
}
