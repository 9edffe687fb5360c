//! curl, as people use it: event streams, both versions of HTTP and of TLS, a load balancer's header, a Unix socket.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anteroom::net::TrustedProxies;
use anteroom::ops::listen::Listen;
use tempfile::TempDir;
use tokio::time::timeout;

use super::{Front, NAME, PROMISED};
use crate::proxy::rig::{Rig, plan};
use crate::support::process::Process;
use crate::support::upstream::{Answer, Gate, Upstream};

const REMEDY: &str = "sudo apt-get install -y curl";
/// What a client waits at most.
const PATIENCE: &str = "25";

/// What curl was told to do, so far.
struct Curl(Command);

/// How it ended and what it said.
struct Said {
    exit: Option<i32>,
    out: String,
}

impl Curl {
    /// Asks a proxy for `target`, with these options besides.
    fn ask(front: &Front, target: &str, options: &[&str]) -> Self {
        let address = front.rig.address;
        let (scheme, port) = if front.authority.is_some() { ("https", 443) } else { ("http", 80) };
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--no-buffer", "--max-time", PATIENCE]);
        command.arg("--connect-to").arg(format!("{NAME}:{port}:{}:{}", address.ip(), address.port()));
        if let Some(ca) = front.ca() {
            command.arg("--cacert").arg(ca);
        }
        command.args(options).arg(format!("{scheme}://{NAME}{target}"));
        Self(command)
    }

    /// The same with a session.
    fn signed_in(front: &Front, target: &str, options: &[&str]) -> Self {
        let cookie = format!("Cookie: {}", front.rig.cookie);
        Self::ask(front, target, &[&["--header", &cookie][..], options].concat())
    }

    fn begin(self) -> Process {
        Process::start("curl", self.0, REMEDY)
    }

    async fn run(mut self) -> Said {
        let work = tokio::task::spawn_blocking(move || self.0.output());
        let output = work.await.unwrap().unwrap_or_else(|error| panic!("{REMEDY} ({error})"));
        let out = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        Said { exit: output.status.code(), out: out.concat() }
    }

    /// What it said, which must be the whole story.
    async fn says(self) -> String {
        let said = self.run().await;
        assert_eq!(said.exit, Some(0), "{}", said.out);
        said.out
    }
}

