//! A list of peers whose word counts, checked: addresses, networks, `unix`; never everybody.

use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::net::{TrustedPeer, TrustedProxies};

/// Every entry; `meaning` says what trust gives them.
pub(super) fn check(
    key: &str,
    entries: &[String],
    meaning: &'static str,
    check: &mut Check<'_>,
) -> Option<TrustedProxies> {
    let (mut peers, mut all_good) = (Vec::new(), true);
    for (index, text) in entries.iter().enumerate() {
        match TrustedPeer::parse(text) {
            Ok(peer) => peers.push(peer),
            Err(reason) => {
                all_good = false;
                let mistake = Mistake::new(
                    "config.trusted-proxy",
                    format!("this entry of `{key}` cannot be trusted: {reason}"),
                    meaning,
                    "write the gateway's address, the network it is in, or \"unix\" for a Unix socket",
                );
                check.wrong::<()>(&KeyPath::of(key).at(index), mistake.showing_the_value());
            }
        }
    }
    all_good.then(|| peers.into_iter().collect())
}
