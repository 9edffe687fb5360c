//! Which sessions are alive? This process's view: opened cookies, ended sessions, and the idle clock.
//!
//! Guarantees: an ended session is refused from the moment it is ended, before the store has answered; a session
//! whose last use nobody remembers counts as unused since it began. Reads take no lock. Ended sessions and saved
//! activity are loaded before the first request.

use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use quick_cache::sync::Cache;

use super::End;
use super::live::{LiveSession, Usage};
use crate::clock::Timestamp;
use crate::gate::{OriginId, Origins};
use crate::policy::AccessPolicy;
use crate::session::cookie::{self, CookieNames};
use crate::session::seal::Sealer;
use crate::session::{Lifetimes, Session, SessionId};
use crate::store::{Ended, Seen};

/// Cookies kept open: about 1.5 KB each.
const CACHED: usize = 10_000;

/// What a request's cookies say.
#[derive(Debug)]
pub enum Presented {
    /// A session that is alive.
    Live(Arc<LiveSession>),
    /// No session cookie.
    Nothing,
    /// A cookie that no longer counts, or never did: forged, expired, ended, or two at once.
    Dead,
}

impl Presented {
    /// The live session, if any.
    pub fn live(self) -> Option<Arc<LiveSession>> {
        match self {
            Self::Live(session) => Some(session),
            Self::Nothing | Self::Dead => None,
        }
    }
}

/// The view.
pub struct Sessions {
    names: CookieNames,
    origins: Arc<Origins>,
    sealer: Sealer,
    lifetimes: Lifetimes,
    policy: AccessPolicy,
    opened: Cache<Box<[u8]>, Arc<LiveSession>>,
    known: Arc<Known>,
}

/// What is known of sessions, whatever the configuration says: it outlives every [`Sessions`].
#[derive(Default)]
struct Known {
    ended: papaya::HashMap<SessionId, Timestamp>,
    usage: papaya::HashMap<SessionId, Arc<Usage>>,
    /// Ends that the store has not taken yet.
    unsaved: Mutex<Vec<Ended>>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sessions({} in use, {} ended)", self.known.usage.len(), self.known.ended.len())
    }
}

impl Sessions {
    /// An empty view.
    pub fn new(
        names: CookieNames,
        origins: Arc<Origins>,
        sealer: Sealer,
        lifetimes: Lifetimes,
        policy: AccessPolicy,
    ) -> Self {
        let (opened, known) = (Cache::new(CACHED), Arc::default());
        Self { names, origins, sealer, lifetimes, policy, opened, known }
    }

    /// These, with all that is known of sessions here: from now on what one of the two learns, the other knows. Cookies
    /// are opened and judged anew.
    #[must_use]
    pub fn knowing(self, others: &Self) -> Self {
        Self { known: Arc::clone(&others.known), ..self }
    }

    /// What the store remembers, before the first request.
    pub fn load(&self, ended: &[Ended], seen: &[Seen]) {
        let (known_ended, known_usage) = (self.known.ended.pin(), self.known.usage.pin());
        for e in ended {
            known_ended.insert(e.id, e.until);
        }
        for s in seen {
            known_usage.insert(s.id, Arc::new(Usage::new(s.at, s.until)));
        }
    }

    /// The names of the cookies.
    pub fn names(&self) -> &CookieNames {
        &self.names
    }

    /// The limits.
    pub fn lifetimes(&self) -> Lifetimes {
        self.lifetimes
    }

    /// The rules.
    pub fn policy(&self) -> &AccessPolicy {
        &self.policy
    }

    /// The session that a request to an app presents; counts as a use of it.
    pub fn present(&self, headers: &HeaderMap, app: OriginId, now: Timestamp) -> Presented {
        let value = match cookie::session(headers, &self.names) {
            Ok(Some(value)) => value,
            Ok(None) => return Presented::Nothing,
            Err(cookie::Conflict) => return Presented::Dead,
        };
        match self.opened.get(value).or_else(|| self.open(value, app)) {
            Some(live) if self.belongs(&live, app) && self.counts(&live, now) => {
                live.usage().touch(now);
                Presented::Live(live)
            }
            _ => Presented::Dead,
        }
    }

    fn open(&self, value: &[u8], app: OriginId) -> Option<Arc<LiveSession>> {
        let session = cookie::open(value, &self.names, self.audience(app), &self.sealer)?;
        let live = Arc::new(self.known(session, app)?);
        self.opened.insert(value.into(), Arc::clone(&live));
        Some(live)
    }

    /// A session that the rules still admit, with what is known of its use.
    fn known(&self, session: Session, app: OriginId) -> Option<LiveSession> {
        self.policy.rule_for(&session.person).ok()?;
        let usage = Arc::clone(
            self.known
                .usage
                .pin()
                .get_or_insert_with(session.id, || Arc::new(Usage::new(session.started, session.expires))),
        );
        Some(LiveSession::new(session, usage, app))
    }

