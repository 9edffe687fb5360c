//! State in one file beside the process, on redb: nothing to install, nothing to run, durable before `Ok`.
//!
//! For one process: a second one is refused at start. Who touches the file is in `keeper`, what a change does to it in
//! `tables`, what the bytes mean in `record`, and how a file comes to be in `open`.
//!
//! A process that is killed between a commit and its answer has recorded an account whose `New` nobody heard; that
//! account is then `Known { acknowledged: false }`, which is why the upstream's acknowledgement is kept.

mod keeper;
mod open;
mod record;
mod tables;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;

use self::keeper::{Keeper, Unheard};
use self::open::Lock;
pub use self::open::OpenError;
use super::once::UsedTokens;
use super::{Account, Ended, Novelty, Seen, Store, StoreError};
use crate::clock::Timestamp;
use crate::identity::{AccountId, Person};

/// A [`Store`] in a file.
#[derive(Debug)]
pub struct EmbeddedStore {
    keeper: Keeper,
    used: UsedTokens,
}

impl EmbeddedStore {
    /// Opens the file, or makes it (readable by its owner alone) together with its folder. Blocks for some
    /// milliseconds; meant for the start of the process.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let lock = Lock::take(path)?;
        let db = lock.open()?;
        let keeper = Keeper::start(lock, db).map_err(|cause| OpenError::Io { path: path.into(), cause })?;
        Ok(Self { keeper, used: UsedTokens::default() })
    }

    /// How many times something was written to disk; several changes share one write when they come together.
    pub fn commits(&self) -> u64 {
        self.keeper.commits()
    }
}

