//! What is in force, and how does another configuration take its place while requests come in?
//!
//! Guarantees: everything that a configuration decides changes at once, or nothing does; a request ends under what it
//! began with; what is known of sessions, the store and the counters stay. What needs a restart is left as it was
//! ([`Fixed`]); the caller says so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::{StartError, wiring};
use crate::atlassian::Atlassian;
use crate::auth::{Auth, Choices};
use crate::config::{Config, Upstream};
use crate::metrics::Metrics;
use crate::pages::Pages;
use crate::{forward_auth, proxy};

/// The decision in force, and the servers that ask it.
pub(super) struct InForce {
    auth: ArcSwap<Auth>,
    servers: Mutex<Doors>,
    metrics: Arc<Metrics>,
    demo: bool,
    fixed: Fixed,
}

/// How the servers are told, and what they were told last.
#[derive(Default)]
pub(super) struct Doors {
    pub(super) proxy: Option<(proxy::Replacer, proxy::Settings)>,
    pub(super) forward_auth: Option<(forward_auth::Replacer, forward_auth::Settings)>,
}

/// Which servers there are, and how connections to them begin. The sockets are open, so this stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fixed {
    pub(super) proxy: bool,
    pub(super) tls: bool,
    pub(super) probes: bool,
    pub(super) forward_auth: bool,
    /// How many idle connections to each upstream are kept, by its name.
    pub(super) kept: BTreeMap<String, usize>,
}

impl Fixed {
    /// As configured.
    pub(super) fn of(config: &Config) -> Self {
        let proxy = config.proxy.as_ref().map(|wanted| wiring::proxy(wanted, config.public_url.secure()));
        Self {
            tls: proxy.as_ref().is_some_and(|settings| settings.entrance.tls.is_some()),
            probes: config.proxy.as_ref().is_some_and(|proxy| proxy.probes.is_some()),
            proxy: proxy.is_some(),
            forward_auth: config.forward_auth.is_some(),
            kept: config.proxy.iter().flat_map(|proxy| &proxy.upstreams).map(kept).collect(),
        }
    }
}

impl InForce {
    /// What the process has begun with.
    pub(super) fn new(
        auth: Arc<Auth>,
        doors: Doors,
        fixed: Fixed,
        metrics: &Arc<Metrics>,
        demo: bool,
    ) -> Self {
        let (servers, metrics) = (Mutex::new(doors), Arc::clone(metrics));
        Self { auth: ArcSwap::new(auth), servers, metrics, demo, fixed }
    }

    /// The decision.
    pub(super) fn auth(&self) -> Arc<Auth> {
        self.auth.load_full()
    }

    /// What a restart alone would change.
    pub(super) fn fixed(&self) -> &Fixed {
        &self.fixed
    }

    /// Puts another configuration in force. Reads the files that it names; blocks for some milliseconds.
    ///
    /// # Errors
    /// Those of a start. Nothing has changed then.
    pub(super) fn replace(&self, config: Config) -> Result<(), StartError> {
        let mut doors = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let secure = config.public_url.secure();
        let proxy = config.proxy.as_ref().map(|wanted| wiring::proxy(wanted, secure));
        let forward_auth = config.forward_auth.as_ref().map(wiring::forward_auth);
        let auth = Arc::new(self.auth().renewed(choices(config, &self.metrics, self.demo)?));
        if let Some((replacer, last)) = &mut doors.proxy {
            let settings = keep_entrance(proxy.unwrap_or_else(|| last.clone()), last);
            // The last thing that can fail.
            replacer.replace(settings.clone(), Arc::clone(&auth))?;
            *last = settings;
        }
        if let Some((replacer, last)) = &mut doors.forward_auth {
            *last = forward_auth.unwrap_or_else(|| last.clone());
            replacer.replace(last.clone(), Arc::clone(&auth));
        }
        self.auth.store(auth);
        Ok(())
    }

    /// Tells the servers that another process serves in their place from now on.
    pub(super) fn hand_over(&self) {
        let doors = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((replacer, _)) = &doors.proxy {
            replacer.hand_over();
        }
        if let Some((replacer, _)) = &doors.forward_auth {
            replacer.hand_over();
        }
    }
}

fn kept(upstream: &Upstream) -> (String, usize) {
    (upstream.name.clone(), upstream.keep_alive_pool)
}

/// Whether there is TLS and whether there is HTTP/2 was settled when the socket was opened.
fn keep_entrance(mut wanted: proxy::Settings, last: &proxy::Settings) -> proxy::Settings {
    wanted.entrance.http2 = last.entrance.http2;
    if wanted.entrance.tls.is_some() != last.entrance.tls.is_some() {
        wanted.entrance.tls.clone_from(&last.entrance.tls);
    }
    wanted
}

/// What a configuration decides about signing in.
pub(super) fn choices(config: Config, metrics: &Arc<Metrics>, demo: bool) -> Result<Choices, StartError> {
    Ok(Choices {
        atlassian: Arc::new(Atlassian::new(wiring::atlassian(&config, metrics)?)?),
        pages: Pages::new(wiring::branding(&config, demo)?),
        settings: wiring::auth(&config)?,
        presenter: wiring::presenter(&config.public_url, config.headers, &config.session.keys)?,
        keys: config.session.keys,
        routes: config.routes,
        access: config.access,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::settings::{Settings, Tls, Upstream};

    /// Clients that come to an open socket would otherwise be greeted in another way than those who rest on it expect.
    #[test]
    fn how_connections_begin_stays_and_what_tls_shows_does_not() {
        let with = |http2, only_tls13: Option<bool>| {
            let mut settings = Settings::to(Upstream::default(), true);
            let tls = |only_tls13| Tls { certificates: Vec::new(), only_tls13, clients: None };
            (settings.entrance.http2, settings.entrance.tls) = (http2, only_tls13.map(tls));
            settings
        };
        for (wanted, last, in_force) in [
            ((true, None), (false, None), (false, None)),
            ((false, None), (true, None), (true, None)),
            ((true, Some(false)), (true, None), (true, None)),
            ((true, None), (true, Some(false)), (true, Some(false))),
            ((true, Some(true)), (true, Some(false)), (true, Some(true))),
        ] {
            let kept = keep_entrance(with(wanted.0, wanted.1), &with(last.0, last.1)).entrance;
            assert_eq!(
                (kept.http2, kept.tls.map(|tls| tls.only_tls13)),
                in_force,
                "{wanted:?} after {last:?}"
            );
        }
    }
}
