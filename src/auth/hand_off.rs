//! How does an app's host get the session that the central host has? A ticket there, a code back, and a cookie that ties
//! both to one browser.
//!
//! `start` on the app's host makes the ticket, `hand-off` on the central host answers it with a code, `finish` on the
//! app's host takes it. It is the same session under one more cookie, so that its end is its end everywhere. A code is
//! used up by whoever presents it first, in whichever browser: one that is read in a log has been presented.

use http::HeaderValue;
use http::header::REFERRER_POLICY;

use super::audit::AuditEvent;
use super::onward::parameter;
use super::{Auth, RequestFacts};
use crate::gate::{Asker, Destination, OriginId, ReturnTo};
use crate::pages::Problem;
use crate::reply::Reply;
use crate::session::Session;
use crate::session::cookie::scan;
use crate::session::hand_off::{Awaiting, Code};
use crate::sign_in::MAX_AGE;

impl Auth {
    /// `GET /_anteroom/start` on an app's host: a cookie here, and off to the central host with a ticket.
    pub(super) fn begin_hand_off(
        &self,
        facts: &RequestFacts<'_>,
        path: Option<ReturnTo>,
        restarts: u8,
        switch: bool,
    ) -> Reply {
        let (now, entropy, origins) = (self.clock.now(), self.entropy.as_ref(), &self.settings.origins);
        let destination = Destination::new(origins, self.here(facts), path.clone());
        if let Some(reply) = self.too_many_sign_ins(facts, &destination) {
            return reply;
        }
        let awaiting = Awaiting::begin(path, entropy.bytes(), entropy.bytes(), now);
        let ticket = self.cookies.seal_ticket(&awaiting.ticket(destination, restarts, switch), entropy);
        let host = self.origin(facts).authority();
        let cookie = self.cookies.seal_awaiting(&awaiting, host, entropy);
        let (Some(ticket), Some(cookie)) = (ticket, cookie) else {
            return self.problem(facts, Problem::Internal, &Destination::default());
        };
        let room = self.cookies.make_room(&scan(facts.headers, self.cookie_names()), host, now);
        let there = format!("{}/_anteroom/hand-off?ticket={ticket}", origins.central().as_str());
        let reply = away(&there).with_cookie(&cookie);
        room.iter().fold(reply, |reply, line| reply.with_cookie(line))
    }

    /// `GET /_anteroom/hand-off?ticket=…` on the central host: to the sign-in, or back with a code.
    pub(super) fn hand_off(&self, facts: &RequestFacts<'_>) -> Reply {
        let asker = Asker::of(facts.method, facts.path, facts.headers);
        if asker != Asker::Navigation {
            return self.unauthenticated(facts, asker);
        }
        let ticket = parameter(facts, "ticket").and_then(|ticket| self.cookies.open_ticket(&ticket));
        let origins = &self.settings.origins;
        let known = ticket.filter(|ticket| ticket.destination().origin(origins) != OriginId::CENTRAL);
        let Some(ticket) = known else {
            return self.hand_off_failed(facts, Problem::HandOffRefused, &Destination::default());
        };
        let (now, switch) = (self.clock.now(), ticket.switch());
        let timely = !switch && !ticket.expired(now);
        let Some(live) = timely.then(|| self.live_session(facts)).flatten() else {
            return away(&self.central_url(self.entrance(), ticket.destination(), switch));
        };
        let app = origins.get(ticket.destination().origin(origins));
        let session = Session { new_user: live.new_user(), ..live.session().clone() };
        let code = ticket.code(session, now);
        match self.cookies.seal_code(&code, app.authority(), self.entropy.as_ref()) {
            Some(code) => away(&format!("{}/_anteroom/finish?code={code}", app.as_str())),
            None => self.problem(facts, Problem::Internal, &Destination::default()),
        }
    }

