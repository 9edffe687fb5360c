//! State that ends with the process: for the demo, for tests and for people who accept that every restart makes every
//! account new again and brings signed-out sessions back until they expire.
//!
//! The one store whose `Ok` promises nothing beyond this process.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeFrom;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::once::UsedTokens;
use super::{Account, Ended, Novelty, Seen, Store, StoreError};
use crate::clock::Timestamp;
use crate::identity::{AccountId, Person};
use crate::session::SessionId;

/// A [`Store`] in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    used: UsedTokens,
}

#[derive(Debug, Default)]
struct State {
    accounts: HashMap<AccountId, Account>,
    // The end comes first in the keys, so that a sweep touches only what has expired.
    ended: BTreeSet<(Timestamp, SessionId)>,
    activity: BTreeMap<(Timestamp, SessionId), Timestamp>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change below is one call of a collection: a panic cannot leave half of it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that ends after `now`.
fn alive(now: Timestamp) -> RangeFrom<(Timestamp, SessionId)> {
    (now.plus(Duration::from_secs(1)), SessionId::from_bytes([0; 16]))..
}

#[async_trait]
impl Store for MemoryStore {
    async fn record_sign_in(&self, person: &Person, now: Timestamp) -> Result<Novelty, StoreError> {
        let mut state = self.state();
        if let Some(account) = state.accounts.get_mut(&person.account_id) {
            account.person = person.clone();
            account.last_sign_in = now;
            return Ok(Novelty::Known { acknowledged: account.acknowledged });
        }
        let account =
            Account { person: person.clone(), first_seen: now, last_sign_in: now, acknowledged: false };
        state.accounts.insert(person.account_id.clone(), account);
        Ok(Novelty::New)
    }

    async fn acknowledge(&self, account: &AccountId) -> Result<(), StoreError> {
        if let Some(account) = self.state().accounts.get_mut(account) {
            account.acknowledged = true;
        }
        Ok(())
    }

    async fn account(&self, account: &AccountId) -> Result<Option<Account>, StoreError> {
        Ok(self.state().accounts.get(account).cloned())
    }

    async fn end_session(&self, ended: Ended) -> Result<(), StoreError> {
        self.state().ended.insert((ended.until, ended.id));
        Ok(())
    }

    async fn ended_sessions(&self, now: Timestamp) -> Result<Vec<Ended>, StoreError> {
        Ok(self.state().ended.range(alive(now)).map(|&(until, id)| Ended { id, until }).collect())
    }

    async fn save_activity(&self, seen: &[Seen]) -> Result<(), StoreError> {
        let mut state = self.state();
        for seen in seen {
            let at = state.activity.entry((seen.until, seen.id)).or_insert(seen.at);
            *at = seen.at.max(*at);
        }
        Ok(())
    }

    async fn activity(&self, now: Timestamp) -> Result<Vec<Seen>, StoreError> {
        let state = self.state();
        Ok(state.activity.range(alive(now)).map(|(&(until, id), &at)| Seen { id, at, until }).collect())
    }

    async fn use_once(&self, token: [u8; 16], now: Timestamp, ttl: Duration) -> Result<bool, StoreError> {
        Ok(self.used.use_once(token, now, ttl))
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        self.used.sweep(now);
        let mut state = self.state();
        state.ended = state.ended.range(alive(now)).copied().collect();
        state.activity = state.activity.range(alive(now)).map(|(&key, &at)| (key, at)).collect();
        Ok(())
    }

    async fn healthy(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