fn failed(action: &'static str) -> impl Fn(String) -> StoreError {
    move |cause| StoreError { action, cause }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn record_sign_in(&self, person: &Person, now: Timestamp) -> Result<Novelty, StoreError> {
        let person = person.clone();
        // A caller that has gone cannot hear `New`, so the account stays new for the next attempt.
        let change = move |txn: &_| tables::record_sign_in(txn, &person, now);
        self.keeper.write(Unheard::Drop, change).await.map_err(failed("record a sign-in"))
    }

    async fn acknowledge(&self, account: &AccountId) -> Result<(), StoreError> {
        let account = account.clone();
        let change = move |txn: &_| tables::acknowledge(txn, &account);
        self.keeper.write(Unheard::Apply, change).await.map_err(failed("acknowledge an account"))
    }

    async fn account(&self, account: &AccountId) -> Result<Option<Account>, StoreError> {
        let account = account.clone();
        let look = move |txn: &_| tables::account(txn, &account);
        self.keeper.read(look).await.map_err(failed("read an account"))
    }

    async fn end_session(&self, ended: Ended) -> Result<(), StoreError> {
        let change = move |txn: &_| tables::end_session(txn, ended);
        self.keeper.write(Unheard::Apply, change).await.map_err(failed("end a session"))
    }

    async fn ended_sessions(&self, now: Timestamp) -> Result<Vec<Ended>, StoreError> {
        let look = move |txn: &_| tables::ended_sessions(txn, now);
        self.keeper.read(look).await.map_err(failed("read ended sessions"))
    }

    async fn save_activity(&self, seen: &[Seen]) -> Result<(), StoreError> {
        let seen = seen.to_vec();
        let change = move |txn: &_| tables::save_activity(txn, &seen);
        self.keeper.write(Unheard::Apply, change).await.map_err(failed("save activity"))
    }

    async fn activity(&self, now: Timestamp) -> Result<Vec<Seen>, StoreError> {
        let look = move |txn: &_| tables::activity(txn, now);
        self.keeper.read(look).await.map_err(failed("read activity"))
    }

    async fn use_once(&self, token: [u8; 16], now: Timestamp, ttl: Duration) -> Result<bool, StoreError> {
        Ok(self.used.use_once(token, now, ttl))
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        self.used.sweep(now);
        let change = move |txn: &_| tables::sweep(txn, now);
        self.keeper.write(Unheard::Apply, change).await.map_err(failed("drop what has expired"))
    }

    async fn healthy(&self) -> Result<(), StoreError> {
        if self.keeper.released() {
            // On its way to another process, which answers for it from then on.
            return Ok(());
        }
        // After a failure of the disk this opens the file again, or says why it cannot.
        self.keeper.read(tables::probe).await.map_err(failed("read its file"))
    }

    async fn release(&self) -> Result<(), StoreError> {
        self.keeper.release().await.map_err(failed("close its file"))
    }

    async fn take_back(&self) -> Result<(), StoreError> {
        self.keeper.take_back();
        self.healthy().await
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::sync::Arc;
    use std::sync::mpsc::{Sender, channel};
    use std::task::{Context, Waker};

    use super::*;
    use crate::session::SessionId;
    use crate::store::contract::person;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    /// Keeps the keeper busy with one change until something is sent. What is handed in meanwhile waits together.
    fn occupy(store: &EmbeddedStore) -> (impl Future<Output = Result<(), String>>, Sender<()>) {
        let (hold, held) = channel();
        let (begin, begun) = channel();
        let mut busy = Box::pin(store.keeper.write(Unheard::Apply, move |_| {
            begin.send(()).unwrap();
            held.recv().unwrap();
            Ok(())
        }));
        assert!(busy.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        begun.recv().unwrap();
        (busy, hold)
    }

    #[tokio::test]
    async fn everything_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let ended = Ended { id: SessionId::from_bytes([1; 16]), until: at(100) };
        let seen = Seen { id: SessionId::from_bytes([2; 16]), at: at(5), until: at(100) };
        let ada = person("1:ada");

        let store = EmbeddedStore::open(&path).unwrap();
        assert_eq!(store.record_sign_in(&ada, at(1)).await.unwrap(), Novelty::New);
        store.acknowledge(&ada.account_id).await.unwrap();
        store.end_session(ended).await.unwrap();
        store.save_activity(&[seen]).await.unwrap();
        drop(store);

        let store = EmbeddedStore::open(&path).unwrap();
        assert_eq!(store.ended_sessions(at(99)).await.unwrap(), [ended]);
        assert_eq!(store.activity(at(99)).await.unwrap(), [seen]);
        let again = store.record_sign_in(&ada, at(2)).await.unwrap();
        assert_eq!(again, Novelty::Known { acknowledged: true });
    }

    #[tokio::test]
    async fn a_file_changes_hands_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let ada = person("1:ada");
        let first = EmbeddedStore::open(&path).unwrap();
        assert!(matches!(EmbeddedStore::open(&path), Err(OpenError::InUse(_))));
        assert_eq!(first.record_sign_in(&ada, at(1)).await.unwrap(), Novelty::New);
        first.release().await.unwrap();
        assert!(first.account(&ada.account_id).await.is_err() && first.healthy().await.is_ok());
        let second = EmbeddedStore::open(&path).unwrap();
        second.acknowledge(&ada.account_id).await.unwrap();
        assert!(first.take_back().await.is_err(), "the other one holds it");
        drop(second);
        let known = first.account(&ada.account_id).await.unwrap().unwrap();
        assert!(known.acknowledged, "without being asked a second time");
        assert!(matches!(EmbeddedStore::open(&path), Err(OpenError::InUse(_))));
    }

    #[tokio::test]
    async fn a_crowd_shares_its_writes_to_disk() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(EmbeddedStore::open(&folder.path().join("store.redb")).unwrap());
        let mut crowd = tokio::task::JoinSet::new();
        for n in 0..200 {
            let store = Arc::clone(&store);
            crowd.spawn(async move { store.record_sign_in(&person(&format!("1:{n}")), at(1)).await });
        }
        assert!(crowd.join_all().await.into_iter().all(|n| n.unwrap() == Novelty::New));
        assert!(store.commits() <= 20, "{} commits for 200 sign-ins", store.commits());
    }

    #[tokio::test]
    async fn a_sign_in_that_nobody_waits_for_stays_new() {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(&folder.path().join("store.redb")).unwrap();
        let (ada, bob) = (person("1:ada"), person("1:bob"));
        let (busy, hold) = occupy(&store);
        let mut context = Context::from_waker(Waker::noop());
        let mut gone = store.record_sign_in(&ada, at(1));
        assert!(gone.as_mut().poll(&mut context).is_pending());
        drop(gone);
        hold.send(()).unwrap();
        busy.await.unwrap();
        assert_eq!(store.record_sign_in(&bob, at(2)).await.unwrap(), Novelty::New);
        assert_eq!(store.record_sign_in(&ada, at(2)).await.unwrap(), Novelty::New);
    }

    #[tokio::test]
    async fn one_damaged_record_locks_out_one_person() {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(&folder.path().join("store.redb")).unwrap();
        let (ada, bob) = (person("1:ada"), person("1:bob"));
        store.keeper.write(Unheard::Apply, |txn| tables::put_raw(txn, "1:ada", b"\x09")).await.unwrap();
        let (for_ada, for_bob) =
            tokio::join!(store.record_sign_in(&ada, at(1)), store.record_sign_in(&bob, at(1)));
        assert_eq!(
            for_ada.unwrap_err().to_string(),
            "the store could not record a sign-in: a record has the unknown version 9"
        );
        assert_eq!(for_bob.unwrap(), Novelty::New);
    }

    #[tokio::test]
    async fn an_altered_record_is_noticed_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let store = EmbeddedStore::open(&path).unwrap();
        store.record_sign_in(&person("1:ada"), at(1)).await.unwrap();
        drop(store);
        let mut bytes = std::fs::read(&path).unwrap();
        let places: Vec<_> =
            (0..bytes.len()).filter(|&i| bytes[i..].starts_with(b"ada@example.com")).collect();
        assert!(!places.is_empty());
        places.into_iter().for_each(|i| bytes[i] = b'e');
        std::fs::write(&path, &bytes).unwrap();
        let error = EmbeddedStore::open(&path).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_failing_file_undoes_what_came_with_it_and_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(&folder.path().join("store.redb")).unwrap();
        let ada = person("1:ada");
        let fails = store.keeper.write(Unheard::Apply, |txn| {
            tables::record_sign_in(txn, &person("1:ada"), at(1))?;
            Err::<(), _>(tables::Fault::Storage(Box::new(redb::Error::Corrupted("a bad page".into()))))
        });
        assert_eq!(fails.await.unwrap_err(), "DB corrupted: a bad page");
        assert_eq!(store.account(&ada.account_id).await.unwrap(), None);

        let panics = store.keeper.write::<()>(Unheard::Apply, |txn| {
            tables::record_sign_in(txn, &person("1:ada"), at(1))?;
            panic!("as redb does on a file that contradicts itself")
        });
        assert_eq!(panics.await.unwrap_err(), "the file failed before this was done");
        store.healthy().await.unwrap();
        assert_eq!(store.record_sign_in(&ada, at(2)).await.unwrap(), Novelty::New);
    }

    #[tokio::test]
    async fn a_change_beside_a_failing_one_is_not_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(&folder.path().join("store.redb")).unwrap();
        let (busy, hold) = occupy(&store);
        let mut context = Context::from_waker(Waker::noop());
        // These three wait together, so they share a transaction.
        let (before, after) = (person("1:before"), person("1:after"));
        let mut first = store.record_sign_in(&before, at(1));
        let mut second = Box::pin(store.keeper.write(Unheard::Apply, |_| {
            Err::<(), _>(tables::Fault::Storage(Box::new(redb::Error::PreviousIo)))
        }));
        let mut third = store.record_sign_in(&after, at(1));
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        assert!(third.as_mut().poll(&mut context).is_pending());
        hold.send(()).unwrap();
        busy.await.unwrap();
        assert!(first.await.is_err() && second.await.is_err() && third.await.is_err());
        assert_eq!(store.record_sign_in(&before, at(2)).await.unwrap(), Novelty::New);
        assert_eq!(store.record_sign_in(&after, at(2)).await.unwrap(), Novelty::New);
    }
}
