//! How does a change of the configuration come in force without a restart? On SIGHUP, and by itself when a file changes.
//!
//! Guarantees: the whole configuration is read anew by the loader that read it at the start, with the flags and the
//! environment of the start; it is put in force as a whole or not at all; a configuration that is wrong is reported
//! once, with every finding, and what was in force stays so. Logs name settings and files, never a value.

mod restart;
mod watch;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use self::watch::Watch;
use super::in_force::{Fixed, InForce};
use super::notify::Notify;
use crate::clock::Clock;
use crate::config::{Config, LoadOptions, Sources};
use crate::metrics::Metrics;

/// How often files are looked at. A change counts once it has been the same for two looks: files that belong together
/// change one after the other.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Reads the configuration anew when there is reason to.
pub(super) struct Reloader {
    in_force: Arc<InForce>,
    options: Arc<LoadOptions>,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    hang_up: Signal,
    watching: bool,
    /// As at the start, which is what the settings that need a restart are compared with.
    at_start: Arc<Sources>,
    now: Arc<Sources>,
    /// What was said of a configuration that is wrong.
    complaint: Option<String>,
}

/// What came of reading.
enum Outcome {
    Applied { changed: Vec<String>, fixed: Fixed, watching: bool },
    Unchanged,
    Failed(String),
}

/// Why it is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    Asked,
    FilesChanged,
}

/// Takes SIGHUP over from its default, which is to end the process.
pub(super) fn hang_up() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

impl Reloader {
    /// `sources` are those of what is in force.
    pub(super) fn new(
        in_force: Arc<InForce>,
        hang_up: Signal,
        (options, sources): (LoadOptions, Sources),
        watching: bool,
        metrics: Arc<Metrics>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        metrics.configured(clock.now().as_secs());
        let (options, at_start) = (Arc::new(options), Arc::new(sources));
        let now = Arc::clone(&at_start);
        Self { in_force, options, metrics, clock, hang_up, watching, at_start, now, complaint: None }
    }

    /// Until it is dropped, between two attempts.
    pub(super) async fn run(mut self, notify: Arc<Notify>) -> Infallible {
        let mut watch = Watch::over(self.now.files());
        // What has changed while the process started.
        let read = Arc::new(self.sources().await);
        if self.watching && !read.changed_since(&self.now).is_empty() {
            self.attempt(Reason::FilesChanged, &read, &notify).await;
        }
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let reason = tokio::select! {
                Some(()) = self.hang_up.recv() => Reason::Asked,
                _ = looks.tick(), if self.watching => {
                    if !watch.settled() {
                        continue;
                    }
                    Reason::FilesChanged
                }
            };
            // Before reading: what changes from here on is seen at the next look.
            watch.look();
            let read = Arc::new(self.sources().await);
            self.attempt(reason, &read, &notify).await;
            watch.follow(read.files());
        }
    }

    async fn sources(&self) -> Sources {
        let options = Arc::clone(&self.options);
        tokio::task::spawn_blocking(move || Sources::read(&options)).await.unwrap_or_default()
    }

    async fn attempt(&mut self, reason: Reason, read: &Arc<Sources>, notify: &Notify) {
        notify.reloading();
        let (options, in_force) = (Arc::clone(&self.options), Arc::clone(&self.in_force));
        let (before, after) = (Arc::clone(&self.now), Arc::clone(read));
        let attempt = move || put_in_force(&options, &in_force, &before, &after);
        let outcome = tokio::task::spawn_blocking(attempt).await;
        let outcome = outcome.unwrap_or_else(|_| Outcome::Failed("the attempt itself broke down".into()));
        let now = self.clock.now().as_secs();
        match outcome {
            Outcome::Applied { changed, fixed, watching } => {
                let since_start = read.changed_since(&self.at_start);
                let kept = restart::needed(&since_start, self.in_force.fixed(), &fixed);
                let changed: Vec<_> = changed.into_iter().filter(|key| !kept.contains(key)).collect();
                tracing::info!(
                    changed = changed.join(", "),
                    "the configuration was read anew and is in force"
                );
                if !kept.is_empty() {
                    tracing::warn!(keys = kept.join(", "), "needs a restart: kept as it was");
                }
                (self.watching, self.complaint) = (watching, None);
                self.now = Arc::clone(read);
                self.metrics.reloaded("applied", now);
            }
            Outcome::Unchanged => {
                if reason == Reason::Asked || self.complaint.is_some() {
                    tracing::info!("the configuration was read anew: it says what is in force already");
                }
                self.complaint = None;
                self.metrics.reloaded("unchanged", now);
            }
            Outcome::Failed(complaint) => {
                if reason == Reason::Asked || self.complaint.as_ref() != Some(&complaint) {
                    tracing::error!(
                        findings = complaint,
                        "the configuration cannot be put in force; what was in force stays so"
                    );
                }
                self.complaint = Some(complaint);
                self.metrics.reloaded("failed", now);
            }
        }
        notify.reloaded(self.complaint.is_none());
    }
}

fn put_in_force(options: &LoadOptions, in_force: &InForce, before: &Sources, after: &Sources) -> Outcome {
    let (config, warnings) = match Config::load(options) {
        Ok(loaded) => loaded,
        Err(errors) => return Outcome::Failed(errors.to_string()),
    };
    let changed = after.changed_since(before);
    if changed.is_empty() {
        return Outcome::Unchanged;
    }
    let (fixed, watching) = (Fixed::of(&config), config.ops.reload);
    match in_force.replace(config) {
        Ok(()) => {
            for warning in warnings {
                tracing::warn!(%warning, "a doubt about the configuration");
            }
            Outcome::Applied { changed, fixed, watching }
        }
        Err(error) => Outcome::Failed(error.to_string()),
    }
}
