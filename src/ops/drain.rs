//! From the first signal to the end: in which order does the process leave?
//!
//! 1. SIGTERM or SIGINT: `/readyz` says 503; everything is still served.
//! 2. After the delay, during which load balancers learn of it: listeners stop accepting.
//! 3. Requests finish, up to the deadline.
//!
//! A second signal ends it at once, at any point. Kubernetes takes an endpoint out of rotation at the same time as it
//! sends SIGTERM, not before it, which is why step 2 waits
//! (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination>).

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::readiness::Readiness;

/// Something that says "leave", perhaps more than once.
pub trait Signals {
    /// The next one, by name. Dropping the future loses none.
    fn next(&mut self) -> impl Future<Output = &'static str> + Send;
}

/// SIGTERM and SIGINT.
#[derive(Debug)]
pub struct OsSignals {
    term: Signal,
    int: Signal,
}

/// The way out.
#[derive(Debug)]
pub struct Drain {
    /// Turned to "draining" at the first signal.
    pub readiness: Readiness,
    /// From the first signal until listeners stop.
    pub delay: Duration,
    /// From then on, for requests to finish.
    pub deadline: Duration,
    /// Turned true when listeners must stop.
    pub stop: watch::Sender<bool>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every request was answered.
    Finished,
    /// Some were cut off at the deadline.
    Deadline,
    /// A second signal cut everything off.
    Forced,
}

impl OsSignals {
    /// Takes the signals over from their default, which is to end the process. Needs a tokio runtime.
    pub fn install() -> io::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }
}

impl Signals for OsSignals {
    async fn next(&mut self) -> &'static str {
        let (name, received) = tokio::select! {
            received = self.term.recv() => ("SIGTERM", received),
            received = self.int.recv() => ("SIGINT", received),
        };
        match received {
            Some(()) => name,
            // No more signals can arrive; that is not one.
            None => std::future::pending().await,
        }
    }
}

impl Drain {
    /// Waits for the first signal and leaves in order. `finished` resolves when every listener has stopped and every
    /// request is answered; it is polled from step 3 on. On return `stop` is true.
    pub async fn run(self, mut signals: impl Signals, finished: impl Future<Output = ()>) -> Ending {
        let first = signals.next().await;
        self.readiness.draining();
        tracing::info!(signal = first, delay = ?self.delay, "leaving: unready, still serving; once more to leave at once");
        let mut again = pin!(signals.next());
        tokio::select! {
            () = sleep(self.delay) => {}
            _ = &mut again => return self.forced(),
        }
        self.stop.send_replace(true);
        tracing::info!(deadline = ?self.deadline, "no new connections; requests may finish");
        tokio::select! {
            biased;
            _ = &mut again => self.forced(),
            done = timeout(self.deadline, finished) => match done {
                Ok(()) => Ending::Finished,
                Err(_) => {
                    tracing::warn!("requests were cut off at the deadline; raise ops.drain_timeout if they may take longer");
                    Ending::Deadline
                }
            },
        }
    }

    fn forced(&self) -> Ending {
        self.stop.send_replace(true);
        tracing::warn!("a second signal: leaving at once");
        Ending::Forced
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::Arc;

    use tokio::sync::{mpsc, oneshot};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::*;
    use crate::metrics::Metrics;
    use crate::ops::readiness::Unready;

    const DELAY: Duration = Duration::from_secs(5);
    const DEADLINE: Duration = Duration::from_secs(20);

    impl Signals for mpsc::Receiver<()> {
        async fn next(&mut self) -> &'static str {
            match self.recv().await {
                Some(()) => "test",
                None => pending().await,
            }
        }
    }

    struct Rig {
        readiness: Readiness,
        signals: mpsc::Sender<()>,
        stopped: watch::Receiver<bool>,
        ending: JoinHandle<(Ending, Duration)>,
    }

    fn rig(finished: impl Future<Output = ()> + Send + 'static) -> Rig {
        let readiness = Readiness::new(Arc::new(Metrics::new()));
        let ((stop, stopped), (signals, received)) = (watch::channel(false), mpsc::channel(4));
        let drain = Drain { readiness: readiness.clone(), delay: DELAY, deadline: DEADLINE, stop };
        let ending = tokio::spawn(async move {
            let began = Instant::now();
            (drain.run(received, finished).await, began.elapsed())
        });
        Rig { readiness, signals, stopped, ending }
    }

    #[tokio::test(start_paused = true)]
    async fn unready_then_stop_then_finish() {
        let (finish, finished) = oneshot::channel::<()>();
        let mut rig = rig(async move { finished.await.unwrap() });
        assert_eq!(rig.readiness.reasons().await, []);
        rig.signals.send(()).await.unwrap();
        sleep(DELAY - Duration::from_millis(1)).await;
        assert_eq!(rig.readiness.reasons().await, [Unready::Draining]);
        assert!(!*rig.stopped.borrow(), "still serving");
        rig.stopped.wait_for(|stop| *stop).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        assert!(!rig.ending.is_finished(), "a request is not answered yet");
        finish.send(()).unwrap();
        assert_eq!(rig.ending.await.unwrap(), (Ending::Finished, DELAY + Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_end_meets_the_deadline() {
        let rig = rig(pending());
        rig.signals.send(()).await.unwrap();
        assert_eq!(rig.ending.await.unwrap(), (Ending::Deadline, DELAY + DEADLINE));
        assert!(*rig.stopped.borrow());
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_ends_it_at_once() {
        for wait in [Duration::ZERO, DELAY + Duration::from_secs(1)] {
            let rig = rig(pending());
            rig.signals.send(()).await.unwrap();
            sleep(wait).await;
            rig.signals.send(()).await.unwrap();
            assert_eq!(rig.ending.await.unwrap(), (Ending::Forced, wait));
            assert!(*rig.stopped.borrow(), "listeners are told");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_signal_nothing_happens() {
        let rig = rig(ready(()));
        sleep(Duration::from_secs(3600)).await;
        assert!(!rig.ending.is_finished());
        assert!(!*rig.stopped.borrow());
    }
}
