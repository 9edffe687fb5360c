//! Do the settings that a connection was let in by still hold? What is asked of a client once, when it connects, is asked
//! again only of its next connection: so one that came in by other terms ends with the request that is under way.
//!
//! A certificate that is renewed asks nothing else of anybody, and lets connections be.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::tls::Asked;
use crate::net::TrustedProxies;
use crate::proxy::settings::Settings;

/// What connections come in by.
pub(in crate::proxy) struct Door {
    terms: Terms,
    closed: watch::Sender<bool>,
}

/// All that counts when a connection begins, and never again.
#[derive(PartialEq, Eq)]
struct Terms {
    tls: Option<Asked>,
    proxy_protocol: TrustedProxies,
    trusted: TrustedProxies,
    header_read: Duration,
    write: Duration,
    header_bytes: usize,
    connections_per_client: usize,
    keep_alive_requests: u32,
    http2_streams: u32,
    http2_resets: u32,
}

impl Door {
    /// Of these settings; `tls`: what is asked of clients in TLS.
    pub(in crate::proxy) fn new(settings: &Settings, tls: Option<Asked>) -> Arc<Self> {
        let (times, limits) = (&settings.timeouts, &settings.limits);
        let terms = Terms {
            tls,
            proxy_protocol: settings.entrance.proxy_protocol.clone(),
            trusted: settings.trusted.clone(),
            header_read: times.header_read,
            write: times.write,
            header_bytes: limits.header_bytes,
            connections_per_client: limits.connections_per_client,
            keep_alive_requests: limits.keep_alive_requests,
            http2_streams: limits.http2_streams,
            http2_resets: limits.http2_resets,
        };
        Arc::new(Self { terms, closed: watch::channel(false).0 })
    }

    /// The same one where the terms are the same, so that connections stay.
    pub(in crate::proxy) fn or_same(self: Arc<Self>, old: &Arc<Self>) -> Arc<Self> {
        if self.terms == old.terms { Arc::clone(old) } else { self }
    }

    /// Nobody who came in by it may ask once more.
    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Whether it is closed.
    pub(in crate::proxy) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Turns true when it is closed.
    pub(in crate::proxy) fn closing(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::settings::{CertificateFiles, Upstream};

    #[test]
    fn it_stays_the_same_until_something_else_is_asked_of_clients() {
        let of = |change: fn(&mut Settings)| {
            let mut settings = Settings::to(Upstream::default(), true);
            change(&mut settings);
            Door::new(&settings, None)
        };
        let old = of(|_| {});
        let stays: [fn(&mut Settings); 4] = [
            |settings| settings.timeouts.keep_alive = Duration::from_secs(1),
            |settings| settings.limits.body_bytes = Some(1),
            |settings| settings.upstreams.clear(),
            |settings| {
                let files = CertificateFiles { chain: "renewed.pem".into(), key: "renewed.key".into() };
                let (only_tls13, clients) = (false, None);
                let tls = crate::proxy::settings::Tls { certificates: vec![files], only_tls13, clients };
                settings.entrance.tls = Some(tls);
            },
        ];
        for (place, change) in stays.into_iter().enumerate() {
            assert!(Arc::ptr_eq(&of(change).or_same(&old), &old), "{place}");
        }
        let other: [fn(&mut Settings); 9] = [
            |settings| settings.entrance.proxy_protocol = TrustedProxies::parse(["10.0.0.1"]).unwrap(),
            |settings| settings.trusted = TrustedProxies::parse(["10.0.0.1"]).unwrap(),
            |settings| settings.timeouts.header_read = Duration::from_secs(1),
            |settings| settings.timeouts.write = Duration::from_secs(1),
            |settings| settings.limits.header_bytes = 1,
            |settings| settings.limits.connections_per_client = 1,
            |settings| settings.limits.keep_alive_requests = 1,
            |settings| settings.limits.http2_streams = 1,
            |settings| settings.limits.http2_resets = 1,
        ];
        for (place, change) in other.into_iter().enumerate() {
            assert!(!Arc::ptr_eq(&of(change).or_same(&old), &old), "{place}");
        }
    }
}
