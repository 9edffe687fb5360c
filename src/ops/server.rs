//! `/livez`, `/readyz` and `/metrics`, on a listener of their own.
//!
//! | path | 200 | otherwise |
//! |---|---|---|
//! | `/livez` | the process answers | – |
//! | `/readyz` | it takes traffic | 503 and the reasons, as JSON |
//! | `/metrics` | always, in the OpenMetrics text format | – |
//!
//! GET and HEAD only. It holds nothing personal, but it is meant for the machine or the cluster, not for the internet.
//! <https://kubernetes.io/docs/reference/using-api/health-checks/>, <https://prometheus.io/docs/specs/om/open_metrics_spec/>

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderValue;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::watch;

use super::readiness::Readiness;
use super::small_server::{Limits, SmallServer, TEXT, only_get_and_head, reply};
use crate::metrics::{Entrance, Metrics};

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

const LIMITS: Limits = Limits {
    connections: 256,
    per_client: 16,
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
pub struct OpsServer(SmallServer);

impl OpsServer {
    /// Binds `address`; port 0 picks a free one. Errors when the address is taken or not this machine's.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        SmallServer::bind(address, LIMITS).await.map(Self)
    }

    /// An address that is bound already.
    ///
    /// # Errors
    /// It is no such socket.
    pub fn adopt(listener: std::net::TcpListener) -> io::Result<Self> {
        SmallServer::adopt(listener, LIMITS).map(Self)
    }

    /// The same socket once more, to be handed over. It stays open as long as either is.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.0.descriptor()
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Answers until `shutdown` turns true or its sender is gone. Keep it up through the drain: its 503 is what takes
    /// the process out of rotation.
    pub async fn serve(self, state: OpsState, shutdown: watch::Receiver<bool>) {
        let metrics = Arc::clone(&state.metrics);
        let state = Arc::new(state);
        let handler = move |head: http::request::Parts, _body| {
            let state = Arc::clone(&state);
            async move { answer(&head.method, head.uri.path(), &state).await }
        };
        self.0.serve(Entrance::Ops, metrics, handler, shutdown).await;
    }
}

async fn answer(method: &Method, path: &str, state: &OpsState) -> Response<Full<Bytes>> {
    if !matches!(path, "/livez" | "/readyz" | "/metrics") {
        let known = "Nothing here. This listener answers /livez, /readyz and /metrics.\n";
        return reply(StatusCode::NOT_FOUND, TEXT, known);
    }
    if method != Method::GET && method != Method::HEAD {
        return only_get_and_head();
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::timeout;

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
            server.0.limits.connections = 1;
            server.0.limits.head = Duration::from_millis(50);
            server.0.limits.whole = Duration::from_millis(200);
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
