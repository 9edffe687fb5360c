//! Which servers does this process run? The reverse proxy, the forward-auth listener, or both: bound first, made when
//! the decision is there, served until the word to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::in_force::Doors;
use super::upgrade::{self, Socket};
use super::{Listeners, StartError, listening, wiring};
use crate::auth::Auth;
use crate::config::{Config, Listen as Wanted};
use crate::forward_auth::ForwardAuth;
use crate::ops::ProbesServer;
use crate::ops::access_log::AccessLog;
use crate::ops::listen::{Listen, Listener};
use crate::proxy::{self, Prober, Proxy};

/// Sockets that are bound, and what will serve them.
pub(super) struct Bound {
    proxy: Option<(Listener, proxy::Settings)>,
    probes: Option<ProbesServer>,
    forward_auth: Option<(Listener, crate::forward_auth::Settings)>,
}

/// Servers that are up and not yet serving.
pub(super) struct Servers {
    proxy: Option<(Proxy, Listener)>,
    probes: Option<(ProbesServer, Prober)>,
    forward_auth: Option<(ForwardAuth, Listener)>,
}

impl Bound {
    /// Binds what the configuration names, or adopts what the caller has bound already.
    ///
    /// `open`: sockets that another process hands over. Those that are listened on where the configuration wants it are
    /// taken.
    pub(super) async fn new(
        config: &Config,
        given: Listeners,
        open: &mut Vec<Socket>,
    ) -> Result<Self, StartError> {
        let proxy = match &config.proxy {
            Some(wanted) => {
                let taken = upgrade::take(open, "proxy", &wanted.listen.to_string());
                let place = place(&wanted.listen, &given.systemd_names);
                let listener = match (taken, given.proxy) {
                    (Some(descriptor), _) => Listener::take_over(descriptor, &place),
                    (None, Some(listener)) => Listener::adopt(listener),
                    (None, None) => Listener::bind(&place).await,
                };
                let listener = listener.map_err(listening(&wanted.listen, "proxy.listen"))?;
                Some((listener, wiring::proxy(wanted, config.public_url.secure())))
            }
            None => None,
        };
        let probes = match config.proxy.as_ref().and_then(|proxy| proxy.probes.as_ref()) {
            Some(wanted) => {
                let bound = match upgrade::take(open, "probes", &wanted.listen.to_string()) {
                    Some(descriptor) => ProbesServer::adopt(descriptor.into()),
                    None => ProbesServer::bind(wanted.listen).await,
                };
                Some(bound.map_err(listening(&wanted.listen, "proxy.probes.listen"))?)
            }
            None => None,
        };
        let forward_auth = match &config.forward_auth {
            Some(wanted) => {
                let taken = upgrade::take(open, "forward_auth", &wanted.listen.to_string());
                let place = place(&wanted.listen, &given.systemd_names);
                let listener = match (taken, given.forward_auth) {
                    (Some(descriptor), _) => Listener::take_over(descriptor, &place),
                    (None, Some(listener)) => Listener::adopt(listener),
                    (None, None) => Listener::bind(&place).await,
                };
                let listener = listener
                    .map_err(|source| StartError::ForwardAuth { place: wanted.listen.to_string(), source })?;
                Some((listener, wiring::forward_auth(wanted)))
            }
            None => None,
        };
        Ok(Self { proxy, probes, forward_auth })
    }

    /// Gives them something to serve.
    pub(super) fn with(
        self,
        auth: &Arc<Auth>,
        access_log: &Arc<dyn AccessLog>,
    ) -> Result<(Servers, Doors), StartError> {
        let mut doors = Doors::default();
        let proxy = match self.proxy {
            Some((listener, settings)) => {
                let proxy = Proxy::new(settings.clone(), Arc::clone(auth), Arc::clone(access_log))?;
                doors.proxy = Some((proxy.replacer(), settings));
                Some((proxy, listener))
            }
            None => None,
        };
        let probes = self.probes.zip(proxy.as_ref().map(|(proxy, _)| proxy.prober()));
        let forward_auth = self.forward_auth.map(|(listener, settings)| {
            let server = ForwardAuth::new(settings.clone(), Arc::clone(auth), Arc::clone(access_log));
            doors.forward_auth = Some((server.replacer(), settings));
            (server, listener)
        });
        Ok((Servers { proxy, probes, forward_auth }, doors))
    }

