//! What every gateway has to hold to, seen from the app: who it is told of, and what never reaches it.
//!
//! Anteroom is played by a stand-in that knows one session and speaks only the part of the contract that gateways see:
//! `200` with every identity header, or `302` to the sign-in page (for nginx, `401` with its address).

use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;

use super::{free_address, nobody_at, printed};
use crate::support::process::Process;
use crate::support::raw::{RawClient, RawResponse, exchange};
use crate::support::upstream::{Answer, Request, Upstream};

/// What the stand-in says of the one who is signed in; `-` for what it does not know.
const IDENTITY: &[(&str, &str)] = &[
    ("X-Anteroom-Account-Id", "712020:ada"),
    ("X-Anteroom-Email", "ada@example.com"),
    ("X-Anteroom-Email-Verified", "true"),
    ("X-Anteroom-Name", "Ada"),
    ("X-Anteroom-Picture", "-"),
    ("X-Anteroom-New-User", "false"),
    ("X-Anteroom-Assertion", "e30.e30.c2ln"),
];
const FORGED: &[&str] = &[
    "X-Anteroom-Email",
    "X-Anteroom-Account-Id",
    "X-Anteroom-Assertion",
    "X-Anteroom-Groups",
    "Remote-User",
    "Remote-Email",
    "X-Forwarded-User",
    "X-Forwarded-Prefix",
    "X-Auth-Request-Email",
    "X-Original-Url",
    "X-Rewrite-Url",
    "X-Http-Method-Override",
];
/// What would make the request look like one for a public page to an Anteroom that read the wrong header.
const ELSEWHERE: &str = "X-Original-URL: http://localhost/public\r\nX-Original-Method: OPTIONS\r\nX-Forwarded-Uri: /public\r\n\
                         X_Forwarded_Uri: /public\r\nX-Forwarded-Method: OPTIONS\r\nX-Rewrite-Url: /public\r\n";

/// A stand-in, an app, and the configuration that puts a gateway between them.
pub(crate) struct Setting {
    pub(crate) gateway: SocketAddr,
    /// As the browser sends it.
    pub(crate) host: String,
    pub(crate) configuration: String,
    /// nginx and HAProxy cannot: they answer a denial themselves.
    relays_denials: bool,
    /// Traefik cannot.
    strips_cookies: bool,
    /// The others pass the path on as it came.
    refuses_escaped_slashes: bool,
    flags: Vec<String>,
    anteroom: Upstream,
    app: Upstream,
    folder: TempDir,
}

impl Setting {
    /// For `anteroom config` with these arguments.
    pub(crate) async fn new(arguments: &[&str]) -> Self {
        let (gateway, folder) = (free_address(), TempDir::new().unwrap());
        let host = format!("localhost:{}", gateway.port());
        let (anteroom, app) = (Upstream::with(stand_in).await, Upstream::with(app).await);
        let file = folder.path().join("anteroom.toml");
        let text = format!(
            "public_url = \"http://{host}\"\n[atlassian]\nclient_id = \"anteroomdemoclient00000000000001\"\n\
             client_secret = \"tests-only-secret-0123456789-abcdefghij\"\n[forward_auth]\ntrusted_proxies = [\"127.0.0.1\"]\n\
             [access]\nallow_any_atlassian_account = true\n\
             [session]\nsecret = \"tests-only-secret-0123456789-abcdefghij\"\n"
        );
        std::fs::write(&file, text).unwrap();
        let (listen, verifier) = (gateway.to_string(), anteroom.address().to_string());
        let flags =
            ["--listen", &listen, "--anteroom", &verifier, "--upstream", &app.url()].map(str::to_owned);
        let configuration = String::new();
        let mut setting = Self {
            gateway,
            host,
            configuration,
            relays_denials: !matches!(arguments[0], "nginx" | "haproxy"),
            strips_cookies: matches!(arguments[0], "nginx" | "haproxy" | "caddy" | "envoy"),
            refuses_escaped_slashes: matches!(arguments[0], "envoy" | "traefik"),
            flags: flags.into(),
            anteroom,
            app,
            folder,
        };
        setting.configuration = setting.printed(arguments);
        setting
    }

