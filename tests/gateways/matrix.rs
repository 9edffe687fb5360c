//! Every gateway against every case: what a browser gets, and what reaches the app.

use std::time::Duration;

use super::super::support::gateway::nobody_at;
use super::super::support::person::Person;
use super::world::{Program, World};
use super::{settings, stranger, upgrades};

const NAVIGATION: &[(&str, &str)] =
    &[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), ("Accept", "text/html")];
const SCRIPT: &[(&str, &str)] =
    &[("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty"), ("Accept", "application/json")];
const IDENTITY: [&str; 7] = [
    "X-Anteroom-Account-Id",
    "X-Anteroom-Email",
    "X-Anteroom-Email-Verified",
    "X-Anteroom-Name",
    "X-Anteroom-Picture",
    "X-Anteroom-New-User",
    "X-Anteroom-Assertion",
];
/// Names that no client may bring to the app, whoever sets them.
const OTHERS: [&str; 22] = [
    "Remote-User",
    "Remote-Email",
    "Remote-Groups",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Rewrite-Url",
    "X-Http-Method-Override",
    "Forwarded",
    "X-Real-IP",
    "True-Client-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Forwarded-Port",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Original-Host",
    "X-Scheme",
    "Proxy",
    "HTTP2-Settings",
];
const DEEP: &str = "/board/a%20b?id=1&x=%2F%26&y=%25";

