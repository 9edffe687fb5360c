//! Does the process take traffic? Yes once every start-up task is done, until the drain begins, while the store answers.
//!
//! Atlassian's reachability is no part of it: an outage there must not take a whole fleet out of rotation while every
//! open session still works.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::metrics::Metrics;

/// How long the store may take to answer. Below a kubelet's default probe timeout of one second, so that the probe
/// still hears the reason.
const STORE_PATIENCE: Duration = Duration::from_millis(800);

type Answer = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
type Question = Box<dyn Fn() -> Answer + Send + Sync>;

/// The state of the process, shared. Register what must happen first before anybody may ask.
#[derive(Clone)]
pub struct Readiness(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    store: OnceLock<Question>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct State {
    /// How many tasks of each name are not done.
    starting: BTreeMap<&'static str, usize>,
    draining: bool,
}

/// Something that must happen before the process is ready. Dropped without [`Task::done`], it never happened: the
/// process stays unready.
#[must_use = "a task that is dropped keeps the process unready"]
#[derive(Debug)]
pub struct Task {
    readiness: Readiness,
    name: &'static str,
}

/// Why the process does not take traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Unready {
    /// Some start-up tasks are not done.
    Starting {
        /// Which.
        waiting_for: Vec<&'static str>,
    },
    /// The process is about to end.
    Draining,
    /// Nobody new can sign in.
    StoreDown {
        /// What the store said.
        cause: String,
    },
}

impl std::fmt::Debug for Readiness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Readiness").field(&*self.lock()).finish()
    }
}

impl Readiness {
    /// Nothing to wait for yet.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(Inner { state: Mutex::default(), store: OnceLock::new(), metrics }))
    }

    /// One more task to wait for.
    pub fn register(&self, name: &'static str) -> Task {
        let mut state = self.lock();
        *state.starting.entry(name).or_default() += 1;
        self.publish(&state);
        Task { readiness: self.clone(), name }
    }

    /// How to ask the store whether it answers; the error says why not, without personal data. The first call counts.
    pub fn ask_store<F, A>(&self, question: F)
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), String>> + Send + 'static,
    {
        let _ = self.0.store.set(Box::new(move || Box::pin(question())));
    }

    /// From now on the process is on its way out. There is no way back.
    pub fn draining(&self) {
        let mut state = self.lock();
        state.draining = true;
        self.publish(&state);
    }

    /// Everything that speaks against traffic now; empty when the process is ready.
    pub async fn reasons(&self) -> Vec<Unready> {
        let mut reasons = self.lock().reasons();
        if let Some(ask) = self.0.store.get() {
            let answer = tokio::time::timeout(STORE_PATIENCE, ask()).await;
            let answer = answer.unwrap_or_else(|_| Err("no answer in time".into()));
            reasons.extend(answer.err().map(|cause| Unready::StoreDown { cause }));
        }
        self.0.metrics.ready(reasons.is_empty());
        reasons
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, state: &State) {
        self.0.metrics.ready(state.reasons().is_empty());
    }
}

impl Task {
    /// It happened.
    pub fn done(self) {
        let mut state = self.readiness.lock();
        if let Some(left) = state.starting.get_mut(self.name) {
            *left = left.saturating_sub(1);
        }
        state.starting.retain(|_, left| *left > 0);
        self.readiness.publish(&state);
        if state.reasons().is_empty() {
            tracing::info!("ready");
        }
    }
}

impl State {
    fn reasons(&self) -> Vec<Unready> {
        let waiting_for: Vec<_> = self.starting.keys().copied().collect();
        let starting = (!waiting_for.is_empty()).then_some(Unready::Starting { waiting_for });
        starting.into_iter().chain(self.draining.then_some(Unready::Draining)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauge(metrics: &Metrics) -> bool {
        metrics.expose().contains("anteroom_ready 1\n")
    }

    #[tokio::test]
    async fn from_start_to_drain() {
        let metrics = Arc::new(Metrics::new());
        let readiness = Readiness::new(Arc::clone(&metrics));
        let (store, proxy) = (readiness.register("store"), readiness.register("proxy"));
        let starting = |waiting_for: &[&'static str]| Unready::Starting { waiting_for: waiting_for.to_vec() };
        assert_eq!(readiness.reasons().await, [starting(&["proxy", "store"])]);
        proxy.done();
        assert_eq!(readiness.reasons().await, [starting(&["store"])]);
        assert!(!gauge(&metrics));
        store.done();
        assert!(gauge(&metrics), "without anybody asking");
        assert_eq!(readiness.reasons().await, []);
        readiness.draining();
        assert!(!gauge(&metrics));
        assert_eq!(readiness.reasons().await, [Unready::Draining]);
    }

    #[tokio::test]
    async fn a_task_that_fails_is_not_done() {
        let readiness = Readiness::new(Arc::default());
        let (first, second) = (readiness.register("listener"), readiness.register("listener"));
        first.done();
        drop(second);
        assert_eq!(readiness.reasons().await, [Unready::Starting { waiting_for: vec!["listener"] }]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_fails_or_hangs_is_down() {
        for (hangs, cause) in [(false, "disk full"), (true, "no answer in time")] {
            let metrics = Arc::new(Metrics::new());
            let readiness = Readiness::new(Arc::clone(&metrics));
            readiness.register("store").done();
            readiness.ask_store(move || async move {
                if hangs { std::future::pending().await } else { Err("disk full".into()) }
            });
            assert_eq!(readiness.reasons().await, [Unready::StoreDown { cause: cause.into() }]);
            assert!(!gauge(&metrics));
        }
    }
}
