//! Which of an app's addresses gets this request? Round robin, least requests, or always the same one for an account.
//!
//! Accounts are spread by rendezvous hashing (Thaler and Ravishankar, 1998): when an address goes, only its own accounts
//! move, and every replica comes to the same answer.

use std::sync::Arc;

use super::backend::Backend;
use crate::proxy::settings::Balance;

/// Picks among those that are `eligible`. `turn` grows by one with every request; `account` is the hash of whose request
/// it is.
pub(super) fn pick(
    balance: Balance,
    backends: &[Arc<Backend>],
    turn: usize,
    account: Option<u64>,
    eligible: impl Fn(&Backend) -> bool,
) -> Option<&Arc<Backend>> {
    let candidates = || backends.iter().filter(|backend| eligible(backend));
    match (balance, account) {
        (Balance::Account, Some(account)) => candidates().max_by_key(|backend| mix(account ^ backend.key)),
        (Balance::LeastRequests, _) => {
            let (before, from) = backends.split_at(turn.checked_rem(backends.len())?);
            let turned = from.iter().chain(before).filter(|backend| eligible(backend));
            turned.min_by_key(|backend| backend.in_flight())
        }
        _ => candidates().nth(turn.checked_rem(candidates().count())?),
    }
}

/// The finalizer of SplitMix64: every bit of the input moves every bit of the output.
const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use pingora::protocols::l4::socket::SocketAddr;

    use super::super::backend::{InFlight, fnv};
    use super::*;

    fn backends(count: u16) -> Vec<Arc<Backend>> {
        let address = |n| SocketAddr::Inet(([10, 0, 0, 1], 8000 + n).into());
        (0..count).map(|n| Arc::new(Backend::new(address(n), 0))).collect()
    }

    #[test]
    fn round_robin_takes_turns_among_the_eligible() {
        let all = backends(3);
        let took = |turn, dead: Option<usize>| {
            let live = |b: &Backend| dead.is_none_or(|dead| b.key != all[dead].key);
            pick(Balance::RoundRobin, &all, turn, Some(1), live).map(|b| b.key)
        };
        let keys: Vec<_> = all.iter().map(|b| Some(b.key)).collect();
        assert_eq!((0..6).map(|turn| took(turn, None)).collect::<Vec<_>>(), [&keys[..], &keys[..]].concat());
        assert_eq!([took(0, Some(1)), took(1, Some(1)), took(2, Some(1))], [keys[0], keys[2], keys[0]]);
        assert!(pick(Balance::RoundRobin, &all, 0, None, |_| false).is_none());
        assert!(pick(Balance::RoundRobin, &[], 0, None, |_| true).is_none());
    }

    #[test]
    fn least_requests_goes_where_the_fewest_are() {
        let all = backends(3);
        let _busy: Vec<InFlight> =
            [0, 0, 1, 2, 2].iter().map(|place| InFlight::new(Arc::clone(&all[*place]))).collect();
        for turn in 0..6 {
            let picked = pick(Balance::LeastRequests, &all, turn, None, |_| true).unwrap();
            assert_eq!(picked.key, all[1].key);
        }
        let ties: std::collections::HashSet<u64> = (0..2)
            .map(|turn| pick(Balance::LeastRequests, &backends(2), turn, None, |_| true).unwrap().key)
            .collect();
        assert_eq!(ties.len(), 2, "those with equally few take turns");
    }

    #[test]
    fn one_death_moves_only_its_own_accounts() {
        let all = backends(4);
        let accounts: Vec<u64> = (0..400).map(|n| fnv(format!("557058:{n}").as_bytes())).collect();
        let home = |account, dead: Option<u64>| {
            pick(Balance::Account, &all, 7, Some(account), |b| Some(b.key) != dead).unwrap().key
        };
        let dead = all[2].key;
        for account in &accounts {
            let before = home(*account, None);
            assert_eq!(before, home(*account, None));
            let after = home(*account, Some(dead));
            assert!(after != dead && (before == dead || before == after));
        }
        for backend in &all {
            let share = accounts.iter().filter(|account| home(**account, None) == backend.key).count();
            assert!((60..140).contains(&share), "{share} of 400 on one of four");
        }
    }
}