macro_rules! each_gateway {
    ($($name:ident: $program:ident,)*) => {
        $(mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn asks_and_obeys() {
                every_case(Program::$program).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn passes_web_sockets_and_no_other_upgrade() {
                upgrades::only_web_sockets(&World::open(Program::$program).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn has_settings_that_hold() {
                settings::hold(&World::open(Program::$program).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn does_not_obey_another_server() {
                stranger::is_not_obeyed(World::open(Program::$program).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn an_account_that_may_not_come_in_stays_out() {
                denied_account(Program::$program).await;
            }
        })*
    };
}

each_gateway! {
    nginx: Nginx,
    new_nginx: NewNginx,
    traefik: Traefik,
    caddy: Caddy,
    envoy: Envoy,
    envoy_grpc: EnvoyGrpc,
    haproxy: Haproxy,
}

async fn every_case(program: Program) {
    let world = World::open(program).await;
    without_session(&world).await;
    public_route(&world).await;
    forged_urls(&world).await;
    unknown_host(&world).await;
    deep_link(&world).await;
    let session = world.session().await;
    signed_in(&world, &session).await;
    forged_identity(&world, &session).await;
    bodies(&world, &session).await;
    web_socket(&world, &session).await;
    many_cookies(&world, &session).await;
    two_cookies(&world, &session).await;
    closed_route(&world, &session).await;
    expired_session(&world, &session).await;
    anteroom_down(world).await;
}

async fn without_session(world: &World) {
    let reached = world.reached();
    let page = world.ask("GET", DEEP, NAVIGATION).await;
    assert_eq!(page.status, 302, "{}", page.text());
    let back: String = url::form_urlencoded::byte_serialize(DEEP.as_bytes()).collect();
    let way_in = world.site.url(&format!("/_anteroom/sign-in?return_to={back}"));
    assert_eq!(page.header("location"), Some(way_in.as_str()), "a deep link comes back whole");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let form = world.ask("POST", "/form", &[NAVIGATION, &[("Content-Length", "0")]].concat()).await;
    assert!(matches!(form.status, 302 | 303), "a form sent without a session: {}", form.status);
    for method in ["GET", "POST", "DELETE"] {
        let script = world.ask(method, "/api", &[SCRIPT, &[("Content-Length", "0")]].concat()).await;
        assert_eq!(script.status, 401, "{method}: {}", script.text());
        assert_eq!(script.header("location"), None, "a script cannot follow it anyway");
        assert!(script.text().contains("\"unauthenticated\""), "{}", script.text());
        assert!(script.text().contains(&world.site.url("/_anteroom/sign-in")), "{}", script.text());
    }
    for own in ["/_anteroom/sign-in", "/_anteroom/jwks.json", "/.well-known/anteroom"] {
        assert_eq!(world.ask("GET", own, NAVIGATION).await.status, 200, "{own} is Anteroom's own");
    }
    assert_eq!(world.reached(), reached, "nothing reaches the app");
}

async fn public_route(world: &World) {
    let answer = world.ask("GET", "/public/x?y=1", &[("X-Anteroom-Email", "evil@example.com")]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = world.seen();
    assert_eq!(seen.target(), "/public/x?y=1");
    for name in IDENTITY {
        assert!(matches!(seen.all(name)[..], [] | ["-"]), "{name}: {:?}", seen.all(name));
    }
    assert_eq!(world.ask("DELETE", "/public/x", SCRIPT).await.status, 401, "the rule is for GET and HEAD");
}

/// Both families, their twins and path tricks: whatever the client says of another URL, the one it asks for decides.
async fn forged_urls(world: &World) {
    let reached = world.reached();
    let public = world.site.url("/public/x");
    let host = world.site.host();
    let forged: &[(&str, &str)] = &[
        ("X-Original-URL", &public),
        ("X_Original_URL", &public),
        ("X-Original-Method", "GET"),
        ("X-Original-URI", "/public/x"),
        ("X-Forwarded-Uri", "/public/x"),
        ("X_Forwarded_Uri", "/public/x"),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Host", &host),
        ("X-Forwarded-Prefix", "/public"),
        ("X-Rewrite-Url", "/public/x"),
        ("X-HTTP-Method-Override", "GET"),
        ("X-Envoy-Original-Path", "/public/x"),
        ("Forwarded", "for=127.0.0.1;host=localhost"),
    ];
    for (method, target) in [
        ("GET", "/admin"),
        ("GET", "/admin?x=/public/x"),
        ("GET", "/public/../admin"),
        ("GET", "/public/%2e%2e/admin"),
        ("GET", "/public/..%2fadmin"),
        ("GET", "/public/..;/admin"),
        ("GET", "//public/x/../../admin"),
        ("GET", "/_anteroom/../admin"),
        ("DELETE", "/public/x"),
    ] {
        let answer = world.ask(method, target, &[SCRIPT, forged, &[("Content-Length", "0")]].concat()).await;
        assert!(
            (400..500).contains(&answer.status),
            "{method} {target}: {} {}",
            answer.status,
            answer.text()
        );
    }
    for target in ["/_anteroom/verify/nginx", "/_anteroom/verify/forward", "/_anteroom/verify/envoy/public/x"]
    {
        let answer = world.ask("GET", target, &[SCRIPT, forged].concat()).await;
        assert!((400..500).contains(&answer.status), "{target}: {}", answer.status);
    }
    assert_eq!(world.reached(), reached, "nothing reaches the app");
}

async fn unknown_host(world: &World) {
    let reached = world.reached();
    for host in ["evil.example", "localhost.evil.example"] {
        let answer = world.ask_host("GET", "/public/x", host, SCRIPT).await;
        assert!((400..500).contains(&answer.status), "{host}: {}", answer.status);
    }
    assert_eq!(world.reached(), reached);
}

async fn deep_link(world: &World) {
    let mut ada = world.ada(DEEP).await;
    let page = ada.get(&world.site.url(DEEP)).await;
    assert_eq!(page.status, 200);
    assert_eq!(world.seen().target(), DEEP);
    let welcome = ada
        .get(&world.site.url(&format!("/_anteroom/sign-in?return_to={}", "%2Fa%3Fb%3D1%26c%3D%2525")))
        .await;
    assert_eq!(welcome.location().unwrap().as_str(), world.site.url("/a?b=1&c=%25"));
}

async fn signed_in(world: &World, session: &str) {
    let cookies = format!("theme=dark; {session}; last=\"a b\"");
    for _ in 0..3 {
        assert_eq!(world.ask("GET", DEEP, &[("Cookie", &cookies)]).await.status, 200);
        let seen = world.seen();
        assert_eq!(seen.target(), DEEP);
        assert_eq!(seen.all("X-Anteroom-Email"), ["ada@example.com"]);
        assert_eq!(seen.all("X-Anteroom-Name"), ["Ada Lovelace"]);
        assert_eq!(seen.all("X-Anteroom-New-User"), ["false"], "not her first sign-in");
        assert_eq!(seen.all("X-Anteroom-Assertion")[0].split('.').count(), 3);
        let kept = seen.all("Cookie").join("; ");
        assert!(kept.contains("theme=dark") && kept.contains("last=\"a b\""), "{kept}");
        if world.program.keeps_our_cookies_from_the_app() {
            assert!(!kept.contains("anteroom"), "{kept}");
        }
        assert_eq!(seen.header("X-Anteroom-Gateway-Key"), None, "the key is Anteroom's alone");
    }
    assert_eq!(world.ask("HEAD", "/x", &[("Cookie", session)]).await.status, 200);
}

async fn forged_identity(world: &World, session: &str) {
    for name in IDENTITY.into_iter().chain(OTHERS) {
        let twins = [
            name.to_owned(),
            name.to_ascii_uppercase(),
            name.replace('-', "_"),
            name.replace('-', "."),
            name.replace('-', "!"),
            name.replace('-', "~"),
            name.replacen('-', "_", 1),
            name.replace("X-", "x_"),
        ];
        for (target, cookie) in [("/x", session), ("/public/x", "a=1")] {
            let mut headers: Vec<(&str, &str)> = twins.iter().map(|twin| (twin.as_str(), "evil")).collect();
            headers.extend([
                ("Cookie", cookie),
                ("Connection", "close, X-Anteroom-Email, X-Anteroom-Account-Id"),
            ]);
            let reached = world.reached();
            let answer = world.ask("GET", target, &headers).await;
            if answer.status == 400 && world.reached() == reached {
                // A gateway may also refuse such names.
                continue;
            }
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            let seen = world.seen();
            let head = String::from_utf8_lossy(&seen.head.raw);
            assert!(!head.contains("evil"), "{:?} {name} {target}:\n{head}", world.program);
            if target == "/x" {
                assert_eq!(seen.all("X-Anteroom-Email"), ["ada@example.com"], "{head}");
                assert_eq!(seen.all("X-Anteroom-Account-Id").len(), 1, "{head}");
            }
        }
    }
}

async fn bodies(world: &World, session: &str) {
    let host = world.site.host();
    for (framing, sent) in [
        (("Content-Length", "11"), "hello=world"),
        (("Transfer-Encoding", "chunked"), "5\r\nhello\r\n6\r\n=world\r\n0\r\n\r\n"),
    ] {
        let headers = [("Cookie", session), ("Content-Type", "application/x-www-form-urlencoded"), framing];
        let mut client = world.connect("POST", "/form?x=1", &host, &headers).await;
        client.send(sent).await;
        assert_eq!(client.response().await.status, 200);
        let seen = world.seen();
        assert_eq!((seen.method(), seen.body.as_slice()), ("POST", b"hello=world".as_slice()));
    }
}

async fn web_socket(world: &World, session: &str) {
    let host = world.site.host();
    let handshake: &[(&str, &str)] = &[
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let with_session = [handshake, &[("Cookie", session)]].concat();
    let mut client = world.connect("GET", "/socket", &host, &with_session).await;
    assert_eq!(client.head().await.start_line, "HTTP/1.1 101 Switching Protocols");
    client.send("to and fro").await;
    assert_eq!(client.bytes(10).await, b"to and fro");
    assert_eq!(world.seen().all("X-Anteroom-Email"), ["ada@example.com"]);
    let reached = world.reached();
    let refused = world.ask("GET", "/socket", handshake).await;
    assert!(matches!(refused.status, 401 | 302), "{}", refused.status);
    assert_eq!(world.reached(), reached);
}

async fn many_cookies(world: &World, session: &str) {
    let cookies = format!("big={}; {session}", "c".repeat(8192));
    let answer = world.ask("GET", "/x", &[("Cookie", &cookies)]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(world.seen().all("Cookie").join("; ").contains(&"c".repeat(8192)));
}

/// The app's own two cookies, and the two that a sign-in sets: neither are joined into a line that no browser reads.
async fn two_cookies(world: &World, session: &str) {
    let answer = world.ask("GET", "/x", &[("Cookie", session)]).await;
    assert_eq!(
        answer.head.all("set-cookie"),
        [
            "one=1; Path=/; HttpOnly; SameSite=Lax",
            "two=\"2,2\"; Path=/x; Expires=Wed, 09 Jun 2032 10:18:14 GMT"
        ],
        "byte for byte"
    );
    let leftover = [NAVIGATION, &[("Cookie", "anteroom-flow-00000000=junk")]].concat();
    let start = world.ask("GET", "/_anteroom/start", &leftover).await;
    assert_eq!((start.status, start.head.all("set-cookie").len()), (302, 2), "{:?}", start.head);
}

async fn closed_route(world: &World, session: &str) {
    let reached = world.reached();
    assert_eq!(world.ask("GET", "/closed/x", &[("Cookie", session)]).await.status, 403);
    assert_eq!(world.reached(), reached);
}

async fn expired_session(world: &World, session: &str) {
    world.later(Duration::from_secs(31 * 60));
    let reached = world.reached();
    let page = world.ask("GET", "/x", &[NAVIGATION, &[("Cookie", session)]].concat()).await;
    assert_eq!(page.status, 302, "{}", page.text());
    let set = page.head.all("set-cookie");
    assert!(set.len() == 1 && set[0].starts_with("anteroom=;"), "the dead cookie goes: {set:?}");
    assert_eq!(world.ask("GET", "/x", &[SCRIPT, &[("Cookie", session)]].concat()).await.status, 401);
    assert_eq!(world.reached(), reached);
}

/// Fail closed: no Anteroom, no app.
async fn anteroom_down(mut world: World) {
    let session = world.session().await;
    assert_eq!(world.ask("GET", "/x", &[("Cookie", &session)]).await.status, 200, "while it is up");
    world.site.stopped().await;
    let _nobody = nobody_at(world.site.address()).await;
    let reached = world.reached();
    for (target, cookie) in [("/x", session.as_str()), ("/x", "a=1"), ("/public/x", "a=1")] {
        let answer = world.ask("GET", target, &[NAVIGATION, &[("Cookie", cookie)]].concat()).await;
        assert!(
            answer.status >= 500 || answer.status == 403,
            "{target}: {} {}",
            answer.status,
            answer.text()
        );
    }
    assert_eq!(world.reached(), reached, "nothing reaches the app");
}

async fn denied_account(program: Program) {
    let world = World::of(program, "[access]\nemails = [\"grace@example.com\"]").await;
    let mut ada = Person::new();
    let page = ada.visit(&world.site.url("/_anteroom/start?return_to=%2Fx")).await;
    assert_eq!(page.status, 403, "{}", page.body);
    assert!(page.body.contains("ada@example.com"), "the page says who is not allowed");
    let again = ada.get(&world.site.url("/x")).await;
    assert_eq!(again.status, 302);
    assert_eq!(world.reached(), 0, "nothing reaches the app");
    assert!(!world.gateway.output().contains("anteroom="), "no cookie in the gateway's log");
}
