//! How does a sign-in begin? The page with the button, and the way to Atlassian.
//!
//! Only a navigation begins a flow: prefetches, frames and scripts would leave orphans and overwrite each other.

use http::{Method, StatusCode};

use super::hand_off::away;
use super::onward::flagged;
use super::{Auth, RequestFacts};
use crate::gate::{Asker, Destination, ReturnTo};
use crate::net::Limit;
use crate::pages::{Page, Problem};
use crate::reply::Reply;
use crate::session::cookie::scan;
use crate::sign_in::Pending;

const START: &str = "/_anteroom/start";

impl Auth {
    /// A navigation without a session: to the sign-in page, or straight to the start of a flow. The page is shown once,
    /// on the central host.
    pub(super) fn to_sign_in(&self, facts: &RequestFacts<'_>) -> Reply {
        let asked_for = match facts.query {
            Some(query) => self.way_back(&format!("{}?{query}", facts.path)),
            None => self.way_back(facts.path),
        };
        // The start page is where people land anyway: asking for it is not asking for a page.
        let asked_for = asked_for.filter(|r| r.as_str() != "/");
        let destination = Destination::new(&self.settings.origins, self.here(facts), asked_for);
        let endpoint = if self.at_app(facts) { START } else { self.entrance() };
        let target = self.own_url(facts, endpoint, &destination, false);
        let safe = facts.method == Method::GET || facts.method == Method::HEAD;
        if safe { Reply::redirect(&target) } else { Reply::see_other(&target) }
    }

