//! How does a listener for a few short answers hold nobody up? One request per connection, a few seconds each, a bounded number
//! at a time.
//!
//! HTTP/1.1 (RFC 9112). Whoever has been let in has an answer before the process is gone.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::clients::Clients;
use crate::metrics::{Entrance, Metrics};

/// What a listener allows a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at a time; more wait in the system's backlog.
    pub(super) connections: usize,
    /// Connections of one client at a time; more are closed, so that it keeps nobody else out.
    pub(super) per_client: usize,
    /// For the head of a request.
    pub(super) head: Duration,
    /// From accepting to closing.
    pub(super) whole: Duration,
    /// Bytes of head.
    pub(super) buffer: usize,
}

/// Whether a request comes with a body. It is never read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HasBody(pub(super) bool);

/// Words for people.
pub(super) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// How long the last answers may take.
const LAST_ANSWER: Duration = Duration::from_millis(500);

/// A bound listener.
#[derive(Debug)]
pub(super) struct SmallServer {
    listener: TcpListener,
    pub(super) limits: Limits,
}

impl SmallServer {
    /// Binds `address`; port 0 picks a free one. Errors when the address is taken or not this machine's.
    pub(super) async fn bind(address: SocketAddr, limits: Limits) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, limits })
    }

    /// An address that is bound already. Errors when it is no such socket.
    pub(super) fn adopt(listener: std::net::TcpListener, limits: Limits) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { listener: TcpListener::from_std(listener)?, limits })
    }

    /// The same socket once more. Errors when no file descriptor is left.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.listener.as_fd().try_clone_to_owned()
    }

    /// Where it listens.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `shutdown` turns true or its sender is gone. What is no request is counted for `entrance`.
    pub(super) async fn serve<H, A>(
        self,
        entrance: Entrance,
        metrics: Arc<Metrics>,
        handler: H,
        mut shutdown: watch::Receiver<bool>,
    ) where
        H: Fn(Parts, HasBody) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response<Full<Bytes>>> + Send,
    {
        let slots = Arc::new(Semaphore::new(self.limits.connections));
        let clients = Clients::by_address();
        loop {
            let next = async {
                let slot = Arc::clone(&slots).acquire_owned().await;
                (self.listener.accept().await, slot)
            };
            let (accepted, slot) = tokio::select! {
                next = next => next,
                _ = shutdown.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let place = match clients.admit(peer.ip(), self.limits.per_client) {
                        Ok(place) => place,
                        Err(too_many) => {
                            metrics.connection_refused("client_limit");
                            if too_many.news {
                                let (client, listener) = (peer.ip(), entrance.as_str());
                                tracing::warn!(%client, listener, "a client keeps too many connections open; more are closed");
                            }
                            continue;
                        }
                    };
                    let (handler, limits, metrics) = (handler.clone(), self.limits, Arc::clone(&metrics));
                    tokio::spawn(async move {
                        // Whatever goes wrong here is the client's; it will ask again.
                        let ended = timeout(limits.whole, connection(stream, handler, limits)).await;
                        if let Ok(Err(error)) = ended
                            && error.is_parse()
                        {
                            metrics.unreadable(entrance);
                        }
                        drop((slot, place));
                    });
                }
                Err(error) => {
                    let listener = entrance.as_str();
                    tracing::warn!(%error, listener, "a listener could not accept a connection");
                    // Out of file descriptors, most likely: asking again at once would only burn the processor.
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(self.listener);
        // Whoever has been let in has an answer before the process is gone; one that says nothing is not waited for.
        let everybody = u32::try_from(self.limits.connections).unwrap_or(u32::MAX);
        let _in_time = timeout(LAST_ANSWER, slots.acquire_many(everybody)).await;
    }
}

/// An answer that nobody keeps or guesses the type of.
pub(super) fn reply(
    status: StatusCode,
    content_type: HeaderValue,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

/// The answer to a method that changes things, or that nobody knows (RFC 9110 §15.5.6).
pub(super) fn only_get_and_head() -> Response<Full<Bytes>> {
    let mut refused = reply(StatusCode::METHOD_NOT_ALLOWED, TEXT, "Only GET and HEAD.\n");
    refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    refused
}

async fn connection<H, A>(stream: TcpStream, handler: H, limits: Limits) -> hyper::Result<()>
where
    H: Fn(Parts, HasBody) -> A,
    A: Future<Output = Response<Full<Bytes>>>,
{
    let service = service_fn(|request: Request<Incoming>| {
        let (head, body) = request.into_parts();
        let answer = handler(head, HasBody(!body.is_end_stream()));
        async move { Ok::<_, Infallible>(answer.await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.buffer)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}
