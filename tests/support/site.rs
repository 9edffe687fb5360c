//! Anteroom as people run it: configuration through its own loader, real sockets, the offline Atlassian beside it.
//!
//! A [`Site`] is one running process's worth, inside the test's process so that its clock can be moved and its journal
//! read. A [`Plan`] says only what differs from the standard one.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use anteroom::app::{App, Seams};
use anteroom::clock::{Clock, SystemClock};
use anteroom::config::{Config, LoadOptions};
use anteroom::emulator::{self, Emulator, SampleApp};
use anteroom::ops::drain::Signals;
use anteroom::store::Store;
use anteroom::store::memory::MemoryStore;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The demo fixture's app.
pub(crate) const CLIENT_ID: &str = "anteroomdemoclient00000000000001";
/// The callback path that other clients register, and ours too.
pub(crate) const CALLBACK: &str = "/api/auth/callback/atlassian";
/// A session secret for tests.
pub(crate) const SECRET: &str = "tests-only-secret-0123456789-abcdefghij";

/// What differs from a site that lets everybody in and stands in front of the sample app.
pub(crate) struct Plan {
    /// Where requests go; the sample app when absent.
    pub(crate) upstream: Option<String>,
    /// TOML besides `public_url`, `[atlassian]`, `[proxy]`, `[session]`, `[store]` and `[ops]`.
    pub(crate) config: String,
    /// Keys of `[atlassian]` besides the usual.
    pub(crate) atlassian: String,
    /// Keys of `[session]` besides the secret.
    pub(crate) session: String,
    /// Who is logged in at Atlassian and consents by itself; nobody when absent.
    pub(crate) approve: Option<String>,
    /// The time that Anteroom and Atlassian live by.
    pub(crate) clock: Arc<dyn Clock>,
    /// What outlives the process.
    pub(crate) store: Arc<dyn Store>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            upstream: None,
            config: "[access]\nallow_any_atlassian_account = true".into(),
            atlassian: String::new(),
            session: String::new(),
            approve: None,
            clock: Arc::new(SystemClock),
            store: Arc::new(MemoryStore::new()),
        }
    }
}

impl Plan {
    /// Ada is logged in at Atlassian and consents by herself.
    pub(crate) fn ada() -> Self {
        Self { approve: Some("ada@example.com".into()), ..Self::default() }
    }

    /// In front of this upstream.
    pub(crate) fn upstream(mut self, url: impl Into<String>) -> Self {
        self.upstream = Some(url.into());
        self
    }

    /// With this TOML instead of `allow_any_atlassian_account`.
    pub(crate) fn config(mut self, toml: &str) -> Self {
        toml.clone_into(&mut self.config);
        self
    }
}

