//! How is the process put together, and in which order does it come and go?
//!
//! The composition root: a valid [`Config`] becomes stores, Atlassian, [`Auth`] and listeners. Up: store, auth, sockets,
//! then ready; sockets and store come from the process that serves until then, if there is one (`upgrade`). Down: unready, a pause for load balancers, no new connections, finish, save, leave. No outbound call is
//! made at start.

mod error;
mod in_force;
mod leave;
mod notify;
mod reload;
mod servers;
mod upgrade;
mod wiring;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

pub use self::error::StartError;
use self::in_force::{Fixed, InForce};
use self::leave::{After, TAKEN_OVER, leave_when, tidy};
pub use self::notify::Notify;
use self::reload::Reloader;
use self::servers::{Bound, Servers};
pub use self::upgrade::UpgradeError;
use self::upgrade::{Next, Previous, Socket};
use crate::auth::audit::Audit;
use crate::auth::{Auth, Choices, Parts};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::config::{Config, LoadOptions, Sources, StoreUrl};
use crate::entropy::{Entropy, SystemEntropy};
use crate::metrics::Metrics;
use crate::ops::access_log::AccessLog;
use crate::ops::drain::{Drain, Ending, Signals};
use crate::ops::server::OpsState;
use crate::ops::{AuditLog, LineWriter, OpsServer, Readiness, Traces};
use crate::proxy;
use crate::store::embedded::{EmbeddedStore, OpenError};
use crate::store::memory::MemoryStore;
use crate::store::{Store, TracedStore};

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
    /// How the configuration was loaded and what it rested on just before, to load it again when it changes. Without it
    /// nothing is watched, and SIGHUP is left alone.
    pub load: Option<(LoadOptions, Sources)>,
    /// Who is told how things stand; nobody unless said.
    pub notify: Notify,
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
            load: None,
            notify: Notify::default(),
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

/// A process that is up and not yet serving.
pub struct App {
    in_force: Arc<InForce>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    servers: Servers,
    ops: Option<OpsServer>,
    readiness: Readiness,
    lines: LineWriter,
    traces: Option<Traces>,
    reloader: Option<Reloader>,
    next: Option<Next>,
    previous: Option<Previous>,
    notify: Arc<Notify>,
    shutdown_delay: Duration,
    drain_timeout: Duration,
}

