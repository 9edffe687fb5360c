//! Inputs that made other forward-auth servers say yes, sent as raw bytes in every dialect. Each row names its source;
//! what a row cannot be in a dialect is left out of it with the reason.

use super::super::support::raw::exchange;
use super::super::support::site::{Plan, Site};
use super::rig::{ALL, Dialect, Question, SCRIPT, sign_in, site};

const ROUTES: &str = "[access]\nallow_any_atlassian_account = true\n\
    [[routes]]\nprefix = \"/public\"\naccess = \"public\"\n\
    [[routes]]\npath = \"/api/health\"\naccess = \"public\"\n\
    [[routes]]\nglob = \"/api/*/status\"\naccess = \"public\"\n\
    [[routes]]\nglob = \"/foo/*/bar\"\naccess = \"public\"\n";

async fn guarded() -> Site {
    site(Plan::ada().config(ROUTES)).await
}

/// No request without a session may be let through to anything but the public routes, whatever reading of its path a
/// server behind the gateway prefers.
#[tokio::test(flavor = "multi_thread")]
async fn paths_with_two_readings_are_never_public() {
    let site = guarded().await;
    for target in [
        // GHSA-7rh7-c77v-6434: the query does not decide.
        "/api/private/sensitive?path=/status",
        "/admin?x=/public",
        // GHSA-pxq7-h93f-9jrg, CVE-2021-39206: neither does a fragment, raw or encoded.
        "/foo/secret%23/bar",
        "/foo/secret#/bar",
        "/admin#/public",
        // An unnormalised path: the gateway routes one thing, the rule reads another.
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/..%2fadmin",
        "/public/%2e%2e%2fadmin",
        "/public/%252e%252e/admin",
        "/public//../admin",
        "/public/..;/admin",
        "/public/..;x=1/admin",
        "/public\\..\\admin",
        "/public/..%5cadmin",
        "/public/%5c../admin",
        "/api/health/../users",
        "/api/healthX",
        "/public%2f..%2fadmin",
        "/public%00/admin",
        "/Public/../admin",
        "//public/admin",
        "/./public/../admin",
        "/public%",
        "/public/%zz",
        "/public/%c0%ae%c0%ae/admin",
        "/publicity",
        "/PUBLIC",
    ] {
        for dialect in ALL {
            let answer = Question::to(target).headers(SCRIPT).ask(dialect, &site).await;
            assert!((400..500).contains(&answer.status), "{dialect:?} {target}: {}", answer.status);
        }
    }
    for target in ["/public/x", "/public/x?a=/../admin", "/api/v1/status", "/api/health"] {
        for dialect in ALL {
            assert_eq!(
                Question::to(target).headers(SCRIPT).ask(dialect, &site).await.status,
                200,
                "{target}"
            );
        }
    }
}

/// CVE-2026-40575, CVE-2026-35051 and their kin: a client writes the other family's headers through its gateway.
#[tokio::test(flavor = "multi_thread")]
async fn no_dialect_listens_to_the_headers_of_another() {
    let site = guarded().await;
    let host = site.host();
    let url = format!("http://{host}/public");
    let forged: &[(&str, &str)] = &[
        ("X_Original_URL", &url),
        ("X.Original.URL", &url),
        ("X-Original-Uri", "/public"),
        ("X-Rewrite-Url", "/public"),
        ("X-Forwarded-Prefix", "/public"),
        ("X_Forwarded_Uri", "/public"),
        ("X-Forwarded-Path", "/public"),
        ("X-HTTP-Method-Override", "GET"),
        ("X-Envoy-Original-Path", "/public"),
        ("X-Auth-Request-Redirect", "/public"),
        ("Forwarded", "for=127.0.0.1;host=localhost"),
        ("X-Real-IP", "127.0.0.1"),
        ("X-Anteroom-Account-Id", "557058:admin"),
        ("X-Code", "200"),
    ];
    let of_nginx: &[(&str, &str)] = &[("X-Original-URL", &url), ("X-Original-Method", "GET")];
    let of_traefik: &[(&str, &str)] =
        &[("X-Forwarded-Uri", "/public"), ("X-Forwarded-Host", &host), ("X-Forwarded-Method", "GET")];
    for (dialect, others) in [
        (Dialect::Nginx, of_traefik.to_vec()),
        (Dialect::Forward, of_nginx.to_vec()),
        (Dialect::Envoy, [of_nginx, of_traefik].concat()),
        (Dialect::Grpc, [of_nginx, of_traefik].concat()),
    ] {
        let question = Question::to("/admin").headers(SCRIPT).with(forged).with(&others);
        let answer = question.ask(dialect, &site).await;
        assert_eq!(answer.status, 401, "{dialect:?}: {}", answer.text());
    }
}

