//! What an operator sees, over real sockets, files and processes; and whether `docs/reference/` tells it as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anteroom::auth::audit::{Audit, AuditEvent};
use anteroom::clock::Timestamp;
use anteroom::metrics::{Decision, Metrics, Mode};
use anteroom::ops::access_log::{AccessEntry, AccessLog, JsonLines, Schema};
use anteroom::ops::drain::{Drain, OsSignals};
use anteroom::ops::server::OpsState;
use anteroom::ops::{AuditLog, LineWriter, Lines, LogFormat, OpsServer, Readiness, logging};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::support::process::Process;
use super::support::raw::{RawClient, RawResponse};
use super::support::repository;

// ── The listener ───────────────────────────────────────────────────────────────────────────────────────────────

struct Listening {
    address: SocketAddr,
    readiness: Readiness,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
}

async fn listening() -> Listening {
    let metrics = Arc::new(Metrics::new());
    let readiness = Readiness::new(Arc::clone(&metrics));
    let server = OpsServer::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = server.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let state = OpsState { readiness: readiness.clone(), metrics };
    let serving = tokio::spawn(server.serve(state, stopped));
    Listening { address, readiness, stop, serving }
}

impl Listening {
    async fn ask(&self, method: &str, path: &str) -> RawResponse {
        let mut client = RawClient::connect(self.address).await;
        client.send(format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        client.response_to(method).await
    }

    async fn ready(&self) -> (u16, Value) {
        let response = self.ask("GET", "/readyz").await;
        (response.status, serde_json::from_slice(&response.body).unwrap())
    }
}

#[tokio::test]
async fn ops_answers_three_paths_to_two_methods() {
    let ops = listening().await;
    for (method, path, status) in [
        ("GET", "/livez", 200),
        ("HEAD", "/livez", 200),
        ("GET", "/livez?x=1", 200),
        ("HEAD", "/metrics", 200),
        ("POST", "/livez", 405),
        ("DELETE", "/readyz", 405),
        ("OPTIONS", "/metrics", 405),
        ("GET", "/", 404),
        ("GET", "/livez/", 404),
        ("GET", "/metrics/../livez", 404),
        ("POST", "/nowhere", 404),
    ] {
        let response = ops.ask(method, path).await;
        assert_eq!(response.status, status, "{method} {path}");
        assert_eq!(response.header("cache-control"), Some("no-store"), "{method} {path}");
        if status == 405 {
            assert_eq!(response.header("allow"), Some("GET, HEAD"));
        }
        if method == "HEAD" {
            assert_ne!(response.header("content-length"), Some("0"));
        }
    }
    let metrics = ops.ask("GET", "/metrics").await;
    let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(metrics.header("content-type"), Some(open_metrics));
    assert!(metrics.body.ends_with(b"# EOF\n"));
}

#[tokio::test]
async fn readyz_says_why_not() {
    let ops = listening().await;
    let (store, down) = (ops.readiness.register("store"), Arc::new(Mutex::new(false)));
    let starting = json!({"reason": "starting", "waiting_for": ["store"]});
    assert_eq!(ops.ready().await, (503, json!({"ready": false, "reasons": [starting]})));
    assert_eq!(ops.ask("GET", "/livez").await.status, 200, "alive all the same");

    let asked = Arc::clone(&down);
    ops.readiness.ask_store(move || {
        let down = *asked.lock().unwrap();
        async move { if down { Err("disk full".to_owned()) } else { Ok(()) } }
    });
    store.done();
    assert_eq!(ops.ready().await, (200, json!({"ready": true})));

    *down.lock().unwrap() = true;
    let store_down = json!({"reason": "store_down", "cause": "disk full"});
    assert_eq!(ops.ready().await, (503, json!({"ready": false, "reasons": [store_down]})));
    let exposed = ops.ask("GET", "/metrics").await;
    assert!(exposed.text().contains("anteroom_ready 0\n"), "as /readyz says");

    ops.readiness.draining();
    let draining = json!({"reason": "draining"});
    assert_eq!(ops.ready().await, (503, json!({"ready": false, "reasons": [draining, store_down]})));
    assert_eq!(ops.ask("GET", "/livez").await.status, 200, "a drain is no reason to be killed");
}

#[tokio::test]
async fn the_ops_listener_stops_when_told() {
    let ops = listening().await;
    assert_eq!(ops.ask("GET", "/livez").await.status, 200);
    ops.stop.send_replace(true);
    tokio::time::timeout(super::support::DEADLINE, ops.serving).await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(ops.address).await.is_err());
}

// ── Documentation ──────────────────────────────────────────────────────────────────────────────────────────────

