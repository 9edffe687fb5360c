//! How is the process put together, and in which order does it come and go?
//!
//! The composition root: a valid [`Config`] becomes stores, Atlassian, [`Auth`] and listeners. Up: store, auth, sockets,
//! then ready. Down: unready, a pause for load balancers, no new connections, finish, save, leave. No outbound call is
//! made at start.

mod servers;
mod wiring;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use self::servers::{Bound, Servers};
use crate::atlassian::{self, Atlassian};
use crate::auth::audit::Audit;
use crate::auth::{Auth, Parts};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::config::{Config, StoreUrl};
use crate::entropy::{Entropy, SystemEntropy};
use crate::identity::assertion::NoKey;
use crate::metrics::Metrics;
use crate::ops::access_log::AccessLog;
use crate::ops::drain::{Drain, Ending, Signals};
use crate::ops::server::OpsState;
use crate::ops::{AuditLog, LineWriter, OpsServer, Readiness, Traces};
use crate::pages::{LogoError, Pages};
use crate::proxy;
use crate::sign_in::ScopeError;
use crate::store::embedded::{EmbeddedStore, OpenError};
use crate::store::memory::MemoryStore;
use crate::store::{Store, StoreError, TracedStore};

/// How often activity is saved and what has run out is forgotten.
const TIDY_EVERY: Duration = Duration::from_secs(30);

/// How long the end waits for the collector to take the last traces.
const LAST_TRACES: Duration = Duration::from_secs(2);

/// What the drain is given beyond the proxy's own deadline.
const MARGIN: Duration = Duration::from_secs(1);

/// What a caller may put in place of the usual: tests move the clock, the demo says that it is one.
pub struct Seams {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Instead of the configured store.
    pub store: Option<Arc<dyn Store>>,
    /// Instead of binding the configured addresses.
    pub listeners: Listeners,
    /// Instead of lines on stdout.
    pub access_log: Option<Arc<dyn AccessLog>>,
    /// Instead of lines on stdout.
    pub audit: Option<Arc<dyn Audit>>,
    /// What sends spans, if anything does; it is closed at the end.
    pub traces: Option<Traces>,
    /// Whether every page says that this is a demo.
    pub demo: bool,
}

impl Default for Seams {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            store: None,
            listeners: Listeners::default(),
            access_log: None,
            audit: None,
            traces: None,
            demo: false,
        }
    }
}

/// Sockets that a caller has bound already.
#[derive(Debug, Default)]
pub struct Listeners {
    /// Instead of `proxy.listen`.
    pub proxy: Option<std::net::TcpListener>,
    /// Instead of `forward_auth.listen`.
    pub forward_auth: Option<std::net::TcpListener>,
    /// The names of the sockets that systemd hands over, in order (`LISTEN_FDNAMES`).
    pub systemd_names: Vec<String>,
}

