//! How is a connection to an app made? One prepared peer for each kind of request; the address is put in per request.
//!
//! `https` is verified, always. Connections are shared by requests that need the same of them and by no others: pingora's
//! pool does not tell peers apart by authorities, ALPN or `custom_l4`, so every app has group keys of its own in every
//! generation of settings. Names are never handed to `HttpPeer::new`, which would resolve them blocking.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pingora::protocols::l4::socket;
use pingora::protocols::{ALPN, TcpKeepalive};
use pingora::upstreams::peer::HttpPeer;

use super::tls::Credentials;
use super::websocket_gate::GatedConnect;
use crate::proxy::settings::{HealthCheck, Protocol, Upstream};

/// Requests under way on one HTTP/2 connection; most servers allow 100 or more.
const MAX_H2_STREAMS: usize = 100;
/// An HTTP/2 connection is asked for a sign of life this often. gRPC's servers count a client that asks more often than
/// every five minutes, while nothing is said, as abusive, and end its connection with `ENHANCE_YOUR_CALM`
/// (<https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md>). [`keep_alive`] is faster.
const H2_PING: Duration = Duration::from_secs(330);

/// What a request needs of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Request and response.
    Plain,
    /// A response that may be silent for as long as it likes.
    EventStream,
    /// Streams in both directions that may be silent for as long as they like.
    Grpc,
    /// A WebSocket.
    Upgrade,
}

/// One app's peers.
#[derive(Debug)]
pub(super) struct Peers {
    plain: HttpPeer,
    silent: HttpPeer,
    /// None where only HTTP/2 is spoken: pingora has no WebSockets there (RFC 8441).
    upgrade: Option<HttpPeer>,
    health: Option<HttpPeer>,
}

impl Peers {
    /// Prepares them.
    pub(super) fn new(upstream: &Upstream, credentials: Option<Credentials>) -> Self {
        static GROUPS: AtomicU64 = AtomicU64::new(1);
        let group = GROUPS.fetch_add(2, Ordering::Relaxed);
        let sni = upstream.tls.as_ref().map(|tls| tls.server_name.clone()).unwrap_or_default();
        // A socket address is not resolved.
        let mut plain = HttpPeer::new(SocketAddr::from(([127, 0, 0, 1], 0)), upstream.tls.is_some(), sni);
        plain.group_key = group;
        let (timeouts, options) = (&upstream.timeouts, &mut plain.options);
        options.connection_timeout = Some(timeouts.connect);
        options.total_connection_timeout = Some(timeouts.connect);
        options.read_timeout = Some(timeouts.read);
        options.write_timeout = Some(timeouts.write);
        options.idle_timeout = Some(timeouts.idle);
        options.tcp_keepalive = Some(keep_alive());
        options.alpn = match upstream.protocol {
            Protocol::Http1 => ALPN::H1,
            Protocol::Http2 => ALPN::H2,
            Protocol::Negotiated => ALPN::H2H1,
        };
        options.max_h2_streams = MAX_H2_STREAMS;
        options.h2_ping_interval = Some(H2_PING);
        if let Some(credentials) = credentials {
            options.ca = Some(credentials.authorities);
            plain.client_cert_key = credentials.certificate;
        }
        let mut silent = plain.clone();
        silent.options.read_timeout = None;
        let upgrade = (upstream.protocol != Protocol::Http2).then(|| {
            let mut upgrade = silent.clone();
            upgrade.options.alpn = ALPN::H1;
            upgrade.options.custom_l4 = Some(Arc::new(GatedConnect));
            upgrade.group_key = group + 1;
            upgrade
        });
        let health = upstream.health.as_ref().map(|check| for_health(&plain, check));
        Self { plain, silent, upgrade, health }
    }

    /// A peer at this address; `None` for a WebSocket over HTTP/2.
    pub(super) fn of(&self, kind: Kind, address: &socket::SocketAddr) -> Option<Box<HttpPeer>> {
        let peer = match kind {
            Kind::Plain => &self.plain,
            Kind::EventStream | Kind::Grpc => &self.silent,
            Kind::Upgrade => self.upgrade.as_ref()?,
        };
        Some(Box::new(at(peer, address)))
    }

