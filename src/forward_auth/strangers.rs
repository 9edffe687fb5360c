//! Has the log named this stranger already? A line per stranger is news; a line per request would let anybody fill a disk.
//! The metrics count every one.

use std::net::IpAddr;

use quick_cache::sync::Cache;

use super::peer::Peer;

/// How many strangers are remembered. One that is forgotten is news again.
const REMEMBERED: usize = 1024;

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
    fn each_is_news_once() {
        let strangers = Strangers::default();
        let peer = |text: &str| Peer::Address(text.parse().unwrap());
        assert!(strangers.new_here(peer("192.0.2.1")) && strangers.new_here(peer("192.0.2.2")));
        assert!(!strangers.new_here(peer("192.0.2.1")) && !strangers.new_here(peer("::ffff:192.0.2.1")));
    }
}
