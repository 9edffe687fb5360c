//! The browser is back from Atlassian: who is it, and where do they go?
//!
//! Order matters. The state is opened, matched to this browser's flow and used up before anything is asked of
//! Atlassian; the account is recorded before the redirect. A tab that lost its flow starts over once, then explains.
//! Each of these two steps is inside the gate of the store, the wait for Atlassian between them is not.

use std::time::Duration;

use tokio::sync::SemaphorePermit;
use tokio::time::timeout;

use super::audit::AuditEvent;
use super::departure::ask_again;
use super::live::LiveSession;
use super::{Auth, NewUserUntil, RequestFacts};
use crate::atlassian::AtlassianError;
use crate::gate::{Asker, Destination, OriginId};
use crate::net::Limit;
use crate::pages::{NotAllowedReason, Page, Problem, Who};
use crate::policy::{Admission, DenyReason, Refusal};
use crate::reply::Reply;
use crate::session::cookie::{OwnCookies, scan};
use crate::session::{Session, SessionId};
use crate::sign_in::{Callback, CodeGrant, FlowError, MAX_AGE, Outcome, Pending, Reported, StateToken};
use crate::store::Novelty;

/// So many sign-ins may be completed at Atlassian at the same time.
pub(super) const EXCHANGES: usize = 64;
/// So long the next one waits for one of them to end.
const WAIT: Duration = Duration::from_secs(2);

/// What a callback comes to before Atlassian is asked.
enum Matched {
    /// A flow of this browser, used up.
    Grant(CodeGrant, StateToken, Destination),
    /// The answer is known already.
    Reply(Reply),
}

impl Auth {
    /// `GET` on the callback path.
    pub(super) async fn callback(&self, facts: &RequestFacts<'_>) -> Reply {
        let (grant, state, destination) = match self.match_flow(facts).await {
            Matched::Grant(grant, state, destination) => (grant, state, destination),
            Matched::Reply(reply) => return reply,
        };
        let used_up = self.cookies.delete(&state.tag());
        let Some(_place) = self.place_at_atlassian(facts).await else {
            let reply = self.sign_in_failed(facts, Problem::AtlassianUnavailable, &destination);
            return reply.with_cookie(&used_up);
        };
        let reply = match self.atlassian.identify(grant).await {
            Err(error) => self.atlassian_failed(facts, &error, &state, &destination),
            Ok(identity) => match self.sessions.policy().admit(identity) {
                Ok(admission) => self.record(facts, admission, &state, destination).await,
                Err(refusal) => self.refused(facts, &refusal, &destination),
            },
        };
        reply.with_cookie(&used_up)
    }