/// The rows of every table below `heading`, cell by cell.
fn rows(page: &str, heading: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(repository("docs/reference").join(page)).unwrap();
    let (_, section) = text.split_once(&format!("{heading}\n")).expect("has this heading");
    let section = section.split("\n## ").next().unwrap();
    let section = section.split("\n### ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.map(cells).collect()
}

/// What stands in backticks.
fn names(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(Into::into).collect()
}

type Series = BTreeMap<String, (String, BTreeSet<String>)>;

/// Every series of an exposition: type and labels.
fn exposed(text: &str) -> Series {
    let mut series = Series::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (family, kind) = line.split_once(' ').unwrap();
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let sample = text.lines().find(|line| {
            let rest = line.strip_prefix(family).unwrap_or_default();
            ["_total", "_info", "_count", ""]
                .iter()
                .any(|suffix| rest.strip_prefix(suffix).is_some_and(|rest| rest.starts_with(['{', ' '])))
        });
        let sample = sample.unwrap_or_else(|| panic!("{family}: this test must count something in it"));
        let labels = sample.split_once('{').map_or("", |(_, labels)| labels.split('}').next().unwrap());
        let labels = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
        series.insert(format!("{family}{suffix}"), (kind.to_owned(), labels.collect()));
    }
    series
}

#[test]
fn metrics_md_is_complete_and_true() {
    let metrics = Metrics::new();
    metrics.request(200, Duration::from_millis(3));
    metrics.decision(Decision::SignedIn, Mode::Proxy);
    metrics.gateway_refused("stranger");
    metrics.connection_refused("client_limit");
    metrics.probe("passed");
    metrics.http2_refused("resets");
    metrics.stream_ended("websocket", "expired");
    let _open = (metrics.stream("websocket"), metrics.upstream_healthy("app", "http://127.0.0.1:8080"));
    metrics.tls_handshake("ok");
    metrics.tls_certificates([("site.pem".to_owned(), 4_102_444_800)]);
    metrics.sign_in("success", "email_domains");
    metrics.hand_off("success");
    metrics.reloaded("applied", 1);
    metrics.atlassian("token", "ok", Duration::from_millis(80));
    let text = metrics.expose();
    let documented: Series = rows("metrics.md", "# Metrics")
        .into_iter()
        .map(|row| (names(&row[0]).pop_first().unwrap(), (row[1].clone(), names(&row[2]))))
        .collect();
    assert_eq!(documented, exposed(&text));

    let decision = |line: &str| Some(line.split_once("{decision=\"")?.1.split_once('"')?.0.to_owned());
    let decisions: BTreeSet<_> = text.lines().filter_map(decision).collect();
    let documented = rows("metrics.md", "## Decisions").into_iter().flat_map(|row| names(&row[0]));
    assert_eq!(documented.collect::<BTreeSet<_>>(), decisions);
}

/// Checks lines against the table below `heading`: no field that is not there, none missing that is always there, and
/// every documented field in at least one line.
fn assert_documented(heading: &str, lines: &[Value]) {
    let table = rows("logs.md", heading);
    let fields = |always: bool| -> BTreeSet<String> {
        table.iter().filter(|row| !always || row[1] == "yes").flat_map(|row| names(&row[0])).collect()
    };
    let (all, always) = (fields(false), fields(true));
    let mut seen = BTreeSet::new();
    for line in lines {
        let found: BTreeSet<_> = line.as_object().unwrap().keys().cloned().collect();
        assert!(found.is_subset(&all) && found.is_superset(&always), "{heading}: {line}");
        seen.extend(found);
    }
    assert_eq!(seen, all, "{heading}");
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines that `write` makes.
fn written(write: impl FnOnce(Lines)) -> Vec<Value> {
    let buffer = Buffer::default();
    let writer = LineWriter::start(buffer.clone(), Arc::new(Metrics::new())).unwrap();
    write(writer.lines());
    writer.close();
    let bytes = buffer.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// An object of objects as one object, its names joined by dots.
fn flat(line: &Value) -> Value {
    fn walk(prefix: &str, value: &Value, out: &mut serde_json::Map<String, Value>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let dot = if prefix.is_empty() { "" } else { "." };
                    walk(&format!("{prefix}{dot}{name}"), value, out);
                }
            }
            value => drop(out.insert(prefix.to_owned(), value.clone())),
        }
    }
    let mut out = serde_json::Map::new();
    walk("", line, &mut out);
    Value::Object(out)
}

#[test]
fn the_access_log_is_as_documented() {
    let whole = AccessEntry {
        time_ms: 0,
        request_id: "r1",
        client: [127, 0, 0, 1].into(),
        method: "GET",
        path: "/",
        status: 200,
        bytes_out: 0,
        duration: Duration::ZERO,
        decision: "public",
        account_id: Some("a"),
        user_agent: Some("b"),
        upstream_ms: Some(1),
        http_version: Some("1.1"),
        trace_id: Some([1; 16]),
    };
    let nothing = AccessEntry {
        method: "PATCH",
        status: 0,
        account_id: None,
        user_agent: None,
        upstream_ms: None,
        http_version: None,
        trace_id: None,
        ..whole
    };
    for (heading, schema) in
        [("## Access log", Schema::Anteroom), ("### As `ecs`", Schema::Ecs), ("### As `ocsf`", Schema::Ocsf)]
    {
        let lines = written(|lines| {
            let log = JsonLines::new(lines, schema);
            log.record(&whole);
            log.record(&nothing);
        });
        assert_eq!(lines.len(), 2);
        let lines: Vec<Value> = lines.iter().map(flat).collect();
        assert_documented(heading, &lines);
    }
}

