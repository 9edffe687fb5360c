//! Anteroom as people run it: configuration through its own loader, real sockets, the offline Atlassian beside it.
//!
//! A [`Site`] is one running process's worth, inside the test's process so that its clock can be moved and its journal
//! read. A [`Plan`] says only what differs from the standard one.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use anteroom::app::{App, Listeners, Seams};
use anteroom::clock::{Clock, SystemClock};
use anteroom::config::{Config, LoadOptions};
use anteroom::emulator::{self, Emulator, SampleApp};
use anteroom::ops::drain::Signals;
use anteroom::store::Store;
use anteroom::store::memory::MemoryStore;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::secrets;

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
    /// What sends spans, if anything does.
    pub(crate) traces: Option<anteroom::ops::Traces>,
    /// Asked by this gateway instead of standing in front of an upstream itself.
    pub(crate) gateway: Option<Gateway>,
}

/// The gateway that people's browsers reach, from Anteroom's point of view.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    /// Its port on loopback; without one browsers are sent to the forward-auth listener itself.
    pub(crate) port: Option<u16>,
    /// The host of `public_url`.
    pub(crate) central: &'static str,
    /// The hosts of `app_urls`.
    pub(crate) apps: &'static [&'static str],
    /// Keys of `[forward_auth]` besides `listen`.
    pub(crate) settings: String,
}

impl Gateway {
    /// On this port, for `localhost` alone, on this machine.
    pub(crate) fn on(port: u16) -> Self {
        Self { port: Some(port), ..Self::none() }
    }

    /// Played by the test.
    pub(crate) fn none() -> Self {
        let settings = "trusted_proxies = [\"127.0.0.1\"]".to_owned();
        Self { port: None, central: "localhost", apps: &[], settings }
    }
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
            traces: None,
            gateway: None,
        }
    }
}

impl Plan {
    /// Asked by this gateway.
    pub(crate) fn gateway(mut self, gateway: Gateway) -> Self {
        self.gateway = Some(gateway);
        self
    }

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
    /// Its configuration file.
    pub(crate) toml: String,
    public_url: String,
    proxy: Option<SocketAddr>,
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
        secrets::listen();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let public_url = match &plan.gateway {
            Some(gateway) => {
                format!("http://{}:{}", gateway.central, gateway.port.unwrap_or(address.port()))
            }
            None => format!("http://localhost:{}", address.port()),
        };
        let emulator = atlassian(&plan, &public_url).await;
        let sample = match (&plan.upstream, &plan.gateway) {
            (Some(_), _) | (_, Some(_)) => None,
            (None, None) => {
                Some(SampleApp::start((Ipv4Addr::LOCALHOST, 0).into()).await.expect("the sample app"))
            }
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
        let (proxy, app_urls) = match &plan.gateway {
            Some(Gateway { port, apps, settings, .. }) => {
                let port = port.unwrap_or(address.port());
                let apps: Vec<String> = apps.iter().map(|app| format!("\"http://{app}:{port}\"")).collect();
                let listen = format!("[forward_auth]\nlisten = \"127.0.0.1:0\"\n{settings}");
                (listen, format!("app_urls = [{}]", apps.join(", ")))
            }
            None => (format!("[proxy]\nupstream = \"{upstream}\""), String::new()),
        };
        let toml = format!(
            "public_url = \"{public_url}\"\n{app_urls}\n\
             [atlassian]\nclient_id = \"{CLIENT_ID}\"\nclient_secret = \"{secret}\"\n\
             auth_url = \"{base}\"\napi_url = \"{base}\"\n{atlassian}\n\
             {proxy}\n\
             [session]\nsecret = \"{SECRET}\"\n{session}\n\
             [store]\nurl = \"memory:\"\n[ops]\nlisten = \"127.0.0.1:0\"\nshutdown_delay = \"0s\"\n{config}\n"
        );
        let config = load(&toml);
        let log = Arc::new(Log::default());
        let seams = Seams {
            clock: Arc::clone(&plan.clock),
            store: Some(Arc::clone(&plan.store)),
            listeners: match plan.gateway {
                Some(_) => Listeners { forward_auth: Some(listener), ..Listeners::default() },
                None => Listeners { proxy: Some(listener), ..Listeners::default() },
            },
            access_log: Some(Arc::clone(&log) as _),
            audit: Some(Arc::clone(&log) as _),
            traces: plan.traces,
            ..Seams::default()
        };
        let app = App::start(config, seams).await.unwrap_or_else(|e| panic!("Anteroom does not start: {e}"));
        let (ops, proxy) = (app.ops_address().expect("an ops listener"), app.address());
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            app.run(Stop(Some(stopped))).await;
        });
        Self {
            emulator,
            sample,
            log,
            toml,
            public_url,
            proxy,
            address,
            ops,
            stop: Some(stop),
            served: Some(served),
        }
    }

    /// Where browsers go: `http://localhost:PORT`, which is the gateway's port where there is one.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// For raw sockets, and for gateways: the proxy's or the forward-auth listener's.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The reverse proxy, where there is one beside a gateway.
    pub(crate) fn proxy(&self) -> SocketAddr {
        self.proxy.expect("a reverse proxy")
    }

    /// The ops listener.
    pub(crate) fn ops(&self) -> SocketAddr {
        self.ops
    }

    /// The host that raw requests name.
    pub(crate) fn host(&self) -> String {
        self.public_url.trim_start_matches("http://").to_owned()
    }

    /// Notes what Atlassian was sent and what it issued.
    pub(crate) fn note_secrets(&self) {
        for entry in self.emulator.journal() {
            for (name, value) in entry.query.iter().chain(&entry.body) {
                if ["code", "state", "client_secret", "code_verifier", "refresh_token"]
                    .contains(&name.as_str())
                {
                    secrets::note(value);
                }
            }
            secrets::note(entry.authorization.as_deref().unwrap_or_default());
            let query = entry.location.as_deref().and_then(|location| location.split_once('?'));
            secrets::note_query(query.map_or("", |(_, query)| query));
        }
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

impl Drop for Site {
    fn drop(&mut self) {
        self.note_secrets();
        secrets::verify();
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
    secrets::note_configuration(toml);
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
        secrets::check("the access or audit log", &line);
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