/// Ways to the proxy: whether over TLS, options, and the version that they lead to.
const WAYS: [(bool, &[&str], &str); 5] = [
    (false, &["--http1.1"], "1.1"),
    (false, &["--http2-prior-knowledge"], "2"),
    (true, &["--http1.1"], "1.1"),
    (true, &["--http2", "--tlsv1.3"], "2"),
    (true, &["--http2", "--tls-max", "1.2"], "2"),
];

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_as_they_are_sent_and_the_last_one_says_why() {
    for (tls, way, version) in WAYS {
        let gates = [Gate::new(), Gate::new(), Gate::new()];
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = gates.iter().enumerate().fold(Answer::raw(head), |answer, (n, gate)| {
            answer.then_wait(gate).then(format!("9\r\ndata: {n}\n\n\r\n"))
        });
        let upstream = Upstream::answering(answer.then_hang()).await;
        let front = Front::start(plan(upstream.address()), tls).await;
        let options = [way, &["--header", "Accept: text/event-stream", "--write-out", "%{http_version}"]];
        let mut curl = Curl::signed_in(&front, "/events", &options.concat()).begin();
        for (n, gate) in gates.iter().enumerate() {
            gate.open();
            curl.wait_for_line(|line| (line == format!("data: {n}")).then_some(())).await;
        }
        front.sign_out().await;
        let exit = timeout(PROMISED, curl.wait_for_exit()).await.expect("an end in time");
        // The last line has no end.
        curl.wait_for_line(|line| (line == version).then_some(())).await;
        assert!(exit.success(), "{way:?}: {}", curl.output());
        let last = "event: session-ended\ndata: {\"reason\":\"signed_out\",\"sign_in_url\":\"/_anteroom/sign-in\"}\n";
        assert!(curl.output().ends_with(&format!("data: 2\n\n{last}\n{version}")), "{}", curl.output());
        timeout(PROMISED, upstream.wait_for_open_connections(0)).await.expect("the app's end");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everyday_requests() {
    const STATUS: &[&str] = &["--write-out", "\n%{http_version} %{http_code}"];
    for (tls, way, version) in WAYS {
        let upstream = Upstream::with(|request| match (request.method(), request.target()) {
            ("HEAD", _) => Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nX-App: here\r\n\r\n"),
            (_, "/cached") if request.header("if-none-match") == Some("\"v1\"") => {
                Answer::raw("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n")
            }
            (_, "/moved") => {
                Answer::raw("HTTP/1.1 302 Found\r\nLocation: /here\r\nContent-Length: 0\r\n\r\n")
            }
            ("POST", "/form") => {
                Answer::raw("HTTP/1.1 303 See Other\r\nLocation: /here\r\nContent-Length: 0\r\n\r\n")
            }
            _ => Answer::ok(&format!("{} {}", request.method(), request.target())),
        })
        .await;
        let front = Front::start(plan(upstream.address()), tls).await;
        let ask = |target: &str, options: &[&str]| {
            Curl::signed_in(&front, target, &[way, STATUS, options].concat()).says()
        };
        let ended = |status: u16| format!("\n{version} {status}");
        assert_eq!(ask("/a?b=c%2f", &[]).await, format!("GET /a?b=c%2f{}", ended(200)));
        assert_eq!(upstream.last().header("x-anteroom-account-id"), Some("557058:ada"));
        let head = ask("/", &["--head"]).await.to_lowercase();
        assert!(head.contains("content-length: 1234") && head.contains("x-app: here"), "{head}");
        assert_eq!(ask("/cached", &["--header", "If-None-Match: \"v1\""]).await, ended(304));
        assert_eq!(ask("/moved", &[]).await, ended(302));
        // curl 7.88 asks nothing twice over a connection of prior knowledge: curl/curl#10634.
        if way != ["--http2-prior-knowledge"] {
            assert_eq!(ask("/moved", &["--location"]).await, format!("GET /here{}", ended(200)));
            let form = ["--location", "--data", "a=b"];
            assert_eq!(ask("/form", &form).await, format!("GET /here{}", ended(200)));
        }
        // Several over one connection.
        let url = |n: u8| format!("{}://{NAME}/{n}", if tls { "https" } else { "http" });
        let more: Vec<String> = (1..4).map(url).collect();
        let mut options: Vec<&str> = more.iter().map(String::as_str).collect();
        options.extend(["--parallel", "--parallel-immediate"]);
        let answers = Curl::signed_in(&front, "/0", &[way, &options].concat()).says().await;
        for n in 0..4 {
            assert!(answers.contains(&format!("GET /{n}")), "{answers}");
        }
        // Without a session: a program hears no, a browser is sent to sign in.
        let stranger = |options: &[&str]| Curl::ask(&front, "/", &[way, STATUS, options].concat()).says();
        assert!(stranger(&[]).await.ends_with(&ended(401)));
        let browser = ["--header", "Accept: text/html", "--header", "Sec-Fetch-Mode: navigate", "--include"];
        let page = stranger(&browser).await.to_lowercase();
        assert!(page.contains("/_anteroom/sign-in") || page.contains("atlassian"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_go_up_and_come_back() {
    let folder = TempDir::new().unwrap();
    let (up, down) = (folder.path().join("up"), folder.path().join("down"));
    let content: Vec<u8> = (0..10_000_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&up, &content).unwrap();
    for (tls, way, version) in WAYS {
        let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len()).into_bytes();
        answer.extend(&content);
        let upstream = Upstream::answering(Answer::raw(answer)).await;
        let front = Front::start(plan(upstream.address()), tls).await;
        let [up, down] = [&up, &down].map(|file| file.to_str().unwrap());
        for framing in [&[][..], &["--header", "Transfer-Encoding: chunked"]] {
            // Only HTTP/1.1 has chunks; over HTTP/2 curl leaves the length out then.
            let options =
                ["--upload-file", up, "--output", down, "--write-out", "%{http_version} %{http_code}"];
            let said = Curl::signed_in(&front, "/file", &[way, &options, framing].concat()).says().await;
            assert_eq!(said, format!("{version} 200"));
            assert!(upstream.last().body == content, "{} bytes up", upstream.last().body.len());
            assert!(std::fs::read(down).unwrap() == content);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_and_versions_of_tls() {
    let upstream = Upstream::start().await;
    let front = Front::start(plan(upstream.address()), true).await;
    let other = Front::start(plan(upstream.address()), true).await;
    let elsewhere = other.ca().unwrap();
    // 60: it cannot be verified. 35: the handshake fails; so it does where another authority has the same name.
    for (options, want) in [
        (&["--tlsv1.2", "--tls-max", "1.2"][..], 0),
        (&["--tlsv1.3"], 0),
        (&["--cacert", elsewhere.to_str().unwrap()], 35),
        (&["--tls-max", "1.1", "--tlsv1.0", "--ciphers", "ALL:@SECLEVEL=0"], 35),
        (&["--tlsv1.2", "--tls-max", "1.2", "--ciphers", "AES128-SHA"], 35),
    ] {
        let said = Curl::signed_in(&front, "/", options).run().await;
        assert_eq!(said.exit, Some(want), "{options:?} {}", said.out);
    }
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_balancer_and_in_front_of_none() {
    for (tls, way, version) in WAYS {
        let upstream = Upstream::answering(Answer::ok("ok")).await;
        let mut plan = plan(upstream.address());
        plan.settings.entrance.proxy_protocol = TrustedProxies::parse(["127.0.0.1"]).unwrap();
        let front = Front::start(plan, tls).await;
        let status = ["--write-out", " %{http_version}"];
        let with = [way, &["--haproxy-protocol"], &status].concat();
        assert_eq!(Curl::signed_in(&front, "/", &with).says().await, format!("ok {version}"));
        assert_eq!(upstream.last().header("x-forwarded-for"), Some("127.0.0.1"));
        let without = Curl::signed_in(&front, "/", &[way, &status].concat()).run().await;
        assert_ne!(without.exit, Some(0), "{}", without.out);
        // Who is no balancer may not say that it speaks for another.
        let from = ["--interface", "127.0.0.2"];
        let stranger = Curl::signed_in(&front, "/", &[&with[..], &from].concat()).run().await;
        assert!(!stranger.out.starts_with("ok"), "{}", stranger.out);
        assert_eq!(upstream.requests().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_unix_socket() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("proxy.sock");
    let upstream = Upstream::answering(Answer::ok("ok")).await;
    let mut plan = plan(upstream.address());
    plan.settings.entrance.http2 = true;
    let rig = Rig::at(&Listen::Unix { path: path.clone(), mode: 0o600 }, plan).await;
    let curl = |path: &Path, way: &str| {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--max-time", PATIENCE, way, "--unix-socket"]).arg(path);
        command.args(["--write-out", " %{http_version}", "--header"]).arg(format!("Cookie: {}", rig.cookie));
        command.arg(format!("http://{NAME}/"));
        Curl(command).says()
    };
    for (way, version) in [("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")] {
        let said = timeout(Duration::from_secs(30), curl(&path, way)).await.unwrap();
        assert_eq!(said, format!("ok {version}"));
        assert_eq!(upstream.last().header("x-anteroom-account-id"), Some("557058:ada"));
    }
}
