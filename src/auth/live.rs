//! A session that is in use: what its cookie said, and what this process knows of it since.
//!
//! Made once per cookie and kept in a cache. The identity headers are rendered once; the assertion is signed anew only
//! when half its life is over.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::gate::OriginId;
use crate::identity::assertion::{Facts, LIFETIME, Signer};
use crate::identity::headers::{HeaderSet, Layout};
use crate::session::Session;

/// What this process knows of a session, whichever of its cookies is presented. Outlives the cache.
#[derive(Debug)]
pub struct Usage {
    last_seen: AtomicU64,
    acknowledged: AtomicBool,
    /// The absolute end: the record may be dropped then.
    pub until: Timestamp,
}

impl Usage {
    /// Last used at `last_seen`, over at `until`.
    pub fn new(last_seen: Timestamp, until: Timestamp) -> Self {
        Self { last_seen: AtomicU64::new(last_seen.as_secs()), acknowledged: AtomicBool::new(false), until }
    }

    /// When the session was last used.
    pub fn last_seen(&self) -> Timestamp {
        Timestamp::from_secs(self.last_seen.load(Ordering::Relaxed))
    }

    /// Notes a request. Writes at most once a second.
    pub fn touch(&self, now: Timestamp) {
        if self.last_seen.load(Ordering::Relaxed) < now.as_secs() {
            self.last_seen.fetch_max(now.as_secs(), Ordering::Relaxed);
        }
    }
}

/// A session in use.
#[derive(Debug)]
pub struct LiveSession {
    session: Session,
    usage: Arc<Usage>,
    /// Where its cookie counts.
    origin: OriginId,
    /// One per app that it was presented to: more than one only where apps share a cookie.
    presented: Mutex<Vec<Presented>>,
}

/// The headers as last rendered, and when they must be rendered anew.
#[derive(Debug)]
struct Presented {
    app: OriginId,
    headers: Arc<HeaderSet>,
    new_user: bool,
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
    /// From an opened cookie.
    pub fn new(session: Session, usage: Arc<Usage>, origin: OriginId) -> Self {
        Self { session, usage, origin, presented: Mutex::default() }
    }

    /// Where its cookie was first presented, which is where it counts unless apps share one.
    pub fn origin(&self) -> OriginId {
        self.origin
    }

    /// What the cookie says.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What this process knows besides.
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Whether the upstream should still be told that this account is new.
    pub fn new_user(&self) -> bool {
        self.session.new_user && !self.usage.acknowledged.load(Ordering::Relaxed)
    }

    /// The upstream knows the account now; the headers of every cookie of this session say so from the next request on.
    pub fn acknowledge(&self) {
        self.usage.acknowledged.store(true, Ordering::Relaxed);
    }

    /// The identity headers for an app at `now`. The lock is held for a few loads, and for one signature per half-life.
    pub fn headers(
        &self,
        presenter: &Presenter,
        (app, origin): (OriginId, &str),
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Arc<HeaderSet> {
        let mut presented = self.presented.lock().unwrap_or_else(PoisonError::into_inner);
        let new_user = self.new_user();
        let known = presented.iter().position(|p| p.app == app);
        let fresh =
            known.and_then(|at| presented.get(at)).filter(|p| now < p.until && p.new_user == new_user);
        if let Some(fresh) = fresh {
            return Arc::clone(&fresh.headers);
        }
        let set = presenter.layout.render(&self.session.person, new_user);
        let signer = presenter.signer.as_ref();
        let token = signer.and_then(|s| s.sign(&self.session.person, &self.facts(origin, entropy), now));
        let headers = Arc::new(match &token {
            Some(token) => set.with_assertion(token),
            None => set,
        });
        let until = now.plus(if signer.is_some() { LIFETIME / 2 } else { Duration::MAX });
        if let Some(stale) = known {
            presented.swap_remove(stale);
        }
        presented.push(Presented { app, headers: Arc::clone(&headers), new_user, until });
        headers
    }

    fn facts<'a>(&self, app: &'a str, entropy: &dyn Entropy) -> Facts<'a> {
        Facts {
            app,
            new_user: self.new_user(),
            signed_in_at: self.session.started,
            expires: self.session.expires,
            jti: entropy.bytes(),
            session: *self.session.id.as_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::identity::headers::{ASSERTION, Claim, Preset};
    use crate::session::tests::ada;

    fn header(set: &HeaderSet, name: &str) -> Option<String> {
        set.iter().find(|(n, _)| n.as_str() == name).map(|(_, v)| v.to_str().unwrap().to_owned())
    }

    #[test]
    fn an_assertion_is_signed_once_per_half_life() {
        let signer = Signer::new(&[[3; 32]], "https://a.example".into(), Some("a".into())).unwrap();
        let layout = Layout::new(&[Preset::Anteroom], &[], Claim::AccountId);
        let presenter = Presenter { layout, signer: Some(signer) };
        let usage = Arc::new(Usage::new(Timestamp::default(), Timestamp::default()));
        let live = LiveSession::new(Session { new_user: true, ..ada(0) }, usage, OriginId::CENTRAL);
        let entropy = SeededEntropy::new(1);
        let at = |secs| {
            let app = (OriginId::CENTRAL, "https://a.example");
            live.headers(&presenter, app, &entropy, Timestamp::from_secs(secs))
        };
        let first = at(10);
        assert!(Arc::ptr_eq(&first, &at(159)));
        let second = at(160);
        assert_ne!(header(&first, ASSERTION.as_str()), header(&second, ASSERTION.as_str()));
        assert_eq!(header(&second, "x-anteroom-new-user").as_deref(), Some("true"));
        live.acknowledge();
        assert_eq!(header(&at(161), "x-anteroom-new-user").as_deref(), Some("false"));
    }
}