    /// What `anteroom config` prints with these arguments, for the same gateway at the same address.
    pub(crate) fn printed(&self, arguments: &[&str]) -> String {
        let flags = self.flags.iter().map(String::as_str);
        let arguments: Vec<&str> = arguments.iter().copied().chain(flags).collect();
        printed(&self.folder.path().join("anteroom.toml"), &arguments)
    }

    /// For the gateway's files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    async fn ask(&self, request_line: &str, headers: &str) -> RawResponse {
        let Self { host, .. } = self;
        let bytes = format!("{request_line} HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\n\r\n");
        exchange(self.gateway, bytes).await
    }

    /// A request with a session, as the app got it.
    async fn as_the_app_gets_it(&self, target: &str, headers: &str) -> Request {
        let before = self.app.requests().len();
        let headers = format!("Cookie: theme=dark; anteroom=ok\r\n{headers}");
        let answer = self.ask(&format!("GET {target}"), &headers).await;
        assert_eq!((answer.status, self.app.requests().len()), (200, before + 1), "{target}: {answer:?}");
        self.app.last()
    }
}

/// Everything that a gateway has to hold to. Ends with Anteroom gone.
pub(crate) async fn all(setting: Setting, gateway: &Process) {
    forged_names_do_not_reach_the_app(&setting).await;
    a_client_cannot_take_our_headers_away(&setting).await;
    forged_originals_do_not_decide(&setting).await;
    anteroom_is_told_by_the_gateway(&setting).await;
    denials_arrive_whole(&setting).await;
    own_pages_are_not_asked_about(&setting).await;
    nobody_asks_from_outside(&setting).await;
    hosts_are_known_ones(&setting).await;
    bodies_and_web_sockets_pass(&setting).await;
    without_anteroom_nothing_passes(setting).await;
    assert!(!gateway.output().to_ascii_lowercase().contains("deprecated"), "{}", gateway.output());
}

async fn forged_names_do_not_reach_the_app(setting: &Setting) {
    for name in FORGED {
        let spellings = [
            (*name).to_owned(),
            name.to_ascii_uppercase(),
            name.replace('-', "_"),
            name.replace('-', "."),
            name.replacen('-', "_", 1),
        ];
        let forged: String = spellings.iter().map(|name| format!("{name}: evil\r\n")).collect();
        let seen = setting.as_the_app_gets_it("/deep/a%20b?x=1&y=%2F", &forged).await;
        assert!(!String::from_utf8_lossy(&seen.head.raw).contains("evil"), "{name}: {:?}", seen.head);
        assert_eq!(seen.target(), "/deep/a%20b?x=1&y=%2F");
        for (name, value) in IDENTITY {
            assert_eq!(seen.all(name), [*value], "{name}");
        }
        let cookies = seen.header("Cookie").unwrap_or_default();
        assert!(cookies.contains("theme=dark"), "{cookies:?}");
        assert!(!setting.strips_cookies || cookies == "theme=dark", "{cookies:?}");
    }
    // Not even where Anteroom's answer lacks the name.
    let seen =
        setting.as_the_app_gets_it("/silent", "X-Anteroom-Name: evil\r\nx_anteroom_name: evil\r\n").await;
    assert!(!String::from_utf8_lossy(&seen.head.raw).contains("evil"), "{:?}", seen.head);
}

async fn a_client_cannot_take_our_headers_away(setting: &Setting) {
    let seen =
        setting.as_the_app_gets_it("/", "Connection: X-Anteroom-Email, x-anteroom-assertion\r\n").await;
    for (name, value) in IDENTITY {
        assert_eq!(seen.all(name), [*value], "{name}");
    }
}

async fn forged_originals_do_not_decide(setting: &Setting) {
    let before = setting.app.requests().len();
    for target in [
        "/secret",
        "/public/../secret",
        "/public/%2e%2e/secret",
        "/public/..%2fsecret",
        "/_anteroom/../secret",
    ] {
        let answer = setting.ask(&format!("GET {target}"), ELSEWHERE).await;
        let at_anteroom = answer.text() == "a page of Anteroom" && target.starts_with("/_anteroom/");
        assert!(at_anteroom || matches!(answer.status, 302 | 400 | 403), "{target}: {answer:?}");
    }
    assert_eq!(setting.app.requests().len(), before);
}

