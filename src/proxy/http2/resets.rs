//! Does this client reset more streams than people do? Every stream that is begun costs a decision and maybe a request
//! to the upstream, and a reset one no longer counts as under way: CVE-2023-44487, and CVE-2025-8671 where the client
//! makes us do the resetting.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Over which resets are counted.
const SPAN: Duration = Duration::from_secs(60);

/// The resets of one connection.
#[derive(Debug)]
pub(super) struct Resets {
    limit: u32,
    counted: Mutex<Counted>,
    exceeded: Notify,
}

#[derive(Debug)]
struct Counted {
    since: Instant,
    resets: u32,
}

impl Resets {
    /// At most `limit` within a minute.
    pub(super) fn new(limit: u32) -> Self {
        let counted = Mutex::new(Counted { since: Instant::now(), resets: 0 });
        Self { limit, counted, exceeded: Notify::new() }
    }

    /// Counts one.
    pub(super) fn one_more(&self) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.since.elapsed() > SPAN {
            *counted = Counted { since: Instant::now(), resets: 0 };
        }
        counted.resets = counted.resets.saturating_add(1);
        if counted.resets > self.limit {
            self.exceeded.notify_one();
        }
    }

    /// Waits until there were too many.
    pub(super) async fn too_many(&self) {
        self.exceeded.notified().await;
    }
}

#[cfg(test)]
impl Resets {
    pub(super) fn counted(&self) -> u32 {
        self.counted.lock().unwrap().resets
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_minute_forgives() {
        let resets = Resets::new(2);
        for _ in 0..2 {
            resets.one_more();
            resets.one_more();
            assert!(resets.too_many().now_or_never().is_none());
            tokio::time::advance(SPAN + Duration::from_secs(1)).await;
        }
        (0..3).for_each(|_| resets.one_more());
        assert!(resets.too_many().now_or_never().is_some());
    }
}
