//! How do log lines leave without holding up a request? Through a bounded buffer that one thread empties.
//!
//! A line that does not fit is dropped and counted (`anteroom_log_lines_dropped_total`): a slow or stuck reader of the
//! log costs lines, never requests. The buffer is bounded in bytes, so is the memory. Lines come out whole and in order.
//! The audit log has room of its own, so a flood of requests cannot push a sign-in out of the record.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::metrics::Metrics;

/// Bytes that may wait: about 15,000 lines.
const CAPACITY: usize = 4 << 20;
/// How long the first line of a batch waits for more: a busy process then wakes the thread, and asks the system to write,
/// some hundred times a second instead of once per line.
const GATHER: Duration = Duration::from_millis(2);
/// How long the end waits for a reader that does not read.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where lines go in. Cheap to clone; never blocks.
#[derive(Clone, Debug)]
pub struct Lines {
    shared: Arc<Shared>,
    limit: usize,
}

/// The thread that writes. Keep it until the end of the process: [`LineWriter::close`] or dropping it writes what waits.
#[derive(Debug)]
pub struct LineWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    patience: Duration,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    metrics: Arc<Metrics>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<u8>,
    /// No more lines are taken.
    closed: bool,
    /// The thread has written its last.
    finished: bool,
}

impl LineWriter {
    /// Starts the thread that writes to `out`. Errors when the system has no thread to give.
    pub fn start(out: impl Write + Send + 'static, metrics: Arc<Metrics>) -> io::Result<Self> {
        Self::with(out, metrics, CAPACITY, PATIENCE)
    }