async fn anteroom_is_told_by_the_gateway(setting: &Setting) {
    let forged = "X-Forwarded-For: 198.51.100.9\r\nX-Forwarded-Host: elsewhere.example\r\nX-Forwarded-Port: 66600\r\n\
                  X-Forwarded-Proto: gopher\r\nForwarded: for=198.51.100.9\r\n";
    setting.as_the_app_gets_it("/deep", forged).await;
    let question = setting.anteroom.last();
    assert!(question.target().starts_with("/_anteroom/verify/"), "{question:?}");
    let told = String::from_utf8_lossy(&question.head.raw);
    for forged in ["198.51.100.9", "elsewhere.example", "66600", "gopher"] {
        assert!(!told.contains(forged), "{forged}:\n{told}");
    }

    let before = setting.app.requests().len();
    let escaped = setting.ask("GET /deep%2Fdeeper", "Cookie: anteroom=ok\r\n").await;
    if setting.refuses_escaped_slashes {
        assert_eq!((escaped.status, setting.app.requests().len()), (400, before), "{escaped:?}");
    } else {
        assert_eq!(setting.app.last().target(), "/deep%2Fdeeper");
    }
}

async fn denials_arrive_whole(setting: &Setting) {
    let answer = setting.ask("GET /deep?a=1&b=2", "").await;
    assert_eq!(answer.status, 302);
    assert_eq!(answer.header("Location"), Some("http://localhost/_anteroom/sign-in"));
    assert_eq!(answer.all("Set-Cookie"), ["anteroom-flow-1=x; Path=/"]);
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    if !setting.relays_denials {
        return;
    }
    assert_eq!(answer.header("Content-Security-Policy"), Some("default-src 'none'"));
    assert_eq!(answer.text(), "sign in");
}

async fn own_pages_are_not_asked_about(setting: &Setting) {
    for target in ["/_anteroom/sign-in?return_to=%2Fa%26b", "/api/auth/callback/atlassian?code=1&state=2"] {
        let before = setting.anteroom.requests().len();
        let answer =
            setting.ask(&format!("GET {target}"), "Cookie: anteroom-flow-1=x; anteroom=ok\r\n").await;
        let asked: Vec<Request> = setting.anteroom.requests().split_off(before);
        assert_eq!((answer.status, asked.len()), (200, 1), "{target}: {asked:?}");
        assert_eq!((asked[0].target(), asked[0].header("Host")), (target, Some(setting.host.as_str())));
        assert_eq!(asked[0].header("Cookie"), Some("anteroom-flow-1=x; anteroom=ok"));
        assert!(asked[0].header("X-Forwarded-For").is_some());
    }
}

async fn nobody_asks_from_outside(setting: &Setting) {
    let session = "Cookie: anteroom=ok\r\nX-Forwarded-Uri: /public\r\n";
    for target in [
        "/_anteroom/verify/forward",
        "/_anteroom/verify/envoy/",
        "/_anteroom/%76erify/nginx",
        "/_anteroom//verify/forward",
    ] {
        let answer = setting.ask(&format!("GET {target}"), session).await;
        assert!(matches!(answer.status, 400 | 403 | 404), "{target}: {answer:?}");
        assert_eq!(answer.header("X-Anteroom-Email"), None, "{target}");
    }
}

async fn hosts_are_known_ones(setting: &Setting) {
    let elsewhere =
        "GET / HTTP/1.1\r\nHost: other.example\r\nCookie: anteroom=ok\r\nConnection: close\r\n\r\n";
    let before = setting.app.requests().len();
    let absolute = setting.ask("GET http://other.example/", "Cookie: anteroom=ok\r\n").await;
    for answer in [exchange(setting.gateway, elsewhere).await, absolute] {
        assert!(matches!(answer.status, 400 | 404 | 421), "{answer:?}");
    }
    assert_eq!(setting.app.requests().len(), before);
}

