//! Has this client begun too many sign-ins? A budget per address, which fills up again with time.
//!
//! The generic cell rate algorithm (ITU-T I.371), a token bucket kept as one number: the moment at which the client will
//! have its whole budget back. Not a crate: the number of clients remembered must have a bound, and time must be ours.
//! When there are too many clients to remember, those beyond are let in: the limit spares Atlassian and the store, it
//! guards no secret.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use papaya::{HashMap, HashSet};

/// So many clients are remembered at most; some megabytes.
const REMEMBERED: usize = 50_000;
/// So many times the budget of one client is that of all who cannot be told apart: enough for an office that signs in in the
/// morning, and still an end to what a flood behind it costs.
const CROWD: u64 = 10;
/// So many hops that name nobody are told of; whoever has more has read it by then.
const CROWDS_SAID: usize = 64;
/// The budget is for this long, in milliseconds.
const MINUTE: u64 = 60_000;
/// How long the log says nothing more of it, in milliseconds.
const QUIET: u64 = 10_000;

/// What is left to each client. It outlives a change of the limit: a budget is kept as the part of a minute that it takes
/// to fill up again.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    /// By address, and whether it stands for a crowd.
    full_again: HashMap<(IpAddr, bool), AtomicU64>,
    said: AtomicU64,
    crowds_said: HashSet<IpAddr>,
}

impl Budgets {
    /// Forgets the clients whose budget is whole.
    pub(super) fn forget(&self, now: u64) {
        self.full_again.pin().retain(|_, full_again| full_again.load(Ordering::Relaxed) > now);
    }
}

/// How fast the budgets of all clients are spent.
#[derive(Debug)]
pub(super) struct SignInRate {
    /// What one sign-in costs, in milliseconds.
    cost: u64,
    budgets: Arc<Budgets>,
}

impl SignInRate {
    /// So many at once, and as many again within a minute.
    pub(super) fn new(per_minute: NonZeroU32, budgets: Arc<Budgets>) -> Self {
        let cost = (MINUTE / u64::from(per_minute.get())).max(1);
        Self { cost, budgets }
    }

