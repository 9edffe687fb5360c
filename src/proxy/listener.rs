//! Who may connect, and how does everybody leave? The accept loop, a loop per connection, and the drain.
//!
//! At shutdown the listener closes, connections that rest are closed, what is in flight finishes with
//! `Connection: close`, and what is still there at the deadline is cut.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use pingora::apps::HttpServerApp;
use pingora::protocols::http::ServerSession;
use pingora::protocols::l4::ext::set_tcp_keepalive;
use pingora::proxy::{HttpProxy, http_proxy};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::App;
use super::client::{Client, Connection};
use super::phases::Phases;
use super::settings::{Settings, SetupError};
use super::upstream::{keep_alive, server_conf};
use crate::auth::Auth;
use crate::entropy::SystemEntropy;
use crate::metrics::Open;
use crate::ops::RequestIds;
use crate::ops::access_log::AccessLog;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;
/// How long to wait when no connection can be accepted (no file descriptor left, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a connection may rest before it is closed, once another process has taken over.
const ONCE_MORE: Duration = Duration::from_secs(5);

/// The reverse proxy.
pub struct Proxy {
    app: Arc<HttpProxy<App>>,
    replacer: Replacer,
}

/// Puts other settings in force while a proxy serves. Requests under way keep those that they began with.
#[derive(Clone)]
pub struct Replacer {
    in_force: Arc<ArcSwap<Phases>>,
    access_log: Arc<dyn AccessLog>,
    request_ids: Arc<RequestIds>,
    handing_over: Arc<AtomicBool>,
}

impl Replacer {
    /// Replaces the settings and the decision, together.
    ///
    /// # Errors
    /// Those of [`Proxy::new`]; what was in force stays so.
    pub fn replace(&self, settings: Settings, auth: Arc<Auth>) -> Result<(), SetupError> {
        let (access_log, request_ids) = (Arc::clone(&self.access_log), Arc::clone(&self.request_ids));
        self.in_force.store(Arc::new(Phases::new(settings, auth, access_log, request_ids)?));
        Ok(())
    }

    /// From now on the end of serving means that another process serves in our place: connections that rest may ask
    /// once more and are told to close, instead of being closed under a request that is on its way (RFC 9112 §9.5).
    pub fn hand_over(&self) {
        self.handing_over.store(true, Ordering::Relaxed);
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
    /// Opens the listening socket. Port 0 picks a free one.
    ///
    /// # Errors
    /// Those of the operating system: the address is taken, or not ours.
    pub async fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
        let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(listen)?;
        socket.listen(BACKLOG)
    }

    /// Prepares everything; opens no connection and resolves no name.
    ///
    /// # Errors
    /// An https upstream that could not be verified.
    pub fn new(
        settings: Settings,
        auth: Arc<Auth>,
        access_log: Arc<dyn AccessLog>,
    ) -> Result<Self, SetupError> {
        let conf = settings.upstreams.first().map(server_conf).transpose()?.unwrap_or_default();
        let request_ids = Arc::new(RequestIds::new(&SystemEntropy));
        let phases = Phases::new(settings, auth, Arc::clone(&access_log), Arc::clone(&request_ids))?;
        let in_force = Arc::new(ArcSwap::from_pointee(phases));
        let app = Arc::new(http_proxy(&Arc::new(conf), App(Arc::clone(&in_force))));
        let handing_over = Arc::default();
        Ok(Self { app, replacer: Replacer { in_force, access_log, request_ids, handing_over } })
    }

    /// For other settings later on.
    pub fn replacer(&self) -> Replacer {
        self.replacer.clone()
    }

    /// Serves until `shutdown` turns true, then drains for at most `drain_deadline`.
    pub async fn serve(
        self,
        listener: TcpListener,
        mut shutdown: watch::Receiver<bool>,
        drain_deadline: Duration,
    ) -> Drained {
        let (mut connections, draining) = (JoinSet::new(), shutdown.clone());
        loop {
            tokio::select! {
                biased;
                () = asked_to_stop(&mut shutdown) => break,
                Some(_ended) = connections.join_next(), if !connections.is_empty() => {}
                accepted = listener.accept() => match accepted {
                    Ok((tcp, from)) => {
                        let (app, phases) = (Arc::clone(&self.app), self.replacer.in_force.load_full());
                        connections.spawn(serve_connection(app, phases, tcp, from, draining.clone()));
                    }
                    Err(error) => {
                        tracing::error!(%error, "a connection could not be accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        let open = connections.len();
        let began = Instant::now();
        if self.replacer.handing_over.load(Ordering::Relaxed) {
            let all = async { while connections.join_next().await.is_some() {} };
            let _in_time = timeout(ONCE_MORE.min(drain_deadline), all).await;
        }
        self.app.http_cleanup().await;
        let drained = drain(connections, drain_deadline.saturating_sub(began.elapsed())).await;
        Drained { finished: open.saturating_sub(drained.aborted), ..drained }
    }
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

async fn serve_connection(
    app: Arc<HttpProxy<App>>,
    phases: Arc<Phases>,
    tcp: TcpStream,
    from: SocketAddr,
    shutdown: watch::Receiver<bool>,
) {
    let _open = Open::new(&phases.auth.metrics().connections);
    // Neither is worth refusing a connection for.
    let _slower = tcp.set_nodelay(true);
    let _unnoticed_when_gone = set_tcp_keepalive(&tcp, &keep_alive());
    let connection = Arc::new(Connection::new(from.ip()));
    let (times, limits) = (&phases.settings.timeouts, &phases.settings.limits);
    let client = Client::new(tcp, Arc::clone(&connection), times.header_read, limits.header_bytes);
    let mut session = ServerSession::new_http1(Box::new(client));
    session.set_keepalive(Some(times.keep_alive.as_secs().max(1)));
    while let Some(reused) = app.process_new_http(session, &shutdown).await {
        connection.resting();
        let (stream, persistent) = reused.consume();
        session = ServerSession::new_http1(stream);
        if let Some(persistent) = persistent {
            persistent.apply_to_session(&mut session);
        }
    }
    if let Some(status) = connection.refusal() {
        phases.record_refusal(&connection, status);
    }
}
