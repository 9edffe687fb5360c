//! Which connection carries this request to the app? A prepared peer for each kind of request, and the trust it needs.
//!
//! `https` is verified, always: pingora's rustls connector drops verification when the server name is empty, so an empty
//! one is refused at start. Names are never handed to `HttpPeer::new`, which would resolve them blocking.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use pingora::protocols::TcpKeepalive;
use pingora::server::configuration::ServerConf;
use pingora::tls::{RootCertStore, load_ca_file_into_store, load_platform_certs_incl_env_into_store};
use pingora::upstreams::peer::HttpPeer;

use super::dns::Addresses;
use super::settings::{self, Server, SetupError, UpstreamTls};
use super::websocket_gate::GatedConnect;
use crate::net;

/// What a request needs of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Request and response.
    Plain,
    /// A response that may be silent for as long as it likes.
    EventStream,
    /// A WebSocket.
    Upgrade,
}

/// The app.
#[derive(Debug)]
pub(super) struct Upstream {
    addresses: Addresses,
    plain: HttpPeer,
    event_stream: HttpPeer,
    upgrade: HttpPeer,
    own_host: Option<HeaderValue>,
}

impl Upstream {
    /// Prepares the peers.
    pub(super) fn new(upstream: &settings::Upstream) -> Result<Self, SetupError> {
        let Some(Server::Tcp { host, port }) = upstream.servers.first() else {
            return Err(SetupError::NoServer(upstream.name.clone()));
        };
        let tls = upstream.tls.is_some();
        let sni = upstream.tls.as_ref().map(|tls| tls.server_name.clone()).unwrap_or_default();
        if tls && sni.is_empty() {
            return Err(SetupError::NoServerName);
        }
        // The address is put in per request; a socket address is not resolved.
        let mut plain = HttpPeer::new(SocketAddr::from(([127, 0, 0, 1], *port)), tls, sni);
        let (timeouts, options) = (&upstream.timeouts, &mut plain.options);
        options.connection_timeout = Some(timeouts.connect);
        options.total_connection_timeout = Some(timeouts.connect);
        options.read_timeout = Some(timeouts.read);
        options.write_timeout = Some(timeouts.write);
        options.idle_timeout = Some(timeouts.idle);
        options.tcp_keepalive = Some(keep_alive());
        let mut event_stream = plain.clone();
        event_stream.options.read_timeout = None;
        let mut upgrade = event_stream.clone();
        upgrade.options.custom_l4 = Some(Arc::new(GatedConnect));
        // Kept apart: `custom_l4` is no part of the pool's key.
        upgrade.group_key = 1;
        let own_host = HeaderValue::from_str(&net::authority(host, *port, tls));
        // A host that is no header value could not be resolved either.
        let own_host = own_host.unwrap_or(HeaderValue::from_static("upstream"));
        let own_host = (!upstream.pass_host).then_some(own_host);
        let addresses = Addresses::new(host, *port);
        Ok(Self { addresses, plain, event_stream, upgrade, own_host })
    }

    /// The peer for the `attempt`th try, counted from 0; `None` when the upstream's name has no address.
    pub(super) async fn peer(&self, kind: Kind, attempt: usize) -> Option<Box<HttpPeer>> {
        let address = self.addresses.pick(attempt).await?;
        let mut peer = Box::new(match kind {
            Kind::Plain => self.plain.clone(),
            Kind::EventStream => self.event_stream.clone(),
            Kind::Upgrade => self.upgrade.clone(),
        });
        peer._address = pingora::protocols::l4::socket::SocketAddr::Inet(address);
        Some(peer)
    }

    /// A connection could not be made; says whether another try makes sense.
    pub(super) fn connect_failed(&self, attempt: usize) -> bool {
        self.addresses.failed();
        self.addresses.may_have_more() && attempt + 1 < MAX_TRIES
    }

    /// The `Host` to send, when it is not the client's.
    pub(super) fn own_host(&self) -> Option<&HeaderValue> {
        self.own_host.as_ref()
    }
}

/// How often one request may try to reach the upstream.
pub(super) const MAX_TRIES: usize = 3;

/// Half-open connections (a laptop closed, a node gone) are noticed after two minutes.
pub(super) fn keep_alive() -> TcpKeepalive {
    TcpKeepalive {
        idle: Duration::from_secs(60),
        interval: Duration::from_secs(15),
        count: 4,
        #[cfg(target_os = "linux")]
        user_timeout: Duration::ZERO,
    }
}

/// pingora's settings: what is trusted, and how many idle connections are kept.
pub(super) fn server_conf(upstream: &settings::Upstream) -> Result<ServerConf, SetupError> {
    let ca_file = match &upstream.tls {
        // Nothing to verify: spares the start the system's store, and a broken one cannot stop it.
        None => Some("/dev/null".to_owned()),
        Some(UpstreamTls { ca_file: None, .. }) => {
            check_authorities("the system's store", load_platform_certs_incl_env_into_store)?;
            None
        }
        Some(UpstreamTls { ca_file: Some(file), .. }) => Some(check_file(file)?),
    };
    Ok(ServerConf {
        ca_file,
        threads: 1,
        upstream_keepalive_pool_size: upstream.keep_alive_pool,
        max_retries: MAX_TRIES,
        ..ServerConf::default()
    })
}

fn check_file(file: &Path) -> Result<String, SetupError> {
    let name = file.display().to_string();
    check_authorities(&name, |store| load_ca_file_into_store(file, store))?;
    Ok(name)
}

/// pingora panics on what cannot be read and verifies nothing with an empty store; both are found here first.
fn check_authorities(
    from: &str,
    load: impl FnOnce(&mut RootCertStore) -> pingora::Result<()>,
) -> Result<(), SetupError> {
    let mut store = RootCertStore::empty();
    load(&mut store)
        .map_err(|e| SetupError::Authorities { from: from.into(), reason: e.root_cause().to_string() })?;
    if store.is_empty() { Err(SetupError::NoAuthorities(from.into())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(tls: Option<UpstreamTls>) -> settings::Upstream {
        let servers = vec![Server::Tcp { host: "127.0.0.1".into(), port: 8080 }];
        settings::Upstream { servers, tls, ..settings::Upstream::default() }
    }

    fn tls(server_name: &str, ca_file: Option<&str>) -> Option<UpstreamTls> {
        Some(UpstreamTls {
            server_name: server_name.into(),
            ca_file: ca_file.map(Into::into),
            certificate: None,
        })
    }

    #[test]
    fn https_without_a_name_is_refused() {
        let refused = Upstream::new(&upstream(tls("", None)));
        assert!(matches!(refused, Err(SetupError::NoServerName)));
        assert!(Upstream::new(&upstream(None)).is_ok());
    }

    #[test]
    fn authorities_that_cannot_be_read_or_are_none_are_refused() {
        let refused = |file| server_conf(&upstream(tls("app.example", Some(file))));
        assert!(matches!(refused("/no/such/file"), Err(SetupError::Authorities { .. })));
        assert!(matches!(refused("/dev/null"), Err(SetupError::NoAuthorities(_))));
    }
}
