//! `[proxy.probes]`: what gets through to the app, what comes back, and what does not.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::support::gateway::free_address;
use crate::support::raw::{RawClient, RawResponse, exchange};
use crate::support::site::{Plan, Site};
use crate::support::upstream::{Answer, Upstream};

struct Rig {
    site: Site,
    probes: SocketAddr,
    upstream: Upstream,
}

/// In front of an app that answers everything with a body that names the target, a cookie and a header of its own.
async fn rig(upstream: Upstream) -> Rig {
    rig_with(upstream, "").await
}

async fn rig_with(upstream: Upstream, more: &str) -> Rig {
    let probes = free_address();
    let plan = Plan::ada().upstream(upstream.url()).config(&format!(
        "[access]\nallow_any_atlassian_account = true\n[proxy.probes]\nlisten = \"{probes}\"\npaths = [\"/healthz\", \"/ready\"]\n{more}"
    ));
    Rig { site: Site::with(plan).await, probes, upstream }
}

async fn app() -> Upstream {
    Upstream::with(|request| {
        let body = format!("app at {}", request.target());
        let status = if request.target() == "/ready" { "503 Service Unavailable" } else { "200 OK" };
        Answer::raw(format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/x-health\r\nSet-Cookie: s=1\r\nX-Internal: 1\r\nServer: app/1\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    })
    .await
}

async fn get(at: SocketAddr, target: &str) -> RawResponse {
    exchange(at, format!("GET {target} HTTP/1.1\r\nHost: {at}\r\n\r\n")).await
}

async fn counted(rig: &Rig, outcome: &str) -> u32 {
    let metrics = get(rig.site.ops(), "/metrics").await.text();
    let name = format!("anteroom_probes_total{{outcome=\"{outcome}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn a_probe_arrives_as_little_as_possible_and_so_does_its_answer() {
    let rig = rig(app().await).await;
    let dressed = format!(
        "GET /healthz HTTP/1.1\r\nHost: app.example\r\nCookie: __Host-anteroom=x; a=b\r\nAuthorization: Bearer x\r\n\
         X-Anteroom-Account-Id: 557058:eve\r\nX-Anteroom-Email: eve@example.com\r\nRemote-User: eve\r\n\
         X-Forwarded-For: 192.0.2.1\r\nX-Original-URL: /admin\r\nX-HTTP-Method-Override: DELETE\r\nUser-Agent: kube-probe/1.33\r\n\
         Accept: */*\r\nRange: bytes=0-1\r\nUpgrade: websocket\r\nConnection: upgrade\r\nTraceparent: 00-{}-{}-01\r\n\r\n",
        "1".repeat(32),
        "2".repeat(16)
    );
    let answer = exchange(rig.probes, dressed).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "app at /healthz"));
    assert_eq!(answer.header("content-type"), Some("text/x-health"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    for gone in ["set-cookie", "x-internal", "server", "x-request-id"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
    let arrived = rig.upstream.last();
    assert_eq!((arrived.method(), arrived.target()), ("GET", "/healthz"));
    assert_eq!(arrived.header("user-agent"), Some("kube-probe/1.33"));
    assert_eq!(arrived.header("host"), Some(rig.upstream.address().to_string().as_str()));
    let sent = String::from_utf8_lossy(&rig.upstream.bytes().concat()).into_owned();
    let names: Vec<String> = sent
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':').map(|(name, _)| name.to_ascii_lowercase()))
        .collect();
    assert!(
        names.iter().all(|name| ["host", "user-agent", "connection", "accept"].contains(&name.as_str())),
        "{sent}"
    );

    let strange = "GET /healthz HTTP/1.1\r\nHost: x\r\nUser-Agent: kube-probe/1 (${jndi:x})\r\n\r\n";
    assert_eq!(exchange(rig.probes, strange).await.status, 200);
    assert!(rig.upstream.last().header("user-agent").is_some_and(|name| name.starts_with("anteroom/")));

    let failing = get(rig.probes, "/ready").await;
    assert_eq!((failing.status, failing.text().as_str()), (503, "app at /ready"), "as the app says");
    assert_eq!((counted(&rig, "passed").await, counted(&rig, "failed").await), (2, 1));
}

#[tokio::test]
async fn nothing_else_gets_through() {
    let rig = rig(app().await).await;
    let port = rig.probes.port();
    for (request, status) in [
        ("GET / HTTP/1.1", 404),
        ("GET /healthz/ HTTP/1.1", 404),
        ("GET /healthz? HTTP/1.1", 404),
        ("GET /healthz?full=1 HTTP/1.1", 404),
        ("GET /HEALTHZ HTTP/1.1", 404),
        ("GET /%68ealthz HTTP/1.1", 404),
        ("GET //healthz HTTP/1.1", 404),
        ("GET /./healthz HTTP/1.1", 404),
        ("GET /admin/../healthz HTTP/1.1", 404),
        ("GET /healthz;x HTTP/1.1", 404),
        ("GET /_anteroom/me HTTP/1.1", 404),
        ("GET /livez HTTP/1.1", 404),
        ("GET http://app.example/healthz HTTP/1.1", 404),
        ("POST /healthz HTTP/1.1\r\nContent-Length: 0", 405),
        ("PUT /healthz HTTP/1.1", 405),
        ("DELETE /healthz HTTP/1.1", 405),
        ("OPTIONS /healthz HTTP/1.1", 405),
        ("TRACE /healthz HTTP/1.1", 405),
        ("get /healthz HTTP/1.1", 405),
        ("GET /healthz HTTP/1.1\r\nContent-Length: 1", 400),
        ("GET /healthz HTTP/1.1\r\nTransfer-Encoding: chunked", 400),
        ("GET /healthz HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked", 400),
        ("GET /healthz HTTP/9.9", 400),
    ] {
        let answer = exchange(rig.probes, format!("{request}\r\nHost: 127.0.0.1:{port}\r\n\r\n")).await;
        assert_eq!(answer.status, status, "{request}");
        assert!(!answer.text().contains("app at"), "{request}");
    }
    let connect = exchange(rig.probes, format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    assert!(connect.status >= 400, "{}", connect.status);
    assert_eq!(rig.upstream.requests().len(), 0, "the app has not heard of any");
    // One request per connection: what follows the first is not read.
    let two = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(exchange(rig.probes, two).await.status, 200);
    assert_eq!(rig.upstream.requests().len(), 1);
    assert!(counted(&rig, "refused").await >= 20);
}

#[tokio::test]
async fn on_the_public_port_a_probe_is_a_request_like_any_other() {
    let rig = rig(app().await).await;
    let at = rig.site.address();
    let host = rig.site.host();
    for agent in ["kube-probe/1.33", "curl/8"] {
        let request =
            format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n\r\n");
        assert_eq!(exchange(at, request).await.status, 401);
    }
    let at_ops = get(rig.site.ops(), "/healthz").await;
    assert_eq!(at_ops.status, 404);
    assert_eq!(rig.upstream.requests().len(), 0);
}

#[tokio::test]
async fn a_long_answer_is_cut_and_a_missing_one_is_told() {
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{}", "x".repeat(1_000_000));
    let endless = Answer::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .then(format!("8000\r\n{}\r\n", "y".repeat(0x8000)))
        .then_hang();
    let upstream = Upstream::scripted(vec![
        Answer::raw(long),
        endless,
        Answer::raw(
            "HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n",
        ),
        Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        Answer::raw("nonsense\r\n\r\n"),
        Answer::default().then_close(),
    ])
    .await;
    let rig = rig(upstream).await;
    let long = get(rig.probes, "/healthz").await;
    assert_eq!((long.status, long.body.len()), (200, 10 << 10));
    let endless = get(rig.probes, "/healthz").await;
    assert_eq!((endless.status, endless.body.len()), (200, 10 << 10), "it does not wait for the end");
    let elsewhere = get(rig.probes, "/healthz").await;
    assert_eq!((elsewhere.status, elsewhere.header("location")), (302, None), "nobody is sent anywhere");
    let head = exchange_head(rig.probes).await;
    assert_eq!(head.status, 200);
    for _ in 0..2 {
        let none = get(rig.probes, "/healthz").await;
        assert_eq!(none.status, 502);
        assert_eq!(none.text(), "The app did not answer.\n", "nothing of the reason");
    }
    assert_eq!(counted(&rig, "unanswered").await, 2);
}

/// More silent clients than there are places wait for the same app, and a probe still has its answer.
#[tokio::test]
async fn an_app_that_hangs_is_told_in_time_and_holds_nobody_up() {
    let hang = Upstream::with(|request| match request.target() {
        "/ready" => Answer::ok("well"),
        _ => Answer::default().then_hang(),
    })
    .await;
    let rig = rig_with(hang, "[proxy.timeouts]\nread = \"1s\"\n").await;
    let began = Instant::now();
    // Of one client there are fewer places.
    let hung = (0..300_u16).map(|n| tokio::spawn(get_from(n / 15, rig.probes, "/healthz")));
    let hung: Vec<_> = hung.collect();
    assert_eq!(get(rig.probes, "/ready").await.status, 200);
    for answer in hung {
        assert_eq!(answer.await.unwrap().status, 502);
    }
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(counted(&rig, "unanswered").await, 300);
}

/// The kubelet would take a probe that waits for a failed one, and start the app anew.
#[tokio::test]
async fn one_client_does_not_keep_the_kubelet_out() {
    let rig = rig(app().await).await;
    for at in [rig.probes, rig.site.ops()] {
        let mut idle = Vec::new();
        for _ in 0..300 {
            idle.push(connect(1, at).await);
        }
        let began = Instant::now();
        let path = if at == rig.probes { "/healthz" } else { "/livez" };
        assert_eq!(get_from(2, at, path).await.status, 200);
        assert!(began.elapsed() < Duration::from_secs(2), "before the idle ones were cut off");
        drop(idle);
    }
    let metrics = get(rig.site.ops(), "/metrics").await.text();
    let refused = "anteroom_connections_refused_total{reason=\"client_limit\"} ";
    let refused: u32 = metrics.lines().find_map(|line| line.strip_prefix(refused)?.parse().ok()).unwrap_or(0);
    assert!(refused >= 500, "{refused}");
}

/// Of the `n`th client: all of 127.0.0.0/8 is this machine.
async fn connect(n: u16, at: SocketAddr) -> RawClient {
    let [high, low] = n.to_be_bytes();
    RawClient::connect_from([127, 1, high, low], at).await
}

async fn get_from(n: u16, at: SocketAddr, target: &'static str) -> RawResponse {
    let mut client = connect(n, at).await;
    client.send(&format!("GET {target} HTTP/1.1\r\nHost: {at}\r\n\r\n")).await;
    client.response().await
}

async fn exchange_head(at: SocketAddr) -> RawResponse {
    let mut client = RawClient::connect(at).await;
    client.send("HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    client.response_to("HEAD").await
}
