//! How does a probe reach an app that listens on loopback? Through a listener of its own, which knows a few paths and nothing
//! else of the app.
//!
//! Guarantees: GET and HEAD, without a body and without a query, for exactly the paths in force; of the client's header
//! nothing goes on but a kubelet's name for itself; of the app's answer nothing comes back but its status, its type and
//! the beginning of its body. No session, no identity, no cookie in either direction.
//! Must not: share a port with anything that the public reaches.
//! <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes>

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{HeaderValue, USER_AGENT};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::watch;

use super::remarks::Remarks;
use super::small_server::{HasBody, Limits, SmallServer, TEXT, only_get_and_head, reply};
use crate::metrics::{Entrance, Metrics};

/// Bytes of a body that are handed on: what a kubelet reads of it.
pub const MOST_OF_A_BODY: usize = 10 << 10;

/// As many at a time as the app can be made to answer without a session.
const LIMITS: Limits = Limits {
    connections: 256,
    per_client: 16,
    head: Duration::from_secs(3),
    whole: Duration::from_secs(60),
    buffer: 16 << 10,
};

/// What is asked of the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// GET or HEAD.
    pub method: Method,
    /// As the client wrote it; no query.
    pub path: String,
    /// A kubelet's.
    pub user_agent: Option<HeaderValue>,
}

/// What the app answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Its status.
    pub status: StatusCode,
    /// Its `Content-Type`.
    pub content_type: Option<HeaderValue>,
    /// At most [`MOST_OF_A_BODY`] of its body.
    pub body: Bytes,
}

/// Why there is no answer of the app's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nobody has said that this path may be asked for.
    UnknownPath,
    /// The app did not answer, for this reason.
    Failed(String),
}

/// Whoever can ask the app.
#[async_trait]
pub trait AskApp: Send + Sync + 'static {
    /// Asks, when the path is one of those in force.
    async fn ask(&self, probe: Probe) -> Result<Answered, NoAnswer>;
}

/// The bound listener.
#[derive(Debug)]
pub struct ProbesServer(SmallServer);

impl ProbesServer {
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

    /// The same socket once more, to be handed over.
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

    /// Hands probes on until `shutdown` turns true or its sender is gone. Keep it up through the drain: the app is there
    /// until the end, and a kubelet that finds it gone restarts it.
    pub async fn serve(self, app: Arc<dyn AskApp>, metrics: Arc<Metrics>, shutdown: watch::Receiver<bool>) {
        let desk = Arc::new(Desk { app, metrics: Arc::clone(&metrics), remarks: Remarks::default() });
        let handler = move |head: Parts, body| {
            let desk = Arc::clone(&desk);
            async move { desk.answer(head, body).await }
        };
        self.0.serve(Entrance::Probes, metrics, handler, shutdown).await;
    }
}

struct Desk {
    app: Arc<dyn AskApp>,
    metrics: Arc<Metrics>,
    remarks: Remarks,
}

impl Desk {
    async fn answer(&self, head: Parts, HasBody(has_body): HasBody) -> Response<Full<Bytes>> {
        let (path, uri) = (head.uri.path(), &head.uri);
        // An absolute target names another host, and `?` alone is a query too.
        let origin_form = uri.scheme().is_none() && uri.authority().is_none();
        if !origin_form || uri.path_and_query().is_none_or(|all| all.as_str() != path) {
            return self.refuse(StatusCode::NOT_FOUND);
        }
        if head.method != Method::GET && head.method != Method::HEAD {
            return self.refuse(StatusCode::METHOD_NOT_ALLOWED);
        }
        if has_body {
            return self.refuse(StatusCode::BAD_REQUEST);
        }
        let probe =
            Probe { user_agent: of_a_kubelet(&head), method: head.method.clone(), path: path.to_owned() };
        match self.app.ask(probe).await {
            Ok(answered) => {
                let passed = (200..400).contains(&answered.status.as_u16());
                self.metrics.probe(if passed { "passed" } else { "failed" });
                if !passed {
                    self.remark("failed", path, &format_args!("it answered {}", answered.status.as_u16()));
                }
                reply(answered.status, answered.content_type.unwrap_or(TEXT), answered.body)
            }
            Err(NoAnswer::UnknownPath) => self.refuse(StatusCode::NOT_FOUND),
            Err(NoAnswer::Failed(cause)) => {
                self.metrics.probe("unanswered");
                self.remark("unanswered", path, &cause);
                reply(StatusCode::BAD_GATEWAY, TEXT, "The app did not answer.\n")
            }
        }
    }

    fn refuse(&self, status: StatusCode) -> Response<Full<Bytes>> {
        self.metrics.probe("refused");
        let text = match status {
            StatusCode::METHOD_NOT_ALLOWED => return only_get_and_head(),
            StatusCode::BAD_REQUEST => "A probe has no body.\n",
            _ => "Nothing here. This listener answers the paths of `proxy.probes.paths`, without a query.\n",
        };
        reply(status, TEXT, text)
    }

    /// Probes come every few seconds; one line now and then is enough.
    fn remark(&self, kind: &'static str, path: &str, cause: &dyn fmt::Display) {
        if self.remarks.due(kind) {
            tracing::warn!(path, %cause, "a probe of the app failed");
        }
    }
}

/// `kube-probe/1.33`: apps leave it out of their logs.
fn of_a_kubelet(head: &Parts) -> Option<HeaderValue> {
    let name = head.headers.get(USER_AGENT)?.to_str().ok()?;
    let version = name.strip_prefix("kube-probe/")?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".+-".contains(&b);
    (version.len() <= 32 && version.bytes().all(plain)).then(|| HeaderValue::from_str(name).ok()).flatten()
}
