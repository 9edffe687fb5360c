//! Whom does the listener answer? Gateways that the operator named, with the key where there is one.

use super::super::support::raw::{RawClient, exchange};
use super::super::support::site::{Gateway, Plan, Site};
use super::rig::{ALL, Dialect, HTTP, Question, sign_in};

async fn trusting(settings: &str) -> Site {
    let gateway = Gateway { settings: settings.into(), ..Gateway::none() };
    Site::with(Plan::ada().gateway(gateway)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_403_whatever_is_asked() {
    let site = trusting("trusted_proxies = [\"192.0.2.0/24\"]").await;
    for dialect in ALL {
        let answer = Question::to("/").ask(dialect, &site).await;
        assert_eq!(answer.status, 403, "{dialect:?}");
    }
    for path in ["/_anteroom/sign-in", "/_anteroom/me", "/", "/_anteroom/jwks.json"] {
        let asked =
            format!("GET {path} HTTP/1.1\r\nHost: {}\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n", site.host());
        let answer = exchange(site.address(), asked).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().contains("not_a_trusted_gateway"));
    }
    let metrics = exchange(site.ops(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(metrics.text().contains("anteroom_forward_auth_refusals_total{reason=\"stranger\"} 8"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_needed_everywhere_once_there_is_one() {
    const KEY: &str = "a-gateway-key-0123456789-abcdefghijklmn";
    let site = trusting(&format!("trusted_proxies = [\"127.0.0.1\"]\nkey = \"{KEY}\"")).await;
    for dialect in HTTP {
        for (key, admitted) in [(Some(KEY), true), (Some("wrong"), false), (Some(""), false), (None, false)] {
            let sent: Vec<(&str, &str)> =
                key.map(|key| ("X-Anteroom-Gateway-Key", key)).into_iter().collect();
            let answer = Question::to("/x").with(&sent).ask(dialect, &site).await;
            let refused = answer.text().contains("not_a_trusted_gateway");
            assert_eq!((refused, answer.status == 403), (!admitted, !admitted), "{dialect:?} {key:?}");
        }
        let twice = [("X-Anteroom-Gateway-Key", KEY), ("X-Anteroom-Gateway-Key", KEY)];
        assert_eq!(Question::to("/x").with(&twice).ask(dialect, &site).await.status, 403);
        let twin = [("X_Anteroom_Gateway_Key", KEY)];
        assert_eq!(Question::to("/x").with(&twin).ask(dialect, &site).await.status, 403);
    }
    let me = exchange(site.address(), format!("GET /_anteroom/me HTTP/1.1\r\nHost: {}\r\n\r\n", site.host()))
        .await;
    assert_eq!(me.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_host_is_denied_in_every_dialect() {
    let site = trusting("trusted_proxies = [\"127.0.0.1\"]").await;
    let cookie = sign_in(&site).await;
    let port = site.address().port();
    let suffix = format!("localhost:{port}.evil.example");
    for host in ["evil.example", "localhost", "localhost.", "xlocalhost:1", suffix.as_str(), "LOCALHOST:1"] {
        for dialect in ALL {
            let answer = Question::to("/x").host(host).with(&[("Cookie", &cookie)]).ask(dialect, &site).await;
            assert_eq!(answer.status, 403, "{dialect:?} {host}");
            assert!(answer.header("x-anteroom-account-id").is_none());
        }
    }
    for path in ["/_anteroom/sign-in", "/_anteroom/me", "/_anteroom/jwks.json"] {
        let own = format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\nCookie: {cookie}\r\n\r\n");
        assert_eq!(exchange(site.address(), own).await.status, 403, "{path}");
    }
    let loud = format!("LOCALHOST:{port}");
    let answer =
        Question::to("/x").host(&loud).with(&[("Cookie", &cookie)]).ask(Dialect::Forward, &site).await;
    assert_eq!(answer.status, 200, "letter case does not matter");
}

/// A stranger who says nothing, or half of something, is gone before long, and many of them leave room for gateways.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_cannot_stay_or_crowd_gateways_out() {
    let site = trusting("trusted_proxies = [\"192.0.2.0/24\"]").await;
    let mut silent = Vec::new();
    for begun in ["", "PRI", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n"] {
        let mut stranger = RawClient::connect(site.address()).await;
        stranger.send(begun).await;
        silent.push(stranger);
    }
    for stranger in &mut silent {
        stranger.rest().await;
    }
    let mut crowd = Vec::new();
    for _ in 0..80 {
        crowd.push(RawClient::connect(site.address()).await);
    }
    let turned_away = crowd.last_mut().expect("a stranger").rest().await;
    assert!(turned_away.is_empty(), "the last ones find no place");
}

/// What hyper answers by itself is counted all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_counted() {
    let site = trusting("trusted_proxies = [\"127.0.0.1\"]").await;
    for (nonsense, counted) in [
        ("GET / HTTP/1.1\r\nHo st: x\r\n\r\n", 1),
        ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 2),
    ] {
        assert_eq!(exchange(site.address(), nonsense).await.status, 400);
        let line = format!("anteroom_unreadable_requests_total{{entrance=\"forward_auth\"}} {counted}\n");
        let noticed = async {
            // The answer may be here before the connection has ended there.
            while !exchange(site.ops(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                .await
                .text()
                .contains(&line)
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(super::super::support::DEADLINE, noticed).await.expect("counted");
    }
}
