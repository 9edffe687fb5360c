//! How does a session end by its owner's wish? GET asks, POST with the session's own token ends it on the server.
//!
//! The Atlassian sign-in in the browser stays open: Atlassian offers third-party apps no sign-out, and the page says so.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::ORIGIN;
use http::{HeaderName, HeaderValue, StatusCode};

use super::audit::AuditEvent;
use super::{Auth, LiveSession, RequestFacts};
use crate::gate::Destination;
use crate::pages::{Page, Problem};
use crate::reply::Reply;
use crate::session::cookie::scan;

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
const SIGN_OUT: &str = "/_anteroom/sign-out";
const SIGNED_OUT: &str = "/_anteroom/signed-out";

impl Auth {
    /// `GET /_anteroom/sign-out`
    pub(super) fn ask_sign_out(&self, facts: &RequestFacts<'_>) -> Reply {
        let Some(live) = self.live_session(facts) else { return Reply::redirect(SIGNED_OUT) };
        let who = super::visible::who(&live);
        let page = Page::SignOutAsk { who: &who, csrf: &self.csrf_token(&live), action: SIGN_OUT };
        self.page(facts, &page)
    }

    /// `POST /_anteroom/sign-out` with `csrf=…`
    pub(super) async fn sign_out(&self, facts: &RequestFacts<'_>, body: &[u8]) -> Reply {
        let own = scan(facts.headers, self.cookie_names());
        let gone = |reply: Reply| {
            // The pages of the app that this browser has kept would be a press of the back button away:
            // https://www.w3.org/TR/clear-site-data/
            let reply = reply
                .with(CLEAR_SITE_DATA, HeaderValue::from_static("\"cache\""))
                .with_cookie(&self.sessions.delete_cookie())
                .with_cookie(&self.cookies.forget_sign_ins());
            own.flows
                .iter()
                .fold(reply, |reply, (name, _)| reply.with_cookie(&self.cookie_names().delete(name)))
        };
        let Some(live) = self.live_session(facts) else {
            // Another site's form comes without a `SameSite` cookie, and must not make the browser forget it: the page
            // that asks will see it.
            let foreign = self.sent_by_another_site(facts);
            return if foreign { Reply::see_other(SIGN_OUT) } else { gone(Reply::see_other(SIGNED_OUT)) };
        };
        if self.sent_by_another_site(facts) || !self.csrf_matches(&live, body) {
            // Nothing changes: the page asks again, with a token of this session.
            let mut ask = self.ask_sign_out(facts);
            ask.status = StatusCode::FORBIDDEN;
            return ask;
        }
        let ended = self.sessions.end(live.session());
        let event = AuditEvent::SignedOut {
            account_id: live.session().person.account_id.as_str(),
            session: &live.session().id.to_string(),
        };
        self.audit.record(self.clock.now(), facts.client, facts.request_id, &event);
        self.metrics.sign_out();
        if let Err(error) = self.store.end_session(ended).await {
            // Over in this process and in this browser; another replica or a restart might not know.
            tracing::error!(request_id = facts.request_id, %error, "a sign-out could not be recorded");
            self.metrics.store_error();
            self.sessions.not_saved(ended);
            return gone(self.problem(facts, Problem::StoreUnavailable, &Destination::default()));
        }
        gone(Reply::see_other(SIGNED_OUT))
    }

    /// `GET /_anteroom/signed-out`
    pub(super) fn signed_out(&self, facts: &RequestFacts<'_>) -> Reply {
        self.page(facts, &Page::SignedOut { sign_in_url: "/_anteroom/sign-in" })
    }

    /// Whether the browser says that another site sent the form. It says nothing useful (`null`) where the page's
    /// referrer policy keeps the origin back; the token is what counts.
    fn sent_by_another_site(&self, facts: &RequestFacts<'_>) -> bool {
        let elsewhere = |origin: &HeaderValue| origin != self.origin(facts).as_str() && origin != "null";
        let cross = |site: &HeaderValue| site != "same-origin" && site != "none";
        facts.headers.get(ORIGIN).is_some_and(elsewhere)
            || facts.headers.get("sec-fetch-site").is_some_and(cross)
    }

    fn csrf_token(&self, live: &LiveSession) -> String {
        let tag = self.csrf.first().map(|key| hmac::sign(key, live.session().id.as_bytes()));
        tag.map(|tag| URL_SAFE_NO_PAD.encode(tag)).unwrap_or_default()
    }

    fn csrf_matches(&self, live: &LiveSession, body: &[u8]) -> bool {
        let mut tokens = url::form_urlencoded::parse(body).filter(|(name, _)| name == "csrf");
        let (Some((_, token)), None) = (tokens.next(), tokens.next()) else { return false };
        let Ok(tag) = URL_SAFE_NO_PAD.decode(token.as_bytes()) else { return false };
        // `verify` compares in constant time.
        self.csrf.iter().any(|key| hmac::verify(key, live.session().id.as_bytes(), &tag).is_ok())
    }
}