    /// The peer to ask for its health; `None` where nobody asks.
    pub(super) fn health(&self, address: &socket::SocketAddr) -> Option<HttpPeer> {
        self.health.as_ref().map(|peer| at(peer, address))
    }

    /// Whether TLS is spoken.
    pub(super) fn tls(&self) -> bool {
        self.plain.is_tls()
    }
}

fn at(peer: &HttpPeer, address: &socket::SocketAddr) -> HttpPeer {
    let mut peer = peer.clone();
    peer._address = address.clone();
    peer
}

/// A connection of its own for each question, so that every answer proves that new connections are taken.
fn for_health(plain: &HttpPeer, check: &HealthCheck) -> HttpPeer {
    let mut peer = plain.clone();
    let options = &mut peer.options;
    for limit in [&mut options.connection_timeout, &mut options.total_connection_timeout] {
        *limit = limit.map(|limit| limit.min(check.timeout));
    }
    options.read_timeout = Some(check.timeout);
    options.write_timeout = Some(check.timeout);
    // Then pingora keeps none for the next one.
    options.max_h2_streams = 1;
    options.h2_ping_interval = None;
    peer
}

/// Half-open connections (a laptop closed, a node gone) are noticed after two minutes.
pub(crate) fn keep_alive() -> TcpKeepalive {
    TcpKeepalive {
        idle: Duration::from_secs(60),
        interval: Duration::from_secs(15),
        count: 4,
        #[cfg(target_os = "linux")]
        user_timeout: Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use pingora::upstreams::peer::Peer as _;

    use super::*;

    #[test]
    fn connections_are_shared_only_by_requests_that_need_the_same() {
        let address = socket::SocketAddr::Inet(([127, 0, 0, 1], 8080).into());
        let (one, two) = (Peers::new(&Upstream::default(), None), Peers::new(&Upstream::default(), None));
        let hash = |peers: &Peers, kind| peers.of(kind, &address).unwrap().reuse_hash();
        assert_eq!(hash(&one, Kind::Plain), hash(&one, Kind::EventStream));
        assert_eq!(hash(&one, Kind::Plain), hash(&one, Kind::Grpc));
        assert_ne!(hash(&one, Kind::Plain), hash(&one, Kind::Upgrade));
        for kind in [Kind::Plain, Kind::Upgrade] {
            assert_ne!(hash(&one, kind), hash(&two, kind), "equal settings of another app or generation");
        }
    }

    #[test]
    fn only_plain_requests_have_a_limit_on_silence() {
        let address = socket::SocketAddr::Inet(([127, 0, 0, 1], 8080).into());
        let peers = Peers::new(&Upstream::default(), None);
        for (kind, limited) in
            [(Kind::Plain, true), (Kind::EventStream, false), (Kind::Grpc, false), (Kind::Upgrade, false)]
        {
            assert_eq!(peers.of(kind, &address).unwrap().options.read_timeout.is_some(), limited);
        }
    }

    /// Their default, without which a call that is silent for two minutes is lost.
    #[test]
    fn grpc_servers_do_not_take_signs_of_life_for_abuse() {
        let address = socket::SocketAddr::Inet(([127, 0, 0, 1], 8080).into());
        let peers = Peers::new(&Upstream { protocol: Protocol::Http2, ..Upstream::default() }, None);
        for kind in [Kind::Plain, Kind::EventStream, Kind::Grpc] {
            let every = peers.of(kind, &address).unwrap().options.h2_ping_interval.unwrap();
            assert!(every > Duration::from_secs(300), "{kind:?} {every:?}");
        }
    }

    #[test]
    fn websockets_stay_on_http1() {
        let address = socket::SocketAddr::Inet(([127, 0, 0, 1], 8080).into());
        let speaking = |protocol| Peers::new(&Upstream { protocol, ..Upstream::default() }, None);
        assert!(speaking(Protocol::Http2).of(Kind::Upgrade, &address).is_none());
        let negotiated = speaking(Protocol::Negotiated).of(Kind::Upgrade, &address).unwrap();
        assert_eq!(negotiated.options.alpn, ALPN::H1);
    }
}
