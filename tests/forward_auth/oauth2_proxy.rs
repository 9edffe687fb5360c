//! Can somebody who leaves oauth2-proxy keep the gateway's configuration? Its paths and headers, off unless asked for.

use super::super::support::person::Person;
use super::super::support::raw::exchange;
use super::super::support::site::{Gateway, Plan, Site};
use super::rig::sign_in;

async fn speaking(dialect: &str) -> Site {
    let settings = format!("trusted_proxies = [\"127.0.0.1\"]\noauth2_proxy = \"{dialect}\"");
    Site::with(Plan::ada().gateway(Gateway { settings, ..Gateway::none() })).await
}

/// What an nginx that was set up for oauth2-proxy asks, as ingress-nginx sends it.
fn nginx(site: &Site, target: &str, cookie: &str) -> String {
    let host = site.host();
    format!(
        "GET /oauth2/auth HTTP/1.1\r\nHost: {host}\r\nX-Original-URL: http://{host}{target}\r\n\
         X-Original-Method: GET\r\nX-Auth-Request-Redirect: {target}\r\nX-Forwarded-Proto: \r\n\
         Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nAccept: text/html\r\nCookie: {cookie}\r\n\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_decides_and_names_the_person_as_oauth2_proxy_does() {
    let site = speaking("nginx").await;
    let cookie = sign_in(&site).await;
    let yes = exchange(site.address(), nginx(&site, "/board", &cookie)).await;
    assert_eq!(yes.status, 200);
    for (name, value) in [
        ("x-auth-request-email", "ada@example.com"),
        ("x-anteroom-email", "ada@example.com"),
        ("x-auth-request-preferred-username", "Ada Lovelace"),
    ] {
        assert_eq!(yes.header(name), Some(value));
    }
    assert_eq!(yes.header("x-auth-request-user"), yes.header("x-anteroom-account-id"));
    let no = exchange(site.address(), nginx(&site, "/board", "a=1")).await;
    assert_eq!(no.status, 401);
    assert_eq!(no.header("location"), Some(site.url("/_anteroom/sign-in?return_to=%2Fboard").as_str()));
    let narrowed =
        nginx(&site, "/board", &cookie).replace("/oauth2/auth ", "/oauth2/auth?allowed_groups=admins ");
    assert_eq!(
        exchange(site.address(), narrowed).await.status,
        403,
        "a narrowing that nobody heeds is no yes"
    );
    let without_url =
        format!("GET /oauth2/auth HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\n\r\n", site.host());
    assert_eq!(exchange(site.address(), without_url).await.status, 403, "a decision is about a request");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_dialect_is_heard_only_where_it_is_chosen() {
    let site = speaking("forward").await;
    let cookie = sign_in(&site).await;
    assert_eq!(exchange(site.address(), nginx(&site, "/board", &cookie)).await.status, 400);
    let traefik = format!(
        "GET /oauth2/auth HTTP/1.1\r\nHost: x\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Host: {}\r\n\
         X-Forwarded-Uri: /board\r\nCookie: {cookie}\r\n\r\n",
        site.host()
    );
    assert_eq!(exchange(site.address(), traefik).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn start_sign_in_sign_out_and_userinfo() {
    let site = speaking("nginx").await;
    let mut ada = Person::new();
    assert_eq!(ada.get(&site.url("/oauth2/userinfo")).await.status, 401);
    let hops = ada.hops(&site.url("/oauth2/start?rd=%2Fboard%3Fa%3D1%26b%3D2")).await;
    assert!(hops.iter().any(|hop| hop.url.path() == "/authorize"), "by way of Atlassian");
    let end = hops.last().unwrap();
    assert_eq!(end.url.query(), Some("return_to=%2Fboard%3Fa%3D1%26b%3D2"), "{}", end.url);
    let info = ada.get(&site.url("/oauth2/userinfo")).await.json();
    assert_eq!(
        (&info["email"], &info["preferredUsername"]),
        (&"ada@example.com".into(), &"Ada Lovelace".into())
    );
    let ask = ada.visit(&site.url("/oauth2/sign_out?rd=https://evil.example")).await;
    assert_eq!(ask.url.path(), "/_anteroom/sign-out");
    assert_eq!(ada.get(&site.url("/oauth2/userinfo")).await.status, 200, "a link alone ends nothing");
    let page = ada.get(&site.url("/oauth2/sign_in?rd=https://evil.example/x")).await;
    assert_eq!(page.location().unwrap().as_str(), site.url("/_anteroom/sign-in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn off_unless_asked_for() {
    for site in [super::rig::site(Plan::ada()).await, speaking("off").await] {
        let cookie = sign_in(&site).await;
        for path in ["/oauth2/auth", "/oauth2/start", "/oauth2/userinfo", "/oauth2/sign_out"] {
            let asked = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\n\r\n", site.host());
            let answer = exchange(site.address(), asked).await;
            assert_eq!(answer.status, 404, "{path}");
            assert!(answer.header("x-auth-request-email").is_none());
        }
    }
}
