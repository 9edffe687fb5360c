//! What is the upstream told, and what can a client make it believe?

use anteroom::identity::headers::Preset;

use super::rig::{Rig, plan};
use crate::support::raw::{RawClient, exchange};
use crate::support::upstream::{Answer, Upstream};

#[tokio::test]
async fn the_upstream_learns_who_and_how() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let response = rig.get("/board?id=1", "Accept: */*\r\nX-Custom: kept\r\n").await;
    assert_eq!((response.status, response.text().as_str()), (200, "ok"));
    let seen = upstream.last();
    assert_eq!(seen.target(), "/board?id=1");
    for (name, want) in [
        ("host", "app.example"),
        ("x-anteroom-account-id", "557058:ada"),
        ("x-anteroom-email", "ada@example.com"),
        ("x-anteroom-email-verified", "true"),
        ("x-anteroom-name", "Ada Lovelace"),
        ("x-anteroom-new-user", "false"),
        ("remote-user", "557058:ada"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "app.example"),
        ("x-custom", "kept"),
    ] {
        assert_eq!(seen.all(name), [want], "{name}");
    }
    assert_eq!(seen.header("cookie"), None);
    assert_eq!(seen.header("x-request-id").unwrap().len(), 32);
}

#[tokio::test]
async fn request_ids_are_ours_and_on_our_answers() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    rig.get("/", "X-Request-Id: mine\r\n").await;
    let first = upstream.last().all("x-request-id").join(",");
    let refused =
        exchange(rig.address, "GET /api HTTP/1.1\r\nHost: app.example\r\nX-Request-Id: mine\r\n\r\n").await;
    let second = refused.header("x-request-id").unwrap();
    assert_eq!((refused.status, first.len(), second.len()), (401, 32, 32));
    assert_ne!(first, second);
    assert!(rig.log.lines()[0].contains(&first) && rig.log.lines()[1].contains(second));
}

/// Everything a client may try to say, once under each kind of route and method.
#[tokio::test]
async fn nobody_can_speak_for_somebody_else() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let forged = [
        "X-Anteroom-Email",
        "x-anteroom-email",
        "X_Anteroom_Email",
        "X.Anteroom.Email",
        "X-Anteroom_Email",
        "X-Anteroom-Roles",
        "X-Anteroom-Assertion",
        "Remote-User",
        "Remote_User",
        "Remote.User",
        "REMOTE_GROUPS",
        "X-Forwarded-User",
        "X_Forwarded_User",
        "x-forwarded_email",
        "X-Forwarded-Groups",
        "X-Forwarded-Access-Token",
        "X-Auth-Request-User",
        "X-Auth_Request-User",
        "X-Remote-User",
        "X-Forwarded-For",
        "X_Forwarded_For",
        "X.Forwarded.Host",
        "X_Forwarded_Proto",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Uri",
        "X-Forwarded-Method",
        "X-Original-URL",
        "X-Original-Uri",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "X-Real-IP",
        "X_Real_IP",
        "Forwarded",
        "Proxy",
        "X_Request_Id",
    ];
    for (method, path) in [("GET", "/"), ("OPTIONS", "/"), ("GET", "/public/x"), ("OPTIONS", "/public/x")] {
        for name in forged {
            let twice = format!("{name}: evil\r\n{name}: evil\r\n");
            exchange(rig.address, rig.signed_in(&format!("{method} {path}"), &twice)).await;
            exchange(rig.address, format!("{method} {path} HTTP/1.1\r\nHost: app.example\r\n{twice}\r\n"))
                .await;
        }
    }
    assert!(!upstream.saw("evil"));
    // Signed-in everywhere, and without a session on the public route alone.
    assert_eq!(upstream.requests().len(), forged.len() * 6);
    let public = upstream.requests().into_iter().rfind(|r| r.target() == "/public/x").unwrap();
    assert_eq!(public.all("x-anteroom-email"), Vec::<&str>::new());
}

