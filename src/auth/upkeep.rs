//! What does this process know that must not be lost? Written to the store every now and then, and when it leaves.

use super::{Auth, departure};
use crate::clock::Timestamp;
use crate::store::StoreError;

impl Auth {
    /// Saves when sessions were last used, and forgets what has run out. Called every half minute and at the end; does
    /// nothing once another process has the store.
    pub async fn tidy(&self, active_since: Timestamp) -> Result<(), StoreError> {
        match self.gate.enter().await {
            Some(_inside) => self.save_all(active_since).await,
            None => Ok(()),
        }
    }

    /// Saves everything while nobody is inside, before another process reads it.
    pub async fn save(&self, _nobody_inside: &departure::Shut) -> Result<(), StoreError> {
        self.save_all(Timestamp::default()).await
    }

    async fn save_all(&self, active_since: Timestamp) -> Result<(), StoreError> {
        let now = self.clock.now();
        let seen = self.sessions.activity(active_since);
        self.metrics.sessions_live(self.sessions.sweep(now));
        self.budgets.forget(self.clock.now_millis());
        let saved = async {
            self.save_ends().await?;
            self.store.save_activity(&seen).await?;
            self.store.sweep(now.minus(self.settings.lifetimes.max)).await
        };
        saved.await.inspect_err(|_| self.metrics.store_error())
    }

    /// Tells the store of sessions that ended while it was down.
    async fn save_ends(&self) -> Result<(), StoreError> {
        let mut ends = self.sessions.take_unsaved().into_iter();
        for ended in ends.by_ref() {
            if let Err(error) = self.store.end_session(ended).await {
                self.sessions.not_saved(ended);
                ends.for_each(|ended| self.sessions.not_saved(ended));
                return Err(error);
            }
        }
        Ok(())
    }
}
