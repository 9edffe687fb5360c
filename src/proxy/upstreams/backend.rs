//! Is this address of an app worth a connection now? What was seen of it: failed connections, bad answers to health
//! checks, requests under way.
//!
//! One failure after another takes an address out for a while, and then a single request tries it (passive ejection, as
//! Envoy's outlier detection does). Health checks take it out and bring it back on their own count. Nothing here waits.

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use pingora::protocols::l4::socket::SocketAddr;
use tokio::time::Instant;

use crate::proxy::settings::{Ejection, HealthCheck};

/// One address of one server.
#[derive(Debug)]
pub(crate) struct Backend {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// The server it belongs to: its place among those of the upstream.
    pub(super) server: usize,
    /// What tells it apart in the rendezvous of accounts; the same on every replica.
    pub(super) key: u64,
    in_flight: AtomicUsize,
    /// Connections in a row that could not be made.
    failures: AtomicU32,
    /// Left alone until then, by [`now`]; 0 when it is not.
    out_until: AtomicU64,
    /// Out by health checks.
    unwell: AtomicBool,
    /// Answers in a row that speak against the state it is in.
    contrary: AtomicU32,
}

/// What a report changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// It is left alone from now on.
    Out,
    /// It takes requests again.
    Back,
}

impl Backend {
    /// An address of which nothing is known.
    pub(super) fn new(address: SocketAddr, server: usize) -> Self {
        Self {
            key: fnv(address.to_string().as_bytes()),
            address,
            server,
            in_flight: AtomicUsize::new(0),
            failures: AtomicU32::new(0),
            out_until: AtomicU64::new(0),
            unwell: AtomicBool::new(false),
            contrary: AtomicU32::new(0),
        }
    }

    /// The same address with what another one knows of it. `checked`: whether health checks go on.
    pub(super) fn like(&self, server: usize, checked: bool) -> Self {
        let copy = Self::new(self.address.clone(), server);
        copy.failures.store(self.failures.load(Relaxed), Relaxed);
        copy.out_until.store(self.out_until.load(Relaxed), Relaxed);
        copy.unwell.store(checked && self.unwell.load(Relaxed), Relaxed);
        copy
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &SocketAddr {
        &self.address
    }

    /// Whether it takes requests.
    pub(super) fn well(&self) -> bool {
        !self.unwell.load(Relaxed) && self.out_until.load(Relaxed) == 0
    }

    /// Whether it may be tried again after it was left alone.
    pub(super) fn due(&self, now: u64) -> bool {
        let until = self.out_until.load(Relaxed);
        !self.unwell.load(Relaxed) && until != 0 && until <= now
    }

    /// Takes the one try that is due; `false` when another request was quicker.
    pub(super) fn claim(&self, now: u64, ejection: Ejection) -> bool {
        let until = self.out_until.load(Relaxed);
        let next = now.saturating_add(millis(ejection));
        until <= now && self.out_until.compare_exchange(until, next, Relaxed, Relaxed).is_ok()
    }

    /// A connection could not be made.
    pub(super) fn failed(&self, now: u64, ejection: Ejection) -> Change {
        let failures = self.failures.fetch_add(1, Relaxed).saturating_add(1);
        if ejection.failures == 0 || failures < ejection.failures {
            return Change::None;
        }
        let was = self.out_until.swap(now.saturating_add(millis(ejection)), Relaxed);
        if was == 0 { Change::Out } else { Change::None }
    }

    /// A connection was made.
    pub(super) fn connected(&self) -> Change {
        if self.failures.load(Relaxed) == 0 {
            return Change::None;
        }
        self.failures.store(0, Relaxed);
        if self.out_until.swap(0, Relaxed) == 0 { Change::None } else { Change::Back }
    }

    /// A health check was answered, well or not.
    pub(super) fn checked(&self, good: bool, check: &HealthCheck) -> Change {
        let unwell = self.unwell.load(Relaxed);
        if good != unwell {
            self.contrary.store(0, Relaxed);
            return Change::None;
        }
        let needed = if good { check.healthy_after } else { check.unhealthy_after };
        if self.contrary.fetch_add(1, Relaxed).saturating_add(1) < needed {
            return Change::None;
        }
        self.contrary.store(0, Relaxed);
        self.unwell.store(!good, Relaxed);
        if good { Change::Back } else { Change::Out }
    }

    /// Requests under way.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }
}

/// A request under way, counted until dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Backend>);

impl InFlight {
    /// Counts one in.
    pub(super) fn new(backend: Arc<Backend>) -> Self {
        backend.in_flight.fetch_add(1, Relaxed);
        Self(backend)
    }

