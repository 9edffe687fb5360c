//! Was this token used before? A bounded set of used tokens, shared by the stores that serve one process.
//!
//! When it is full, the token that would expire first makes room: whoever can fill it must not be able to stop everybody's
//! sign-in. What is forgotten early is still guarded by the flow cookie, which is deleted when it is used, and by
//! Atlassian, where a code works once. Expired tokens leave on every call, so nothing has to run beside it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;

/// How many tokens may be alive at a time: 145 sign-ins per second for a quarter of an hour, at most 12 MB.
const CAPACITY: usize = 131_072;

type Token = [u8; 16];

/// The tokens that were used and could still be presented again.
#[derive(Debug)]
pub(super) struct UsedTokens {
    capacity: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    until: HashMap<Token, Timestamp>,
    by_end: BTreeSet<(Timestamp, Token)>,
}

impl Default for UsedTokens {
    fn default() -> Self {
        Self { capacity: CAPACITY, inner: Mutex::default() }
    }
}

impl UsedTokens {
    /// True the first time within `ttl`.
    pub(super) fn use_once(&self, token: Token, now: Timestamp, ttl: Duration) -> bool {
        let mut inner = self.lock();
        inner.drop_expired(now);
        if inner.until.contains_key(&token) {
            return false;
        }
        if inner.until.len() >= self.capacity
            && let Some((_, oldest)) = inner.by_end.pop_first()
        {
            inner.until.remove(&oldest);
        }
        let until = now.plus(ttl);
        inner.until.insert(token, until);
        inner.by_end.insert((until, token));
        true
    }

    /// Forgets what has expired.
    pub(super) fn sweep(&self, now: Timestamp) {
        self.lock().drop_expired(now);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Both collections change together or not at all: nothing between the two inserts can panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn drop_expired(&mut self, now: Timestamp) {
        while let Some(&(until, token)) = self.by_end.first() {
            if until > now {
                break;
            }
            self.by_end.pop_first();
            self.until.remove(&token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(10);

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn when_full_the_oldest_makes_room() {
        let used = UsedTokens { capacity: 2, inner: Mutex::default() };
        assert!(used.use_once([1; 16], at(0), TTL) && used.use_once([2; 16], at(5), TTL));
        assert!(!used.use_once([1; 16], at(9), TTL), "nothing is forgotten before there is need");
        assert!(used.use_once([3; 16], at(9), TTL), "a flood stops nobody");
        assert!(!used.use_once([2; 16], at(9), TTL) && !used.use_once([3; 16], at(9), TTL));
        assert_eq!(used.lock().until.len(), 2, "and costs no more memory");
    }

    #[test]
    fn a_sweep_leaves_nothing_behind() {
        let used = UsedTokens::default();
        used.use_once([1; 16], at(0), TTL);
        used.use_once([2; 16], at(1), TTL);
        used.sweep(at(10));
        let inner = used.lock();
        assert_eq!((inner.until.len(), inner.by_end.len()), (1, 1));
    }
}