/// CVE-2025-48865: what `Connection` names is removed before ours are set.
#[tokio::test]
async fn connection_cannot_name_our_headers_away() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    for nominated in
        ["X-Anteroom-Email", "close, x-anteroom-email", "keep-alive, Remote-User, X-Request-Id", "Cookie"]
    {
        rig.get("/", &format!("Connection: {nominated}\r\n")).await;
        let seen = upstream.last();
        assert_eq!(seen.all("x-anteroom-email"), ["ada@example.com"], "{nominated}");
        assert_eq!(seen.all("remote-user"), ["557058:ada"], "{nominated}");
        assert_eq!(seen.all("x-request-id").len(), 1, "{nominated}");
        assert_eq!(seen.header("connection"), None);
    }
    for protected in ["X-Forwarded-For", "Host", "X-Forwarded-Proto", "\"X-Anteroom-Email\""] {
        let response = rig.get("/", &format!("Connection: {protected}\r\n")).await;
        assert_eq!(response.status, 400, "{protected}");
        assert_eq!(response.header("server"), None);
    }
}

#[tokio::test]
async fn cookies_of_the_app_pass_byte_for_byte_and_ours_do_not() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let ours = &rig.cookie;
    for (sent, want) in [
        (format!("Cookie: {ours}; a=1"), vec!["a=1"]),
        (format!("Cookie: a=1; {ours}"), vec!["a=1"]),
        (format!("Cookie: a=\"1;  {ours} ;b==; c"), vec!["a=\"1;b==; c"]),
        (format!("Cookie: a=1\r\ncookie: {ours}\r\nCOOKIE: b=2"), vec!["a=1", "b=2"]),
        (format!("Cookie: {ours}; anteroom=x; __Host-anteroom-flow-1=y; anteroom-loop=z"), vec![]),
        (format!("Cookie: ;{ours}"), vec![]),
        (format!("Cookie: =; {ours}; a; ;b"), vec!["=; a; ;b"]),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: app.example\r\n{sent}\r\n\r\n");
        assert_eq!(exchange(rig.address, request).await.status, 200, "{sent}");
        assert_eq!(upstream.last().all("cookie"), want, "{sent}");
    }
    let value = ours.split('=').nth(1).unwrap();
    assert!(!upstream.saw(value));
}

#[tokio::test]
async fn the_answer_is_cleaned_of_what_is_not_for_the_client() {
    let answer = "HTTP/1.1 200 OK\r\nServer: app/1\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: __Host-anteroom=x; Path=/\r\n\
                  set-cookie: b=\"2\"\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\
                  Proxy-Connection: x\r\nX-Anteroom-Provisioned: no\r\nContent-Length: 2\r\n\r\nok";
    let upstream = Upstream::answering(Answer::raw(answer)).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let response = rig.get("/", "").await;
    assert_eq!(response.all("set-cookie"), ["a=1; Path=/", "b=\"2\""]);
    assert_eq!(response.header("server"), Some("app/1"));
    assert_eq!(response.header("connection"), Some("keep-alive"));
    for gone in ["keep-alive", "x-hop", "proxy-connection", "x-anteroom-provisioned", "x-request-id"] {
        assert_eq!(response.header(gone), None, "{gone}");
    }
}

#[tokio::test]
async fn a_new_user_is_new_until_the_app_says_so() {
    let answer = "HTTP/1.1 200 OK\r\nX-Anteroom-Provisioned: true\r\nContent-Length: 0\r\n\r\n";
    let upstream = Upstream::answering(Answer::raw(answer)).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let get = format!("GET / HTTP/1.1\r\nHost: app.example\r\nCookie: {}\r\n\r\n", rig.new_user);
    let first = exchange(rig.address, &get).await;
    assert_eq!(upstream.last().header("x-anteroom-new-user"), Some("true"));
    assert_eq!(first.header("x-anteroom-provisioned"), None);
    let [cookie] = &first.cookies()[..] else { panic!("{first:?}") };
    assert!(cookie.starts_with("__Host-anteroom=") && *cookie != rig.new_user);
    // The same process knows at once, whichever of the two cookies is sent.
    for cookie in [cookie, &rig.new_user] {
        let again =
            exchange(rig.address, format!("GET / HTTP/1.1\r\nHost: app.example\r\nCookie: {cookie}\r\n\r\n"))
                .await;
        assert_eq!(upstream.last().header("x-anteroom-new-user"), Some("false"));
        assert!(again.cookies().is_empty());
    }
}