    /// Whether a session that arrived otherwise than in a cookie would count in one; a use of it if so.
    pub fn still_counts(&self, session: &Session, app: OriginId, now: Timestamp) -> bool {
        let counting = self.known(session.clone(), app).filter(|live| self.counts(live, now));
        counting.inspect(|live| live.usage().touch(now)).is_some()
    }

    /// Whether a cookie that is open already was sealed for this app.
    fn belongs(&self, live: &LiveSession, app: OriginId) -> bool {
        live.origin() == app || self.names.domain().is_some()
    }

    /// Whom an app's cookie is sealed for.
    fn audience(&self, app: OriginId) -> &str {
        self.names.domain().unwrap_or_else(|| self.origins.get(app).authority())
    }

    fn counts(&self, live: &LiveSession, now: Timestamp) -> bool {
        !self.ended(live.session())
            && live.session().alive(live.usage().last_seen(), now, self.lifetimes).is_ok()
    }

    /// Why a session that was presented earlier no longer counts, by the rules and limits of now.
    pub fn end_of(&self, live: &LiveSession, now: Timestamp) -> Option<End> {
        let session = live.session();
        if self.ended(session) {
            return Some(End::SignedOut);
        }
        if self.policy.rule_for(&session.person).is_err() {
            return Some(End::NotAdmitted);
        }
        session.alive(live.usage().last_seen(), now, self.lifetimes).is_err().then_some(End::Expired)
    }

    /// Whether a session was ended here.
    pub fn ended(&self, session: &Session) -> bool {
        self.known.ended.pin().contains_key(&session.id)
    }

    /// Seals a session into a `Set-Cookie` line of an app that lives as long as the session does.
    pub fn set_cookie(
        &self,
        session: &Session,
        app: OriginId,
        nonce: [u8; 12],
        now: Timestamp,
    ) -> Option<String> {
        let value = cookie::seal(session, &self.names, self.audience(app), &self.sealer, nonce)?;
        Some(self.names.set(self.names.session(), &value, session.expires.since(now).as_secs()))
    }

    /// The `Set-Cookie` line that removes the session cookie.
    pub fn delete_cookie(&self) -> String {
        self.names.delete(self.names.session())
    }

    /// Ends a session in this process, at once; the caller makes it durable.
    pub fn end(&self, session: &Session) -> Ended {
        self.known.ended.pin().insert(session.id, session.expires);
        self.known.usage.pin().remove(&session.id);
        Ended { id: session.id, until: session.expires }
    }

    /// Keeps an end that the store did not take, to be tried again.
    pub fn not_saved(&self, ended: Ended) {
        self.known.unsaved.lock().unwrap_or_else(PoisonError::into_inner).push(ended);
    }

