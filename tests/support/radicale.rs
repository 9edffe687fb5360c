//! Does an app that nobody here wrote take the identity that a proxy hands it? Radicale, the CalDAV server.
//!
//! With `auth.type = http_x_remote_user` it signs in whoever `X-Remote-User` names, so it must stand behind a proxy
//! that strips that header from clients: <https://radicale.org/v3.html#auth>.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use tempfile::TempDir;

use super::process::Process;
use super::repository;
use super::venv::python_with;

const REQUIREMENT: &str = "radicale==3.9.0";

/// A running Radicale with empty storage; stops when dropped.
#[derive(Debug)]
pub(crate) struct Radicale {
    address: SocketAddr,
    _process: Process,
    _storage: TempDir,
}

impl Radicale {
    /// The header it trusts.
    pub(crate) const HEADER: &'static str = "X-Remote-User";

    /// Starts it on a free port and waits until it listens.
    pub(crate) async fn start() -> Self {
        let python = python_with("radicale", REQUIREMENT);
        let storage = TempDir::new().expect("a folder");
        loop {
            // It takes no port 0, and another program may take a free port between the two lines below: try again.
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let mut command = Command::new(&python);
            command
                .args(["-u", "-m", "radicale", "--hosts", &address.to_string()])
                .arg("--config")
                .arg(repository("tests/radicale/config"))
                .arg("--storage-filesystem-folder")
                .arg(storage.path());
            let process = Process::start("radicale", command, "");
            let listens = process.wait_for_line(|line| match line {
                line if line.contains("Radicale server ready") => Some(true),
                line if line.contains("Address already in use") => Some(false),
                _ => None,
            });
            if listens.await {
                return Self { address, _process: process, _storage: storage };
            }
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

mod tests {
    use super::super::raw::exchange;
    use super::*;

    #[tokio::test]
    async fn it_trusts_the_header_and_nothing_else() {
        let app = Radicale::start().await;
        // PROPFIND asks who I am: https://www.rfc-editor.org/rfc/rfc5397
        let question = "<propfind xmlns=\"DAV:\"><prop><current-user-principal/></prop></propfind>";
        let ask = |identity: &str| {
            let length = question.len();
            format!(
                "PROPFIND / HTTP/1.1\r\nHost: x\r\n{identity}Depth: 0\r\nContent-Length: {length}\r\n\r\n{question}"
            )
        };
        let known = exchange(app.address(), ask("X-Remote-User: mira@example.com\r\n")).await;
        assert_eq!(known.status, 207);
        let href = "/mira%40example.com/";
        assert!(known.text().contains(href), "{}", known.text());

        for identity in ["", "Remote-User: mira@example.com\r\n"] {
            let stranger = exchange(app.address(), ask(identity)).await;
            assert!(matches!(stranger.status, 401 | 403), "{identity:?}: {stranger:?}");
            assert!(!stranger.text().contains(href));
        }
    }
}
