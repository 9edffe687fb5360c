//! How does a request reach one app? A server is picked, its address put into a prepared peer, and the header made what
//! the app is to see.
//!
//! A connection that could not be made carried nothing, so another server is tried for every method. What happens after
//! that is pingora's: a request on a kept connection that turns out closed is sent once more when its method is
//! idempotent (RFC 9110 §9.2.2) and its body is still at hand, never otherwise.

use std::cell::LazyCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue};
use pingora::protocols::tls::CaType;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType};

use super::backend::{Backend, InFlight, fnv, now};
use super::names::Resolver;
use super::peers::{Kind, Peers};
use super::pool::Pool;
use super::rewrite::Rewrite;
use super::{balance, tls};
use crate::identity::headers::Layout;
use crate::proxy::settings::{self, Balance, Ejection, HealthCheck};
use crate::proxy::setup_error::SetupError;

/// How often one request may try to connect.
pub(crate) const MAX_TRIES: usize = 3;
/// Besides those of the identity: what says who and where, and hop-by-hop fields (RFC 9110 §7.6.1).
const NOT_FOR_OPERATORS: &[&str] = &[
    "host",
    "cookie",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
];

/// One app: servers that can stand in for each other.
#[derive(Debug)]
pub(crate) struct Upstream {
    name: Box<str>,
    pool: Pool,
    peers: Peers,
    balance: Balance,
    ejection: Ejection,
    health: Option<HealthCheck>,
    rewrite: Option<Rewrite>,
    headers: Vec<(HeaderName, HeaderValue)>,
    pass_host: bool,
    turn: AtomicUsize,
}

/// Why there is no connection to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPeer {
    /// No server has an address.
    #[error("no server of the upstream has an address")]
    NoAddress,
    /// pingora opens no WebSockets over HTTP/2.
    #[error("a WebSocket needs HTTP/1.1, and the upstream is set to HTTP/2 alone")]
    NoWebSocket,
}

impl Upstream {
    /// Prepares everything and reads the files; looks nothing up. `system`: the system's authorities, once read.
    pub(super) fn new(
        upstream: &settings::Upstream,
        resolver: &Arc<Resolver>,
        system: &mut Option<Arc<CaType>>,
        layout: &Layout,
    ) -> Result<Self, SetupError> {
        for (name, _) in &upstream.headers {
            if layout.reserved(name) || NOT_FOR_OPERATORS.contains(&name.as_str()) {
                let (upstream, name) = (upstream.name.clone(), name.clone());
                return Err(SetupError::ReservedHeader { upstream, name });
            }
        }
        let credentials = upstream.tls.as_ref().map(|tls| tls::credentials(tls, system)).transpose()?;
        Ok(Self {
            name: upstream.name.as_str().into(),
            pool: Pool::new(upstream, Arc::clone(resolver))?,
            peers: Peers::new(upstream, credentials),
            balance: upstream.balance,
            ejection: upstream.ejection,
            health: upstream.health.clone(),
            rewrite: upstream.rewrite.as_ref().map(|with| Rewrite::new(&upstream.path, with)),
            headers: upstream.headers.clone(),
            pass_host: upstream.pass_host,
            turn: AtomicUsize::new(0),
        })
    }

    /// In logs and metrics.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Picks a server for a request: not one of `tried`, if there is another. Waits only while no address is known, and
    /// after a failed connection to a name that may have moved.
    pub(crate) async fn peer(
        &self,
        kind: Kind,
        account: Option<&str>,
        tried: &[Arc<Backend>],
    ) -> Result<(Box<HttpPeer>, InFlight), NoPeer> {
        if self.pool.named() && (!tried.is_empty() || self.pool.backends().is_empty()) {
            self.pool.look_up().await;
        }
        let backend = self.pick(account, tried).ok_or(NoPeer::NoAddress)?;
        let peer = self.peers.of(kind, &backend.address).ok_or(NoPeer::NoWebSocket)?;
        Ok((peer, InFlight::new(backend)))
    }