    fn with(
        out: impl Write + Send + 'static,
        metrics: Arc<Metrics>,
        capacity: usize,
        patience: Duration,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared { queue: Mutex::default(), changed: Condvar::new(), metrics, capacity });
        let thread = thread::Builder::new().name("log-writer".into()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.write_all_to(out)
        })?;
        Ok(Self { shared, thread: Some(thread), patience })
    }

    /// For lines of which some may be lost under load.
    pub fn lines(&self) -> Lines {
        Lines { shared: Arc::clone(&self.shared), limit: self.shared.capacity }
    }

    /// For lines that must not be lost to a flood of the others: they have as much room again, for themselves.
    pub fn reserved_lines(&self) -> Lines {
        Lines { shared: Arc::clone(&self.shared), limit: self.shared.capacity.saturating_mul(2) }
    }

    /// Takes no more lines and writes those that wait; gives up after two seconds when nobody reads them.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        self.shared.changed.notify_all();
        let waited = self.shared.changed.wait_timeout_while(queue, self.patience, |queue| !queue.finished);
        let finished = waited.unwrap_or_else(PoisonError::into_inner).0.finished;
        // A thread that is stuck in a write is left to the end of the process.
        if finished && let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Lines {
    /// Takes one line, line break included; drops and counts it when there is no room.
    pub(super) fn push(&self, line: &[u8]) {
        let mut queue = self.shared.lock();
        if queue.closed || queue.waiting.len().saturating_add(line.len()) > self.limit {
            drop(queue);
            return self.shared.metrics.log_line_dropped();
        }
        let was_idle = queue.waiting.is_empty();
        queue.waiting.extend_from_slice(line);
        drop(queue);
        if was_idle {
            self.shared.changed.notify_all();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread: swaps the full buffer for an empty one and writes outside the lock, one call for all that waited.
    fn write_all_to(&self, mut out: impl Write) {
        let mut batch = Vec::new();
        let mut complained = false;
        while self.next(&mut batch) {
            if let Err(error) = out.write_all(&batch).and_then(|()| out.flush()) {
                // Some may have been written; counting all of them errs on the side of suspicion.
                batch.iter().filter(|b| **b == b'\n').for_each(|_| self.metrics.log_line_dropped());
                if !mem::replace(&mut complained, true) {
                    tracing::error!(%error, "log lines cannot be written and are lost; check where stdout goes");
                }
            }
        }
        self.lock().finished = true;
        self.changed.notify_all();
    }

    /// Waits for lines; false when there are none and there will be none.
    fn next(&self, batch: &mut Vec<u8>) -> bool {
        batch.clear();
        // A burst must not hold its memory for ever.
        batch.shrink_to(64 << 10);
        let idle = |queue: &mut Queue| queue.waiting.is_empty() && !queue.closed;
        let queue = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        let gathered = self.changed.wait_timeout_while(queue, GATHER, |queue| !queue.closed);
        let mut queue = gathered.unwrap_or_else(PoisonError::into_inner).0;
        mem::swap(&mut queue.waiting, batch);
        !batch.is_empty()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A place to write to and read back.
    #[derive(Clone, Default)]
    pub(in crate::ops) struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Buffer {
        pub(in crate::ops) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A writer that shows each batch, after being let through a gate.
    struct Gated {
        entered: mpsc::Sender<()>,
        gate: mpsc::Receiver<()>,
        out: Buffer,
    }

    impl Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.entered.send(());
            let _ = self.gate.recv();
            self.out.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Rig {
        writer: LineWriter,
        metrics: Arc<Metrics>,
        entered: mpsc::Receiver<()>,
        gate: mpsc::Sender<()>,
        out: Buffer,
    }

    fn rig(capacity: usize, patience: Duration) -> Rig {
        let (metrics, out) = (Arc::new(Metrics::new()), Buffer::default());
        let ((entered_tx, entered), (gate, gate_rx)) = (mpsc::channel(), mpsc::channel());
        let gated = Gated { entered: entered_tx, gate: gate_rx, out: out.clone() };
        let writer = LineWriter::with(gated, Arc::clone(&metrics), capacity, patience).unwrap();
        Rig { writer, metrics, entered, gate, out }
    }

    fn dropped(metrics: &Metrics) -> u64 {
        let text = metrics.expose();
        let line = text.lines().find_map(|l| l.strip_prefix("anteroom_log_lines_dropped_total "));
        line.unwrap().parse().unwrap()
    }

    #[test]
    fn a_stuck_reader_costs_lines_and_nothing_else() {
        let Rig { writer, metrics, entered, gate, out } = rig(8, PATIENCE);
        let (lines, reserved) = (writer.lines(), writer.reserved_lines());
        lines.push(b"one\n");
        entered.recv().unwrap();
        // The thread is stuck inside a write from here on.
        lines.push(b"two\n");
        lines.push(b"3hr\n");
        lines.push(b"lost\n");
        assert_eq!(dropped(&metrics), 1);
        reserved.push(b"audit\n");
        assert_eq!(dropped(&metrics), 1, "the audit log has room of its own");
        reserved.push(b"too long\n");
        assert_eq!(dropped(&metrics), 2);
        drop(gate);
        writer.close();
        assert_eq!(out.text(), "one\ntwo\n3hr\naudit\n");
    }

    #[test]
    fn the_end_does_not_wait_for_ever() {
        let Rig { writer, metrics, entered, gate, .. } = rig(64, Duration::from_millis(1));
        let lines = writer.lines();
        lines.push(b"one\n");
        entered.recv().unwrap();
        writer.close();
        lines.push(b"late\n");
        assert_eq!(dropped(&metrics), 1, "after the end a line is lost, and counted");
        drop(gate);
    }

    #[test]
    fn lines_from_many_threads_stay_whole() {
        let Rig { writer, metrics, gate, out, .. } = rig(CAPACITY, PATIENCE);
        drop(gate);
        thread::scope(|scope| {
            for id in 0..8 {
                let lines = writer.lines();
                scope.spawn(move || {
                    (0..500).for_each(|_| lines.push(format!("{id}{id}{id}{id}\n").as_bytes()))
                });
            }
        });
        writer.close();
        let out = out.text();
        assert_eq!(out.lines().count(), 4000);
        assert_eq!(dropped(&metrics), 0);
        assert!(out.lines().all(|line| line.len() == 4 && line.chars().all(|c| line.starts_with(c))));
    }

    #[test]
    fn a_write_that_fails_is_counted_and_survived() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let metrics = Arc::new(Metrics::new());
        let writer = LineWriter::start(Broken, Arc::clone(&metrics)).unwrap();
        let lines = writer.lines();
        lines.push(b"one\n");
        lines.push(b"two\n");
        writer.close();
        assert_eq!(dropped(&metrics), 2);
    }
}
