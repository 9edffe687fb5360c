//! Forward-auth: a gateway that people already run asks Anteroom whether a request may pass.
//!
//! The same decision, session and identity headers as the reverse proxy; only the shell differs. Anteroom's own pages
//! answer here too, so that a gateway can route `/_anteroom/` and the callback to this listener.
//!
//! | file | question |
//! |---|---|
//! | `peer` | is this a trusted gateway, and who is the client behind it? |
//! | `original` | what did the browser ask the gateway for? |
//! | `dispatch` | what is this request: a question, in which dialect, or one for a page of ours? |
//! | `decide` | may the original request pass? |
//! | `own` | how is a browser served a page of ours? |
//! | `service` | what do they share? |
//! | `answer` | how does a gateway hear yes or no? |
//! | `refusals` | what does Anteroom say where it knows nothing to decide about? |
//! | `grpc` | the same question and answer as Envoy's gRPC messages |
//! | `alias` | what did people's gateways ask oauth2-proxy? |
//! | `strangers` | has the log said this already? |

mod alias;
mod answer;
mod decide;
mod dispatch;
mod grpc;
mod original;
mod own;
mod peer;
mod refusals;
mod service;
mod strangers;
mod traced;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Version};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub use self::peer::GATEWAY_KEY;
use self::peer::{Gatekeeper, Peer};
pub use self::service::Dialect;
use self::service::Service;
use crate::auth::Auth;
use crate::entropy::SystemEntropy;
use crate::metrics::{Entrance, Open};
use crate::net::TrustedProxies;
use crate::ops::listen::{Accepted, Listener};
use crate::ops::{AccessLog, RequestIds};
use crate::secret::SecretString;

/// What is answered: bytes, or a gRPC message and its trailers.
type Body = Either<Full<Bytes>, tonic::body::Body>;

/// How long a gateway may keep a connection without asking: longer than any gateway keeps one, so that none sends its
/// question into a connection that is just being closed.
const IDLE: Duration = Duration::from_secs(600);
/// How long a stranger may stay connected in all.
const STRANGERS_TIME: Duration = Duration::from_secs(5);
/// How many strangers may be connected at a time; more are hung up on.
const STRANGERS: usize = 64;
/// How often an HTTP/2 connection is asked whether somebody is still there.
const HTTP2_PING: Duration = Duration::from_secs(60);
/// The longest head of a request, in bytes; gateways bound it more tightly.
const MAX_HEAD: usize = 128 * 1024;
/// Questions at a time on one HTTP/2 connection.
const MAX_STREAMS: u32 = 1024;
/// How long a connection may rest before it is closed, once another process has taken over.
const ONCE_MORE: Duration = Duration::from_secs(5);
/// After a failure to accept, out of file descriptors most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What an operator chooses about forward-auth.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The gateways that are listened to.
    pub trusted: TrustedProxies,
    /// What they prove themselves with besides.
    pub key: Option<SecretString>,
    /// Whether oauth2-proxy's paths answer too, and the dialect of `/oauth2/auth`.
    pub oauth2_proxy: Option<Dialect>,
}

/// The forward-auth server, not yet listening.
pub struct ForwardAuth {
    replacer: Replacer,
}

/// Puts other settings in force while gateways ask. A question under way keeps those that it began with; the next one on
/// the same connection meets the new ones, and whoever is not trusted any more is turned away.
#[derive(Clone)]
pub struct Replacer {
    in_force: Arc<ArcSwap<Service>>,
    access_log: Arc<dyn AccessLog>,
    request_ids: Arc<RequestIds>,
    handing_over: Arc<AtomicBool>,
}

impl std::fmt::Debug for Replacer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replacer").finish_non_exhaustive()
    }
}

impl Replacer {
    /// Replaces the settings and the decision, together.
    pub fn replace(&self, settings: Settings, auth: Arc<Auth>) {
        self.in_force.store(service(settings, auth, &self.access_log, &self.request_ids));
    }

    /// From now on the end of serving means that another process serves in our place: connections that rest may ask
    /// once more and are told to close, instead of being closed under a question that is on its way.
    pub fn hand_over(&self) {
        self.handing_over.store(true, Ordering::Relaxed);
    }
}

fn service(
    settings: Settings,
    auth: Arc<Auth>,
    access_log: &Arc<dyn AccessLog>,
    request_ids: &Arc<RequestIds>,
) -> Arc<Service> {
    let gatekeeper = Gatekeeper::new(settings.trusted, settings.key);
    let (access_log, request_ids) = (Arc::clone(access_log), Arc::clone(request_ids));
    Arc::new(Service::new(auth, access_log, gatekeeper, request_ids, settings.oauth2_proxy))
}

impl ForwardAuth {
    /// Puts the parts together.
    pub fn new(settings: Settings, auth: Arc<Auth>, access_log: Arc<dyn AccessLog>) -> Self {
        let request_ids = Arc::new(RequestIds::new(&SystemEntropy));
        let in_force = Arc::new(ArcSwap::new(service(settings, auth, &access_log, &request_ids)));
        Self { replacer: Replacer { in_force, access_log, request_ids, handing_over: Arc::default() } }
    }

