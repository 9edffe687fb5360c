//! Was this token used before? A bounded set of used tokens, shared by the stores that serve one process.
//!
//! Fails closed: when it is full of tokens that could still come back, it answers an error instead of forgetting one.
//! Expired tokens leave on every call, so nothing has to run beside it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::StoreError;
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
    /// True the first time within `ttl`; an error when nothing more can be remembered.
    pub(super) fn use_once(&self, token: Token, now: Timestamp, ttl: Duration) -> Result<bool, StoreError> {
        let mut inner = self.lock();
        inner.drop_expired(now);
        if inner.until.contains_key(&token) {
            return Ok(false);
        }
        if inner.until.len() >= self.capacity {
            let cause = format!("{} tokens are waiting to expire, no more can be held", self.capacity);
            return Err(StoreError { action: "use up a one-time token", cause });
        }
        let until = now.plus(ttl);
        inner.until.insert(token, until);
        inner.by_end.insert((until, token));
        Ok(true)
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
    fn full_means_an_error_until_something_expires() {
        let used = UsedTokens { capacity: 2, inner: Mutex::default() };
        assert!(used.use_once([1; 16], at(0), TTL).unwrap());
        assert!(used.use_once([2; 16], at(5), TTL).unwrap());
        used.use_once([3; 16], at(9), TTL).unwrap_err();
        assert!(!used.use_once([1; 16], at(9), TTL).unwrap(), "a known token is still answered");
        assert!(used.use_once([3; 16], at(10), TTL).unwrap(), "the first one has expired");
        assert!(!used.use_once([2; 16], at(10), TTL).unwrap());
    }

    #[test]
    fn a_sweep_leaves_nothing_behind() {
        let used = UsedTokens::default();
        used.use_once([1; 16], at(0), TTL).unwrap();
        used.use_once([2; 16], at(1), TTL).unwrap();
        used.sweep(at(10));
        let inner = used.lock();
        assert_eq!((inner.until.len(), inner.by_end.len()), (1, 1));
    }
}