    /// Whether a server counts as well.
    pub(crate) fn trusts(&self, backend: &Backend) -> bool {
        backend.well()
    }

    /// A connection could not be made; says whether another try makes sense. `tried` has this one already.
    pub(crate) fn connect_failed(&self, backend: &Backend, tried: &[Arc<Backend>], why: &str) -> bool {
        let change = backend.failed(now(), self.ejection);
        self.pool.note(backend, change, why);
        tried.len() < MAX_TRIES && (self.pool.named() || self.pool.backends().iter().any(|b| fresh(b, tried)))
    }

    /// A connection was made.
    pub(crate) fn connected(&self, backend: &Backend) {
        let change = backend.connected();
        self.pool.note(backend, change, "");
    }

    /// Makes a request's header what this app is to see, identity aside. The target is in origin form.
    pub(crate) fn prepare(&self, headers: &mut HeaderMap, backend: &Backend) {
        for (name, value) in &self.headers {
            remove_twins(headers, name);
            headers.insert(name, value.clone());
        }
        if let Some(host) = self.pool.own_host(backend).filter(|_| !self.pass_host) {
            headers.insert(HOST, host.clone());
        }
    }

    /// The `Host` by which a server knows itself.
    pub(crate) fn own_host(&self, backend: &Backend) -> &str {
        self.pool.own_host(backend).and_then(|host| host.to_str().ok()).unwrap_or("localhost")
    }

    /// Whether connections are made with TLS.
    pub(crate) fn speaks_tls(&self) -> bool {
        self.peers.tls()
    }

    /// The target as the app is to see it, where that differs from what it is.
    pub(crate) fn rewritten(&self, target: &str) -> pingora::Result<Option<String>> {
        let Some(rewrite) = &self.rewrite else { return Ok(None) };
        let plain = || Error::explain(ErrorType::InternalError, "a rewritten path would not be plain");
        rewrite.apply(target).map(Some).ok_or_else(plain)
    }

    /// The servers.
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The connections.
    pub(super) fn peers(&self) -> &Peers {
        &self.peers
    }

    /// What is asked of the servers.
    pub(super) fn health(&self) -> Option<&HealthCheck> {
        self.health.as_ref()
    }

    fn pick(&self, account: Option<&str>, tried: &[Arc<Backend>]) -> Option<Arc<Backend>> {
        let account = account.filter(|_| self.balance == Balance::Account).map(|id| fnv(id.as_bytes()));
        let (backends, turn) = (self.pool.backends(), self.turn.fetch_add(1, Ordering::Relaxed));
        // While all are well, nobody asks.
        let now = LazyCell::new(now);
        let among = |eligible: &dyn Fn(&Backend) -> bool| {
            balance::pick(self.balance, &backends, turn, account, eligible)
        };
        if let Some(picked) = among(&|b| (b.well() || b.due(*now)) && fresh(b, tried))
            && (picked.well() || picked.claim(*now, self.ejection))
        {
            return Some(Arc::clone(picked));
        }
        // When all are out, being out is no reason: refusing would be certain failure.
        let picked = among(&|b| b.well() && fresh(b, tried)).or_else(|| among(&|b| fresh(b, tried)));
        picked.or_else(|| among(&|_| true)).cloned()
    }
}

/// Whether a request has not tried this one yet.
fn fresh(backend: &Backend, tried: &[Arc<Backend>]) -> bool {
    !tried.iter().any(|other| other.address == backend.address)
}

