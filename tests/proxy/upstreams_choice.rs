//! Does a request reach the app that its path belongs to, as that app wants it, and no other?

use anteroom::gate::Hosts;
use anteroom::proxy::settings::{Server, Upstream as Settings};
use http::{HeaderName, HeaderValue};

use super::rig::{Rig, plan};
use crate::support::raw::exchange;
use crate::support::upstream::Upstream;

fn app(name: &str, path: &str, upstream: &Upstream) -> Settings {
    let address = upstream.address();
    let servers = vec![Server::Tcp { host: address.ip().to_string(), port: address.port() }];
    Settings { name: name.into(), path: path.into(), servers, ..Settings::default() }
}

#[tokio::test]
async fn each_path_has_its_app_and_the_rest_has_none() {
    let (api, wiki) = (Upstream::start().await, Upstream::start().await);
    let mut plan = plan(api.address());
    plan.settings.upstreams = vec![app("api", "/api/", &api), app("wiki", "/public/wiki/", &wiki)];
    let rig = Rig::start(plan).await;
    for (target, status, asked) in [
        ("/api/x", 200, (1, 0)),
        ("/api", 200, (2, 0)),
        ("/%61pi/x?/public/wiki/", 200, (3, 0)),
        ("/public/wiki/a", 200, (3, 1)),
        ("/apis", 404, (3, 1)),
        ("/", 404, (3, 1)),
        ("/public/", 404, (3, 1)),
        ("/public/wiki;a/b", 404, (3, 1)),
        ("/api/../public/wiki/", 400, (3, 1)),
    ] {
        let response = rig.get(target, "").await;
        assert_eq!(
            (response.status, (api.requests().len(), wiki.requests().len())),
            (status, asked),
            "{target}"
        );
    }
    // Nothing is said of apps before it is clear who asks.
    let nobody = exchange(rig.address, "GET /nowhere HTTP/1.1\r\nHost: app.example\r\n\r\n").await;
    assert_eq!(nobody.status, 401);
}

#[tokio::test]
async fn an_app_of_another_host_gets_nothing() {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.upstream().hosts = Hosts::Only(vec![1]);
    let rig = Rig::start(plan).await;
    assert_eq!(rig.get("/", "").await.status, 404);
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_prefix_is_rewritten_and_the_rest_is_not_touched() {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.upstream().path = "/wiki/".into();
    plan.upstream().rewrite = Some("/app/".into());
    let rig = Rig::start(plan).await;
    for (target, want) in [
        ("/wiki/a%20b?c=%2Fwiki%2F", "/app/a%20b?c=%2Fwiki%2F"),
        ("/w%69ki/", "/app/"),
        ("/wiki", "/app"),
        ("http://app.example/wiki/x?y", "/app/x?y"),
    ] {
        assert_eq!(rig.get(target, "").await.status, 200);
        assert_eq!(upstream.last().target(), want, "{target}");
    }
}

#[tokio::test]
async fn an_app_gets_its_own_headers_and_nobody_elses_identity() {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    let headers = [("x-api-key", "ours"), ("x-forwarded-for", "192.0.2.1")];
    plan.upstream().headers =
        headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).into();
    plan.upstream().pass_host = false;
    let rig = Rig::start(plan).await;
    rig.get("/", "X-Api-Key: theirs\r\nx-api-key: theirs\r\n").await;
    let seen = upstream.last();
    assert_eq!(seen.all("x-api-key"), ["ours"]);
    assert_eq!(seen.all("x-anteroom-account-id"), ["557058:ada"]);
    assert_eq!(
        seen.all("x-forwarded-for"),
        ["127.0.0.1"],
        "where a request came from is not the operator's to say"
    );
    assert_eq!(seen.all("host"), [upstream.address().to_string()]);
    assert_eq!(seen.all("x-forwarded-host"), ["app.example"]);
}