impl App {
    /// Binds the sockets, opens the store and loads what it remembers. Where another process serves at
    /// `ops.upgrade_socket`, takes both over from it; when this fails, that one goes on.
    pub async fn start(config: Config, seams: Seams) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new());
        let readiness = Readiness::new(Arc::clone(&metrics));
        let starting = readiness.register("starting");
        let lines = LineWriter::start(std::io::stdout(), Arc::clone(&metrics)).map_err(StartError::Log)?;
        let access_log = seams.access_log.unwrap_or_else(|| wiring::access_log(&config.ops, &lines));
        let audit = seams.audit.unwrap_or_else(|| Arc::new(AuditLog::new(lines.reserved_lines())));
        let reload = match seams.load {
            Some(loaded) => Some((reload::hang_up().map_err(StartError::Signals)?, loaded)),
            None => None,
        };
        let upgrade_socket = config.ops.upgrade_socket.clone();
        let (next, mut open) = match &upgrade_socket {
            Some(path) => {
                Next::ask(path).await?.map_or((None, Vec::new()), |(next, open)| (Some(next), open))
            }
            None => (None, Vec::new()),
        };
        let ops = match config.ops.listen {
            Some(address) => Some(bind_ops(address, &mut open).await?),
            None => None,
        };
        let bound = Bound::new(&config, seams.listeners, &mut open).await?;
        let mut sockets = Vec::new();
        if upgrade_socket.is_some() {
            sockets = bound.sockets(&config).map_err(StartError::Descriptors)?;
            if let (Some(ops), Some(address)) = (&ops, config.ops.listen) {
                let descriptor = ops.descriptor().map_err(StartError::Descriptors)?;
                sockets.push(Socket { name: "ops", place: address.to_string(), descriptor });
            }
        }
        let (shutdown_delay, drain_timeout) = (config.ops.shutdown_delay, config.ops.drain_timeout);
        let (watching, fixed, store_url) = (config.ops.reload, Fixed::of(&config), config.store.clone());
        let Choices { settings, keys, routes, access, presenter, atlassian, pages } =
            in_force::choices(config, &metrics, seams.demo)?;
        if let Some(next) = &next {
            next.prepared().await?;
        }
        let store = match seams.store {
            Some(store) => store,
            None => open_store(&store_url)?,
        };
        let store = match seams.traces {
            Some(_) => Arc::new(TracedStore::new(store)),
            None => store,
        };
        let parts = Parts {
            settings,
            keys,
            routes,
            access,
            presenter,
            atlassian,
            pages,
            store: Arc::clone(&store),
            metrics: Arc::clone(&metrics),
            audit,
            clock: Arc::clone(&seams.clock),
            entropy: seams.entropy,
        };
        let auth = Arc::new(Auth::new(parts).await?);
        let (mut servers, doors) = bound.with(&auth, &access_log)?;
        let in_force = Arc::new(InForce::new(auth, doors, fixed, &metrics, seams.demo));
        let asked = Arc::clone(&store);
        readiness.ask_store(move || {
            let store = Arc::clone(&asked);
            async move { store.healthy().await.map_err(|error| error.to_string()) }
        });
        let (clock, counted, traces) = (seams.clock, Arc::clone(&metrics), seams.traces);
        let reloader = reload.map(|(hang_up, loaded)| {
            Reloader::new(Arc::clone(&in_force), hang_up, loaded, watching, counted, Arc::clone(&clock))
        });
        let previous = upgrade_socket.map(|path| {
            let listening = Previous::listen(&path, sockets, Arc::clone(&in_force), store);
            listening.map_err(|source| StartError::UpgradeSocket { path, source })
        });
        let mut previous = previous.transpose()?;
        if let Some(next) = &next {
            next.ready().await?;
        }
        // From here on nothing may fail, nor wait: the other process is about to go.
        servers.own_files();
        if let Some(previous) = &mut previous {
            previous.appear();
        }
        starting.done();
        Ok(Self {
            in_force,
            clock,
            metrics,
            servers,
            ops,
            readiness,
            lines,
            traces,
            reloader,
            next,
            previous,
            notify: Arc::new(seams.notify),
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

    /// Where probes of the app are handed on.
    pub fn probes_address(&self) -> Option<SocketAddr> {
        self.servers.probes_address()
    }

    /// Serves until the first signal or until another process has taken over, then drains.
    pub async fn run(mut self, mut signals: impl Signals + Send) -> Ending {
        let (stop, stopping) = watch::channel(false);
        let (finish, finished) = watch::channel(false);
        let state = OpsState { readiness: self.readiness.clone(), metrics: Arc::clone(&self.metrics) };
        let probes = self.servers.take_probes().map(|(probes, app)| {
            tokio::spawn(probes.serve(Arc::new(app), Arc::clone(&self.metrics), finished.clone()))
        });
        let ops = self.ops.map(|ops| tokio::spawn(ops.serve(state, finished)));
        let tidy = tokio::spawn(tidy(Arc::clone(&self.in_force), self.clock, stopping.clone()));
        let mut serving = tokio::spawn(self.servers.serve(stopping, self.drain_timeout));
        if let Some(next) = self.next {
            next.serving().await;
        }
        let notify = self.notify;
        notify.ready();
        let alive = tokio::spawn(Arc::clone(&notify).stay_alive());
        let reloading = self.reloader.map(|reloader| tokio::spawn(reloader.run(Arc::clone(&notify))));
        let first = leave_when(&mut signals, self.previous).await;
        if let Some(reloading) = reloading {
            reloading.abort();
        }
        let taken_over = first == TAKEN_OVER;
        if taken_over {
            // Its own answers from now on.
            finish.send_replace(true);
        }
        notify.stopping(self.shutdown_delay + self.drain_timeout);
        let drain = Drain {
            readiness: self.readiness,
            // Nobody has to learn that somebody else is there: the address is the same.
            delay: if taken_over { Duration::ZERO } else { self.shutdown_delay },
            // The proxy cuts what is left at the deadline itself; this is for the case that it does not.
            deadline: self.drain_timeout + MARGIN,
            stop,
        };
        let served = async {
            let _ended = (&mut serving).await;
        };
        let ending = drain.run(After { first: Some(first), rest: signals }, served).await;
        serving.abort();
        // The last use of every session, so that a restart signs nobody out.
        let _ended = tidy.await;
        if let Err(error) = self.in_force.auth().tidy(Timestamp::default()).await {
            tracing::error!(%error, "the last activity of sessions could not be saved");
        }
        finish.send_replace(true);
        for aside in [ops, probes].into_iter().flatten() {
            let _ended = aside.await;
        }
        self.lines.close();
        if let Some(traces) = self.traces {
            // Away from the runtime: it waits for the collector.
            let closing = tokio::task::spawn_blocking(move || traces.close(LAST_TRACES));
            let _in_time = tokio::time::timeout(LAST_TRACES + MARGIN, closing).await;
        }
        alive.abort();
        ending
    }
}

/// Reads the certificates, keys and authorities that the configuration names for the proxy, as a start does.
///
/// # Errors
/// That of the start.
pub fn try_files(config: &Config) -> Result<(), StartError> {
    let proxy = config.proxy.as_ref().map(|wanted| wiring::proxy(wanted, config.public_url.secure()));
    Ok(proxy.as_ref().map_or(Ok(()), proxy::try_files)?)
}

async fn bind_ops(address: SocketAddr, open: &mut Vec<Socket>) -> Result<OpsServer, StartError> {
    let ops = match upgrade::take(open, "ops", &address.to_string()) {
        Some(descriptor) => OpsServer::adopt(descriptor.into()),
        None => OpsServer::bind(address).await,
    };
    ops.map_err(listening(&address, "ops.listen"))
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
