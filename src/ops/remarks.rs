//! Has the log said this already? A remark of a kind is made now and then; a line per request would let anybody fill a
//! disk. The metrics count every one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long one kind of remark is not repeated.
pub const PAUSE: Duration = Duration::from_secs(10);

/// When each kind of remark was last made: outsiders can provoke them, one per request.
#[derive(Debug, Default)]
pub struct Remarks(Mutex<BTreeMap<&'static str, Instant>>);

impl Remarks {
    /// Whether it is time to make a remark of this kind again.
    pub fn due(&self, kind: &'static str) -> bool {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let due = made.get(kind).is_none_or(|last| now.duration_since(*last) >= PAUSE);
        if due {
            made.insert(kind, now);
        }
        due
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
}
