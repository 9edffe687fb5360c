//! Do others talk too much? Lines of libraries are limited per logger: clients can provoke some of them, one per
//! connection (pingora calls everyone who leaves within a header an error), and must not fill a disk. Our own code limits
//! itself where it says something; see [`super::remarks`].

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// So many lines in a row ...
const LINES: u32 = 10;
/// ... within this many milliseconds.
const WINDOW: u64 = 60_000;

/// What each logger has said lately. Loggers are modules of libraries: there is a bounded number of them.
#[derive(Debug, Default)]
pub(super) struct Quota(Mutex<HashMap<String, Lately>>);

#[derive(Debug)]
struct Lately {
    since: u64,
    lines: u32,
    left_out: u64,
}

impl Quota {
    /// Whether a line may be written at `now`, in milliseconds, and how many were left out before it.
    pub(super) fn admit(&self, logger: &str, now: u64) -> Option<u64> {
        let mut loggers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !loggers.contains_key(logger) {
            loggers.insert(logger.into(), Lately { since: now, lines: 0, left_out: 0 });
        }
        let lately = loggers.get_mut(logger)?;
        if now.abs_diff(lately.since) >= WINDOW {
            (lately.since, lately.lines) = (now, 0);
        }
        if lately.lines < LINES {
            lately.lines = lately.lines.saturating_add(1);
            return Some(std::mem::take(&mut lately.left_out));
        }
        lately.left_out = lately.left_out.saturating_add(1);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_logger_says_so_much_and_then_how_much_was_left_out() {
        let quota = Quota::default();
        let said = |logger, now| (0..25).filter_map(|_| quota.admit(logger, now)).collect::<Vec<_>>();
        assert_eq!(said("pingora_proxy", 1_000), [0; 10]);
        assert_eq!(said("hyper", 1_000), [0; 10]);
        assert_eq!(quota.admit("pingora_proxy", 60_999), None);
        assert_eq!(quota.admit("pingora_proxy", 61_000), Some(16));
        assert_eq!(quota.admit("pingora_proxy", 61_000), Some(0));
        // The clock was put back.
        assert_eq!(quota.admit("hyper", 0), None);
        let quota = Quota::default();
        assert_eq!((0..11).filter_map(|_| quota.admit("h2", 1_000_000)).count(), 10);
        assert_eq!(quota.admit("h2", 1_000), Some(1));
    }
}
