//! What do we remember of a sign-in? A [`Session`], how long it lives, and how it travels in one small sealed cookie.
//!
//! A session can only begin from a `policy::Admission`; every sign-in gets a fresh ID. No Atlassian token is in it.

pub mod cookie;
pub mod hand_off;
pub mod seal;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::identity::Person;
use crate::policy::Admission;

/// 128 random bits that name a session; not a credential by itself (the sealed cookie is).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// From random bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The raw bytes: the store's key.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

/// How far the clocks of replicas may be apart.
pub const SKEW: Duration = Duration::from_secs(300);

/// How long a session may live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Without a request for this long, the session is over.
    pub idle: Duration,
    /// Whatever happens, the session is over after this long.
    pub max: Duration,
}

/// A signed-in person, from one sign-in to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Fresh at every sign-in.
    pub id: SessionId,
    /// Who signed in.
    pub person: Person,
    /// When.
    pub started: Timestamp,
    /// The absolute end.
    pub expires: Timestamp,
    /// Whether this sign-in created the account's record here.
    pub new_user: bool,
}

/// Why a session no longer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// Past its absolute end.
    Absolute,
    /// No request for longer than the idle timeout.
    Idle,
    /// Begun later than now.
    Future,
}

impl Session {
    /// Begins a session for somebody who was admitted.
    pub fn begin(
        admission: Admission,
        id: SessionId,
        new_user: bool,
        now: Timestamp,
        lifetimes: Lifetimes,
    ) -> Self {
        Self { id, person: admission.into_person(), started: now, expires: now.plus(lifetimes.max), new_user }
    }

    /// Whether the session is alive at `now`, last used at `last_seen`. One that begins in the future beyond [`SKEW`] is
    /// not: a clock that was set back must not bring old sessions to life.
    pub fn alive(&self, last_seen: Timestamp, now: Timestamp, lifetimes: Lifetimes) -> Result<(), Expired> {
        if self.started > now.plus(SKEW) {
            return Err(Expired::Future);
        }
        // A shorter limit in the configuration counts for sessions that began under a longer one.
        if now >= self.expires || now.since(self.started) >= lifetimes.max {
            return Err(Expired::Absolute);
        }
        if now.since(last_seen.max(self.started)) >= lifetimes.idle {
            return Err(Expired::Idle);
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::identity::{AccountId, Email, EmailVerified};

    /// Ada, as a session that began at `started`.
    pub(crate) fn ada(started: u64) -> Session {
        Session {
            id: SessionId::from_bytes([7; 16]),
            person: Person {
                account_id: AccountId::parse("557058:ada").unwrap(),
                email: Some(Email::parse("ada@example.com").unwrap()),
                email_verified: EmailVerified::True,
                name: Some("Ada Lovelace".into()),
                picture: None,
            },
            started: Timestamp::from_secs(started),
            expires: Timestamp::from_secs(started + 1000),
            new_user: false,
        }
    }

    #[test]
    fn lifetimes_table() {
        let limits = Lifetimes { idle: Duration::from_secs(100), max: Duration::from_secs(1000) };
        for (last_seen, now, want) in [
            (0, 10_000, Ok(())),
            (10_050, 10_149, Ok(())),
            (10_050, 10_150, Err(Expired::Idle)),
            (0, 10_100, Err(Expired::Idle)),
            (10_990, 10_999, Ok(())),
            (10_999, 11_000, Err(Expired::Absolute)),
            (99_999, 10_000, Ok(())),
            (0, 9_700, Ok(())),
            (0, 9_699, Err(Expired::Future)),
            (0, 0, Err(Expired::Future)),
        ] {
            let got = ada(10_000).alive(Timestamp::from_secs(last_seen), Timestamp::from_secs(now), limits);
            assert_eq!(got, want, "last seen {last_seen}, now {now}");
        }
    }

    #[test]
    fn a_shorter_limit_ends_older_sessions() {
        let limits = Lifetimes { idle: Duration::from_secs(1000), max: Duration::from_secs(10) };
        assert_eq!(
            ada(0).alive(Timestamp::from_secs(9), Timestamp::from_secs(10), limits),
            Err(Expired::Absolute)
        );
    }
}