    /// Where a sign-in begins on the central host.
    pub(super) fn entrance(&self) -> &'static str {
        if self.settings.sign_in_page { "/_anteroom/sign-in" } else { START }
    }

    /// `GET /_anteroom/sign-in?app=…&return_to=…&switch=1`
    pub(super) fn sign_in_page(&self, facts: &RequestFacts<'_>) -> Reply {
        let (destination, switch) = (self.destination(facts), flagged(facts, "switch"));
        if !switch && self.live_session(facts).is_some() {
            return self.signed_in_already(facts, &destination);
        }
        let start_url = self.own_url(facts, START, &destination, switch);
        if self.at_app(facts) {
            return Reply::redirect(&start_url);
        }
        self.page(facts, &Page::SignIn { start_url: &start_url, switched_account: switch })
    }

    /// `GET /_anteroom/start?app=…&return_to=…&switch=1`: 302 to Atlassian, or from an app's host to the central one.
    /// `fresh=1` is what the central host says after a sign-in: a session that the app has already is the old one.
    pub(super) fn start(&self, facts: &RequestFacts<'_>) -> Reply {
        let asker = Asker::of(facts.method, facts.path, facts.headers);
        if asker != Asker::Navigation {
            return self.unauthenticated(facts, asker);
        }
        let (destination, switch) = (self.destination(facts), flagged(facts, "switch"));
        let afresh = flagged(facts, "fresh") && self.at_app(facts) && self.hands_off();
        let live = self.live_session(facts);
        if live.is_some() && !switch && !afresh {
            return self.signed_in_already(facts, &destination);
        }
        if live.is_none() && self.looping(facts) {
            return self.too_many_redirects(facts, &destination);
        }
        match (self.at_app(facts), self.hands_off()) {
            (false, _) => self.begin(facts, destination, 0, switch),
            (true, true) => self.begin_hand_off(facts, destination.path().cloned(), 0, switch),
            (true, false) => away(&self.central_url(self.entrance(), &destination, switch)),
        }
    }

    /// There is a session: just go on. An app that shares its cookie had none, though, or the browser would not be
    /// here: if that happens again and again, the cookie never gets there.
    fn signed_in_already(&self, facts: &RequestFacts<'_>, destination: &Destination) -> Reply {
        let onward = Reply::redirect(&self.onward(facts, destination));
        if self.hands_off() || destination.origin(&self.settings.origins) == self.here(facts) {
            return onward;
        }
        if self.looping(facts) {
            return self.too_many_redirects(facts, destination);
        }
        self.remembered(facts, onward)
    }

    fn looping(&self, facts: &RequestFacts<'_>) -> bool {
        self.cookies.looping(&scan(facts.headers, self.cookie_names()), self.clock.now())
    }

    /// Notes for the loop breaker that this browser was sent on with a session.
    pub(super) fn remembered(&self, facts: &RequestFacts<'_>, reply: Reply) -> Reply {
        let own = scan(facts.headers, self.cookie_names());
        match self.cookies.remember_sign_in(&own, self.clock.now(), self.entropy.as_ref()) {
            Some(line) => reply.with_cookie(&line),
            None => reply,
        }
    }

    fn too_many_redirects(&self, facts: &RequestFacts<'_>, destination: &Destination) -> Reply {
        let retry_url = self.own_url(facts, "/_anteroom/sign-in", destination, false);
        let time = self.clock.now().to_string();
        let page =
            Page::TooManyRedirects { retry_url: &retry_url, request_id: facts.request_id, time: &time };
        self.page(facts, &page).with_cookie(&self.cookies.forget_sign_ins())
    }

    /// Begins a flow: cookie and redirect.
    pub(super) fn begin(
        &self,
        facts: &RequestFacts<'_>,
        destination: Destination,
        restarts: u8,
        choose_account: bool,
    ) -> Reply {
        if let Some(reply) = self.too_many_sign_ins(facts, &destination) {
            return reply;
        }
        let (now, entropy) = (self.clock.now(), self.entropy.as_ref());
        let verifier = self.settings.pkce.then(|| entropy.bytes());
        let pending = Pending::begin(destination, restarts, entropy.bytes(), verifier, now);
        let Some((state, set_cookie)) = self.cookies.seal(&pending, entropy) else {
            return self.problem(facts, Problem::Internal, &Destination::default());
        };
        self.metrics.sign_in_started();
        let url = self.atlassian.authorize_url(&state, pending.challenge().as_deref(), choose_account);
        let (own, host) = (scan(facts.headers, self.cookie_names()), self.origin(facts).authority());
        let room = self.cookies.make_room(&own, host, now);
        let reply = Reply::redirect(&url).with_cookie(&set_cookie);
        room.iter().fold(reply, |reply, line| reply.with_cookie(line))
    }

    /// 429 when this client's budget of sign-ins is used up. It is not written down as a failed sign-in: whoever begins
    /// thousands must not fill the audit log.
    pub(super) fn too_many_sign_ins(&self, facts: &RequestFacts<'_>, back: &Destination) -> Option<Reply> {
        let (rate, now) = (self.sign_in_rate.as_ref()?, self.clock.now_millis());
        if facts.crowd && rate.crowd_is_news(facts.client) {
            let setting = Limit::SignInRate.setting();
            tracing::warn!(
                hop = %facts.client, setting,
                "the hop in front does not say whom its requests are from: all who come through it share one budget of \
                 sign-ins, ten times the setting; have it send X-Forwarded-For, and name it in trusted_proxies"
            );
        }
        let wait = rate.take(facts.client, facts.crowd, now).err()?;
        self.metrics.limit(Limit::SignInRate);
        if rate.worth_saying(now) {
            let (request_id, setting) = (facts.request_id, Limit::SignInRate.setting());
            tracing::warn!(request_id, client = %facts.client, setting, "too many sign-ins began at one address");
        }
        let seconds = wait.as_millis().div_ceil(1000).to_string();
        let reply = self.problem(facts, Problem::TooManySignIns, back);
        Some(reply.with_text(http::header::RETRY_AFTER, &seconds))
    }

    /// 401 in the shape that the asker understands.
    pub(super) fn unauthenticated(&self, facts: &RequestFacts<'_>, asker: Asker) -> Reply {
        match asker {
            Asker::Grpc => Reply::grpc(16, "sign in first"),
            Asker::Frame => {
                let open_url = match ReturnTo::parse(facts.path) {
                    Some(path) => format!("{}{}", self.origin(facts).as_str(), path.as_str()),
                    None => self.origin(facts).as_str().to_owned(),
                };
                self.page(facts, &Page::FrameBlocked { open_url: &open_url })
            }
            Asker::Navigation | Asker::Program => {
                let url = format!("{}/_anteroom/sign-in", self.origin(facts).as_str());
                let challenge = format!("Anteroom sign_in_url=\"{url}\"");
                let body = serde_json::json!({
                    "error": "unauthenticated",
                    "message": "There is no session, or it has ended. Sign in in a browser, then try again.",
                    "sign_in_url": url,
                    "request_id": facts.request_id,
                });
                Reply::json(StatusCode::UNAUTHORIZED, &body)
                    .with_text(http::header::WWW_AUTHENTICATE, &challenge)
            }
        }
    }
}