/// A running Anteroom with its Atlassian.
pub(crate) struct Site {
    pub(crate) emulator: Emulator,
    pub(crate) sample: Option<SampleApp>,
    /// Lines of the audit and access logs, in order.
    pub(crate) log: Arc<Log>,
    address: SocketAddr,
    ops: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::with(Plan::default()).await
    }

    pub(crate) async fn with(plan: Plan) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let public_url = format!("http://localhost:{}", address.port());
        let emulator = atlassian(&plan, &public_url).await;
        let sample = match plan.upstream {
            Some(_) => None,
            None => Some(SampleApp::start((Ipv4Addr::LOCALHOST, 0).into()).await.expect("the sample app")),
        };
        let upstream = match (&plan.upstream, &sample) {
            (Some(url), _) => url.clone(),
            (None, sample) => sample.as_ref().map(|s| s.url().to_string()).unwrap_or_default(),
        };
        let base = emulator.base_url();
        let base = base.as_str().trim_end_matches('/');
        let secret = emulator_secret();
        let Plan { config, atlassian, session, .. } = &plan;
        let upstream = upstream.trim_end_matches('/');
        let toml = format!(
            "public_url = \"{public_url}\"\n\
             [atlassian]\nclient_id = \"{CLIENT_ID}\"\nclient_secret = \"{secret}\"\n\
             auth_url = \"{base}\"\napi_url = \"{base}\"\n{atlassian}\n\
             [proxy]\nupstream = \"{upstream}\"\n\
             [session]\nsecret = \"{SECRET}\"\n{session}\n\
             [store]\nurl = \"memory:\"\n[ops]\nlisten = \"127.0.0.1:0\"\nshutdown_delay = \"0s\"\n{config}\n"
        );
        let config = load(&toml);
        let log = Arc::new(Log::default());
        let seams = Seams {
            clock: Arc::clone(&plan.clock),
            store: Some(Arc::clone(&plan.store)),
            listener: Some(listener),
            access_log: Some(Arc::clone(&log) as _),
            audit: Some(Arc::clone(&log) as _),
            ..Seams::default()
        };
        let app = App::start(config, seams).await.unwrap_or_else(|e| panic!("Anteroom does not start: {e}"));
        let ops = app.ops_address().expect("an ops listener");
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            app.run(Stop(Some(stopped))).await;
        });
        Self { emulator, sample, log, address, ops, stop: Some(stop), served: Some(served) }
    }

    /// Where browsers go: `http://localhost:PORT`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.address.port())
    }

    /// For raw sockets.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The ops listener.
    pub(crate) fn ops(&self) -> SocketAddr {
        self.ops
    }

    /// The host that raw requests name.
    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// Begins to drain; [`Self::stopped`] waits for the end of it.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits until the process would have left.
    pub(crate) async fn stopped(&mut self) {
        self.stop();
        self.served.take().expect("once").await.expect("served to the end");
    }
}

/// One signal, when the test says so.
struct Stop(Option<oneshot::Receiver<()>>);

impl Signals for Stop {
    async fn next(&mut self) -> &'static str {
        match self.0.take() {
            Some(stopped) => drop(stopped.await),
            None => std::future::pending::<()>().await,
        }
        "test"
    }
}

/// The demo's Atlassian, with this site's callback registered.
async fn atlassian(plan: &Plan, public_url: &str) -> Emulator {
    let mut options = emulator::Options::loopback();
    let callback = format!("{public_url}{CALLBACK}");
    for app in &mut options.fixture.apps {
        app.callbacks = vec![callback.clone()];
    }
    options.approve.clone_from(&plan.approve);
    options.clock = Arc::clone(&plan.clock);
    Emulator::start(options).await.expect("the emulator")
}

fn emulator_secret() -> String {
    let fixture = emulator::Fixture::demo();
    let app = fixture.apps.iter().find(|app| app.client_id == CLIENT_ID).expect("the demo's app");
    app.client_secret.clone()
}

/// A configuration from its text, through the loader that `anteroom run` uses.
pub(crate) fn load(toml: &str) -> Config {
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("anteroom.toml");
    std::fs::write(&file, toml).expect("written");
    let options = LoadOptions { config: Some(file), ..LoadOptions::default() };
    match Config::load(&options) {
        Ok((config, _warnings)) => config,
        Err(errors) => panic!("{errors}\n{toml}"),
    }
}

/// Keeps what would be written to the logs.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Vec<String>>);

impl Log {
    /// Every line so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().expect("not poisoned").clone()
    }

    fn push(&self, line: String) {
        self.0.lock().expect("not poisoned").push(line);
    }
}

impl anteroom::ops::access_log::AccessLog for Log {
    fn record(&self, entry: &anteroom::ops::access_log::AccessEntry<'_>) {
        self.push(format!("access {entry:?}"));
    }
}

impl anteroom::auth::audit::Audit for Log {
    fn record(
        &self,
        _: anteroom::clock::Timestamp,
        _: std::net::IpAddr,
        _: &str,
        event: &anteroom::auth::audit::AuditEvent<'_>,
    ) {
        self.push(format!("audit {event:?}"));
    }
}