#[tokio::test]
async fn the_upstreams_own_name_can_be_sent_as_host() {
    let upstream = Upstream::start().await;
    let mut plan = plan(upstream.address());
    plan.upstream().pass_host = false;
    plan.settings.public_scheme_https = false;
    plan.presets = vec![Preset::AuthRequest];
    let rig = Rig::start(plan).await;
    rig.get("/", "").await;
    let seen = upstream.last();
    assert_eq!(seen.all("host"), [upstream.address().to_string()]);
    assert_eq!(seen.all("x-forwarded-host"), ["app.example"]);
    assert_eq!(seen.all("x-forwarded-proto"), ["http"]);
    assert_eq!(seen.all("x-auth-request-email"), ["ada@example.com"]);
    assert_eq!(seen.header("x-anteroom-email"), None);
}

#[tokio::test]
async fn no_query_and_no_cookie_reaches_the_access_log() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    rig.get("/a?code=secret", "User-Agent: probe\r\nReferer: https://x/?code=secret\r\n").await;
    let line = rig.log.lines().pop().unwrap();
    assert!(line.contains("\"/a\"") && line.contains("557058:ada") && line.contains("signed_in"), "{line}");
    assert!(line.contains("probe") && !line.contains("secret") && !line.contains("anteroom="), "{line}");
}

/// The new cookie is a session: a shared cache that kept it would sign its next visitor in.
#[tokio::test]
async fn a_renewed_session_cookie_is_never_left_to_a_cache() {
    let answer = "HTTP/1.1 200 OK\r\nCache-Control: public, max-age=600\r\nCDN-Cache-Control: max-age=600\r\n\
                  X-Anteroom-Provisioned: true\r\nContent-Length: 0\r\n\r\n";
    let upstream = Upstream::answering(Answer::raw(answer)).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let get = format!("GET / HTTP/1.1\r\nHost: app.example\r\nCookie: {}\r\n\r\n", rig.new_user);
    let response = exchange(rig.address, get).await;
    assert_eq!(response.cookies().len(), 1);
    assert_eq!(response.all("cache-control"), ["private, no-store"]);
    assert_eq!(response.header("cdn-cache-control"), None);
}

/// 103 is not kept by browsers: a cookie on it would be lost, and the account stay new after a restart.
#[tokio::test]
async fn an_interim_answer_acknowledges_nobody() {
    let answer = "HTTP/1.1 103 Early Hints\r\nX-Anteroom-Provisioned: true\r\nLink: </a>\r\n\r\n\
                  HTTP/1.1 200 OK\r\nX-Anteroom-Provisioned: true\r\nContent-Length: 0\r\n\r\n";
    let upstream = Upstream::answering(Answer::raw(answer)).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let get = format!(
        "GET / HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\nCookie: {}\r\n\r\n",
        rig.new_user
    );
    let mut client = RawClient::connect(rig.address).await;
    client.send(get).await;
    let all = String::from_utf8(client.rest().await).unwrap();
    let (interim, last) = all.split_once("\r\n\r\n").unwrap();
    assert!(interim.starts_with("HTTP/1.1 103") && !interim.to_lowercase().contains("set-cookie"), "{all}");
    assert!(last.to_lowercase().contains("set-cookie: __host-anteroom="), "{all}");
}