    /// Room for one more call. A crowd waits a little, so that it becomes neither a flood at Atlassian nor a heap here.
    async fn place_at_atlassian(&self, facts: &RequestFacts<'_>) -> Option<SemaphorePermit<'_>> {
        let place = timeout(WAIT, self.exchanges.acquire()).await.ok().and_then(Result::ok);
        if place.is_none() {
            self.metrics.limit(Limit::Exchanges);
            let request_id = facts.request_id;
            tracing::warn!(request_id, limit = EXCHANGES, "too many sign-ins are being completed");
        }
        place
    }

    async fn match_flow(&self, facts: &RequestFacts<'_>) -> Matched {
        let Ok(callback) = Callback::parse(facts.query.unwrap_or_default()) else {
            let nowhere = Destination::default();
            return Matched::Reply(self.sign_in_failed(facts, Problem::MalformedCallback, &nowhere));
        };
        let Some(state) = callback.state.as_deref().and_then(|s| self.cookies.open_state(s)) else {
            // A decline is shown as one even without a state; nothing changes in this browser.
            let problem = match callback.outcome {
                Outcome::Reported(Reported::Declined) => Problem::Declined,
                Outcome::Reported(Reported::Other(code)) => reported(facts, code),
                Outcome::Code(_) => Problem::StateMismatch,
            };
            return Matched::Reply(self.sign_in_failed(facts, problem, &Destination::default()));
        };
        let own = scan(facts.headers, self.cookie_names());
        let Some(pending) = self.cookies.find(&own, &state) else {
            return Matched::Reply(self.lost(facts, &own, &state));
        };
        let (now, destination) = (self.clock.now(), pending.destination().clone());
        if let Some(reply) = self.stale_tab(facts, &pending) {
            return Matched::Reply(reply.with_cookie(&self.cookies.delete(&state.tag())));
        }
        let problem = match pending.finish(callback, &state, now) {
            Ok(grant) => return self.use_up(facts, grant, state, destination).await,
            Err(FlowError::Expired) => {
                let restarted = self.restart(facts, &state, &destination, Problem::FlowExpired);
                return Matched::Reply(restarted);
            }
            Err(FlowError::Mismatch) => Problem::StateMismatch,
            Err(FlowError::Reported(Reported::Declined)) => Problem::Declined,
            Err(FlowError::Reported(Reported::Other(code))) => reported(facts, code),
        };
        let reply = self.sign_in_failed(facts, problem, &destination);
        Matched::Reply(reply.with_cookie(&self.cookies.delete(&state.tag())))
    }

    /// Uses the state up. Only a code counts as a use: whoever declines over and over fills no table.
    async fn use_up(
        &self,
        facts: &RequestFacts<'_>,
        grant: CodeGrant,
        state: StateToken,
        destination: Destination,
    ) -> Matched {
        let Some(_inside) = self.gate.enter().await else { return Matched::Reply(ask_again(facts)) };
        match self.store.use_once(state.id(), self.clock.now(), MAX_AGE).await {
            Ok(true) => Matched::Grant(grant, state, destination),
            Ok(false) => Matched::Reply(self.replayed(facts, &state, &destination)),
            Err(error) => {
                tracing::error!(request_id = facts.request_id, %error, "a sign-in could not be used up");
                self.metrics.store_error();
                Matched::Reply(self.sign_in_failed(facts, Problem::StoreUnavailable, &destination))
            }
        }
    }

    /// This browser signed in through another tab after this flow began: just go where the tab wanted.
    fn stale_tab(&self, facts: &RequestFacts<'_>, pending: &Pending) -> Option<Reply> {
        let live = self.live_session(facts)?;
        let onward = self.onward(facts, pending.destination());
        (pending.started() < live.session().started).then(|| Reply::redirect(&onward))
    }

    /// No cookie for this flow: evicted, blocked, expired, or somebody else's link.
    fn lost(&self, facts: &RequestFacts<'_>, own: &OwnCookies<'_>, state: &StateToken) -> Reply {
        if self.live_session(facts).is_some() {
            return Reply::redirect(&self.onward(facts, state.destination()));
        }
        let none_at_all = own.flows.is_empty() && own.session.is_none();
        let blocked = none_at_all && state.restarts() > 0;
        let problem = if blocked { Problem::CookiesBlocked } else { Problem::FlowLost };
        self.restart(facts, state, state.destination(), problem)
    }

    fn replayed(&self, facts: &RequestFacts<'_>, state: &StateToken, destination: &Destination) -> Reply {
        let reply = match self.live_session(facts) {
            Some(_) => Reply::redirect(&self.onward(facts, destination)),
            None => self.sign_in_failed(facts, Problem::StateReplayed, destination),
        };
        reply.with_cookie(&self.cookies.delete(&state.tag()))
    }

    /// Starts over once for the same page; the second time it explains itself.
    fn restart(
        &self,
        facts: &RequestFacts<'_>,
        state: &StateToken,
        destination: &Destination,
        otherwise: Problem,
    ) -> Reply {
        let navigates = Asker::of(facts.method, facts.path, facts.headers) == Asker::Navigation;
        let reply = if navigates && state.restarts() == 0 {
            self.begin(facts, destination.clone(), 1, false)
        } else {
            self.sign_in_failed(facts, otherwise, destination)
        };
        reply.with_cookie(&self.cookies.delete(&state.tag()))
    }

    fn atlassian_failed(
        &self,
        facts: &RequestFacts<'_>,
        error: &AtlassianError,
        state: &StateToken,
        destination: &Destination,
    ) -> Reply {
        tracing::warn!(request_id = facts.request_id, %error, "Atlassian did not vouch for a sign-in");
        let problem = match error {
            AtlassianError::ClientRefused => Problem::AtlassianRefusedClient,
            AtlassianError::CodeRefused => {
                return self.restart(facts, state, destination, Problem::AtlassianRefusedCode);
            }
            AtlassianError::ScopeMissing(_) => Problem::AtlassianScopeMissing,
            AtlassianError::Unavailable { .. } => Problem::AtlassianUnavailable,
            AtlassianError::Unintelligible { .. } => Problem::AtlassianUnintelligible,
        };
        self.sign_in_failed(facts, problem, destination)
    }

    /// The sign-in, if the store is still here. Else the code and the state are used up, and only a flow of its own leads
    /// to the process that has it now; Atlassian asks nobody twice who has just agreed.
    async fn record(
        &self,
        facts: &RequestFacts<'_>,
        admission: Admission,
        state: &StateToken,
        destination: Destination,
    ) -> Reply {
        match self.gate.enter().await {
            Some(_inside) => self.sign_in(facts, admission, &destination).await,
            None => self.begin(facts, destination, state.restarts(), false),
        }
    }

    async fn sign_in(
        &self,
        facts: &RequestFacts<'_>,
        admission: Admission,
        destination: &Destination,
    ) -> Reply {
        let now = self.clock.now();
        let novelty = match self.store.record_sign_in(admission.person(), now).await {
            Ok(novelty) => novelty,
            Err(error) => {
                tracing::error!(request_id = facts.request_id, %error, "a sign-in could not be recorded");
                self.metrics.store_error();
                return self.sign_in_failed(facts, Problem::StoreUnavailable, destination);
            }
        };
        let previous = self.live_session(facts);
        let new_user = self.counts_as_new(novelty, previous.as_deref(), &admission);
        let rule = admission.rule().as_str();
        let id = SessionId::from_bytes(self.entropy.bytes());
        let session = Session::begin(admission, id, new_user, now, self.settings.lifetimes);
        let Some(cookie) = self.sessions.set_cookie(&session, OriginId::CENTRAL, self.entropy.bytes(), now)
        else {
            return self.sign_in_failed(facts, Problem::Internal, destination);
        };
        if let Some(previous) = previous {
            // The cookie it came in with must not outlive the one it goes out with.
            self.end_previous(previous.session()).await;
        }
        self.metrics.sign_in("success", rule);
        let event = AuditEvent::SignedIn {
            account_id: session.person.account_id.as_str(),
            email: session.person.email.as_ref().map(crate::identity::Email::as_str),
            rule,
            new_user,
            session: &session.id.to_string(),
        };
        self.audit.record(now, facts.client, facts.request_id, &event);
        let created = matches!(novelty, Novelty::New);
        let onward = self.after_sign_in(facts, created, destination);
        self.remembered(facts, Reply::redirect(&onward).with_cookie(&cookie))
    }

    /// Ends a session that another one takes the place of.
    pub(super) async fn end_previous(&self, previous: &Session) {
        let ended = self.sessions.end(previous);
        if self.store.end_session(ended).await.is_err() {
            self.metrics.store_error();
            self.sessions.not_saved(ended);
        }
    }

    fn counts_as_new(&self, novelty: Novelty, previous: Option<&LiveSession>, admission: &Admission) -> bool {
        match novelty {
            Novelty::New => true,
            Novelty::Known { acknowledged: true } => false,
            // Another tab of the first sign-in must not take the mark away from it.
            Novelty::Known { acknowledged: false } => {
                self.settings.new_user_until == NewUserUntil::Acknowledged
                    || previous.is_some_and(|live| {
                        live.new_user() && live.session().person.account_id == admission.person().account_id
                    })
            }
        }
    }

    fn refused(&self, facts: &RequestFacts<'_>, refusal: &Refusal, destination: &Destination) -> Reply {
        let Refusal { person, reason } = refusal;
        let (now, email) = (self.clock.now(), person.email.as_ref().map(crate::identity::Email::as_str));
        self.metrics.sign_in("denied", reason.as_str());
        let event =
            AuditEvent::Refused { account_id: person.account_id.as_str(), email, reason: reason.as_str() };
        self.audit.record(now, facts.client, facts.request_id, &event);
        let reason = match reason {
            DenyReason::NoRuleMatches => NotAllowedReason::RuleDenied,
            DenyReason::EmailUnverified => NotAllowedReason::EmailUnverified,
            DenyReason::AccountType => NotAllowedReason::AccountType,
            DenyReason::AccountStatus => NotAllowedReason::AccountStatus,
        };
        if let Some(page) = &self.settings.landings.error {
            let told = [("error", reason.code()), ("request_id", facts.request_id)];
            return Reply::redirect(&page.with(&told));
        }
        let who = Who { name: person.name.as_deref(), email, account_id: person.account_id.as_str() };
        let page = Page::NotAllowed {
            who: &who,
            reason,
            another_account_url: &self.own_url(facts, "/_anteroom/sign-in", destination, true),
            request_id: facts.request_id,
            time: &now.to_string(),
        };
        self.page(facts, &page)
    }

    /// Counts, writes down and shows a sign-in that failed.
    pub(super) fn sign_in_failed(
        &self,
        facts: &RequestFacts<'_>,
        problem: Problem,
        destination: &Destination,
    ) -> Reply {
        self.metrics.sign_in("failed", problem.code());
        self.failed(facts, problem, destination)
    }

    /// Writes down and shows what went wrong on the way in.
    pub(super) fn failed(
        &self,
        facts: &RequestFacts<'_>,
        problem: Problem,
        destination: &Destination,
    ) -> Reply {
        let event = AuditEvent::SignInFailed { code: problem.code() };
        self.audit.record(self.clock.now(), facts.client, facts.request_id, &event);
        if let Some(page) = &self.settings.landings.error {
            let told = [("error", problem.code()), ("request_id", facts.request_id)];
            return Reply::redirect(&page.with(&told));
        }
        self.problem(facts, problem, destination)
    }
}

/// For the log, under the request ID that the page shows: the code is one of a fixed list.
fn reported(facts: &RequestFacts<'_>, code: &'static str) -> Problem {
    tracing::warn!(request_id = facts.request_id, code, "Atlassian sent somebody back with an error");
    Problem::AtlassianReported
}