    /// The same sockets once more, for the process that comes after this one.
    pub(super) fn sockets(&self, config: &Config) -> std::io::Result<Vec<Socket>> {
        let mut sockets = Vec::new();
        if let (Some((listener, _)), Some(wanted)) = (&self.proxy, &config.proxy) {
            let (place, descriptor) = (wanted.listen.to_string(), listener.descriptor()?);
            sockets.push(Socket { name: "proxy", place, descriptor });
        }
        if let (Some(probes), Some(wanted)) =
            (&self.probes, config.proxy.as_ref().and_then(|p| p.probes.as_ref()))
        {
            let (place, descriptor) = (wanted.listen.to_string(), probes.descriptor()?);
            sockets.push(Socket { name: "probes", place, descriptor });
        }
        if let (Some((listener, _)), Some(wanted)) = (&self.forward_auth, &config.forward_auth) {
            let (place, descriptor) = (wanted.listen.to_string(), listener.descriptor()?);
            sockets.push(Socket { name: "forward_auth", place, descriptor });
        }
        Ok(sockets)
    }
}

impl Servers {
    /// Where browsers connect to the reverse proxy, if that is an address.
    pub(super) fn proxy_address(&self) -> Option<SocketAddr> {
        self.proxy.as_ref().and_then(|(_, listener)| listener.local_addr())
    }

    /// Where gateways connect, if that is an address.
    pub(super) fn forward_auth_address(&self) -> Option<SocketAddr> {
        self.forward_auth.as_ref().and_then(|(_, listener)| listener.local_addr())
    }

    /// Where probes of the app are handed on, if they are.
    pub(super) fn probes_address(&self) -> Option<SocketAddr> {
        self.probes.as_ref().and_then(|(probes, _)| probes.local_addr().ok())
    }

    /// What hands probes on. It outlives the others: until the end the app is there to be asked.
    pub(super) fn take_probes(&mut self) -> Option<(ProbesServer, Prober)> {
        self.probes.take()
    }

    /// The process that has handed them over leaves.
    pub(super) fn own_files(&mut self) {
        let proxy = self.proxy.iter_mut().map(|(_, listener)| listener);
        for listener in proxy.chain(self.forward_auth.iter_mut().map(|(_, listener)| listener)) {
            listener.own_file();
        }
    }

    /// Serves until the word, then drains for at most `deadline`.
    pub(super) async fn serve(self, stopping: watch::Receiver<bool>, deadline: Duration) {
        let proxied = async {
            if let Some((proxy, listener)) = self.proxy {
                let drained = proxy.serve(listener, stopping.clone(), deadline).await;
                tracing::info!(finished = drained.finished, aborted = drained.aborted, "drained");
            }
        };
        let asked = async {
            if let Some((forward_auth, listener)) = self.forward_auth {
                forward_auth.serve(listener, stopping.clone(), deadline).await;
            }
        };
        tokio::join!(proxied, asked);
    }
}

/// The shell's own words for a configured place. systemd hands over sockets by number; their names stand in the
/// environment.
fn place(wanted: &Wanted, names: &[String]) -> Listen {
    match wanted {
        Wanted::Tcp(address) => Listen::Tcp(*address),
        Wanted::Unix { path, mode } => Listen::Unix { path: path.clone(), mode: *mode },
        Wanted::Systemd { name: None } => Listen::Systemd { index: 0 },
        Wanted::Systemd { name: Some(name) } => {
            // Beyond the last one: there is no such socket, and the error says so.
            let index = names.iter().position(|n| n == name).unwrap_or(usize::MAX);
            Listen::Systemd { index }
        }
    }
}
