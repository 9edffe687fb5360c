//! What must outlive a request? The only code that keeps state: who has been here, and which sessions are over.
//!
//! Contracts live here, one file per implementation. Every implementation passes the same test-suite (`contract`).
//! Sessions themselves are not kept: they travel in sealed cookies, so a store outage does not end them.

#[cfg(test)]
mod contract;
pub mod embedded;
pub mod memory;
mod once;
mod traced;

pub use embedded::{EmbeddedStore, OpenError};
pub use memory::MemoryStore;
pub use traced::TracedStore;

use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::identity::{AccountId, Person};
use crate::session::SessionId;

/// Whether this sign-in made the account's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novelty {
    /// The first admitted sign-in of this account, in all time and on every replica: handed out exactly once.
    New,
    /// The account was here before. `acknowledged`: the upstream has said that it knows it.
    Known {
        /// The upstream answered `X-Anteroom-Provisioned: true` for it once.
        acknowledged: bool,
    },
}

/// What the store remembers of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// As of the last sign-in.
    pub person: Person,
    /// First admitted sign-in.
    pub first_seen: Timestamp,
    /// Latest admitted sign-in.
    pub last_sign_in: Timestamp,
    /// Whether the upstream has acknowledged the account.
    pub acknowledged: bool,
}

/// An ended session, remembered until it would have expired anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub id: SessionId,
    /// When the cookie stops being valid by itself; the record may be dropped then.
    pub until: Timestamp,
}

/// When a session was last used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub id: SessionId,
    /// Latest request.
    pub at: Timestamp,
    /// When the session ends by itself; the record may be dropped then.
    pub until: Timestamp,
}

/// The store could not answer. What was asked for may or may not have happened.
#[derive(Debug, thiserror::Error)]
#[error("the store could not {action}: {cause}")]
pub struct StoreError {
    /// What was tried, e.g. `record a sign-in`.
    pub action: &'static str,
    /// The cause, without any personal data.
    pub cause: String,
}

/// Durable state. Every method that returns `Ok` has made its effect durable (it survives SIGKILL and power loss).
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Records an admitted sign-in: creates the account or updates it, atomically.
    /// A false `New` provisions somebody twice; a false `Known` hides a new user for good. Neither may happen.
    async fn record_sign_in(&self, person: &Person, now: Timestamp) -> Result<Novelty, StoreError>;

    /// The upstream knows this account now. Unknown accounts are ignored.
    async fn acknowledge(&self, account: &AccountId) -> Result<(), StoreError>;

    /// The account's record.
    async fn account(&self, account: &AccountId) -> Result<Option<Account>, StoreError>;

    /// Ends a session. A lost record would bring a signed-out session back to life: durable before `Ok`.
    async fn end_session(&self, ended: Ended) -> Result<(), StoreError>;

    /// Every ended session that could still be presented at `now` (`until` lies after it): what a starting process
    /// must know. In no order; an ID that was ended twice with two `until`s appears twice.
    async fn ended_sessions(&self, now: Timestamp) -> Result<Vec<Ended>, StoreError>;

    /// Saves when sessions were last used. Losing the newest of these costs an idle session at most the flush interval.
    async fn save_activity(&self, seen: &[Seen]) -> Result<(), StoreError>;

    /// Saved activity of sessions that could still be presented at `now`: the latest `at` that was ever saved, in no
    /// order. An ID that was saved with two `until`s appears twice; the later `at` counts.
    async fn activity(&self, now: Timestamp) -> Result<Vec<Seen>, StoreError>;

    /// Uses up a one-time token (a flow's ID) that lives for `ttl`: true the first time only. Kept in memory by stores
    /// that serve one process; a restart forgets it, and the flow cookie is gone from the browser by then. An error
    /// when no more tokens can be held: a token that cannot be remembered must not count as used for the first time.
    async fn use_once(&self, token: [u8; 16], now: Timestamp, ttl: Duration) -> Result<bool, StoreError>;

    /// Drops what has expired. Cheap; called every few minutes.
    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Whether the store answers, for readiness.
    async fn healthy(&self) -> Result<(), StoreError>;

    /// Lets go of what only one process can hold, for the next one: everything is durable, and nothing but
    /// [`Store::healthy`] works until [`Store::take_back`]. Nothing to do for a store that several can use.
    async fn release(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Holds it again. After an error the next call that needs it tries once more.
    async fn take_back(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
