//! How long does the store take? A span around each call; put in front of a store only where spans are collected.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tracing::Instrument;

use super::{Account, Ended, Novelty, Seen, Store, StoreError};
use crate::clock::Timestamp;
use crate::identity::{AccountId, Person};
use crate::span;

/// Another store, watched.
pub struct TracedStore(Arc<dyn Store>);

impl std::fmt::Debug for TracedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TracedStore").finish_non_exhaustive()
    }
}

impl TracedStore {
    /// In front of this one.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self(inner)
    }
}

async fn spanned<T>(
    operation: &'static str,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let span = span::store(operation);
    let result = call.instrument(span.clone()).await;
    if result.is_err() {
        span::failed(&span);
    }
    result
}

#[async_trait]
impl Store for TracedStore {
    async fn record_sign_in(&self, person: &Person, now: Timestamp) -> Result<Novelty, StoreError> {
        spanned("record_sign_in", self.0.record_sign_in(person, now)).await
    }

    async fn acknowledge(&self, account: &AccountId) -> Result<(), StoreError> {
        spanned("acknowledge", self.0.acknowledge(account)).await
    }

    async fn account(&self, account: &AccountId) -> Result<Option<Account>, StoreError> {
        spanned("account", self.0.account(account)).await
    }

    async fn end_session(&self, ended: Ended) -> Result<(), StoreError> {
        spanned("end_session", self.0.end_session(ended)).await
    }

    async fn ended_sessions(&self, now: Timestamp) -> Result<Vec<Ended>, StoreError> {
        self.0.ended_sessions(now).await
    }

    async fn save_activity(&self, seen: &[Seen]) -> Result<(), StoreError> {
        self.0.save_activity(seen).await
    }

    async fn activity(&self, now: Timestamp) -> Result<Vec<Seen>, StoreError> {
        self.0.activity(now).await
    }

    async fn use_once(&self, token: [u8; 16], now: Timestamp, ttl: Duration) -> Result<bool, StoreError> {
        spanned("use_once", self.0.use_once(token, now, ttl)).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        self.0.sweep(now).await
    }

    async fn healthy(&self) -> Result<(), StoreError> {
        self.0.healthy().await
    }

    async fn release(&self) -> Result<(), StoreError> {
        self.0.release().await
    }

    async fn take_back(&self) -> Result<(), StoreError> {
        self.0.take_back().await
    }
}