/// Missing, doubled, unreadable (CVE-2021-32637): never a yes, and in words that the gateway passes on.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused() {
    let site = guarded().await;
    let cookie = sign_in(&site).await;
    let host = site.host();
    let nginx = |lines: &str| {
        format!("GET /_anteroom/verify/nginx HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n{lines}\r\n")
    };
    let forward = |lines: &str| {
        format!("GET /_anteroom/verify/forward HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n{lines}\r\n")
    };
    let envoy = |line: &str, lines: &str| format!("{line} HTTP/1.1\r\nCookie: {cookie}\r\n{lines}\r\n");
    let url = format!("X-Original-URL: http://{host}/x\r\n");
    let method = "X-Original-Method: GET\r\n";
    let (m, h, u) =
        ("X-Forwarded-Method: GET\r\n", format!("X-Forwarded-Host: {host}\r\n"), "X-Forwarded-Uri: /x\r\n");
    for (asked, status) in [
        (nginx(&format!("{url}{method}")), 200),
        (nginx(""), 403),
        (nginx(&url), 403),
        (nginx(method), 403),
        (nginx(&format!("{url}{url}{method}")), 403),
        (nginx(&format!("{url}{method}{method}")), 403),
        (nginx(&format!("X-Original-URL: http://[::1\r\n{method}")), 403),
        (nginx(&format!("X-Original-URL: \r\n{method}")), 403),
        (nginx(&format!("X-Original-URL: http://{host}/\x01\r\n{method}")), 400),
        (nginx(&format!("X-Original-URL: http://{host}/\u{e9}\u{202e}%\r\n{method}")), 403),
        (nginx(&format!("X-Original-URL: http://{host}/x, http://{host}/public\r\n{method}")), 403),
        (nginx(&format!("{url}X-Original-Method: get\r\n")), 403),
        (nginx(&format!("{url}X-Original-Method: FOO%0a\r\n")), 403),
        (nginx(&format!("{url}X-Original-Method: TRACE\r\n")), 403),
        (nginx(&format!("{url}X-Original-Method: CONNECT\r\n")), 403),
        (forward(&format!("{m}{h}{u}")), 200),
        (forward(""), 400),
        (forward(&format!("{h}{u}")), 400),
        (forward(&format!("{m}{u}")), 400),
        (forward(&format!("{m}{h}")), 400),
        (forward(&format!("{m}{h}{u}{u}")), 400),
        (forward(&format!("{m}{h}{h}{u}")), 400),
        (forward(&format!("{m}{h}X-Forwarded-Uri: \r\n")), 400),
        (forward(&format!("{m}{h}X-Forwarded-Uri: http://{host}/public\r\n")), 400),
        (forward(&format!("{m}{h}{u}X-Forwarded-Proto: javascript\r\n")), 400),
        (forward(&format!("{m}X-Forwarded-Host: evil.example, {host}\r\n{u}")), 400),
        (envoy("GET /_anteroom/verify/envoy/x", &format!("Host: {host}\r\n")), 200),
        (envoy("GET /_anteroom/verify/envoy", &format!("Host: {host}\r\n")), 400),
        (envoy("GET /_anteroom/verify/envoy/x", ""), 400),
        (envoy("GET /_anteroom/verify/envoy/x", &format!("Host: {host}\r\nHost: {host}\r\n")), 400),
        (envoy("GET /_anteroom/verify/envoyx", &format!("Host: {host}\r\n")), 404),
        (envoy("get /_anteroom/verify/envoy/x", &format!("Host: {host}\r\n")), 400),
    ] {
        let answer = exchange(site.address(), &asked).await;
        assert_eq!(answer.status, status, "{asked}\n{}", answer.text());
    }
}

/// GHSA-5hvv-m4w4-gf6v: nobody's user agent is a ticket. CVE-2022-29226: neither is a bearer token.
#[tokio::test(flavor = "multi_thread")]
async fn probes_and_tokens_open_nothing() {
    let site = guarded().await;
    for (name, value) in [
        ("User-Agent", "GoogleHC/1.0"),
        ("User-Agent", "kube-probe/1.29"),
        ("User-Agent", "ELB-HealthChecker/2.0"),
        ("Authorization", "Bearer anything"),
        ("Authorization", "Basic YWRhOmFkYQ=="),
        ("X-Anteroom-Assertion", "eyJhbGciOiJub25lIn0.e30."),
        ("X-Forwarded-User", "admin"),
        ("Cookie", "anteroom=garbage"),
        ("Cookie", "anteroom="),
        ("Cookie", "anteroom=AAAA; anteroom=BBBB"),
        ("Cookie", ";"),
        ("Cookie", "="),
        ("Cookie", "a; ;b"),
    ] {
        for dialect in ALL {
            let answer =
                Question::to("/admin").headers(SCRIPT).with(&[(name, value)]).ask(dialect, &site).await;
            assert_eq!(answer.status, 401, "{dialect:?} {name}: {value}");
        }
    }
}

/// `?allowed_groups=` and the like: the question has no parameters, so none can open or narrow it.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_has_no_parameters() {
    let site = guarded().await;
    for query in ["?allowed_groups=", "?rd=/public", "?uri=/public", "?x#y"] {
        let asked = format!(
            "GET /_anteroom/verify/forward{query} HTTP/1.1\r\nHost: x\r\nX-Forwarded-Method: GET\r\n\
             X-Forwarded-Host: {}\r\nX-Forwarded-Uri: /admin\r\nAccept: */*\r\n\r\n",
            site.host()
        );
        assert_eq!(exchange(site.address(), asked).await.status, 401, "{query}");
    }
}

/// A client that names the identity headers in `Connection` must not be able to take them away.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_client_names_goes_missing() {
    let site = guarded().await;
    let cookie = sign_in(&site).await;
    let forged = [
        ("Cookie", cookie.as_str()),
        ("Connection", "close, X-Anteroom-Email, X-Anteroom-Account-Id"),
        ("X-Anteroom-Email", "evil@example.com"),
        ("x_anteroom_email", "evil@example.com"),
    ];
    for dialect in ALL {
        let answer = Question::to("/x").with(&forged).ask(dialect, &site).await;
        assert_eq!(answer.head.all("x-anteroom-email"), ["ada@example.com"], "{dialect:?}");
        assert!(answer.header("x-anteroom-account-id").is_some());
    }
}