#[test]
fn the_audit_log_is_as_documented() {
    let events = [
        AuditEvent::SignedIn {
            account_id: "a",
            email: Some("a@b.example"),
            rule: "email_domains",
            new_user: true,
            session: "5e55",
        },
        AuditEvent::Refused { account_id: "a", email: None, reason: "account_type" },
        AuditEvent::SignInFailed { code: "signin.declined" },
        AuditEvent::HandedOff { account_id: "a", app: "https://wiki.example.com", session: "5e55" },
        AuditEvent::SignedOut { account_id: "a", session: "5e55" },
    ];
    let lines = written(|lines| {
        let log = AuditLog::new(lines);
        for event in &events {
            log.record(Timestamp::from_secs(1), [203, 0, 113, 7].into(), "r1", event);
        }
    });
    let told = |line: &Value| {
        let field = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(line["event.category"], json!(["authentication"]));
        assert_eq!(
            (field("@timestamp"), field("source.ip")),
            ("1970-01-01T00:00:01.000Z".into(), "203.0.113.7".into())
        );
        let kind = line["event.type"][0].as_str().unwrap().to_owned();
        [field("event.action"), kind, field("event.outcome"), field("event.reason"), field("user.id")]
    };
    assert_eq!(
        lines.iter().map(told).collect::<Vec<_>>(),
        [
            ["sign-in", "start", "success", "", "a"],
            ["sign-in-refused", "start", "failure", "account_type", "a"],
            ["sign-in-failed", "start", "failure", "signin.declined", ""],
            ["hand-off", "start", "success", "", "a"],
            ["sign-out", "end", "success", "", "a"],
        ]
    );
    assert_eq!(
        (&lines[0]["user.email"], &lines[0]["anteroom.rule"]),
        (&json!("a@b.example"), &json!("email_domains"))
    );
    assert_documented("## Audit log", &lines);
}

// ── The process's own lines ────────────────────────────────────────────────────────────────────────────────────

/// Tells this binary that it is run as the child of a test: logging and signals belong to a whole process.
const CHILD: &str = "ANTEROOM_TEST_CHILD";

#[allow(clippy::disallowed_methods, reason = "how a test tells its child apart from itself")]
fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs one test of this binary as a child.
fn child(test: &str) -> Process {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).env(CHILD, "1");
    Process::start("the child", command, "build the tests")
}

#[test]
fn child_that_logs() {
    if !is_child() {
        return;
    }
    logging::init(LogFormat::Json, "info").unwrap();
    assert!(logging::init(LogFormat::Json, "info").is_err(), "once per process");
    let error = io::Error::other("no route");
    tracing::warn!(target: "anteroom::auth", %error, request_id = "r1", tries = 2, "ours");
    log::error!(target: "pingora_proxy", "Fail to proxy: GET /cb?code=SECRET, Host: a");
    log::info!(target: "pingora_core", "SECRET, too talkative");
    tracing::info!(target: "anteroom", "last");
}

#[tokio::test]
async fn the_diagnostic_log_is_as_documented_and_carries_pingoras() {
    let child = child("ops::child_that_logs");
    child.wait_for_line(|line| line.contains("\"last\"").then_some(())).await;
    let output = child.output();
    let lines: Vec<Value> = output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_documented("## Diagnostic log", &lines);
    let told = |line: &Value| {
        ["log.level", "log.logger", "message"].map(|name| line[name].as_str().unwrap().to_owned())
    };
    assert_eq!(
        lines.iter().map(told).collect::<Vec<_>>(),
        [
            ["warn", "anteroom::auth", "ours"],
            ["error", "pingora_proxy", "Fail to proxy: GET /cb?[left out] Host: a"],
            ["info", "anteroom", "last"],
        ]
    );
    assert!(!output.contains("SECRET"));
}

#[tokio::test]
async fn child_that_drains() {
    if !is_child() {
        return;
    }
    let signals = OsSignals::install().unwrap();
    let readiness = Readiness::new(Arc::default());
    let (stop, stopped) = watch::channel(false);
    // Nothing but a second signal ends this one.
    let hour = Duration::from_secs(3600);
    let drain = Drain { readiness: readiness.clone(), delay: hour, deadline: hour, stop };
    println!("waiting for a signal");
    let watched = tokio::spawn(async move {
        while readiness.reasons().await.is_empty() {
            tokio::task::yield_now().await;
        }
        println!("unready");
    });
    let ending = drain.run(signals, std::future::pending()).await;
    watched.await.unwrap();
    println!("{ending:?}, stopped: {}", *stopped.borrow());
}

#[tokio::test]
async fn signals_of_the_system_start_the_drain_and_cut_it_short() {
    for (first, second) in [(Signal::SIGTERM, Signal::SIGTERM), (Signal::SIGINT, Signal::SIGTERM)] {
        let child = child("ops::child_that_drains");
        let says = |what: &'static str| child.wait_for_line(move |line| line.contains(what).then_some(()));
        says("waiting for a signal").await;
        child.signal(first);
        says("unready").await;
        child.signal(second);
        says("Forced, stopped: true").await;
    }
}
