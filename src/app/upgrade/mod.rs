//! How does another binary take the place of this one without a request being lost? The next process is started while
//! this one serves, asks it for its listening sockets and then for the store.
//!
//! ```text
//!   next                          previous
//!   hello                 →
//!                         ←  sockets ["proxy","127.0.0.1:4180"],…  + descriptors     both may accept; previous does
//!   (prepares all but the store)
//!   prepared              →  (endpoints wait; what is known is saved; the store is closed)
//!                         ←  yours
//!   (opens the store)
//!   ready                 →
//!                         ←  leaving                                                 both accept
//!   (serves)
//!   serving               →
//!                            (finishes what it has begun, and ends)
//! ```
//! Guarantees: at every moment somebody accepts on the shared sockets, and exactly one process has the store; until
//! `leaving` the previous process takes everything back when the next one fails, dies or is silent, and until `serving`
//! when it dies; requests that need no store never wait. Only processes of the same user can talk here ([`wire`]).

mod next;
mod previous;
mod wire;

use std::os::fd::OwnedFd;
use std::time::Duration;

pub(super) use self::next::Next;
pub use self::next::UpgradeError;
pub(super) use self::previous::Previous;

/// How long one process waits for a word of the other that takes no work.
const WORD: Duration = Duration::from_secs(5);
/// How long the next process may take to prepare or to open the store, and the previous one to let go of it.
const WORK: Duration = Duration::from_secs(20);

const HELLO: &str = "anteroom-upgrade 1";
const PREPARED: &str = "prepared";
const YOURS: &str = "yours";
const READY: &str = "ready";
const LEAVING: &str = "leaving";
const SERVING: &str = "serving";
/// Instead of any of the above: the previous process has taken everything back.
const BACK: &str = "back";

/// A listening socket that changes hands.
#[derive(Debug)]
pub(super) struct Socket {
    /// What it is for: one of `NAMES`.
    pub(super) name: &'static str,
    /// Where it listens, as configured.
    pub(super) place: String,
    pub(super) descriptor: OwnedFd,
}

/// What they are for.
const NAMES: [&str; 4] = ["proxy", "probes", "forward_auth", "ops"];

/// Takes the socket with this name out, if it listens where it should.
pub(super) fn take(sockets: &mut Vec<Socket>, name: &str, place: &str) -> Option<OwnedFd> {
    let found = sockets.iter().position(|socket| socket.name == name && socket.place == place)?;
    Some(sockets.swap_remove(found).descriptor)
}
