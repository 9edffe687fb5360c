//! Has the log said this already? A line per stranger is news, and so is a remark of a kind now and then; a line per
//! request would let anybody fill a disk. The metrics count every one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::time::Instant;

use super::peer::Peer;

/// How many strangers are remembered. One that is forgotten is news again.
const REMEMBERED: usize = 1024;

/// How long one kind of remark is not repeated.
const PAUSE: Duration = Duration::from_secs(10);

/// When each kind of remark was last made: outsiders can provoke them through a gateway, one per request.
#[derive(Debug, Default)]
pub(super) struct Remarks(Mutex<BTreeMap<&'static str, Instant>>);

impl Remarks {
    /// Whether it is time to make a remark of this kind again.
    pub(super) fn due(&self, kind: &'static str) -> bool {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let due = made.get(kind).is_none_or(|last| now.duration_since(*last) >= PAUSE);
        if due {
            made.insert(kind, now);
        }
        due
    }
}

/// The strangers named so far.
#[derive(Debug)]
pub(super) struct Strangers(Cache<IpAddr, ()>);

impl Default for Strangers {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl Strangers {
    /// Whether nobody has heard of this peer yet; from now on somebody has.
    pub(super) fn new_here(&self, peer: Peer) -> bool {
        let new = self.0.get(&peer.address()).is_none();
        if new {
            self.0.insert(peer.address(), ());
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_is_made_once_in_a_while() {
        let remarks = Remarks::default();
        assert!(remarks.due("a") && remarks.due("b"));
        assert!(!remarks.due("a"));
        let long_ago = Instant::now().checked_sub(PAUSE).unwrap();
        remarks.0.lock().unwrap().insert("a", long_ago);
        assert!(remarks.due("a") && !remarks.due("a"));
    }

    #[test]
    fn each_is_news_once() {
        let strangers = Strangers::default();
        let peer = |text: &str| Peer::Address(text.parse().unwrap());
        assert!(strangers.new_here(peer("192.0.2.1")) && strangers.new_here(peer("192.0.2.2")));
        assert!(!strangers.new_here(peer("192.0.2.1")) && !strangers.new_here(peer("::ffff:192.0.2.1")));
    }
}
