//! Who looks whether the sessions below open streams still count? A sweeper that walks all watches four times a second,
//! and asks the decision that is in force now, not the one that let the request in.
//!
//! Nothing is asked while nothing is open. A watch that is gone leaves by itself: the sweeper holds it weakly.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::watch::Watch;
use crate::auth::Auth;

/// How often the sweeper looks.
const INTERVAL: Duration = Duration::from_millis(250);

/// Where watches are made known.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Registry {
    new: Mutex<Vec<Weak<Watch>>>,
    arrived: Notify,
}

impl Registry {
    /// Makes a watch known, once.
    pub(super) fn know(&self, watch: &Arc<Watch>) {
        if !watch.known.load(Ordering::Relaxed) && !watch.known.swap(true, Ordering::Relaxed) {
            self.new.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(watch));
            self.arrived.notify_one();
        }
    }

    /// Looks again and again, until dropped. `in_force` says whom to ask.
    pub(in crate::proxy) async fn sweep(
        &self,
        in_force: impl Fn() -> Arc<Auth>,
        mut shutdown: watch::Receiver<bool>,
    ) {
        let (mut known, mut draining) = (Vec::new(), false);
        loop {
            if known.is_empty() {
                self.arrived.notified().await;
            }
            tokio::select! {
                () = sleep(INTERVAL) => {}
                _released_at_once = shutdown.wait_for(|now| *now), if !draining => draining = true,
            }
            known.append(&mut self.new.lock().unwrap_or_else(PoisonError::into_inner));
            look_at(&mut known, &in_force(), draining);
        }
    }
}

fn look_at(known: &mut Vec<Weak<Watch>>, auth: &Auth, draining: bool) {
    known.retain(|watch| {
        let watch = watch.upgrade();
        watch.inspect(|watch| watch.look(auth, draining)).is_some()
    });
    if known.len() < known.capacity() / 4 {
        known.shrink_to(known.len() * 2);
    }
}
