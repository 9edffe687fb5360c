//! A folder with a configuration, and the real program that reads it. The Atlassian and the upstream are the test's.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anteroom::emulator::{Emulator, Fixture, Options};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::support::DEADLINE;
use crate::support::gateway::free_address;
use crate::support::person::Person;
use crate::support::process::Process;
use crate::support::raw::{RawResponse, try_exchange};
use crate::support::site::{CALLBACK, CLIENT_ID};
use crate::support::upstream::{Answer, Upstream};

pub(super) const FIRST: &str = "reload-tests-first-key-0123456789-abcdefgh";
pub(super) const SECOND: &str = "reload-tests-second-key-9876543210-zyxwvu";
pub(super) const GATEWAY: &str = "reload-tests-gateway-key-0123456789-abcdef";

/// Everything but the program.
pub(super) struct House {
    pub(super) folder: TempDir,
    pub(super) emulator: Emulator,
    pub(super) upstream: Upstream,
    pub(super) proxy: SocketAddr,
    pub(super) forward_auth: SocketAddr,
    pub(super) ops: SocketAddr,
}

impl House {
    /// With a configuration and its files written, in front of an upstream that answers `one` and what it was told.
    pub(super) async fn new() -> Self {
        let (proxy, forward_auth, ops) = (free_address(), free_address(), free_address());
        let mut options = Options::loopback();
        for app in &mut options.fixture.apps {
            app.callbacks = vec![format!("http://localhost:{}{CALLBACK}", proxy.port())];
        }
        options.approve = Some("ada@example.com".into());
        let emulator = Emulator::start(options).await.expect("the emulator");
        let upstream = Upstream::with(|request| {
            let told = request.header("x-anteroom-account-id").or(request.header("remote-user"));
            Answer::ok(&format!("one {}", told.unwrap_or("nobody")))
        });
        let folder = TempDir::new().expect("a folder");
        let this = Self { folder, emulator, upstream: upstream.await, proxy, forward_auth, ops };
        let fixture = Fixture::demo();
        let app = fixture.apps.iter().find(|app| app.client_id == CLIENT_ID).expect("the demo's app");
        this.write("client_secret", &app.client_secret);
        this.write("session_secret", FIRST);
        this.write("anteroom.toml", &this.toml());
        this
    }

    /// The configuration as it is at first.
    pub(super) fn toml(&self) -> String {
        let base = self.emulator.base_url();
        let base = base.as_str().trim_end_matches('/');
        let (proxy, forward_auth, ops) = (self.proxy, self.forward_auth, self.ops);
        let (port, upstream) = (proxy.port(), self.upstream.address());
        format!(
            "public_url = \"http://localhost:{port}\"\n\
             [atlassian]\nclient_id = \"{CLIENT_ID}\"\nclient_secret_file = \"client_secret\"\n\
             auth_url = \"{base}\"\napi_url = \"{base}\"\n\
             [proxy]\nlisten = \"{proxy}\"\nupstream = \"http://{upstream}\"\n\
             [proxy.timeouts]\nread = \"60s\"\n\
             [forward_auth]\nlisten = \"{forward_auth}\"\ntrusted_proxies = [\"127.0.0.1\"]\nkey = \"{GATEWAY}\"\n\
             [access]\nemail_domains = [\"example.com\"]\n\
             [[routes]]\npath = \"/open\"\naccess = \"public\"\n\
             [headers]\npresets = [\"anteroom\"]\n\
             [session]\nsecret_file = \"session_secret\"\n\
             [pages.branding]\nname = \"First name\"\n\
             [store]\nurl = \"file:data/accounts.redb\"\n\
             [ops]\nlisten = \"{ops}\"\nshutdown_delay = \"0s\"\nreload = true\nupgrade_socket = \"upgrade.sock\"\n"
        )
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file as an editor does: another one, renamed.
    pub(super) fn write(&self, name: &str, text: &str) {
        let (new, path) = (self.path("being-written"), self.path(name));
        std::fs::write(&new, text).expect("written");
        std::fs::rename(new, path).expect("renamed");
    }

    /// Writes the configuration with some of it replaced.
    pub(super) fn change(&self, changes: &[(&str, &str)]) {
        let toml = changes.iter().fold(self.toml(), |toml, (from, to)| {
            assert!(toml.contains(from), "{from} in\n{toml}");
            toml.replace(from, to)
        });
        self.write("anteroom.toml", &toml);
    }

    /// Starts the program in the folder; it is not ready yet.
    pub(super) fn start(&self) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
        command.arg("run").current_dir(self.folder.path());
        Process::start("anteroom", command, "cargo build")
    }