/// CGI, WSGI and PHP cannot tell `X_Api_Key` from `X-Api-Key`: what a client sends under such a name must not stand in
/// for the operator's word (CVE-2025-64484).
fn remove_twins(headers: &mut HeaderMap, name: &HeaderName) {
    let dashed = |b: u8| if b.is_ascii_alphanumeric() { b } else { b'-' };
    let reads_alike = |other: &&HeaderName| {
        other.as_str().len() == name.as_str().len()
            && other.as_str().bytes().map(dashed).eq(name.as_str().bytes().map(dashed))
    };
    let twins: Vec<HeaderName> = headers.keys().filter(reads_alike).cloned().collect();
    for twin in &twins {
        headers.remove(twin);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{layout, upstream_at};
    use super::*;

    fn app(change: impl FnOnce(&mut settings::Upstream)) -> Result<Upstream, SetupError> {
        let mut settings = upstream_at(&[1, 2, 3]);
        change(&mut settings);
        Upstream::new(&settings, &Arc::default(), &mut None, &layout())
    }

    #[test]
    fn what_the_operator_sets_has_no_twin() {
        let name = HeaderName::from_static("x-api-key");
        let app = app(|settings| settings.headers = vec![(name.clone(), HeaderValue::from_static("ours"))]);
        let app = app.unwrap();
        let backend = Arc::clone(&app.pool().backends()[0]);
        let mut headers = HeaderMap::new();
        for twin in ["x-api-key", "x_api_key", "x.api-key", "x-api-keys", "y-api-key"] {
            headers.append(HeaderName::from_static(twin), HeaderValue::from_static("theirs"));
        }
        app.prepare(&mut headers, &backend);
        let mut left: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        left.sort_unstable();
        assert_eq!(left, [("x-api-key", &b"ours"[..]), ("x-api-keys", b"theirs"), ("y-api-key", b"theirs")]);
    }

    fn port(backend: &Backend) -> u16 {
        backend.address.as_inet().unwrap().port()
    }

    #[test]
    fn headers_that_are_not_the_operators_are_refused() {
        let with = |name: &'static str| {
            app(|up| up.headers = vec![(HeaderName::from_static(name), HeaderValue::from_static("x"))])
        };
        for name in [
            "x-anteroom-email",
            "x_anteroom_roles",
            "host",
            "connection",
            "transfer-encoding",
            "cookie",
            "te",
        ] {
            assert!(matches!(with(name), Err(SetupError::ReservedHeader { .. })), "{name}");
        }
        assert!(with("x-api-key").is_ok());
        assert!(with("authorization").is_ok());
    }

    #[test]
    fn the_dead_are_passed_over_and_all_dead_are_tried() {
        let app =
            app(|up| up.ejection = Ejection { failures: 1, duration: Duration::from_secs(60) }).unwrap();
        let all = app.pool.backends().clone();
        assert!(app.connect_failed(&all[1], &[Arc::clone(&all[1])], "refused"));
        let took: Vec<u16> = (0..6).map(|_| port(&app.pick(None, &[]).unwrap())).collect();
        assert!(!took.contains(&2) && took.contains(&1) && took.contains(&3), "{took:?}");
        for backend in all.iter() {
            app.connect_failed(backend, &all, "refused");
        }
        let took: std::collections::HashSet<u16> =
            (0..6).map(|_| port(&app.pick(None, &[]).unwrap())).collect();
        assert_eq!(took.len(), 3);
        app.connected(&all[0]);
        assert_eq!((0..6).map(|_| port(&app.pick(None, &[]).unwrap())).max(), Some(1));
    }

    #[test]
    fn a_request_tries_each_server_once() {
        let app = app(|_| ()).unwrap();
        let mut tried = Vec::new();
        for _ in 0..3 {
            let backend = app.pick(None, &tried).unwrap();
            assert!(fresh(&backend, &tried));
            tried.push(backend);
        }
        assert!(
            !app.connect_failed(&tried[2], &tried, "refused"),
            "there is none left, and three are enough"
        );
    }

    #[tokio::test]
    async fn a_websocket_to_http2_alone_is_said_to_be_none() {
        let app = app(|up| up.protocol = settings::Protocol::Http2).unwrap();
        assert_eq!(app.peer(Kind::Upgrade, None, &[]).await.err(), Some(NoPeer::NoWebSocket));
        assert!(app.peer(Kind::Grpc, None, &[]).await.is_ok());
    }
}
