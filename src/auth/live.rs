//! A session that is in use: what its cookie said, and what this process knows of it since.
//!
//! Made once per cookie and kept in a cache; a request reads it without a lock. The identity headers are rendered once,
//! the assertion is signed anew only when half its life is over.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::identity::assertion::{Facts, LIFETIME, Signer};
use crate::identity::headers::{HeaderSet, Layout};
use crate::session::Session;

/// A session in use.
#[derive(Debug)]
pub struct LiveSession {
    session: Session,
    last_seen: AtomicU64,
    acknowledged: AtomicBool,
    presented: Mutex<Presented>,
}

/// The headers as last rendered, and when they must be rendered anew.
#[derive(Debug)]
struct Presented {
    headers: Arc<HeaderSet>,
    until: Timestamp,
}

/// What renders a session's headers.
#[derive(Debug)]
pub struct Presenter {
    /// Names and claims.
    pub layout: Layout,
    /// Signs the assertion, when it is on.
    pub signer: Option<Signer>,
}

impl LiveSession {
    /// From an opened cookie, last used at `last_seen`.
    pub fn new(session: Session, last_seen: Timestamp) -> Self {
        Self {
            last_seen: AtomicU64::new(last_seen.as_secs()),
            acknowledged: AtomicBool::new(false),
            presented: Mutex::new(Presented { headers: Arc::default(), until: Timestamp::default() }),
            session,
        }
    }

    /// What the cookie says.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// When it was last used.
    pub fn last_seen(&self) -> Timestamp {
        Timestamp::from_secs(self.last_seen.load(Ordering::Relaxed))
    }

    /// Notes a request. Writes at most once a second.
    pub fn touch(&self, now: Timestamp) {
        if self.last_seen.load(Ordering::Relaxed) < now.as_secs() {
            self.last_seen.store(now.as_secs(), Ordering::Relaxed);
        }
    }

    /// Whether the upstream should still be told that this account is new.
    pub fn new_user(&self) -> bool {
        self.session.new_user && !self.acknowledged.load(Ordering::Relaxed)
    }

    /// The upstream knows the account now; the headers say so from the next request on.
    pub fn acknowledge(&self) {
        self.acknowledged.store(true, Ordering::Relaxed);
        self.presented.lock().unwrap_or_else(PoisonError::into_inner).until = Timestamp::default();
    }

    /// The identity headers at `now`. The lock is held for two loads, and for one signature per half-life.
    pub fn headers(&self, presenter: &Presenter, entropy: &dyn Entropy, now: Timestamp) -> Arc<HeaderSet> {
        let mut presented = self.presented.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= presented.until {
            let set = presenter.layout.render(&self.session.person, self.new_user());
            *presented = match &presenter.signer {
                Some(signer) => {
                    let token = signer.sign(&self.session.person, &self.facts(entropy), now);
                    let set = token.map_or_else(|| set.clone(), |token| set.clone().with_assertion(&token));
                    Presented { headers: Arc::new(set), until: now.plus(LIFETIME / 2) }
                }
                None => Presented { headers: Arc::new(set), until: now.plus(Duration::MAX) },
            };
        }
        Arc::clone(&presented.headers)
    }

    fn facts(&self, entropy: &dyn Entropy) -> Facts {
        Facts {
            new_user: self.new_user(),
            signed_in_at: self.session.started,
            expires: self.session.expires,
            jti: entropy.bytes(),
            session: *self.session.id.as_bytes(),
        }
    }
}
