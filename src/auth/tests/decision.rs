//! Who passes, who is sent where, and in which shape they are told.

use super::*;
use crate::gate::{Access, Hosts, Methods, PathPattern};

fn as_program(headers: &[(&'static str, &'static str)]) -> Browser {
    Browser { headers: headers.to_vec(), ..Default::default() }
}

#[tokio::test]
async fn a_navigation_goes_to_the_sign_in_page_with_its_way_back() {
    let site = Site::standard().await;
    for (target, want) in [
        ("/", "/_anteroom/sign-in"),
        ("/board?id=1&x=%2F", "/_anteroom/sign-in?return_to=%2Fboard%3Fid%3D1%26x%3D%252F"),
    ] {
        let reply = Browser::default().get(&site, target).await.reply();
        assert_eq!(location(&reply), want);
        assert_eq!(reply.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn a_form_that_was_sent_too_late_goes_to_the_sign_in_page_by_get() {
    let site = Site::standard().await;
    let reply = Browser::default().send(&site, Method::POST, "/board", b"a=1").await.reply();
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
    assert_eq!(location(&reply), "/_anteroom/sign-in?return_to=%2Fboard");
    let script = [("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")];
    let reply = as_program(&script).send(&site, Method::POST, "/board", b"a=1").await.reply();
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn programs_get_a_401_they_can_read() {
    let site = Site::standard().await;
    let reply = as_program(&[("accept", "application/json")]).get(&site, "/api?secret=1").await.reply();
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(body["error"], "unauthenticated");
    assert_eq!(body["sign_in_url"], "https://app.example/_anteroom/sign-in");
    assert!(reply.headers.contains_key("www-authenticate") && !text(&reply).contains("secret"));
}

#[tokio::test]
async fn a_frame_gets_a_page_that_opens_a_tab_and_grpc_gets_its_status() {
    let site = Site::standard().await;
    let frame = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
    let reply = as_program(&frame).get(&site, "/board").await.reply();
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert!(text(&reply).contains("https://app.example/board"));
    let reply = as_program(&[("content-type", "application/grpc")])
        .send(&site, Method::POST, "/a.B/C", b"")
        .await
        .reply();
    assert_eq!((reply.status, &reply.headers["grpc-status"]), (StatusCode::OK, &"16".parse().unwrap()));
}

#[tokio::test]
async fn only_navigations_start_a_flow() {
    let site = Site::standard().await;
    for headers in [
        &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")][..],
        &[("sec-fetch-mode", "cors")],
        &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"), ("sec-purpose", "prefetch")],
        &[("accept", "*/*")],
    ] {
        let reply = as_program(headers).get(&site, "/_anteroom/start").await.reply();
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{headers:?}");
        assert!(!reply.headers.contains_key(SET_COOKIE));
    }
}

#[tokio::test]
async fn routes_decide_on_the_canonical_path() {
    let rule = |path, access| Route { path, methods: Methods::Any, hosts: Hosts::Any, access };
    let routes = vec![
        rule(PathPattern::Prefix("/public".into()), Access::Public),
        rule(PathPattern::Exact("/closed".into()), Access::Deny),
    ];
    let site = Site::with(Plan { routes, ..Default::default() }).await;
    for (target, want) in [
        ("/public/a", 200),
        ("/%70ublic/a", 200),
        ("/public/../admin", 400),
        ("/public/%2e%2e/admin", 400),
        ("/public/..;/admin", 400),
        ("//public/a", 400),
        ("/admin?x=/public/", 302),
        ("/closed", 403),
        ("/closed;x", 400),
        ("/publicity", 302),
    ] {
        let got = match Browser::default().get(&site, target).await {
            Got::Forwarded(permit) => {
                assert!(
                    permit.session().is_none()
                        && site.auth.identity_headers(&permit, "app.example").is_none()
                );
                200
            }
            Got::Answer(reply) => reply.status.as_u16(),
        };
        assert_eq!(got, want, "{target}");
    }
}

#[tokio::test]
async fn a_public_route_tells_the_upstream_who_is_signed_in() {
    let routes = vec![Route {
        path: PathPattern::Prefix("/".into()),
        methods: Methods::Any,
        hosts: Hosts::Any,
        access: Access::Public,
    }];
    let site = Site::with(Plan { routes, ..Default::default() }).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, "/_anteroom/start").await;
    let permit = browser.get(&site, "/x").await.permit();
    assert_eq!(header(&site, &permit, "x-anteroom-account-id").as_deref(), Some("557058:ada"));
}

#[tokio::test]
async fn a_dead_cookie_is_cleared() {
    let site = Site::standard().await;
    let mut browser = Browser::default();
    browser.plant("__Host-anteroom", "garbage");
    browser.get(&site, "/").await.reply();
    assert!(browser.cookies().is_empty());
}

#[tokio::test]
async fn our_namespace_never_reaches_the_upstream() {
    let site = Site::standard().await;
    let mut browser = Browser::default();
    browser.sign_in(&site, "/_anteroom/start").await;
    for target in ["/_anteroom", "/_anteroom/", "/_anteroom/nothing", "/_anteroom;x/me", "/%5fanteroom/x"] {
        assert_eq!(browser.get(&site, target).await.reply().status, StatusCode::NOT_FOUND, "{target}");
    }
    assert_eq!(browser.send(&site, Method::POST, "/_anteroom/start", b"").await.reply().status, 405);
}

#[tokio::test]
async fn me_says_what_the_upstream_sees() {
    let site = Site::standard().await;
    let mut browser = Browser::default();
    assert_eq!(browser.get(&site, "/_anteroom/me").await.reply().status, 401);
    browser.sign_in(&site, "/_anteroom/start").await;
    let body: serde_json::Value =
        serde_json::from_slice(&browser.get(&site, "/_anteroom/me").await.reply().body).unwrap();
    assert_eq!((&body["email"], &body["email_verified"]), (&"ada@example.com".into(), &true.into()));
}

#[tokio::test]
async fn a_session_counts_on_its_own_host_only() {
    let routes = vec![Route {
        path: PathPattern::Prefix("/public".into()),
        methods: Methods::Any,
        hosts: Hosts::Any,
        access: Access::Public,
    }];
    let site = Site::with(Plan { routes, ..Default::default() }).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, "/_anteroom/start").await;
    let cookie = browser.cookies()["__Host-anteroom"].clone();
    for host in ["evil.example", "app.example.evil.example", "app.example:444", "app.example."] {
        browser.host = host.into();
        browser.plant("__Host-anteroom", &cookie);
        assert!(matches!(browser.clone().get(&site, "/x").await, Got::Answer(_)), "{host}");
        assert!(browser.clone().get(&site, "/public/x").await.permit().session().is_none(), "{host}");
    }
    browser.host = "APP.example".into();
    browser.plant("__Host-anteroom", &cookie);
    assert!(browser.get(&site, "/x").await.permit().session().is_some());
}