    /// For other settings later on.
    pub fn replacer(&self) -> Replacer {
        self.replacer.clone()
    }

    /// Serves until `shutdown` turns true, then lets open requests finish for at most `drain_deadline`.
    pub async fn serve(
        self,
        mut listener: Listener,
        mut shutdown: watch::Receiver<bool>,
        drain_deadline: Duration,
    ) {
        let (mut connections, draining) = (JoinSet::new(), shutdown.clone());
        let strangers = Arc::new(Semaphore::new(STRANGERS));
        loop {
            tokio::select! {
                biased;
                () = asked_to_stop(&mut shutdown) => break,
                Some(_ended) = connections.join_next(), if !connections.is_empty() => {}
                accepted = listener.accept() => {
                    let here = self.replacer.clone();
                    match accepted {
                        Ok(accepted) if here.in_force.load().gatekeeper.knows(Peer::from(&accepted)) => {
                            connections.spawn(serve(here, accepted, draining.clone()));
                        }
                        // A refusal is worth a moment and a place among a few, not a gateway's place.
                        Ok(stranger) => if let Ok(place) = Arc::clone(&strangers).try_acquire_owned() {
                            let refusing = timeout(STRANGERS_TIME, serve(here, stranger, draining.clone()));
                            connections.spawn(async move {
                                let _in_time = refusing.await;
                                drop(place);
                            });
                        }
                        Err(error) => {
                            tracing::error!(%error, "a gateway's connection could not be accepted");
                            sleep(ACCEPT_PAUSE).await;
                        }
                    }
                }
            }
        }
        if self.replacer.handing_over.load(Ordering::Relaxed) {
            listener.keep_file();
        }
        drop(listener);
        let all = async { while connections.join_next().await.is_some() {} };
        let _in_time = timeout(drain_deadline, all).await;
        connections.shutdown().await;
    }
}

async fn serve(here: Replacer, accepted: Accepted, shutdown: watch::Receiver<bool>) {
    let peer = Peer::from(&accepted);
    match accepted {
        Accepted::Tcp(stream, _) => connection(here, stream, peer, shutdown).await,
        Accepted::Unix(stream) => connection(here, stream, peer, shutdown).await,
    }
}

async fn connection(
    here: Replacer,
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    peer: Peer,
    mut shutdown: watch::Receiver<bool>,
) {
    let _open = Open::new(&here.in_force.load().auth.metrics().connections);
    let server = server();
    let (asked, http2) = (AtomicU64::new(0), AtomicBool::new(false));
    let answer = service_fn(|request: Request<Incoming>| {
        asked.fetch_add(1, Ordering::Relaxed);
        let streams = request.version() == Version::HTTP_2;
        http2.store(streams, Ordering::Relaxed);
        let service = here.in_force.load_full();
        let leaving = Arc::clone(&here.handing_over);
        async move {
            let mut response = service.answer(request, peer).await;
            if !streams && leaving.load(Ordering::Relaxed) {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let serving = server.serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(serving);
    let over = async {
        tokio::select! {
            () = asked_to_stop(&mut shutdown) => {
                // HTTP/2 has a word for it (GOAWAY, RFC 9113 §6.8), HTTP/1.1 says it with an answer.
                if here.handing_over.load(Ordering::Relaxed) && !http2.load(Ordering::Relaxed) {
                    sleep(ONCE_MORE).await;
                }
            }
            () = silent(&asked) => {}
        }
    };
    tokio::select! {
        biased;
        ended = serving.as_mut() => return count(&here.in_force.load(), ended),
        () = over => {}
    }
    serving.as_mut().graceful_shutdown();
    count(&here.in_force.load(), serving.await);
}

/// Most errors are the peer's leaving. What hyper could not read it has answered itself.
fn count(service: &Service, ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    let unread = |error: &hyper::Error| error.is_parse();
    if ended.is_err_and(|error| error.downcast_ref().is_some_and(unread)) {
        service.auth.metrics().unreadable(Entrance::ForwardAuth);
    }
}

/// HTTP/1.1 and HTTP/2.
fn server() -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    // A gateway that copies the whole answer would copy the date as well.
    server.http1().timer(TokioTimer::new()).max_buf_size(MAX_HEAD).auto_date_header(false);
    // A timer for each head would cost a question a good part of its price; see `silent`.
    server.http1().header_read_timeout(None);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(HTTP2_PING)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .auto_date_header(false);
    server
}

/// Resolves once a connection has asked nothing for [`IDLE`], or somewhat longer.
async fn silent(asked: &AtomicU64) {
    let mut before = None;
    loop {
        let now = asked.load(Ordering::Relaxed);
        if before.replace(now) == Some(now) {
            return;
        }
        sleep(IDLE).await;
    }
}

/// Waits for the word; when nobody is left who could give it, that is one too.
async fn asked_to_stop(shutdown: &mut watch::Receiver<bool>) {
    let _released_at_once = shutdown.wait_for(|now| *now).await;
}
