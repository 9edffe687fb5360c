//! Who may connect, and how does everybody leave? The accept loop and the drain.
//!
//! | file | question |
//! |---|---|
//! | `arrival` | what is settled before the first request of a connection? |
//! | `proxy_header` | for whom does a load balancer connect? |
//! | `door` | do the settings that a connection was let in by still hold? |
//! | `tls` | how do clients reach us over TLS? |
//! | `io` | what does a connection run over? |
//! | `gather` | how do a header and a small body become one packet? |
//!
//! At the limit of connections in all, nobody is turned away: new ones wait, unaccepted, until others end.
//! At shutdown the listener closes, connections that rest are closed, what is in flight finishes with
//! `Connection: close`, and what is still there at the deadline is cut.

mod arrival;
pub(super) mod door;
pub(super) mod gather;
pub(super) mod io;
mod proxy_header;
pub(super) mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use pingora::apps::HttpServerApp;
use pingora::proxy::{HttpProxy, http_proxy};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use self::arrival::House;
use super::app::App;
use super::probes::Prober;
use super::service::Service;
use super::settings::Settings;
use super::setup_error::SetupError;
use super::streams::registry::Registry;
use super::upstreams::server_conf;
use crate::auth::Auth;
use crate::entropy::SystemEntropy;
use crate::ops::RequestIds;
use crate::ops::access_log::AccessLog;
use crate::ops::clients::Clients;
use crate::ops::listen::Listener;
use crate::ops::remarks::Remarks;

/// How long to wait when no connection can be accepted (no file descriptor left, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The limit of connections may have been raised meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long a connection may rest before it is closed, once another process has taken over.
const ONCE_MORE: Duration = Duration::from_secs(5);

/// The reverse proxy.
pub struct Proxy {
    app: Arc<HttpProxy<App>>,
    replacer: Replacer,
}

/// Puts other settings in force while a proxy serves. Requests under way keep those that they began with; a connection
/// ends after its request where it was let in by other terms.
#[derive(Clone)]
pub struct Replacer {
    in_force: Arc<ArcSwap<Service>>,
    access_log: Arc<dyn AccessLog>,
    request_ids: Arc<RequestIds>,
    streams: Arc<Registry>,
    handing_over: Arc<AtomicBool>,
}

impl Replacer {
    /// Replaces the settings and the decision, together.
    ///
    /// # Errors
    /// Those of [`Proxy::new`]; what was in force stays so.
    pub fn replace(&self, settings: Settings, auth: Arc<Auth>) -> Result<(), SetupError> {
        let (access_log, request_ids) = (Arc::clone(&self.access_log), Arc::clone(&self.request_ids));
        let streams = Arc::clone(&self.streams);
        let mut service = Service::new(settings, auth, access_log, request_ids, streams)?;
        let old_door = Arc::clone(&self.in_force.load().door);
        service.door = service.door.or_same(&old_door);
        let service = Arc::new(service);
        show_expiries(&service);
        let old = self.in_force.swap(Arc::clone(&service));
        if !Arc::ptr_eq(&service.door, &old.door) {
            old.door.close();
        }
        service.upstreams.take_over(&old.upstreams, service.auth.metrics());
        Ok(())
    }

    /// From now on the end of serving means that another process serves in our place: connections that rest may ask
    /// once more and are told to close, instead of being closed under a request that is on its way (RFC 9112 §9.5).
    pub fn hand_over(&self) {
        self.handing_over.store(true, Ordering::Relaxed);
    }
}

impl Replacer {
    /// Begins to end streams whose sessions end; stops when the result is dropped.
    fn sweep(&self, shutdown: watch::Receiver<bool>) -> JoinSet<()> {
        let (in_force, streams) = (Arc::clone(&self.in_force), Arc::clone(&self.streams));
        let mut sweeper = JoinSet::new();
        sweeper.spawn(async move {
            streams.sweep(|| Arc::clone(&in_force.load().auth), shutdown).await;
        });
        sweeper
    }
}

impl std::fmt::Debug for Replacer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replacer").finish_non_exhaustive()
    }
}

/// How a drain went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were open at shutdown and ended by themselves.
    pub finished: usize,
    /// Connections that had to be cut at the deadline.
    pub aborted: usize,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").finish_non_exhaustive()
    }
}

