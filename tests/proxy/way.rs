//! What counts of the way a request says it came? Only what the operator's own hops say, and only as far as they reach.

use std::num::NonZeroU32;

use anteroom::net::TrustedProxies;
use anteroom::net::hops::ClientHeader;

use super::rig::{Rig, plan};
use crate::support::log::Warnings;
use crate::support::raw::exchange;
use crate::support::upstream::{Request, Upstream};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const ID: &str = "4bf92f3577b34da6";

/// A request that says everything a hop could say, and more.
async fn asked(trusted: &[&str]) -> (Request, String) {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.settings.trusted = TrustedProxies::parse(trusted.iter().copied()).unwrap();
    plan.settings.forwarded = true;
    let rig = Rig::start(plan).await;
    let says = format!(
        "X-Forwarded-For: 6.6.6.6, 192.0.2.1\r\nX-Forwarded-For: 10.0.0.7\r\nForwarded: for=6.6.6.6\r\n\
         X-Forwarded-Host: evil\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Port: 666\r\nX-Real-IP: 6.6.6.6\r\n\
         X_Forwarded_For: 6.6.6.6\r\nX-Anteroom-Email: evil\r\nRemote-User: evil\r\nTrue-Client-IP: 6.6.6.6\r\n\
         X-Request-Id: {ID}\r\ntraceparent: {TRACE}\r\ntracestate: a=1\r\ntracestate: b=2\r\n"
    );
    assert_eq!(rig.get("/", &says).await.status, 200);
    (upstream.last(), rig.log.lines().pop().unwrap())
}

#[tokio::test]
async fn a_trusted_hop_is_listened_to() {
    let (seen, logged) = asked(&["127.0.0.1", "10.0.0.0/8"]).await;
    for (name, want) in [
        ("x-forwarded-for", &["192.0.2.1, 10.0.0.7, 127.0.0.1"][..]),
        ("forwarded", &["for=192.0.2.1;host=\"app.example\";proto=https, for=10.0.0.7, for=127.0.0.1"]),
        ("x-forwarded-host", &["app.example"]),
        ("x-forwarded-proto", &["https"]),
        ("x-forwarded-port", &["443"]),
        ("x-request-id", &[ID]),
        ("traceparent", &[TRACE]),
        ("tracestate", &["a=1", "b=2"]),
        ("x-real-ip", &[]),
        ("true-client-ip", &[]),
        ("x-anteroom-email", &["ada@example.com"]),
        ("remote-user", &["557058:ada"]),
    ] {
        assert_eq!(seen.all(name), want, "{name}");
    }
    assert!(!format!("{seen:?}").contains("6.6.6.6"), "{seen:?}");
    assert!(logged.contains("client: 192.0.2.1") && logged.contains(ID), "{logged}");
}

/// A hop names the client in the one, and lets pass what the client wrote into the other.
#[tokio::test]
async fn the_header_that_the_operator_names_counts_and_no_other() {
    let upstream = Upstream::start().await;
    for (header, says) in [
        (ClientHeader::XForwardedFor, "X-Forwarded-For: 192.0.2.1\r\nForwarded: for=6.6.6.6\r\n"),
        (ClientHeader::Forwarded, "X-Forwarded-For: 6.6.6.6\r\nForwarded: for=192.0.2.1\r\n"),
    ] {
        let mut plan = plan(upstream.address());
        plan.settings.trusted = TrustedProxies::parse(["127.0.0.1"]).unwrap();
        plan.settings.client_header = header;
        let rig = Rig::start(plan).await;
        assert_eq!(rig.get("/", says).await.status, 200);
        assert_eq!(upstream.last().all("x-forwarded-for"), ["192.0.2.1, 127.0.0.1"], "{header:?}");
    }
}

#[tokio::test]
async fn nobody_else_is() {
    for trusted in [&[][..], &["10.0.0.0/8"], &["unix"], &["127.0.0.2", "192.0.2.1"]] {
        let (seen, logged) = asked(trusted).await;
        assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(seen.all("forwarded"), ["for=127.0.0.1;host=\"app.example\";proto=https"]);
        assert_eq!(seen.all("x-request-id")[0].len(), 32);
        for gone in ["traceparent", "tracestate"] {
            assert_eq!(seen.header(gone), None, "{gone}");
        }
        assert!(logged.contains("client: 127.0.0.1") && !logged.contains(ID), "{logged}");
    }
}

/// `Connection` names ours away neither from the client's side nor from a hop's.
#[tokio::test]
async fn what_a_hop_says_cannot_be_named_away() {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.settings.trusted = TrustedProxies::parse(["127.0.0.1"]).unwrap();
    let rig = Rig::start(plan).await;
    for named in ["traceparent, X-Request-Id", "X-Forwarded-Port, x-anteroom-email"] {
        rig.get("/", &format!("Connection: {named}\r\ntraceparent: {TRACE}\r\nX-Request-Id: {ID}\r\n")).await;
        let seen = upstream.last();
        for name in ["traceparent", "x-request-id", "x-forwarded-port", "x-anteroom-email"] {
            assert_eq!(seen.all(name).len(), 1, "{named}: {name}");
        }
    }
}

/// How many sign-ins can begin, when each of these clients has one a minute.
async fn sign_ins(trusted: &[&str], says: &[&str]) -> (usize, Vec<String>) {
    let warnings = Warnings::collect();
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.settings.trusted = TrustedProxies::parse(trusted.iter().copied()).unwrap();
    plan.sign_in_rate = NonZeroU32::new(1);
    let rig = Rig::start(plan).await;
    let mut begun = 0;
    for line in says {
        let start = "GET /_anteroom/start HTTP/1.1\r\nHost: app.example\r\nSec-Fetch-Mode: navigate\r\n";
        let navigation = format!("{start}Sec-Fetch-Dest: document\r\nAccept: text/html\r\n{line}\r\n");
        match exchange(rig.address, navigation).await.status {
            302 => begun += 1,
            429 => {}
            status => panic!("{status}"),
        }
    }
    let nobody = |line: &String| line.contains("does not say whom its requests are from");
    (begun, warnings.lines().into_iter().filter(nobody).collect())
}

#[tokio::test]
async fn a_hop_that_names_nobody_is_a_crowd_and_is_told_so_once() {
    let (one, two) = ("X-Forwarded-For: 192.0.2.1\r\n", "X-Forwarded-For: 192.0.2.2\r\n");
    for (trusted, says, want, warned) in [
        (&["127.0.0.1"][..], &[one, one, two, two][..], 2, 0),
        (&["127.0.0.1"], &[""; 12], 10, 1),
        (&["127.0.0.1"], &["X-Forwarded-For: unknown\r\n"; 12], 10, 1),
        (&["127.0.0.1"], &["", one, one], 2, 1),
        // Whoever is not trusted is a client, and one.
        (&[], &[""; 3], 1, 0),
        (&[], &[one, two, ""], 1, 0),
    ] {
        let (begun, warnings) = sign_ins(trusted, says).await;
        assert_eq!((begun, warnings.len()), (want, warned), "{trusted:?} {says:?}");
        assert!(warnings.iter().all(|line| line.contains("hop=127.0.0.1")), "{warnings:?}");
    }
}