    /// Starts it and waits until it listens.
    pub(super) async fn started(&self) -> Process {
        let process = self.start();
        says(&process, "\"listening\"").await;
        process
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.proxy.port())
    }

    /// Ada, signed in.
    pub(super) async fn ada(&self) -> Person {
        let mut ada = Person::new();
        ada.visit(&self.url("/_anteroom/start?return_to=%2F")).await;
        assert_eq!(self.ask(&ada, "/").await.status, 200, "signed in");
        ada
    }

    /// Somebody signs out; nothing is left of the session.
    pub(super) async fn sign_out(&self, person: &mut Person) {
        let before = person.clone();
        let page = person.get(&self.url("/_anteroom/sign-out")).await;
        let marked = page.body.split("name=\"csrf\"").nth(1).expect("a token on the page");
        let token =
            marked.split("value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("its value");
        person.post(&self.url("/_anteroom/sign-out"), &[("csrf", token)]).await;
        assert_ne!(self.ask(&before, "/").await.status, 200);
    }

    /// The `Cookie` header of somebody.
    pub(super) fn cookie(&self, person: &Person) -> String {
        person.cookie_line(&self.url(""))
    }

    /// One request on a connection of its own.
    pub(super) async fn ask(&self, person: &Person, path: &str) -> RawResponse {
        let (port, cookie) = (self.proxy.port(), self.cookie(person));
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        );
        try_exchange(self.proxy, &request).await.expect("an answer")
    }

    /// A gateway's question about a request of somebody, up to its last header.
    pub(super) fn question(&self, person: &Person, key: &str) -> String {
        let (port, cookie) = (self.proxy.port(), self.cookie(person));
        format!(
            "GET /_anteroom/verify/nginx HTTP/1.1\r\nHost: gateway\r\nX-Original-Method: GET\r\n\
             X-Original-URL: http://localhost:{port}/x\r\nX-Anteroom-Gateway-Key: {key}\r\nCookie: {cookie}\r\n"
        )
    }

    /// What a gateway with this key hears about a request of somebody.
    pub(super) async fn verify(&self, person: &Person, key: &str) -> u16 {
        let question = format!("{}Connection: close\r\n\r\n", self.question(person, key));
        try_exchange(self.forward_auth, &question).await.expect("an answer").status
    }

    /// The value of a series.
    pub(super) async fn metric(&self, series: &str) -> u64 {
        let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let text = try_exchange(self.ops, request).await.expect("an answer").text();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        value.unwrap_or_default()
    }

    /// How often the configuration was read anew with this outcome.
    pub(super) async fn reloads(&self, outcome: &str) -> u64 {
        self.metric(&format!("anteroom_config_reloads_total{{outcome=\"{outcome}\"}}")).await
    }

    /// Waits for one more of these than `before`.
    pub(super) async fn reloaded(&self, outcome: &str, before: u64, process: &Process) {
        let more = async {
            while self.reloads(outcome).await <= before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = timeout(DEADLINE, more).await;
        waited.unwrap_or_else(|_| panic!("not {outcome}. It said:\n{}", process.output()));
    }

    /// SIGHUP, and the outcome of it.
    pub(super) async fn hang_up(&self, process: &Process, outcome: &str) {
        let before = self.reloads(outcome).await;
        process.signal(Signal::SIGHUP);
        self.reloaded(outcome, before, process).await;
    }
}

/// Waits for a line of the program's with this in it; gives the line.
pub(super) async fn says(process: &Process, what: &str) -> String {
    process.wait_for_line(|line| line.contains(what).then(|| line.to_owned())).await
}

/// How many lines have this in them.
pub(super) fn count(process: &Process, what: &str) -> usize {
    process.output().lines().filter(|line| line.contains(what)).count()
}