/// Why the process does not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store's file.
    #[error("{0}. Its place is `store.url`")]
    Open(#[from] OpenError),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Atlassian's URLs.
    #[error(transparent)]
    Atlassian(#[from] atlassian::SetupError),
    /// The scopes.
    #[error(transparent)]
    Scopes(#[from] ScopeError),
    /// The assertion's keys.
    #[error(transparent)]
    Assertion(#[from] NoKey),
    /// The upstream's TLS.
    #[error(transparent)]
    Proxy(#[from] proxy::SetupError),
    /// An address that is taken or not ours.
    #[error("cannot listen on {place}: {source}. Is another process using it? Set `{key}` to a free address")]
    Listen {
        /// As configured.
        place: String,
        /// The configuration key.
        key: &'static str,
        /// The reason.
        source: std::io::Error,
    },
    /// A place for gateways that is taken or not ours.
    #[error("cannot listen on {place}: {source}. Set `forward_auth.listen` to a place that is free and ours")]
    ForwardAuth {
        /// As configured.
        place: String,
        /// The reason.
        source: std::io::Error,
    },
    /// The logo's file.
    #[error("cannot read `pages.branding.logo_file` {}: {source}", path.display())]
    LogoFile {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The logo itself.
    #[error(transparent)]
    Logo(#[from] LogoError),
    /// The thread that writes logs.
    #[error("cannot start the log writer: {0}")]
    Log(std::io::Error),
}

/// A process that is up and not yet serving.
pub struct App {
    auth: Arc<Auth>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    servers: Servers,
    ops: Option<OpsServer>,
    readiness: Readiness,
    lines: LineWriter,
    traces: Option<Traces>,
    shutdown_delay: Duration,
    drain_timeout: Duration,
}

impl App {
    /// Opens the store, loads what it remembers and binds the sockets.
    pub async fn start(config: Config, seams: Seams) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new());
        let readiness = Readiness::new(Arc::clone(&metrics));
        let starting = readiness.register("starting");
        let store = match seams.store {
            Some(store) => store,
            None => open_store(&config.store)?,
        };
        let store = match seams.traces {
            Some(_) => Arc::new(TracedStore::new(store)),
            None => store,
        };
        let lines = LineWriter::start(std::io::stdout(), Arc::clone(&metrics)).map_err(StartError::Log)?;
        let access_log = seams.access_log.unwrap_or_else(|| wiring::access_log(&config.ops, &lines));
        let audit = seams.audit.unwrap_or_else(|| Arc::new(AuditLog::new(lines.reserved_lines())));
        let ops = match config.ops.listen {
            Some(address) => Some(OpsServer::bind(address).await.map_err(listening(&address, "ops.listen"))?),
            None => None,
        };
        let bound = Bound::new(&config, seams.listeners).await?;
        let (shutdown_delay, drain_timeout) = (config.ops.shutdown_delay, config.ops.drain_timeout);
        let parts = Parts {
            atlassian: Arc::new(Atlassian::new(wiring::atlassian(&config, &metrics)?)?),
            pages: Pages::new(wiring::branding(&config, seams.demo)?),
            settings: wiring::auth(&config)?,
            presenter: wiring::presenter(&config.public_url, config.headers, &config.session.keys)?,
            keys: config.session.keys,
            routes: config.routes,
            access: config.access,
            store: Arc::clone(&store),
            metrics: Arc::clone(&metrics),
            audit,
            clock: Arc::clone(&seams.clock),
            entropy: seams.entropy,
        };
        let auth = Arc::new(Auth::new(parts).await?);
        let servers = bound.with(&auth, &access_log)?;
        let asked = Arc::clone(&store);
        readiness.ask_store(move || {
            let store = Arc::clone(&asked);
            async move { store.healthy().await.map_err(|error| error.to_string()) }
        });
        starting.done();
        let (clock, traces) = (seams.clock, seams.traces);
        Ok(Self {
            auth,
            clock,
            metrics,
            servers,
            ops,
            readiness,
            lines,
            traces,
            shutdown_delay,
            drain_timeout,
        })
    }

    /// Where browsers connect to the reverse proxy, if there is one.
    pub fn address(&self) -> Option<SocketAddr> {
        self.servers.proxy_address()
    }

    /// Where gateways connect, if they do so by address.
    pub fn forward_auth_address(&self) -> Option<SocketAddr> {
        self.servers.forward_auth_address()
    }

    /// Where `/livez`, `/readyz` and `/metrics` are.
    pub fn ops_address(&self) -> Option<SocketAddr> {
        self.ops.as_ref().and_then(|ops| ops.local_addr().ok())
    }

    /// Serves until the first signal, then drains.
    pub async fn run(self, signals: impl Signals) -> Ending {
        let (stop, stopping) = watch::channel(false);
        let (finish, finished) = watch::channel(false);
        let state = OpsState { readiness: self.readiness.clone(), metrics: self.metrics };
        let ops = self.ops.map(|ops| tokio::spawn(ops.serve(state, finished)));
        let tidy = tokio::spawn(tidy(Arc::clone(&self.auth), self.clock, stopping.clone()));
        let mut serving = tokio::spawn(self.servers.serve(stopping, self.drain_timeout));
        let drain = Drain {
            readiness: self.readiness,
            delay: self.shutdown_delay,
            // The proxy cuts what is left at the deadline itself; this is for the case that it does not.
            deadline: self.drain_timeout + MARGIN,
            stop,
        };
        let served = async {
            let _ended = (&mut serving).await;
        };
        let ending = drain.run(signals, served).await;
        serving.abort();
        // The last use of every session, so that a restart signs nobody out.
        let _ended = tidy.await;
        if let Err(error) = self.auth.tidy(Timestamp::default()).await {
            tracing::error!(%error, "the last activity of sessions could not be saved");
        }
        finish.send_replace(true);
        if let Some(ops) = ops {
            let _ended = ops.await;
        }
        self.lines.close();
        if let Some(traces) = self.traces {
            // Away from the runtime: it waits for the collector.
            let closing = tokio::task::spawn_blocking(move || traces.close(LAST_TRACES));
            let _in_time = tokio::time::timeout(LAST_TRACES + MARGIN, closing).await;
        }
        ending
    }
}

async fn tidy(auth: Arc<Auth>, clock: Arc<dyn Clock>, mut stopping: watch::Receiver<bool>) {
    let mut since = Timestamp::default();
    loop {
        tokio::select! {
            _ = stopping.wait_for(|now| *now) => return,
            () = tokio::time::sleep(TIDY_EVERY) => {}
        }
        let now = clock.now();
        match auth.tidy(since).await {
            Ok(()) => since = now,
            Err(error) => {
                tracing::error!(%error, "the activity of sessions could not be saved; trying again")
            }
        }
    }
}

fn open_store(url: &StoreUrl) -> Result<Arc<dyn Store>, OpenError> {
    Ok(match url {
        StoreUrl::Memory => Arc::new(MemoryStore::new()),
        StoreUrl::File(path) => Arc::new(EmbeddedStore::open(path)?),
    })
}

fn listening(place: &impl ToString, key: &'static str) -> impl Fn(std::io::Error) -> StartError {
    let place = place.to_string();
    move |source| StartError::Listen { place: place.clone(), key, source }
}
