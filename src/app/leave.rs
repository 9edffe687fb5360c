//! Until when does the process serve, and what is done meanwhile? Until a signal, or until another process has taken over.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::in_force::InForce;
use super::upgrade::Previous;
use crate::clock::{Clock, Timestamp};
use crate::ops::drain::Signals;

/// How often activity is saved and what has run out is forgotten.
const TIDY_EVERY: Duration = Duration::from_secs(30);

/// The first reason to leave, by name.
pub(super) const TAKEN_OVER: &str = "another process serves";

/// Waits for it.
pub(super) async fn leave_when(
    signals: &mut (impl Signals + Send),
    previous: Option<Previous>,
) -> &'static str {
    let Some(mut previous) = previous else { return signals.next().await };
    let (leave, leaving) = watch::channel(false);
    let mut given = pin!(previous.give_way(leaving));
    let signal = tokio::select! {
        signal = signals.next() => signal,
        _taken_over = &mut given => return TAKEN_OVER,
    };
    leave.send_replace(true);
    tokio::select! {
        taken_over = given => if taken_over { TAKEN_OVER } else { signal },
        // Somebody is in a hurry.
        signal = signals.next() => signal,
    }
}

/// Signals of which the first has come already.
pub(super) struct After<S> {
    pub(super) first: Option<&'static str>,
    pub(super) rest: S,
}

impl<S: Signals + Send> Signals for After<S> {
    async fn next(&mut self) -> &'static str {
        match self.first.take() {
            Some(first) => first,
            None => self.rest.next().await,
        }
    }
}

/// Saves what is known every now and then, until the word to stop.
pub(super) async fn tidy(in_force: Arc<InForce>, clock: Arc<dyn Clock>, mut stopping: watch::Receiver<bool>) {
    let mut since = Timestamp::default();
    loop {
        tokio::select! {
            _ = stopping.wait_for(|now| *now) => return,
            () = tokio::time::sleep(TIDY_EVERY) => {}
        }
        let now = clock.now();
        match in_force.auth().tidy(since).await {
            Ok(()) => since = now,
            Err(error) => {
                tracing::error!(%error, "the activity of sessions could not be saved; trying again")
            }
        }
    }
}
