//! Envoy's gRPC question: what only this dialect can say, and what is no question at all. The tables that every dialect
//! goes through are in `dialects`, `attacks` and `peers`.

use bytes::Bytes;
use prost::Message;

use super::super::support::raw::exchange;
use super::super::support::site::{Gateway, Plan, Site};
use super::check::{Allowed, CHECK, CheckRequest, GRPC, call, check, framed};
use super::rig::{Question, SCRIPT, sign_in, site};

/// `code` of `google.rpc.Status`: <https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>.
const PERMISSION_DENIED: i32 = 7;
const UNIMPLEMENTED: i32 = 12;
const UNAUTHENTICATED: i32 = 16;

const PUBLIC: &str = "[access]\nallow_any_atlassian_account = true\n\
    [[routes]]\nprefix = \"/public\"\naccess = \"public\"\n";

async fn allowed(site: &Site, message: &CheckRequest) -> Allowed {
    check(site.address(), message).await.message().ok.expect("yes")
}

/// What the app is sent under a name: nothing, a removal, or a value.
fn told<'a>(allowed: &'a Allowed, name: &str) -> Option<&'a str> {
    let mut lines = allowed.headers.iter().filter_map(|line| line.header.as_ref()).filter(|l| l.key == name);
    let set = lines.next().map(|line| line.value.as_str());
    assert!(lines.next().is_none(), "{name} twice");
    let removed = allowed.headers_to_remove.iter().any(|removed| removed == name);
    assert!(!(removed && set.is_some()), "{name}: Envoy removes after it has set");
    if removed { Some("(removed)") } else { set }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_sets_who_it_is_and_takes_away_what_a_client_may_not_say() {
    let site = site(Plan::ada()).await;
    let cookie = sign_in(&site).await;
    let mine = format!("theme=dark; {cookie}; __Host-anteroom-flow-01234567=x; lang=en");
    let forged = [
        ("Cookie", mine.as_str()),
        ("X-Anteroom-Email", "evil@example.com"),
        ("x_anteroom_email", "evil@example.com"),
        ("X.Anteroom-Email", "evil@example.com"),
        ("X-Anteroom-Gateway-Key", "guess"),
        ("x-auth-request-user", "evil"),
        ("Remote-User", "evil"),
        ("x-forwarded-prefix", "/public"),
        ("X-Wanted", "1"),
    ];
    let yes = allowed(&site, &Question::to("/board").with(&forged).message(&site.host())).await;
    for (name, want) in [
        ("x-anteroom-email", Some("ada@example.com")),
        ("x-anteroom-new-user", Some("false")),
        ("x_anteroom_email", Some("(removed)")),
        ("x.anteroom-email", Some("(removed)")),
        ("x-anteroom-gateway-key", Some("(removed)")),
        ("x-auth-request-user", Some("(removed)")),
        ("remote-user", Some("(removed)")),
        ("x-forwarded-prefix", Some("(removed)")),
        ("cookie", Some("theme=dark; lang=en")),
        ("x-wanted", None),
        ("x-forwarded-proto", None),
        ("x-request-id", None),
        ("cache-control", None),
        (":path", None),
    ] {
        let said = told(&yes, name);
        assert!(said == want || name == "x-anteroom-new-user" && said.is_some(), "{name}: {said:?}");
    }
    assert!(told(&yes, "x-anteroom-assertion").unwrap().starts_with("eyJ"));
    assert!(yes.response_headers_to_add.is_empty());
    assert!(yes.headers.iter().all(|line| line.append_action == 2), "each over the client's own: {yes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_cookies_are_not_for_the_app() {
    let site = site(Plan::ada().config(PUBLIC)).await;
    let cookie = sign_in(&site).await;
    let host = site.host();
    let session = cookie.split("; ").find(|pair| pair.starts_with("anteroom=")).unwrap();
    let merged = [
        format!("a=1,{session}"),
        format!("a=1, {session}; b=2,__Host-anteroom=x"),
        format!("{session},b=2"),
    ];
    let [first, both, last] = &merged;
    for (path, line, want) in [
        ("/board", session, Some("(removed)")),
        ("/board", &format!("{session}; a=\"x,y\""), Some("a=\"x,y\"")),
        ("/public", "a=1; b=2", None),
        ("/public", "anteroom-loop=1", Some("(removed)")),
        // Lines that Envoy has joined by a comma, ours among them.
        ("/public", first, Some("a=1")),
        ("/public", both, Some("a=1; b=2")),
        ("/public", last, Some("(removed)")),
    ] {
        let yes = allowed(&site, &Question::to(path).with(&[("Cookie", line)]).message(&host)).await;
        assert_eq!(told(&yes, "cookie"), want, "{path} {line}");
    }
    // Line by line, bytes that are no UTF-8 among them.
    let raw =
        [("cookie", session.as_bytes()), ("cookie", b"a=\xff".as_slice()), ("X_Anteroom_Name", b"evil")];
    let yes = allowed(&site, &Question::to("/board").message(&host).raw(&raw)).await;
    assert_eq!(told(&yes, "cookie"), Some("a=!"), "Envoy takes text only");
    assert_eq!(told(&yes, "x_anteroom_name"), Some("(removed)"));
    assert_eq!(told(&yes, "x-anteroom-email"), Some("ada@example.com"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_is_what_the_browser_gets() {
    let site =
        site(Plan::ada().config(&format!("{PUBLIC}[[routes]]\nprefix = \"/closed\"\naccess = \"deny\"\n")))
            .await;
    let cookie = sign_in(&site).await;
    let rpc = [("content-type", "application/grpc")];
    for (question, code, status) in [
        (Question::to("/board"), UNAUTHENTICATED, 302),
        (Question::to("/board").headers(SCRIPT), UNAUTHENTICATED, 401),
        (Question::to("/pkg.Service/Method").method("POST").headers(&rpc), UNAUTHENTICATED, 401),
        (Question::to("/closed").with(&[("Cookie", &cookie)]), PERMISSION_DENIED, 403),
        (Question::to("/_anteroom/me").with(&[("Cookie", &cookie)]), PERMISSION_DENIED, 403),
        (Question::to("/board").host("evil.example"), PERMISSION_DENIED, 403),
        (Question::to("/board#x"), PERMISSION_DENIED, 400),
    ] {
        let host = question.host.map_or_else(|| site.host(), str::to_owned);
        let no = check(site.address(), &question.message(&host)).await.message();
        let denied = no.denied.unwrap();
        let said = (no.status.unwrap().code, denied.status.unwrap().code);
        assert_eq!(said, (code, status), "{question:?} {}", denied.body);
        let names: Vec<_> = denied.headers.iter().map(|l| l.header.as_ref().unwrap().key.as_str()).collect();
        assert!(names.contains(&"x-request-id") && names.contains(&"cache-control"), "{names:?}");
        assert!(!names.contains(&"content-length"), "{names:?}");
        assert_eq!(names.contains(&"location"), status == 302);
        assert_eq!(names.contains(&"grpc-status"), question.headers == rpc);
    }
}

/// Each way to leave the original out, or to say it so that two readers might differ.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused() {
    let site = site(Plan::ada()).await;
    let cookie = sign_in(&site).await;
    let good = Question::to("/x").with(&[("Cookie", &cookie)]).message(&site.host());
    assert!(check(site.address(), &good).await.message().ok.is_some());
    type Spoil = fn(&mut CheckRequest);
    let spoils: &[(&str, Spoil)] = &[
        ("no attributes", |m| m.attributes = None),
        ("no request", |m| m.attributes.as_mut().unwrap().request = None),
        ("no http", |m| m.attributes.as_mut().unwrap().request.as_mut().unwrap().http = None),
        ("no path", |m| m.http().path.clear()),
        ("a path with a fragment", |m| m.http().path = b"/x#/public".to_vec()),
        ("a path that is no UTF-8", |m| m.http().path = b"/\xff".to_vec()),
        ("a path with a line end", |m| m.http().path = b"/x\r\n".to_vec()),
        ("an absolute path", |m| m.http().path = b"http://localhost/x".to_vec()),
        ("a query of its own", |m| m.http().query = "a=b".into()),
        ("a fragment of its own", |m| m.http().fragment = "b".into()),
        ("no host", |m| m.http().host.clear()),
        ("two hosts", |m| m.http().host = format!("evil.example,{}", m.http().host)),
        ("no method", |m| m.http().method.clear()),
        ("a method in small letters", |m| m.http().method = "get".into()),
        ("CONNECT", |m| m.http().method = "CONNECT".into()),
        ("TRACE", |m| m.http().method = "TRACE".into()),
        ("a header without a name", |m| drop(m.http().headers.insert(String::new(), "x".into()))),
        ("a header with a space", |m| drop(m.http().headers.insert("x anteroom".into(), "x".into()))),
        ("a value with a line end", |m| drop(m.http().headers.insert("x".into(), "a\r\nb".into()))),
    ];
    for (what, spoil) in spoils {
        let mut message = good.clone();
        spoil(&mut message);
        let no = check(site.address(), &message).await.message();
        let denied = no.denied.unwrap_or_else(|| panic!("{what}: yes"));
        assert_eq!(
            (no.status.unwrap().code, denied.status.unwrap().code),
            (PERMISSION_DENIED, 400),
            "{what}"
        );
        assert!(denied.headers.iter().all(|l| !l.header.as_ref().unwrap().key.starts_with("x-anteroom")));
    }
}

/// What is no call of `Check`, or no message: a failure for readers of gRPC, and never a yes.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_question_fails() {
    let site = site(Plan::ada()).await;
    let cookie = sign_in(&site).await;
    let good = Question::to("/x").with(&[("Cookie", &cookie)]).message(&site.host());
    let mut long = good.clone();
    long.http().body = "b".repeat(200 * 1024);
    assert_eq!(check(site.address(), &long).await.code, Some(0), "a body that Envoy sends along is not read");
    long.http().body = "b".repeat(257 * 1024);
    let good = good.encode_to_vec();
    let [whole, cut, compressed] = [framed(&good), framed(&good[..good.len() - 1]), {
        let mut bytes = framed(&good).to_vec();
        bytes[0] = 1;
        bytes.into()
    }];
    let short = whole.slice(..whole.len() - 1);
    let other = "/envoy.service.auth.v3.Authorization/Other";
    let old = "/envoy.service.auth.v2.Authorization/Check";
    let health = "/grpc.health.v1.Health/Check";
    let slash = &format!("{CHECK}/");
    let json = ("content-type", "application/json");
    let web = ("content-type", "application/grpc-web");
    let gzip = ("grpc-encoding", "gzip");
    let plus = ("content-type", "application/grpc+proto");
    for (path, headers, body, http, code) in [
        (CHECK, vec![GRPC], whole.clone(), 200, 0),
        (CHECK, vec![plus], whole.clone(), 200, 0),
        (other, vec![GRPC], whole.clone(), 404, UNIMPLEMENTED),
        (old, vec![GRPC], whole.clone(), 404, UNIMPLEMENTED),
        (health, vec![GRPC], Bytes::new(), 404, UNIMPLEMENTED),
        (slash, vec![GRPC], whole.clone(), 404, UNIMPLEMENTED),
        (CHECK, vec![json], whole.clone(), 415, 3),
        (CHECK, vec![web], whole.clone(), 415, 3),
        (CHECK, vec![], whole.clone(), 415, 3),
        (CHECK, vec![GRPC, gzip], compressed.clone(), 200, UNIMPLEMENTED),
        (CHECK, vec![GRPC], compressed, 200, 13),
        (CHECK, vec![GRPC], Bytes::new(), 200, 13),
        (CHECK, vec![GRPC], cut, 200, 13),
        (CHECK, vec![GRPC], short, 200, 13),
        (CHECK, vec![GRPC], framed(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 200, 13),
        (CHECK, vec![GRPC], framed(&long.encode_to_vec()), 200, 11),
        (CHECK, vec![GRPC], Bytes::from_static(b"\x00\xff\xff\xff\xff"), 200, 11),
    ] {
        let called = call(site.address(), path, &headers, body).await;
        assert_eq!((called.http, called.code), (http, Some(code)), "{path} {headers:?} {called:?}");
    }
    let plain = format!(
        "POST {CHECK} HTTP/1.1\r\nHost: x\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!(exchange(site.address(), plain).await.status, 400, "gRPC over HTTP/1.1 there is none");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_gateways_without_the_key_hear_permission_denied() {
    const KEY: &str = "a-gateway-key-0123456789-abcdefghijklmn";
    const NAME: &str = "x-anteroom-gateway-key";
    let all = "trusted_proxies = [\"127.0.0.1\"]";
    for (settings, key, admitted) in [
        (all.to_owned(), None, true),
        ("trusted_proxies = [\"192.0.2.0/24\"]".to_owned(), None, false),
        (format!("{all}\nkey = \"{KEY}\""), Some(KEY), true),
        (format!("{all}\nkey = \"{KEY}\""), Some("wrong"), false),
        (format!("{all}\nkey = \"{KEY}\""), None, false),
    ] {
        let site = Site::with(Plan::ada().gateway(Gateway { settings, ..Gateway::none() })).await;
        // The key among the client's own headers is no key.
        let message = Question::to("/").headers(SCRIPT).with(&[(NAME, KEY)]).message(&site.host());
        let metadata: Vec<_> = [GRPC].into_iter().chain(key.map(|key| (NAME, key))).collect();
        let called = call(site.address(), CHECK, &metadata, framed(&message.encode_to_vec())).await;
        let want = if admitted { (200, Some(0)) } else { (403, Some(PERMISSION_DENIED)) };
        assert_eq!((called.http, called.code), want, "{key:?} {called:?}");
        assert!(admitted || called.body.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_logged_as_the_original_request() {
    let site = site(Plan::ada()).await;
    let cookie = sign_in(&site).await;
    let message = Question::to("/board?secret=1").with(&[("Cookie", &cookie)]).message(&site.host());
    check(site.address(), &message).await.message();
    let lines = site.log.lines();
    let line = lines.iter().rfind(|line| line.contains("/board")).unwrap_or_else(|| panic!("{lines:?}"));
    for part in ["client: 198.51.100.7", "method: \"GET\"", "path: \"/board\"", "status: 200", "signed_in"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(!line.contains("secret"), "{line}");
}
