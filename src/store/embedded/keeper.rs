//! Who touches the file? One thread, the keeper: it takes whatever work is waiting, applies it in one transaction,
//! commits once, and only then answers (group commit: a crowd of sign-ins costs a few writes to disk, not one each).
//!
//! After a failure of the disk the file is closed and opened again for the next piece of work, so a disk that was full
//! and is not any more needs no restart.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};
use tokio::sync::{mpsc, oneshot};

use super::open::Lock;
use super::tables::Fault;

/// Work that may wait; a caller beyond that waits for a place.
const QUEUE: usize = 1024;

/// Tells the caller what became of the transaction.
type Settle = Box<dyn FnOnce(Result<(), String>) + Send>;
/// A change; `None` when there was nothing to do. On a fault it has told the caller already.
type Change = Box<dyn FnOnce(&WriteTransaction) -> Result<Option<Settle>, Fault> + Send>;
/// A look-up; it tells the caller itself.
type Look = Box<dyn FnOnce(Result<&ReadTransaction, String>) + Send>;

enum Work {
    Write(Change),
    Read(Look),
    /// Closes the file and gives up its lock, then tells the caller.
    Release(oneshot::Sender<Result<(), String>>),
}

/// The way to the keeper. Dropping it finishes what was handed in and closes the file.
#[derive(Debug)]
pub(super) struct Keeper {
    queue: Option<mpsc::Sender<Work>>,
    thread: Option<JoinHandle<()>>,
    commits: Arc<AtomicU64>,
    released: Arc<AtomicBool>,
}

/// Whether a change still counts when whoever asked for it has gone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unheard {
    /// It does.
    Apply,
    /// It must not: its answer is given once only and would be lost.
    Drop,
}

