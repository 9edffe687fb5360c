//! Can one process do both? A reverse proxy and a forward-auth listener with one Atlassian, one session, one end.

use super::super::support::raw::exchange;
use super::super::support::site::{Gateway, Plan, Site};
use super::super::support::upstream::Upstream;
use super::rig::{ALL, Question, sign_in};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_counts_in_both_modes_and_ends_in_both() {
    let app = Upstream::start().await;
    let settings = format!(
        "trusted_proxies = [\"127.0.0.1\"]\n[proxy]\nlisten = \"127.0.0.1:0\"\nupstream = \"{}\"",
        app.url()
    );
    let site = Site::with(Plan::ada().gateway(Gateway { settings, ..Gateway::none() })).await;
    let cookie = sign_in(&site).await;
    let (host, upstream_saw) = (site.host(), || app.requests().len());
    let proxied = format!("GET /x HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n");
    let seen_by_proxy = exchange(site.proxy(), &proxied).await;
    assert_eq!((seen_by_proxy.status, upstream_saw()), (200, 1));
    let told = app.last().header("X-Anteroom-Account-Id").map(str::to_owned);
    for dialect in ALL {
        let answer = Question::to("/x").with(&[("Cookie", &cookie)]).ask(dialect, &site).await;
        assert_eq!((answer.status, answer.header("x-anteroom-account-id")), (200, told.as_deref()));
    }
    let verify = Question::to("/x").with(&[("Cookie", &cookie)]).bytes(ALL[0], &site);
    assert_eq!(exchange(site.proxy(), verify).await.status, 404, "the proxy's port answers no gateway");

    let ask = format!("GET /_anteroom/sign-out HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n");
    let page = exchange(site.address(), ask).await.text();
    let token = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let body = format!("csrf={token}");
    let end = format!(
        "POST /_anteroom/sign-out HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(exchange(site.address(), end).await.status, 303);
    assert_eq!(exchange(site.proxy(), &proxied).await.status, 401);
    assert_eq!(upstream_saw(), 1, "nothing more reaches the app");
}
