//! Does what the store has promised survive SIGKILL? A child process works on a store and says what was acknowledged;
//! the parent kills it again and again, in the middle of everything, and holds the file against the child's words.
//!
//! SIGKILL loses what the process holds, not what the kernel holds: this proves that nothing is acknowledged before it
//! is committed, and that every moment leaves a file that opens. That a commit reaches the disk is redb's `fsync`.
#![allow(clippy::disallowed_methods, reason = "a child process gets its orders from its environment")]

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anteroom::clock::Timestamp;
use anteroom::entropy::{Entropy, SeededEntropy};
use anteroom::identity::{AccountId, EmailVerified, Person};
use anteroom::session::SessionId;
use anteroom::store::{EmbeddedStore, Ended, Novelty, OpenError, Store};

const KILLS: u64 = 40;
/// Changes under way at a time.
const WORKERS: u64 = 8;
const CHILD: &str = "store::the_child_that_is_killed";
const FILE: &str = "ANTEROOM_TEST_STORE_FILE";
const ROUND: &str = "ANTEROOM_TEST_STORE_ROUND";
const NOW: Timestamp = Timestamp::from_secs(1_000);
const LATER: Timestamp = Timestamp::from_secs(2_000);

fn person(number: u64) -> Person {
    Person {
        account_id: AccountId::parse(&format!("557058:{number}")).unwrap(),
        email: None,
        email_verified: EmailVerified::Unknown,
        name: Some(format!("Account {number}").into()),
        picture: None,
    }
}

fn ended(number: u64) -> Ended {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    Ended { id: SessionId::from_bytes(id), until: LATER }
}

/// A number below `bound`.
fn draw(chance: &dyn Entropy, bound: u64) -> u64 {
    u64::from_be_bytes(chance.bytes()) % bound
}

/// Says a line in one piece, so that a kill cannot leave half of it.
fn say(line: &str) {
    std::io::stdout().lock().write_all(format!("\n> {line}\n").as_bytes()).unwrap();
}

/// The child. Run by itself it has no file to work on and does nothing.
#[test]
fn the_child_that_is_killed() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    say("opening");
    let store = Arc::new(EmbeddedStore::open(Path::new(&path)).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let mut workers = tokio::task::JoinSet::new();
        for worker in 0..WORKERS {
            workers.spawn(work(Arc::clone(&store), round, worker));
        }
        workers.join_all().await;
    });
}

/// Until it is killed: signs in accounts that nobody else does, and accounts that everybody does.
async fn work(store: Arc<EmbeddedStore>, round: u64, worker: u64) {
    let chance: Box<dyn Entropy> = Box::new(SeededEntropy::new(round * WORKERS + worker));
    loop {
        let number = draw(&*chance, 3_000);
        let person = person(number);
        let answer = store.record_sign_in(&person, NOW).await.unwrap();
        say(&format!("{} {number}", if answer == Novelty::New { "new" } else { "known" }));
        if draw(&*chance, 4) == 0 {
            store.acknowledge(&person.account_id).await.unwrap();
            say(&format!("acknowledged {number}"));
        }
        if draw(&*chance, 4) == 0 {
            let number = u64::from_be_bytes(chance.bytes());
            store.end_session(ended(number)).await.unwrap();
            say(&format!("ended {number}"));
        }
    }
}

/// Everything that any child was told.
#[derive(Default)]
struct Promises {
    new: HashSet<u64>,
    present: HashSet<u64>,
    acknowledged: HashSet<u64>,
    ended: HashSet<u64>,
}

impl Promises {
    /// Takes down one line; false if it was none.
    fn note(&mut self, line: &str) -> bool {
        let Some((what, number)) = line.strip_prefix("> ").and_then(|l| l.split_once(' ')) else {
            return false;
        };
        let number = number.parse().unwrap();
        match what {
            "new" => assert!(self.new.insert(number), "account {number} was handed out as new twice"),
            "known" => {}
            "acknowledged" => drop(self.acknowledged.insert(number)),
            "ended" => drop(self.ended.insert(number)),
            other => panic!("the child said {other}"),
        }
        if matches!(what, "new" | "known") {
            self.present.insert(number);
        }
        true
    }

    async fn hold(&self, store: &EmbeddedStore) {
        for &number in &self.present {
            let account = store.account(&person(number).account_id).await.unwrap();
            let account = account.unwrap_or_else(|| panic!("account {number} was lost"));
            let want = self.acknowledged.contains(&number);
            assert!(account.acknowledged || !want, "the acknowledgement of {number} was lost");
        }
        let still: HashSet<_> = store.ended_sessions(NOW).await.unwrap().into_iter().map(|e| e.id).collect();
        for &number in &self.ended {
            assert!(still.contains(&ended(number).id), "session {number} came back to life");
        }
    }
}

fn child(path: &Path, round: u64) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD, "--nocapture", "--test-threads", "1"])
        .env(FILE, path)
        .env(ROUND, round.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    (child, said)
}

/// Lets a child work, kills it after some number of acknowledgements (zero: while it opens the file), and notes what it
/// had been told, to the last word in the pipe.
fn kill_one(path: &Path, round: u64, chance: &dyn Entropy, promises: &mut Promises) {
    let (mut child, said) = child(path, round);
    let (mut heard, mut killed) = (0, false);
    let after = if round.is_multiple_of(4) { 0 } else { draw(chance, 300) };
    let pause = Duration::from_micros(draw(chance, 8_000));
    for line in said.lines() {
        let line = line.unwrap();
        heard += u64::from(promises.note(&line));
        if !killed && line.starts_with("> ") && heard >= after {
            // Somewhere within a commit, or within the opening of the file.
            #[allow(clippy::disallowed_methods, reason = "a random moment is the point")]
            std::thread::sleep(pause);
            child.kill().unwrap();
            killed = true;
        }
    }
    let status = child.wait().unwrap();
    assert!(killed && !status.success(), "the child ended by itself: {status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_sigkill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/store.redb");
    let chance: Box<dyn Entropy> = Box::new(SeededEntropy::new(20));
    let mut promises = Promises::default();
    for round in 0..KILLS {
        kill_one(&path, round, &*chance, &mut promises);
        let store = EmbeddedStore::open(&path).unwrap_or_else(|e| panic!("after kill {round}: {e}"));
        promises.hold(&store).await;
    }
    assert!(
        promises.new.len() > 500 && promises.ended.len() > 100,
        "the children did too little to prove anything"
    );
}

#[tokio::test]
async fn a_second_process_is_told_why_it_may_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let (mut child, said) = child(&path, 0);
    let opened = said.lines().any(|line| line.unwrap().starts_with("> new"));
    assert!(opened);
    let error = EmbeddedStore::open(&path).unwrap_err();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(&error, OpenError::InUse(p) if *p == path), "{error}");
    EmbeddedStore::open(&path).expect("the lock ends with the process that held it");
}
