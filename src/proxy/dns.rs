//! Where is the upstream now? Its addresses, looked up without blocking and looked up again when they may have moved.
//!
//! An IP address is taken as it is. A name is resolved when first needed, anew every [`FRESH`], and at once after a
//! connection could not be made; while a look-up fails, the last known addresses stay in use.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// How long an answer is believed. Kubernetes keeps a name's address for longer than that when pods move.
const FRESH: Duration = Duration::from_secs(30);
/// How long a failed look-up is not repeated, while older addresses are known.
const RETRY: Duration = Duration::from_secs(1);
/// How long a look-up may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The addresses of one upstream.
#[derive(Clone, Debug)]
pub(super) enum Addresses {
    /// Written as an IP address.
    Fixed(SocketAddr),
    /// Written as a name.
    Named(Arc<Named>),
}

#[derive(Debug)]
pub(super) struct Named {
    host: String,
    port: u16,
    known: RwLock<Known>,
    /// Which of them worked last.
    preferred: AtomicUsize,
    /// One look-up at a time.
    looking_up: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Known {
    addresses: Arc<[SocketAddr]>,
    until: Instant,
}

impl Addresses {
    /// Of `host`, a name or an IP address without brackets. Looks nothing up.
    pub(super) fn new(host: &str, port: u16) -> Self {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Self::Fixed(SocketAddr::new(ip, port));
        }
        Self::Named(Arc::new(Named {
            host: host.to_owned(),
            port,
            known: RwLock::new(Known { addresses: [].into(), until: Instant::now() }),
            preferred: AtomicUsize::new(0),
            looking_up: tokio::sync::Mutex::new(()),
        }))
    }

    /// The address to try as the `attempt`th, counted from 0. `None` when the name has none.
    pub(super) async fn pick(&self, attempt: usize) -> Option<SocketAddr> {
        match self {
            Self::Fixed(address) => Some(*address),
            Self::Named(named) => named.pick(attempt).await,
        }
    }

    /// The last address that was picked took no connection: look the name up again, begin with another address.
    pub(super) fn failed(&self) {
        if let Self::Named(named) = self {
            named.preferred.fetch_add(1, Ordering::Relaxed);
            named.write(|known| known.until = Instant::now());
        }
    }

    /// Whether a second attempt could meet another address.
    pub(super) fn may_have_more(&self) -> bool {
        matches!(self, Self::Named(_))
    }
}

impl Named {
    async fn pick(self: &Arc<Self>, attempt: usize) -> Option<SocketAddr> {
        let mut known = self.known();
        if known.until <= Instant::now() {
            if known.addresses.is_empty() || attempt > 0 {
                self.look_up().await;
                known = self.known();
            } else if let Ok(guard) = self.looking_up.try_lock() {
                drop(guard);
                // This request goes on with what is known.
                let named = Arc::clone(self);
                tokio::spawn(async move { named.look_up().await });
            }
        }
        let start = self.preferred.load(Ordering::Relaxed);
        known.addresses.get(start.checked_rem(known.addresses.len())?).copied()
    }

    async fn look_up(&self) {
        let _alone = self.looking_up.lock().await;
        if self.known().until > Instant::now() {
            return; // Somebody else has just done it.
        }
        let found = timeout(PATIENCE, tokio::net::lookup_host((self.host.as_str(), self.port))).await;
        let addresses: Arc<[SocketAddr]> = match found {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => {
                tracing::warn!(host = self.host, %error, "the upstream's name could not be resolved");
                [].into()
            }
            Err(_) => {
                tracing::warn!(host = self.host, "resolving the upstream's name took too long");
                [].into()
            }
        };
        self.write(|known| {
            if addresses.is_empty() {
                known.until = Instant::now() + RETRY;
            } else {
                *known = Known { addresses, until: Instant::now() + FRESH };
            }
        });
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_ip_address_is_not_looked_up() {
        for (host, want) in [("127.0.0.1", "127.0.0.1:8"), ("::1", "[::1]:8")] {
            assert_eq!(Addresses::new(host, 8).pick(0).await, Some(want.parse().unwrap()));
        }
    }

    #[tokio::test]
    async fn a_name_is_looked_up_when_needed_and_again_after_a_failure() {
        let addresses = Addresses::new("localhost", 8);
        let Addresses::Named(named) = &addresses else { panic!() };
        assert!(named.known().addresses.is_empty());
        assert!(addresses.pick(0).await.unwrap().ip().is_loopback());
        // The name moves: what was known is wrong now, and a failure makes us look again.
        named.write(|known| known.addresses = ["192.0.2.1:8".parse().unwrap()].into());
        assert_eq!(addresses.pick(0).await, Some("192.0.2.1:8".parse().unwrap()));
        addresses.failed();
        assert!(addresses.pick(1).await.unwrap().ip().is_loopback());
    }

    #[tokio::test]
    async fn a_failure_moves_on_to_the_next_address() {
        let addresses = Addresses::new("localhost", 8);
        let Addresses::Named(named) = &addresses else { panic!() };
        let both: [SocketAddr; 2] = ["192.0.2.1:8".parse().unwrap(), "192.0.2.2:8".parse().unwrap()];
        let later = Instant::now() + FRESH;
        named.write(|known| *known = Known { addresses: both.into(), until: later });
        assert_eq!(addresses.pick(0).await, Some(both[0]));
        addresses.failed();
        named.write(|known| known.until = later);
        assert_eq!(addresses.pick(1).await, Some(both[1]));
        assert_eq!(addresses.pick(0).await, Some(both[1]));
    }

    #[tokio::test]
    async fn a_name_that_is_nowhere_has_no_address() {
        assert_eq!(Addresses::new("no-such-host.invalid", 8).pick(0).await, None);
    }
}
