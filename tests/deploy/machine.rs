//! A machine to install on, played by a folder: `/etc/anteroom` with the packaged configuration filled in, its secrets,
//! an Atlassian, an app, and a service manager that is told how things stand.

use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use anteroom::emulator::{Emulator, Fixture, Options};
use tempfile::TempDir;

use crate::support::gateway::free_address;
use crate::support::person::Person;
use crate::support::process::Process;
use crate::support::raw::{RawResponse, try_exchange};
use crate::support::site::{CALLBACK, CLIENT_ID, SECRET};
use crate::support::upstream::{Answer, Upstream};
use crate::support::{DEADLINE, repository};

/// The packaged configuration; people fill it in.
pub(super) fn packaged() -> String {
    std::fs::read_to_string(repository("deploy/debian/anteroom.toml")).expect("the packaged configuration")
}

pub(super) struct Machine {
    pub(super) folder: TempDir,
    pub(super) proxy: SocketAddr,
    pub(super) ops: SocketAddr,
    pub(super) toml: String,
    socket: UnixDatagram,
    _emulator: Emulator,
    _app: Upstream,
}

impl Machine {
    /// With this as `proxy.listen`; at an address when empty.
    pub(super) async fn new(listen: &str) -> Self {
        let (proxy, ops) = (free_address(), free_address());
        let mut options = Options::loopback();
        for app in &mut options.fixture.apps {
            app.callbacks = vec![format!("http://localhost:{}{CALLBACK}", proxy.port())];
        }
        options.approve = Some("ada@example.com".into());
        let emulator = Emulator::start(options).await.expect("the emulator");
        let app = Upstream::with(|_| Answer::ok("the app")).await;
        let folder = TempDir::new().expect("a folder");
        let base = emulator.base_url().to_string();
        let base = base.trim_end_matches('/');
        let listen = if listen.is_empty() { proxy.to_string() } else { listen.to_owned() };
        let toml = filled(&[
            (
                "#public_url = \"https://app.example.com\"",
                &format!("public_url = \"http://localhost:{}\"", proxy.port()),
            ),
            (
                "#client_id = \"0123456789abcdefghijABCDEFGHIJ01\"",
                &format!("client_id = \"{CLIENT_ID}\"\nauth_url = \"{base}\"\napi_url = \"{base}\""),
            ),
            ("#upstream = \"http://127.0.0.1:8080\"", &format!("upstream = \"http://{}\"", app.address())),
            ("#email_domains", "email_domains"),
            ("\"127.0.0.1:4180\"", &format!("\"{listen}\"")),
            ("\"127.0.0.1:4181\"", &format!("\"{ops}\"\nshutdown_delay = \"0s\"")),
            ("/var/lib/anteroom", folder.path().to_str().expect("UTF-8")),
        ]);
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        let machine = Self { folder, proxy, ops, toml, socket, _emulator: emulator, _app: app };
        let secrets = machine.folder.path().join("etc/anteroom/secrets");
        std::fs::create_dir_all(&secrets).expect("a folder");
        let fixture = Fixture::demo();
        let known = fixture.apps.iter().find(|app| app.client_id == CLIENT_ID).expect("the demo's app");
        std::fs::write(secrets.join("client-secret"), &known.client_secret).expect("written");
        std::fs::write(secrets.join("session-keys"), SECRET).expect("written");
        machine.configure(&machine.toml);
        machine
    }

    pub(super) fn configure(&self, toml: &str) {
        std::fs::write(self.folder.path().join("etc/anteroom/anteroom.toml"), toml).expect("written");
    }

    /// `NOTIFY_SOCKET`.
    pub(super) fn notify(&self) -> String {
        self.folder.path().join("notify").to_str().expect("UTF-8").to_owned()
    }

    /// Waits for a message in which this is a line; gives the whole of it. What came before is passed over.
    pub(super) fn told(&self, line: &str, by: &Process) -> String {
        let until = Instant::now() + DEADLINE;
        let mut heard = Vec::new();
        loop {
            self.socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
            let mut bytes = [0; 4096];
            if let Ok(length) = self.socket.recv(&mut bytes) {
                let message = String::from_utf8_lossy(&bytes[..length]).into_owned();
                if message.lines().any(|has| has == line) {
                    return message;
                }
                heard.push(message);
            }
            assert!(Instant::now() < until, "no {line}, only {heard:?}. It said:\n{}", by.output());
        }
    }

    /// Somebody signs in and reaches the app.
    pub(super) async fn sign_in(&self) -> RawResponse {
        let mut ada = Person::new();
        let url = |path: &str| format!("http://localhost:{}{path}", self.proxy.port());
        ada.visit(&url("/_anteroom/start?return_to=%2F")).await;
        let (port, cookie) = (self.proxy.port(), ada.cookie_line(&url("")));
        let request = format!(
            "GET / HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        );
        try_exchange(self.proxy, &request).await.expect("an answer")
    }

    /// What the ops listener answers.
    pub(super) async fn ops(&self, path: &str) -> RawResponse {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        try_exchange(self.ops, &request).await.expect("an answer")
    }
}

/// The packaged configuration with these lines replaced, each of which must be there.
fn filled(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(packaged(), |toml, (from, to)| {
        assert!(toml.contains(from), "{from} in\n{toml}");
        toml.replacen(from, to, 1)
    })
}
