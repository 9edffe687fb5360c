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
use super::settings::{Scheme, Settings, SetupError};
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
    pub(super) fn new(settings: &Settings) -> Result<Self, SetupError> {
        let upstream = &settings.upstream;
        let tls = upstream.scheme == Scheme::Https;
        if tls && upstream.sni.is_empty() {
            return Err(SetupError::NoServerName);
        }
        let sni = if tls { upstream.sni.clone() } else { String::new() };
        // The address is put in per request; a socket address is not resolved.
        let mut plain = HttpPeer::new(SocketAddr::from(([127, 0, 0, 1], upstream.port)), tls, sni);
        let (timeouts, options) = (&settings.timeouts, &mut plain.options);
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
        let own_host = HeaderValue::from_str(&net::authority(&upstream.host, upstream.port, tls));
        // A host that is no header value could not be resolved either.
        let own_host = own_host.unwrap_or(HeaderValue::from_static("upstream"));
        let own_host = (!settings.pass_host).then_some(own_host);
        let addresses = Addresses::new(&upstream.host, upstream.port);
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
pub(super) fn server_conf(settings: &Settings) -> Result<ServerConf, SetupError> {
    let ca_file = match (settings.upstream.scheme, &settings.upstream.ca_file) {
        // Nothing to verify: spares the start the system's store, and a broken one cannot stop it.
        (Scheme::Http, _) => Some("/dev/null".to_owned()),
        (Scheme::Https, None) => {
            check_authorities("the system's store", load_platform_certs_incl_env_into_store)?;
            None
        }
        (Scheme::Https, Some(file)) => Some(check_file(file)?),
    };
    Ok(ServerConf {
        ca_file,
        threads: 1,
        upstream_keepalive_pool_size: settings.upstream_keepalive_pool,
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
    use crate::proxy::settings::{self, Limits, Timeouts};

    fn settings(scheme: Scheme, sni: &str) -> Settings {
        Settings {
            upstream: settings::Upstream {
                scheme,
                host: "127.0.0.1".into(),
                port: 8080,
                sni: sni.into(),
                ca_file: None,
            },
            public_scheme_https: true,
            pass_host: true,
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            upstream_keepalive_pool: 1,
        }
    }

    #[test]
    fn https_without_a_name_is_refused() {
        let refused = Upstream::new(&settings(Scheme::Https, ""));
        assert!(matches!(refused, Err(SetupError::NoServerName)));
        assert!(Upstream::new(&settings(Scheme::Http, "")).is_ok());
    }

    #[test]
    fn authorities_that_cannot_be_read_or_are_none_are_refused() {
        let mut settings = settings(Scheme::Https, "app.example");
        settings.upstream.ca_file = Some("/no/such/file".into());
        assert!(matches!(server_conf(&settings), Err(SetupError::Authorities { .. })));
        settings.upstream.ca_file = Some("/dev/null".into());
        assert!(matches!(server_conf(&settings), Err(SetupError::NoAuthorities(_))));
    }
}