    /// Where it goes.
    pub(crate) fn backend(&self) -> &Arc<Backend> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// Milliseconds since this was first asked, counted from 1.
pub(super) fn now() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

fn millis(ejection: Ejection) -> u64 {
    u64::try_from(ejection.duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// FNV-1a, 64 bits: the same on every machine and in every build.
pub(super) fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const THREE: Ejection = Ejection { failures: 3, duration: Duration::from_secs(10) };

    fn backend() -> Backend {
        Backend::new(SocketAddr::Inet("127.0.0.1:8080".parse().unwrap()), 0)
    }

    #[test]
    fn failures_in_a_row_take_it_out_and_one_try_brings_it_back() {
        let backend = backend();
        assert_eq!(backend.failed(100, THREE), Change::None);
        assert_eq!(backend.failed(100, THREE), Change::None);
        assert_eq!(backend.connected(), Change::None);
        assert_eq!(backend.failed(100, THREE), Change::None);
        assert_eq!(backend.failed(100, THREE), Change::None);
        assert!(backend.well());
        assert_eq!(backend.failed(100, THREE), Change::Out);
        assert!(!backend.well() && !backend.due(10_099) && backend.due(10_100));
        assert!(backend.claim(10_100, THREE));
        assert!(!backend.claim(10_100, THREE) && !backend.due(10_100), "one try at a time");
        assert_eq!(backend.failed(10_150, THREE), Change::None);
        assert!(backend.due(20_150));
        assert_eq!(backend.connected(), Change::Back);
        assert!(backend.well());
    }

    #[test]
    fn zero_never_takes_it_out() {
        let backend = backend();
        let never = Ejection { failures: 0, ..THREE };
        for _ in 0..100 {
            assert_eq!(backend.failed(1, never), Change::None);
        }
        assert!(backend.well());
    }

    #[test]
    fn checks_need_as_many_answers_in_a_row_as_set() {
        let check = HealthCheck {
            path: "/".into(),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            healthy_after: 2,
            unhealthy_after: 3,
        };
        let backend = backend();
        let told: Vec<Change> = [false, false, true, false, false, false, true, false, true, true]
            .map(|good| backend.checked(good, &check))
            .into();
        let want = [5, 9].map(|place| told[place]);
        assert_eq!(want, [Change::Out, Change::Back]);
        assert_eq!(told.iter().filter(|change| **change != Change::None).count(), 2);
    }

    /// Nobody would ever find an address well again that health checks took out, once nobody checks.
    #[test]
    fn new_settings_know_what_was_known() {
        let check = HealthCheck {
            path: "/".into(),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            healthy_after: 1,
            unhealthy_after: 1,
        };
        let (unwell, out, well) = (backend(), backend(), backend());
        assert_eq!(unwell.checked(false, &check), Change::Out);
        assert_eq!(out.failed(1, Ejection { failures: 1, ..THREE }), Change::Out);
        for (known, checked, want) in [
            (&unwell, true, false),
            (&unwell, false, true),
            (&out, true, false),
            (&out, false, false),
            (&well, true, true),
            (&well, false, true),
        ] {
            assert_eq!(known.like(7, checked).well(), want, "{known:?} {checked}");
        }
        assert_eq!(out.like(7, true).server, 7);
        assert_eq!(out.like(7, true).connected(), Change::Back, "failures count on");
    }

    #[test]
    fn requests_are_counted_while_they_last() {
        let backend = Arc::new(backend());
        let (one, two) = (InFlight::new(Arc::clone(&backend)), InFlight::new(Arc::clone(&backend)));
        assert_eq!(backend.in_flight(), 2);
        drop(one);
        drop(two);
        assert_eq!(backend.in_flight(), 0);
    }
}