async fn bodies_and_web_sockets_pass(setting: &Setting) {
    let session = "Cookie: anteroom=ok\r\n";
    let body = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n";
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let mut client = RawClient::connect(setting.gateway).await;
        client
            .send(format!("{method} /form HTTP/1.1\r\nHost: {}\r\n{session}{body}\r\n", setting.host))
            .await;
        assert_eq!(client.response_to(method).await.status, 200, "{method}");
        let seen = setting.app.last();
        assert_eq!((seen.method(), seen.body.as_slice()), (method, b"hello".as_slice()));
    }

    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut client = RawClient::connect(setting.gateway).await;
    client.send(format!("GET /socket HTTP/1.1\r\nHost: {}\r\n{session}{upgrade}", setting.host)).await;
    assert_eq!(client.head().await.start_line, "HTTP/1.1 101 Switching Protocols");
    client.send("to and fro").await;
    assert_eq!(client.bytes(10).await, b"to and fro");
    assert_eq!(setting.app.last().all("X-Anteroom-Email"), ["ada@example.com"]);

    let before = setting.app.requests().len();
    let mut client = RawClient::connect(setting.gateway).await;
    client.send(format!("GET /socket HTTP/1.1\r\nHost: {}\r\n{upgrade}", setting.host)).await;
    assert_eq!((client.response().await.status, setting.app.requests().len()), (302, before));
}

async fn without_anteroom_nothing_passes(setting: Setting) {
    let Setting { gateway, host, anteroom, app, .. } = setting;
    let address = anteroom.address();
    drop(anteroom);
    let _nobody = nobody_at(address).await;
    let before = app.requests().len();
    let question =
        format!("GET /public HTTP/1.1\r\nHost: {host}\r\nCookie: anteroom=ok\r\nConnection: close\r\n\r\n");
    let answer = exchange(gateway, question).await;
    assert!(answer.status >= 500, "{answer:?}");
    assert_eq!(app.requests().len(), before);
}

fn app(request: &Request) -> Answer {
    match request.header("Upgrade") {
        Some(_) => Answer::raw(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        )
        .then_echo(),
        None => Answer::ok("ok"),
    }
}

/// Anteroom, as far as a gateway sees it.
fn stand_in(request: &Request) -> Answer {
    let original = match request.target().strip_prefix("/_anteroom/verify") {
        None => return Answer::ok("a page of Anteroom"),
        Some("/forward") => request.header("X-Forwarded-Uri").unwrap_or_default(),
        Some("/nginx") => path_of(request.header("X-Original-URL").unwrap_or_default()),
        Some(rest) => rest.strip_prefix("/envoy").unwrap_or_default(),
    };
    if original.starts_with("/_anteroom/") {
        return Answer::raw("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    }
    let session = request.header("Cookie").is_some_and(|cookie| cookie.contains("anteroom=ok"));
    let climbs = original.contains("..") || original.to_ascii_lowercase().contains("%2e");
    if session || (original.starts_with("/public") && !climbs) {
        let told = |(name, value): &(&str, &str)| format!("{name}: {value}\r\n");
        let silent = original.starts_with("/silent");
        let headers: String =
            IDENTITY.iter().filter(|(name, _)| !silent || *name != "X-Anteroom-Name").map(told).collect();
        return Answer::raw(format!(
            "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n{headers}Content-Length: 0\r\n\r\n"
        ));
    }
    let status = if request.target().ends_with("/nginx") { "401 Unauthorized" } else { "302 Found" };
    Answer::raw(format!(
        "HTTP/1.1 {status}\r\nLocation: http://localhost/_anteroom/sign-in\r\nSet-Cookie: anteroom-flow-1=x; Path=/\r\n\
         Cache-Control: no-store\r\nContent-Security-Policy: default-src 'none'\r\nContent-Length: 7\r\n\r\nsign in",
    ))
}

/// Path and query of an absolute URL.
fn path_of(url: &str) -> &str {
    let behind_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    behind_scheme.find('/').map_or("/", |at| &behind_scheme[at..])
}