    /// The ends to be tried again; whoever takes them puts back those that fail.
    pub fn take_unsaved(&self) -> Vec<Ended> {
        std::mem::take(&mut *self.known.unsaved.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// When sessions were last used, for those used at or after `since`.
    pub fn activity(&self, since: Timestamp) -> Vec<Seen> {
        let pin = self.known.usage.pin();
        let seen = pin.iter().map(|(id, usage)| Seen { id: *id, at: usage.last_seen(), until: usage.until });
        seen.filter(|s| s.at >= since).collect()
    }

    /// Forgets what has run out by itself (ended sessions a whole lifetime later: a clock that is set back must not
    /// bring one to life); returns how many sessions were used within the idle timeout.
    pub fn sweep(&self, now: Timestamp) -> usize {
        let remembered = now.minus(self.lifetimes.max);
        self.known.ended.pin().retain(|_, until| *until > remembered);
        let usage = self.known.usage.pin();
        usage.retain(|_, u| u.until > now);
        usage.values().filter(|u| now.since(u.last_seen()) < self.lifetimes.idle).count()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::header::COOKIE;

    use super::*;
    use crate::gate::Origin;
    use crate::identity::AccountId;
    use crate::secret::SecretString;
    use crate::session::seal::{KeyRing, Purpose};
    use crate::session::tests::ada;

    fn view(policy: AccessPolicy) -> Sessions {
        let ring = KeyRing::new(&[SecretString::from("a-session-secret-0123456789-abcdefgh")]).unwrap();
        let limits = Lifetimes { idle: Duration::from_secs(100), max: Duration::from_secs(1000) };
        let origin = |text| Origin::parse(text).unwrap();
        let origins = Origins::new(origin("https://a.example"), vec![origin("https://b.example")]);
        let sealer = ring.sealer(Purpose::Session);
        Sessions::new(CookieNames::new(true), Arc::new(origins), sealer, limits, policy)
    }

    fn everybody() -> AccessPolicy {
        AccessPolicy { any_account: true, ..Default::default() }
    }

    fn request(view: &Sessions, session: &Session) -> HeaderMap {
        let line = view.set_cookie(session, OriginId::CENTRAL, [4; 12], session.started).unwrap();
        let pair = line.split(';').next().unwrap().to_owned();
        HeaderMap::from_iter([(COOKIE, pair.parse().unwrap())])
    }

    fn alive(view: &Sessions, headers: &HeaderMap, now: u64) -> bool {
        matches!(view.present(headers, OriginId::CENTRAL, Timestamp::from_secs(now)), Presented::Live(_))
    }

    #[test]
    fn a_cookie_counts_at_the_app_that_it_was_set_by() {
        let (view, session) = (view(everybody()), ada(1000));
        let headers = request(&view, &session);
        let elsewhere = view.origins.of_host("b.example").unwrap();
        let now = Timestamp::from_secs(1001);
        for _ in 0..2 {
            assert!(matches!(view.present(&headers, elsewhere, now), Presented::Dead));
            assert!(alive(&view, &headers, 1001), "and a look elsewhere does not change that");
        }
    }

    #[test]
    fn the_idle_clock_runs_on_the_server() {
        let (view, session) = (view(everybody()), ada(1000));
        let headers = request(&view, &session);
        assert!(alive(&view, &headers, 1099) && alive(&view, &headers, 1198));
        assert!(!alive(&view, &headers, 1298), "a hundred seconds without a request");
    }

    #[test]
    fn nobody_remembers_means_unused_since_it_began() {
        let (first, session) = (view(everybody()), ada(1000));
        let headers = request(&first, &session);
        assert!(alive(&first, &headers, 1090));
        let restarted = view(everybody());
        assert!(!alive(&restarted, &headers, 1150));
        let informed = view(everybody());
        informed.load(&[], &first.activity(Timestamp::default()));
        assert!(alive(&informed, &headers, 1150));
    }

    #[test]
    fn an_ended_session_stays_ended() {
        let (view, session) = (view(everybody()), ada(1000));
        let headers = request(&view, &session);
        assert!(alive(&view, &headers, 1001));
        view.end(&session);
        assert!(!alive(&view, &headers, 1002));
        view.sweep(Timestamp::from_secs(1999));
        assert!(!alive(&view, &headers, 1999), "not forgotten before its cookie runs out");
    }

    #[test]
    fn a_rule_taken_away_ends_the_sessions_it_let_in() {
        let others = AccessPolicy { account_ids: vec![AccountId::parse("x").unwrap()], ..Default::default() };
        let headers = request(&view(everybody()), &ada(1000));
        assert!(!alive(&view(others), &headers, 1001));
    }

    #[test]
    fn why_a_session_ended_is_known() {
        let (view, session) = (view(everybody()), ada(1000));
        let usage = Arc::new(Usage::new(session.started, session.expires));
        let live = LiveSession::new(session.clone(), usage, OriginId::CENTRAL);
        let at = |view: &Sessions, now| view.end_of(&live, Timestamp::from_secs(now));
        assert_eq!((at(&view, 1099), at(&view, 1100)), (None, Some(End::Expired)));
        live.usage().touch(Timestamp::from_secs(1990));
        assert_eq!((at(&view, 1999), at(&view, 2000)), (None, Some(End::Expired)));
        let others = AccessPolicy { account_ids: vec![AccountId::parse("x").unwrap()], ..Default::default() };
        assert_eq!(at(&self::view(others), 1001), Some(End::NotAdmitted));
        view.end(&session);
        assert_eq!(at(&view, 1001), Some(End::SignedOut));
    }

    #[test]
    fn two_configurations_know_the_same_sessions() {
        let (first, session) = (view(everybody()), ada(1000));
        let headers = request(&first, &session);
        assert!(alive(&first, &headers, 1090));
        let second = view(everybody()).knowing(&first);
        assert!(alive(&second, &headers, 1180), "used 90 seconds ago, under the first");
        second.not_saved(second.end(&session));
        assert!(!alive(&first, &headers, 1181) && !alive(&second, &headers, 1181));
        assert_eq!(first.take_unsaved().len(), 1);
        let others = AccessPolicy { account_ids: vec![AccountId::parse("x").unwrap()], ..Default::default() };
        let other = Session { id: SessionId::from_bytes([9; 16]), ..ada(1000) };
        let headers = request(&first, &other);
        assert!(alive(&first, &headers, 1001));
        assert!(!alive(&view(others).knowing(&first), &headers, 1001), "nothing is admitted from a cache");
    }

    #[test]
    fn forged_cookies_are_dead() {
        let view = view(everybody());
        let good = request(&view, &ada(1000));
        let good = good.get(COOKIE).unwrap().to_str().unwrap();
        for bad in [
            "__Host-anteroom=".to_owned(),
            "__Host-anteroom=garbage".to_owned(),
            format!("__Host-anteroom={}", "A".repeat(8192)),
            format!("{good}A"),
            good.get(..good.len() - 4).unwrap().to_owned(),
            format!("{good}; __Host-anteroom=other"),
        ] {
            let headers = HeaderMap::from_iter([(COOKIE, bad.parse().unwrap())]);
            let presented = view.present(&headers, OriginId::CENTRAL, Timestamp::from_secs(1001));
            assert!(matches!(presented, Presented::Dead), "{bad}");
        }
    }
}