    /// Takes one from a client's budget; `now` in milliseconds. `Err` is when to try again. A `crowd` is clients that nobody
    /// can tell apart, behind a hop that names none: they share a budget of their own, which is larger ([`CROWD`]).
    pub(super) fn take(&self, client: IpAddr, crowd: bool, now: u64) -> Result<(), Duration> {
        let budgets = self.budgets.full_again.pin();
        let cost = if crowd { (self.cost / CROWD).max(1) } else { self.cost };
        let (whole, client) = (cost.saturating_mul(MINUTE / cost), (network(client), crowd));
        let budget = match budgets.get(&client) {
            Some(budget) => budget,
            None if budgets.len() >= REMEMBERED => return Ok(()),
            None => budgets.get_or_insert_with(client, || AtomicU64::new(now)),
        };
        let latest = now.saturating_add(whole);
        let taken = budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_again| {
            // Beyond the latest only if the clock was put back, which must lock nobody out.
            let begun = if full_again > latest { now } else { full_again.max(now) };
            let after = begun.saturating_add(cost);
            (after <= latest).then_some(after)
        });
        taken.map(|_| ()).map_err(|full_again| {
            Duration::from_millis(full_again.saturating_add(cost).saturating_sub(latest).max(1))
        })
    }

    /// Whether the log was never told of this hop's crowd.
    pub(super) fn crowd_is_news(&self, hop: IpAddr) -> bool {
        let said = self.budgets.crowds_said.pin();
        said.len() < CROWDS_SAID && said.insert(hop.to_canonical())
    }

    /// Whether it is time to speak of it in the log again.
    pub(super) fn worth_saying(&self, now: u64) -> bool {
        let last = &self.budgets.said;
        let said = last.load(Ordering::Relaxed);
        let due = said == 0 || now.abs_diff(said) >= QUIET;
        due && last.compare_exchange(said, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Whom an address stands for: a household or a machine has 2^64 of IPv6 (RFC 6177).
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn rate(per_minute: u32) -> SignInRate {
        SignInRate::new(NonZeroU32::new(per_minute).unwrap(), Arc::default())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn so_many_at_once_and_as_many_again_within_a_minute() {
        let rate = rate(6);
        let taken = |now| (0..100).filter(|_| rate.take(ip("192.0.2.1"), false, now).is_ok()).count();
        assert_eq!(taken(NOW), 6);
        assert_eq!(rate.take(ip("192.0.2.1"), false, NOW), Err(Duration::from_secs(10)));
        assert_eq!(rate.take(ip("192.0.2.1"), false, NOW + 4_000), Err(Duration::from_secs(6)));
        assert_eq!(taken(NOW + 9_999), 0);
        assert_eq!(taken(NOW + 10_000), 1);
        assert_eq!(taken(NOW + 30_000), 2);
        assert_eq!(taken(NOW + 600_000), 6);
    }

    #[test]
    fn every_client_has_its_own() {
        let rate = rate(1);
        for (client, want) in [
            ("192.0.2.1", true),
            ("192.0.2.2", true),
            ("192.0.2.1", false),
            ("::ffff:192.0.2.1", false),
            ("2001:db8::1", true),
            ("2001:db8::ffff:0:0:2", false),
            ("2001:db8:0:1::1", true),
        ] {
            assert_eq!(rate.take(ip(client), false, NOW).is_ok(), want, "{client}");
        }
    }

    #[test]
    fn a_crowd_has_a_larger_one_of_its_own() {
        let rate = rate(3);
        let taken = |crowd, now| (0..100).filter(|_| rate.take(ip("10.0.0.1"), crowd, now).is_ok()).count();
        assert_eq!((taken(true, NOW), taken(true, NOW)), (30, 0));
        assert_eq!(taken(false, NOW), 3, "the hop's own is another");
        assert_eq!(rate.take(ip("10.0.0.1"), true, NOW), Err(Duration::from_secs(2)));
        assert!(rate.take(ip("10.0.0.2"), true, NOW).is_ok(), "another hop's crowd is another crowd");
        let fast = self::rate(u32::MAX);
        assert!((0..1000).all(|_| fast.take(ip("10.0.0.1"), true, NOW).is_ok()));
    }

    #[test]
    fn the_log_is_told_once_of_each_crowd() {
        let rate = rate(1);
        for (hop, want) in [
            ("10.0.0.1", true),
            ("10.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("10.0.0.2", true),
            ("10.0.0.1", false),
        ] {
            assert_eq!(rate.crowd_is_news(ip(hop)), want, "{hop}");
        }
        let told = (0..200).filter(|n| rate.crowd_is_news(ip(&format!("10.0.1.{n}")))).count();
        assert_eq!(told + 2, CROWDS_SAID, "what is remembered has a bound");
    }

    #[test]
    fn extremes() {
        let fast = rate(u32::MAX);
        assert!((0..1000).all(|_| fast.take(ip("192.0.2.1"), false, NOW).is_ok()));
        let slow = rate(1);
        assert!(slow.take(ip("192.0.2.1"), false, NOW).is_ok());
        // The clock was put back by a day.
        let earlier = NOW - 86_400_000;
        assert!(slow.take(ip("192.0.2.1"), false, earlier).is_ok());
        assert_eq!(slow.take(ip("192.0.2.1"), false, earlier), Err(Duration::from_secs(60)));
    }

    #[test]
    fn who_has_the_whole_budget_is_forgotten() {
        let rate = rate(2);
        rate.take(ip("192.0.2.1"), false, NOW).unwrap();
        rate.take(ip("192.0.2.2"), false, NOW + 20_000).unwrap();
        rate.budgets.forget(NOW + 40_000);
        assert_eq!(rate.budgets.full_again.len(), 1);
    }

    #[test]
    fn a_budget_outlives_a_change_of_the_limit() {
        let budgets = Arc::<Budgets>::default();
        let rate = |per_minute| SignInRate::new(NonZeroU32::new(per_minute).unwrap(), Arc::clone(&budgets));
        let taken = |rate: &SignInRate, now| {
            (0..100).filter(|_| rate.take(ip("192.0.2.1"), false, now).is_ok()).count()
        };
        assert_eq!(taken(&rate(6), NOW), 6);
        assert_eq!(taken(&rate(12), NOW), 0, "used up stays used up");
        assert_eq!(taken(&rate(12), NOW + 10_000), 2, "and fills up at the new rate");
    }

    #[test]
    fn the_log_is_told_now_and_then() {
        let rate = rate(1);
        let said = [0, 1, 9_999, 10_000, 10_001].map(|later| rate.worth_saying(NOW + later));
        assert_eq!(said, [true, false, false, true, false]);
    }
}
