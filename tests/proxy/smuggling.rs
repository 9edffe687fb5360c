//! Does a request reach an app that Anteroom never decided on? Attacks on the length of a request, over the whole way to two
//! real servers that read HTTP each in their own way: nginx, and Python's.
//!
//! Each attack hides a request for `/evil` without a session. The servers' own logs are the judges: they name every request
//! that they read. <https://portswigger.net/web-security/request-smuggling>

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::rig::Rig;
use crate::support::gateway::{free_address, nginx};
use crate::support::process::Process;
use crate::support::raw::{RawClient, exchange};
use crate::support::repository;

const EVIL: &str = "GET /evil HTTP/1.1\r\nHost: app.example\r\n\r\n";

/// Framing headers and a body; `EVIL` stands for the hidden request, which has 41 (0x29) bytes.
#[rustfmt::skip]
const ATTACKS: &[(&str, &str, &str)] = &[
    ("CL.TE", "Content-Length: 46\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nEVIL"),
    ("TE.CL", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "29\r\nEVIL\r\n0\r\n\r\n"),
    ("TE.TE", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: 4\r\n", "29\r\nEVIL\r\n0\r\n\r\n"),
    ("TE.TE, disguised", "Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n", "29\r\nEVIL\r\n0\r\n\r\n"),
    ("TE, vertical tab", "Transfer-Encoding: chunked\u{b}\r\nContent-Length: 4\r\n", "29\r\nEVIL\r\n0\r\n\r\n"),
    ("TE, list", "Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\nEVIL"),
    ("TE under another name", "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\nEVIL"),
    ("CL under another name", "Content_Length: 52\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nEVIL"),
    ("space before the colon", "Transfer-Encoding : chunked\r\nContent-Length: 46\r\n", "0\r\n\r\nEVIL"),
    ("two lengths", "Content-Length: 0\r\nContent-Length: 41\r\n", "EVIL"),
    ("one length twice", "Content-Length: 0\r\nContent-Length: 0\r\n", "EVIL"),
    ("lengths in a list", "Content-Length: 41, 0\r\n", "EVIL"),
    ("a length with a sign", "Content-Length: +0\r\n", "EVIL"),
    ("a length with zeros", "Content-Length: 000\r\n", "EVIL"),
    ("a length named away", "Connection: content-length\r\nContent-Length: 41\r\n", "EVIL"),
    ("a coding named away", "Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", "29\r\nEVIL\r\n0\r\n\r\n"),
    ("no length at all", "", "EVIL"),
    ("a body that looks like a request", "Content-Length: 41\r\n", "EVIL"),
    ("chunks that look like a request", "Transfer-Encoding: chunked\r\n", "29\r\nEVIL\r\n0\r\n\r\n"),
    ("chunk extension", "Transfer-Encoding: chunked\r\n", "1;EVIL\r\na\r\n0\r\n\r\n"),
    ("chunk extension, bare LF", "Transfer-Encoding: chunked\r\n", "2;\nxx\r\n2e\r\n0\r\n\r\nEVIL\r\n0\r\n\r\n"),
    ("chunk extension, bare LF in the last", "Transfer-Encoding: chunked\r\n", "0;\n\r\n\r\nEVIL"),
    ("chunk size, empty", "Transfer-Encoding: chunked\r\n", "\r\n29\r\n\r\nEVIL"),
    ("chunk size, white space", "Transfer-Encoding: chunked\r\n", "0 \r\n\r\nEVIL"),
    ("chunk extension, in quotes", "Transfer-Encoding: chunked\r\n", "1;a=\"\r\na\r\n0\r\n\r\nEVIL\"\r\n"),
    ("trailers, folded", "Transfer-Encoding: chunked\r\n", "0\r\nX: 1\r\n \r\n\r\nEVIL"),
    ("chunk end, bare LF", "Transfer-Encoding: chunked\r\n", "1\r\na\n0\n\nEVIL"),
    ("chunk size that wraps", "Transfer-Encoding: chunked\r\n", "10000000000000001\r\na\r\n0\r\n\r\nEVIL"),
    ("chunk longer than its size", "Transfer-Encoding: chunked\r\n", "1\r\naEVIL\r\n0\r\n\r\n"),
    ("trailers", "Transfer-Encoding: chunked\r\nTrailer: X\r\n", "0\r\nX: 1\r\nContent-Length: 41\r\n\r\nEVIL"),
    ("an upgrade that is none", "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n", "EVIL"),
    ("an upgrade to h2c", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n", "EVIL"),
    ("an expectation", "Expect: 100-continue\r\nContent-Length: 41\r\n", "EVIL"),
];

/// Attacks, and asks on in between as others do, over the connections that the attacks went over. `log` gives the requests
/// that the server has read, as `METHOD /path`.
async fn attack(server: SocketAddr, log: impl Fn() -> Vec<String>) {
    let rig = Rig::in_front_of(server).await;
    let mut failures = Vec::new();
    assert_eq!(EVIL.len(), 41);
    for (number, (name, framing, body)) in ATTACKS.iter().enumerate() {
        let body = body.replace("EVIL", EVIL);
        for (method, more) in [("POST", ""), ("GET", ""), ("POST", EVIL)] {
            let mut client = RawClient::connect(rig.address).await;
            let target = format!("{method} /attack-{number}{}", more.len());
            client.send(rig.signed_in(&target, framing) + body.as_str() + more).await;
            client.finish().await;
            client.rest().await;
            let end = format!("/end-{number}-{method}{}", more.len());
            let answer = exchange(rig.address, rig.signed_in(&format!("GET {end}"), "")).await;
            if (answer.status, answer.text()) != (200, end.clone()) {
                failures.push(format!("{name}: the next one got {answer:?}"));
            }
            read(&log, &end, &failures).await;
        }
    }
    // A GET whose kept connection the server closes is asked once more: that is one request all the same.
    let read: BTreeSet<String> = log().into_iter().collect();
    let decided = |line: &&String| line.contains("decision: \"signed_in\"");
    let (decided, ends) = (rig.log.lines().iter().filter(decided).count(), ATTACKS.len() * 3);
    let of = |part: &str| read.iter().filter(|line| line.contains(part)).count();
    assert_eq!((of("evil"), of("/end-")), (0, ends), "{failures:?} {read:#?}");
    assert_eq!(of("/end-") + of("/attack-"), read.len(), "{read:#?}");
    assert!(read.len() <= decided, "{} read, {decided} decided", read.len());
    // The table attacks something: some of these are requests that pass, and all that pass are read.
    assert!(of("/attack-") > ATTACKS.len() / 2, "{read:#?}");
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Waits until the server's log names this path.
async fn read(log: &impl Fn() -> Vec<String>, path: &str, failures: &[String]) {
    let there = async {
        while !log().iter().any(|line| line.ends_with(path)) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let late = tokio::time::timeout(crate::support::DEADLINE, there).await.is_err();
    assert!(!late, "{path} is not in the server's log: {failures:#?} {:#?}", log());
}

/// A server that somebody else wrote; answers with the path.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    process: Process,
    /// Of nginx.
    folder: Option<TempDir>,
}

impl Server {
    pub(super) async fn nginx() -> Self {
        let folder = TempDir::new().unwrap();
        let address = free_address();
        let configuration = format!(
            "log_format asked '$request_method $request_uri';\nserver {{\nlisten {address};\nkeepalive_requests 100000;\n\
             access_log {}/access.log asked;\nlocation / {{ return 200 $request_uri; }}\n}}\n",
            folder.path().display()
        );
        let nginx =
            nginx::start(nginx::Nginx::System, folder.path(), &configuration, address, "app.example", None);
        Self { address, process: nginx.await, folder: Some(folder) }
    }

    pub(super) async fn python() -> Self {
        let mut command = Command::new("python3");
        command.arg(repository("tests/proxy/smuggling_app.py"));
        let process = Process::start("python3", command, "sudo apt-get install -y python3");
        let port = |line: &str| line.strip_prefix("listening on ")?.parse::<u16>().ok();
        let address = SocketAddr::from(([127, 0, 0, 1], process.wait_for_line(port).await));
        Self { address, process, folder: None }
    }

    /// Every request that it has read, as `METHOD /path`.
    pub(super) fn log(&self) -> Vec<String> {
        if let Some(folder) = &self.folder {
            let text = std::fs::read_to_string(folder.path().join("access.log")).unwrap_or_default();
            // What asked whether it was there.
            return text.lines().filter(|line| *line != "GET /").map(str::to_owned).collect();
        }
        let line = |line: &str| {
            let request = line.strip_prefix("request ")?;
            Some(request.strip_suffix(" HTTP/1.1").unwrap_or(request).to_owned())
        };
        self.process.output().lines().filter_map(line).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_smuggled_to_nginx() {
    let server = Server::nginx().await;
    attack(server.address, || server.log()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_smuggled_to_python() {
    let server = Server::python().await;
    attack(server.address, || server.log()).await;
}
