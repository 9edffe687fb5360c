//! Does a session that something still rests on count, long after its request was let in? Asked again and again of open
//! streams, by whoever holds them; never waits.

use super::Auth;
use super::live::LiveSession;

/// Why a session no longer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its time is up, or nobody used it for too long.
    Expired,
    /// Its owner ended it.
    SignedOut,
    /// The rules admit its owner no longer.
    NotAdmitted,
}

impl End {
    /// One word, for people's programs and for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::SignedOut => "signed_out",
            Self::NotAdmitted => "not_admitted",
        }
    }
}

impl Auth {
    /// Why this session no longer counts here; `None` as long as it does. The session may have been opened under
    /// settings that have been replaced since. Not a use of it.
    pub fn end_of(&self, live: &LiveSession) -> Option<End> {
        self.sessions.end_of(live, self.clock.now())
    }

    /// Notes that a session was used just now, by something that came with no request of its own.
    pub fn used(&self, live: &LiveSession) {
        live.usage().touch(self.clock.now());
    }
}
