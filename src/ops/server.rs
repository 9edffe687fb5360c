//! `/livez`, `/readyz` and `/metrics`, on a listener of their own.
//!
//! | path | 200 | otherwise |
//! |---|---|---|
//! | `/livez` | the process answers | – |
//! | `/readyz` | it takes traffic | 503 and the reasons, as JSON |
//! | `/metrics` | always, in the OpenMetrics text format | – |
//!
//! GET and HEAD only. It holds nothing personal, but it is meant for the machine or the cluster, not for the internet.
//! A client cannot hold it up: one request per connection, a few seconds each, a bounded number at a time.
//! <https://kubernetes.io/docs/reference/using-api/health-checks/>, <https://prometheus.io/docs/specs/om/open_metrics_spec/>

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::readiness::Readiness;
use crate::metrics::{Entrance, Metrics};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// What a listener allows a client.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Connections at a time; more wait in the system's backlog.
    connections: usize,
    /// For the head of a request.
    head: Duration,
    /// From accepting to closing.
    whole: Duration,
    /// Bytes of head.
    buffer: usize,
}

/// How long the last answers may take.
const LAST_ANSWER: Duration = Duration::from_millis(500);

const LIMITS: Limits = Limits {
    connections: 64,
    head: Duration::from_secs(3),
    whole: Duration::from_secs(10),
    buffer: 16 << 10,
};

/// What is told.
#[derive(Clone, Debug)]
pub struct OpsState {
    /// For `/readyz`.
    pub readiness: Readiness,
    /// For `/metrics`.
    pub metrics: Arc<Metrics>,
}

/// The bound listener.
#[derive(Debug)]
pub struct OpsServer {
    listener: TcpListener,
    limits: Limits,
}

impl OpsServer {
    /// Binds `address`; port 0 picks a free one. Errors when the address is taken or not this machine's.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, limits: LIMITS })
    }

    /// An address that is bound already.
    ///
    /// # Errors
    /// It is no such socket.
    pub fn adopt(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { listener: TcpListener::from_std(listener)?, limits: LIMITS })
    }

    /// The same socket once more, to be handed over. It stays open as long as either is.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.listener.as_fd().try_clone_to_owned()
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `shutdown` turns true or its sender is gone. Keep it up through the drain: its 503 is what takes
    /// the process out of rotation.
    pub async fn serve(self, state: OpsState, mut shutdown: watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(self.limits.connections));
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
                Ok((stream, _)) => {
                    let (state, limits) = (state.clone(), self.limits);
                    tokio::spawn(async move {
                        let metrics = Arc::clone(&state.metrics);
                        // Whatever goes wrong here is the client's; it will ask again.
                        let ended = timeout(limits.whole, connection(stream, state, limits)).await;
                        if let Ok(Err(error)) = ended
                            && error.is_parse()
                        {
                            metrics.unreadable(Entrance::Ops);
                        }
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the ops listener could not accept a connection");
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

async fn connection(stream: TcpStream, state: OpsState, limits: Limits) -> hyper::Result<()> {
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let state = &state;
        async move { Ok::<_, Infallible>(answer(request.method(), request.uri().path(), state).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.buffer)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn answer(method: &Method, path: &str, state: &OpsState) -> Response<Full<Bytes>> {
    if !matches!(path, "/livez" | "/readyz" | "/metrics") {
        let known = "Nothing here. This listener answers /livez, /readyz and /metrics.\n";
        return reply(StatusCode::NOT_FOUND, TEXT, known);
    }
    if method != Method::GET && method != Method::HEAD {
        let mut refused = reply(StatusCode::METHOD_NOT_ALLOWED, TEXT, "Only GET and HEAD.\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    if path == "/livez" {
        return reply(StatusCode::OK, JSON, "{\"live\":true}\n");
    }
    // `/metrics` asks too, so that `anteroom_ready` is what `/readyz` would say.
    let reasons = state.readiness.reasons().await;
    if path == "/metrics" {
        return reply(StatusCode::OK, OPEN_METRICS, state.metrics.expose());
    }
    if reasons.is_empty() {
        return reply(StatusCode::OK, JSON, "{\"ready\":true}\n");
    }
    let body = serde_json::json!({ "ready": false, "reasons": reasons });
    reply(StatusCode::SERVICE_UNAVAILABLE, JSON, format!("{body}\n"))
}

fn reply(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_is_no_request_is_counted() {
        let server = OpsServer::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = server.local_addr().unwrap();
        let metrics = Arc::new(Metrics::new());
        let state =
            OpsState { readiness: Readiness::new(Arc::clone(&metrics)), metrics: Arc::clone(&metrics) };
        let (_stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(server.serve(state, stopped));
        let counted = |n: u32| {
            metrics.expose().contains(&format!("unreadable_requests_total{{entrance=\"ops\"}} {n}\n"))
        };
        for (said, status, n) in [
            ("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "200", 0),
            ("GET /livez HTTP/1.1\r\nHo st: x\r\n\r\n", "400", 1),
            ("nonsense\r\n\r\n", "400", 2),
        ] {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(said.as_bytes()).await.unwrap();
            let mut got = String::new();
            timeout(Duration::from_secs(20), client.read_to_string(&mut got)).await.unwrap().unwrap();
            assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{said}: {got}");
            let seen = async {
                while !counted(n) {
                    tokio::task::yield_now().await;
                }
            };
            timeout(Duration::from_secs(20), seen).await.unwrap();
        }
        serving.abort();
    }

    /// A client that holds the only slot, sending nothing or half a head, is gone before the next one gives up.
    #[tokio::test]
    async fn nobody_can_hold_it_up() {
        for said in ["", "GET /livez HTTP/1.1\r\nHost: x\r\n"] {
            let mut server = OpsServer::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
            server.limits.connections = 1;
            server.limits.head = Duration::from_millis(50);
            server.limits.whole = Duration::from_millis(200);
            let address = server.local_addr().unwrap();
            let metrics = Arc::new(Metrics::new());
            let state = OpsState { readiness: Readiness::new(Arc::clone(&metrics)), metrics };
            let (_stop, stopped) = watch::channel(false);
            let serving = tokio::spawn(server.serve(state, stopped));

            let mut rude = TcpStream::connect(address).await.unwrap();
            rude.write_all(said.as_bytes()).await.unwrap();
            let mut polite = TcpStream::connect(address).await.unwrap();
            polite.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let mut got = String::new();
            timeout(Duration::from_secs(20), polite.read_to_string(&mut got)).await.unwrap().unwrap();
            assert!(got.starts_with("HTTP/1.1 200 "), "{got}");
            drop(rude);
            serving.abort();
        }
    }
}