impl Keeper {
    /// Starts the thread.
    pub(super) fn start(lock: Lock, db: Database) -> io::Result<Self> {
        let (queue, work) = mpsc::channel(QUEUE);
        let commits = Arc::new(AtomicU64::new(0));
        let released = Arc::new(AtomicBool::new(false));
        let mut state = State {
            path: lock.path().to_owned(),
            lock: Some(lock),
            db: Some(db),
            commits: Arc::clone(&commits),
            released: Arc::clone(&released),
        };
        let thread = thread::Builder::new().name("anteroom-store".into()).spawn(move || state.run(work))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), commits, released })
    }

    /// How often a transaction has been committed.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Applies a change and waits until it is on disk.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        unheard: Unheard,
        change: impl FnOnce(&WriteTransaction) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, String> {
        let (answer, answered) = oneshot::channel();
        let work = move |txn: &WriteTransaction| {
            if unheard == Unheard::Drop && answer.is_closed() {
                return Ok(None);
            }
            match change(txn) {
                Ok(value) => {
                    let settle = |fate: Result<(), String>| drop(answer.send(fate.map(|()| value)));
                    let settle: Settle = Box::new(settle);
                    Ok(Some(settle))
                }
                Err(fault) => {
                    let _ = answer.send(Err(fault.to_string()));
                    Err(fault)
                }
            }
        };
        self.submit(Work::Write(Box::new(work)), answered).await
    }

    /// Looks something up, after every change that was handed in before.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&ReadTransaction) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, String> {
        let (answer, answered) = oneshot::channel();
        let work = move |txn: Result<&ReadTransaction, String>| {
            let found = txn.and_then(|txn| look(txn).map_err(|fault| fault.to_string()));
            let _ = answer.send(found);
        };
        self.submit(Work::Read(Box::new(work)), answered).await
    }

    /// After everything that was handed in before: the file is closed for another process. Work that comes later fails.
    pub(super) async fn release(&self) -> Result<(), String> {
        let (done, answered) = oneshot::channel();
        self.released.store(true, Ordering::SeqCst);
        self.submit(Work::Release(done), answered).await
    }

    /// The next piece of work opens the file again.
    pub(super) fn take_back(&self) {
        self.released.store(false, Ordering::SeqCst);
    }

    /// Whether the file is with another process, or on its way.
    pub(super) fn released(&self) -> bool {
        self.released.load(Ordering::SeqCst)
    }

    async fn submit<T>(
        &self,
        work: Work,
        answered: oneshot::Receiver<Result<T, String>>,
    ) -> Result<T, String> {
        const GONE: &str = "the thread that keeps the file has stopped; restart Anteroom";
        let queue = self.queue.as_ref().ok_or(GONE)?;
        queue.send(work).await.map_err(|_| GONE)?;
        answered.await.map_err(|_| "the file failed before this was done")?
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread owns.
struct State {
    path: PathBuf,
    /// With another process when there is none.
    lock: Option<Lock>,
    db: Option<Database>,
    commits: Arc<AtomicU64>,
    released: Arc<AtomicBool>,
}

impl State {
    fn run(&mut self, mut queue: mpsc::Receiver<Work>) {
        let mut batch = Vec::new();
        while queue.blocking_recv_many(&mut batch, QUEUE) > 0 {
            let batch = std::mem::take(&mut batch);
            // redb panics where a file contradicts itself. Nothing is shared with the panic but `self.db`, which goes.
            if catch_unwind(AssertUnwindSafe(|| self.serve(batch))).is_err() {
                tracing::error!("the store contradicts itself; it is opened again for the next change");
                self.db = None;
            }
        }
    }

    fn serve(&mut self, batch: Vec<Work>) {
        let (mut changes, mut looks, mut releases) = (Vec::new(), Vec::new(), Vec::new());
        for work in batch {
            match work {
                Work::Write(change) => changes.push(change),
                Work::Read(look) => looks.push(look),
                Work::Release(done) => releases.push(done),
            }
        }
        let mut settles = Vec::new();
        let fate = if changes.is_empty() { Ok(()) } else { self.commit(changes, &mut settles) };
        if let Err(cause) = &fate {
            tracing::error!(%cause, "the store failed; it is opened again for the next change");
            self.db = None;
        }
        settles.into_iter().for_each(|settle| settle(fate.clone()));
        self.look_up(looks);
        for done in releases {
            // In this order: whoever gets the lock next must find the file closed.
            (self.db, self.lock) = (None, None);
            let _ = done.send(Ok(()));
        }
    }

    /// One transaction for all of them. An error means that none of those in `settles` can be relied upon.
    fn commit(&mut self, changes: Vec<Change>, settles: &mut Vec<Settle>) -> Result<(), String> {
        let mut txn = self.db()?.begin_write().map_err(|e| e.to_string())?;
        // Opening again after a crash takes no time however large the file is, and the two-phase commit that comes with
        // it does not rest on a checksum of bytes that people choose (their names).
        txn.set_quick_repair(true);
        for change in changes {
            match change(&txn) {
                Ok(settle) => settles.extend(settle),
                // Its caller knows, and it has changed nothing.
                Err(Fault::Record(_)) => {}
                Err(fault @ Fault::Storage(_)) => return Err(fault.to_string()),
            }
        }
        txn.commit().map_err(|e| e.to_string())?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn look_up(&mut self, looks: Vec<Look>) {
        if looks.is_empty() {
            return;
        }
        let txn = self.db().and_then(|db| db.begin_read().map_err(|e| e.to_string()));
        for look in looks {
            look(txn.as_ref().map_err(String::clone));
        }
    }

    fn db(&mut self) -> Result<&Database, String> {
        if self.lock.is_none() && self.released.load(Ordering::SeqCst) {
            return Err("another process has the file".into());
        }
        let db = match self.db.take() {
            Some(db) => db,
            None => {
                let lock = match self.lock.take() {
                    Some(lock) => lock,
                    None => Lock::take(&self.path).map_err(|e| e.to_string())?,
                };
                self.lock.insert(lock).reopen().map_err(|e| e.to_string())?
            }
        };
        Ok(self.db.insert(db))
    }
}