impl Proxy {
    /// Prepares everything; opens no connection and resolves no name.
    ///
    /// # Errors
    /// An https upstream that could not be verified; certificates that cannot be served.
    pub fn new(
        settings: Settings,
        auth: Arc<Auth>,
        access_log: Arc<dyn AccessLog>,
    ) -> Result<Self, SetupError> {
        let conf = server_conf(&settings.upstreams);
        let request_ids = Arc::new(RequestIds::new(&SystemEntropy));
        let streams = Arc::new(Registry::default());
        let (log, ids) = (Arc::clone(&access_log), Arc::clone(&request_ids));
        let service = Service::new(settings, auth, log, ids, Arc::clone(&streams))?;
        show_expiries(&service);
        let in_force = Arc::new(ArcSwap::from_pointee(service));
        let app = Arc::new(http_proxy(&Arc::new(conf), App(Arc::clone(&in_force))));
        let handing_over = Arc::default();
        Ok(Self { app, replacer: Replacer { in_force, access_log, request_ids, streams, handing_over } })
    }

    /// For other settings later on.
    pub fn replacer(&self) -> Replacer {
        self.replacer.clone()
    }

    /// For probes of the app, on a listener of their own.
    pub fn prober(&self) -> Prober {
        Prober::new(Arc::clone(&self.replacer.in_force))
    }

    /// Serves until `shutdown` turns true, then drains for at most `drain_deadline`.
    pub async fn serve(
        self,
        mut listener: Listener,
        mut shutdown: watch::Receiver<bool>,
        drain_deadline: Duration,
    ) -> Drained {
        let (mut connections, draining) = (JoinSet::new(), shutdown.clone());
        let (ending_rest, no_rest) = watch::channel(false);
        let (clients, remarks) = (Clients::by_network(), Arc::new(Remarks::default()));
        let in_force = self.replacer.in_force.load_full();
        in_force.upstreams.start(in_force.auth.metrics());
        drop(in_force);
        let _sweeper = self.replacer.sweep(shutdown.clone());
        loop {
            let room = connections.len() < self.replacer.in_force.load().settings.limits.connections;
            if !room && remarks.due("full") {
                tracing::warn!(
                    connections = connections.len(),
                    "there are as many connections as `proxy.limits.connections` allows; new ones wait"
                );
            }
            tokio::select! {
                biased;
                () = asked_to_stop(&mut shutdown) => break,
                Some(_ended) = connections.join_next(), if !connections.is_empty() => {}
                () = sleep(LOOK_AGAIN), if !room => {}
                accepted = listener.accept(), if room => match accepted {
                    Ok(accepted) => {
                        let house = House {
                            app: Arc::clone(&self.app),
                            service: self.replacer.in_force.load_full(),
                            clients: Arc::clone(&clients),
                            remarks: Arc::clone(&remarks),
                            in_force: Arc::clone(&self.replacer.in_force),
                            shutdown: draining.clone(),
                            no_rest: no_rest.clone(),
                            handing_over: Arc::clone(&self.replacer.handing_over),
                        };
                        connections.spawn(house.welcome(accepted));
                    }
                    Err(error) => {
                        tracing::error!(%error, "a connection could not be accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        let handing_over = self.replacer.handing_over.load(Ordering::Relaxed);
        if handing_over {
            listener.keep_file();
        }
        drop(listener);
        self.replacer.in_force.load().upstreams.stop();
        let open = connections.len();
        let began = Instant::now();
        if handing_over {
            let all = async { while connections.join_next().await.is_some() {} };
            let _in_time = timeout(ONCE_MORE.min(drain_deadline), all).await;
        }
        self.app.http_cleanup().await;
        ending_rest.send_replace(true);
        let drained = drain(connections, drain_deadline.saturating_sub(began.elapsed())).await;
        Drained { finished: open.saturating_sub(drained.aborted), ..drained }
    }
}

/// For alerts on certificates that are about to run out.
fn show_expiries(service: &Service) {
    let expiries = service.tls.iter().flat_map(|tls| &tls.expiries);
    let by_file = expiries.map(|(file, expires)| (file.display().to_string(), *expires));
    service.auth.metrics().tls_certificates(by_file);
}

/// Waits for the word; when nobody is left who could give it, that is one too.
async fn asked_to_stop(shutdown: &mut watch::Receiver<bool>) {
    let _released_at_once = shutdown.wait_for(|now| *now).await;
}

async fn drain(mut connections: JoinSet<()>, deadline: Duration) -> Drained {
    let open = connections.len();
    let all = async { while connections.join_next().await.is_some() {} };
    let _in_time = timeout(deadline, all).await;
    let aborted = connections.len();
    connections.shutdown().await;
    Drained { finished: open.saturating_sub(aborted), aborted }
}