    /// `GET /_anteroom/finish?code=…` on an app's host: the session's cookie for this host.
    pub(super) async fn finish(&self, facts: &RequestFacts<'_>) -> Reply {
        let asker = Asker::of(facts.method, facts.path, facts.headers);
        if asker != Asker::Navigation {
            return self.unauthenticated(facts, asker);
        }
        let (here, host) = (self.here(facts), self.origin(facts).authority());
        let opened = parameter(facts, "code").and_then(|code| self.cookies.open_code(&code, host));
        let Some(code) = opened else {
            let start = Destination::new(&self.settings.origins, here, None);
            return match self.live_session(facts) {
                Some(_) => away(&self.onward(facts, &start)),
                None => self.hand_off_failed(facts, Problem::HandOffRefused, &start),
            };
        };
        let own = scan(facts.headers, self.cookie_names());
        let awaiting = self.cookies.find_awaiting(&own, &code, host).filter(|found| found.bound_to(&code));
        let reply = self.take(facts, &code, awaiting).await;
        reply.with_cookie(&self.cookies.delete(&code.tag()))
    }

    async fn take(&self, facts: &RequestFacts<'_>, code: &Code, awaiting: Option<Awaiting>) -> Reply {
        let (now, here) = (self.clock.now(), self.here(facts));
        let path = awaiting.as_ref().map_or(code.path(), Awaiting::path).cloned();
        let destination = Destination::new(&self.settings.origins, here, path);
        let used = self.store.use_once(code.id(), now, MAX_AGE).await;
        let live = self.live_session(facts);
        if let Some(live) = live.as_deref().map(super::LiveSession::session) {
            let stale = awaiting.as_ref().is_none_or(|awaiting| awaiting.started() < live.started);
            if stale || live.id == code.session().id {
                return away(&self.onward(facts, &destination));
            }
        }
        if awaiting.is_none() {
            return self.lost_hand_off(facts, code, &destination);
        }
        match used {
            _ if code.expired(now) => return self.again(facts, code, &destination, Problem::FlowExpired),
            Ok(true) => {}
            Ok(false) => return self.hand_off_failed(facts, Problem::StateReplayed, &destination),
            Err(error) => {
                tracing::error!(request_id = facts.request_id, %error, "a hand-off could not be used up");
                self.metrics.store_error();
                return self.hand_off_failed(facts, Problem::StoreUnavailable, &destination);
            }
        }
        if !self.sessions.still_counts(code.session(), here, now) {
            return self.again(facts, code, &destination, Problem::FlowExpired);
        }
        let Some(cookie) = self.sessions.set_cookie(code.session(), here, self.entropy.bytes(), now) else {
            return self.hand_off_failed(facts, Problem::Internal, &destination);
        };
        if let Some(previous) = live {
            self.end_previous(previous.session()).await;
        }
        self.metrics.hand_off("success");
        let event = AuditEvent::HandedOff {
            account_id: code.session().person.account_id.as_str(),
            app: self.origin(facts).as_str(),
            session: &code.session().id.to_string(),
        };
        self.audit.record(now, facts.client, facts.request_id, &event);
        // Other tabs that wait here need their cookies no more: they find the session.
        let own = scan(facts.headers, self.cookie_names());
        let reply = away(&self.onward(facts, &destination)).with_cookie(&cookie);
        let waiting = own.flows.iter().map(|(name, _)| self.cookie_names().delete(name));
        self.remembered(facts, waiting.fold(reply, |reply, line| reply.with_cookie(&line)))
    }

    /// No cookie for this code: evicted, blocked, or somebody else's link.
    fn lost_hand_off(&self, facts: &RequestFacts<'_>, code: &Code, destination: &Destination) -> Reply {
        let own = scan(facts.headers, self.cookie_names());
        let blocked = own.flows.is_empty() && own.session.is_none() && code.restarts() > 0;
        let problem = if blocked { Problem::CookiesBlocked } else { Problem::FlowLost };
        self.again(facts, code, destination, problem)
    }

    /// Tries once more for the same page; the second time it explains itself.
    fn again(
        &self,
        facts: &RequestFacts<'_>,
        code: &Code,
        destination: &Destination,
        otherwise: Problem,
    ) -> Reply {
        if code.restarts() > 0 {
            return self.hand_off_failed(facts, otherwise, destination);
        }
        self.metrics.hand_off("restarted");
        self.begin_hand_off(facts, destination.path().cloned(), 1, false)
    }

    fn hand_off_failed(&self, facts: &RequestFacts<'_>, problem: Problem, back: &Destination) -> Reply {
        self.metrics.hand_off("failed");
        self.failed(facts, problem, back)
    }
}

/// A redirect that tells the next host nothing of this URL.
pub(super) fn away(location: &str) -> Reply {
    Reply::redirect(location).with(REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
}
