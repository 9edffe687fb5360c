//! How does a sign-in begin? The page with the button, and the way to Atlassian.
//!
//! Only a navigation begins a flow: prefetches, frames and scripts would leave orphans and overwrite each other.

use http::{Method, StatusCode};

use super::{Auth, RequestFacts};
use crate::gate::{Asker, ReturnTo};
use crate::pages::{Page, Problem};
use crate::reply::Reply;
use crate::session::cookie::scan;
use crate::sign_in::Pending;

impl Auth {
    /// A navigation without a session: to the sign-in page, or straight to the start of a flow.
    pub(super) fn to_sign_in(&self, facts: &RequestFacts<'_>) -> Reply {
        let asked_for = match facts.query {
            Some(query) => ReturnTo::parse(&format!("{}?{query}", facts.path)),
            None => ReturnTo::parse(facts.path),
        };
        let endpoint = if self.settings.sign_in_page { "sign-in" } else { "start" };
        // The start page is where people land anyway: asking for it is not asking for a page.
        let asked_for = asked_for.filter(|r| r.as_str() != "/");
        let target = with_return_to(&format!("/_anteroom/{endpoint}"), asked_for.as_ref(), false);
        let safe = facts.method == Method::GET || facts.method == Method::HEAD;
        if safe { Reply::redirect(&target) } else { Reply::see_other(&target) }
    }

    /// `GET /_anteroom/sign-in?return_to=…&switch=1`
    pub(super) fn sign_in_page(&self, facts: &RequestFacts<'_>) -> Reply {
        let (return_to, switch) = (return_to(facts), switches(facts));
        if !switch && self.live_session(facts).is_some() {
            return Reply::redirect(&self.settings.landings.onward(return_to.as_ref()));
        }
        let start_url = with_return_to("/_anteroom/start", return_to.as_ref(), switch);
        self.page(facts, &Page::SignIn { start_url: &start_url, switched_account: switch })
    }

    /// `GET /_anteroom/start?return_to=…&switch=1`: 302 to Atlassian.
    pub(super) fn start(&self, facts: &RequestFacts<'_>) -> Reply {
        let asker = Asker::of(facts.method, facts.path, facts.headers);
        if asker != Asker::Navigation {
            return self.unauthenticated(facts, asker);
        }
        let (return_to, switch) = (return_to(facts), switches(facts));
        let own = scan(facts.headers, self.cookie_names());
        let live = self.live_session(facts);
        if live.is_some() && !switch {
            return Reply::redirect(&self.settings.landings.onward(return_to.as_ref()));
        }
        if live.is_none() && self.cookies.looping(&own, self.clock.now()) {
            let retry_url = with_return_to("/_anteroom/sign-in", return_to.as_ref(), false);
            let time = self.clock.now().to_string();
            let page =
                Page::TooManyRedirects { retry_url: &retry_url, request_id: facts.request_id, time: &time };
            return self.page(facts, &page).with_cookie(&self.cookies.forget_sign_ins());
        }
        self.begin(facts, return_to, 0, switch)
    }

    /// Begins a flow: cookie and redirect.
    pub(super) fn begin(
        &self,
        facts: &RequestFacts<'_>,
        return_to: Option<ReturnTo>,
        restarts: u8,
        choose_account: bool,
    ) -> Reply {
        let (now, entropy) = (self.clock.now(), self.entropy.as_ref());
        let verifier = self.settings.pkce.then(|| entropy.bytes());
        let pending = Pending::begin(return_to, restarts, entropy.bytes(), verifier, now);
        let Some((state, set_cookie)) = self.cookies.seal(&pending, entropy) else {
            return self.problem(facts, Problem::Internal, None);
        };
        self.metrics.sign_in_started();
        let url = self.atlassian.authorize_url(&state, pending.challenge().as_deref(), choose_account);
        let room = self.cookies.make_room(&scan(facts.headers, self.cookie_names()), now);
        let reply = Reply::redirect(&url).with_cookie(&set_cookie);
        room.iter().fold(reply, |reply, line| reply.with_cookie(line))
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

/// A path of ours with the way back, and the wish to use another account, as its query.
pub(super) fn with_return_to(path: &str, return_to: Option<&ReturnTo>, switch: bool) -> String {
    match (return_to.map(ReturnTo::encoded), switch) {
        (Some(to), true) => format!("{path}?return_to={to}&switch=1"),
        (Some(to), false) => format!("{path}?return_to={to}"),
        (None, true) => format!("{path}?switch=1"),
        (None, false) => path.to_owned(),
    }
}

/// The `return_to` of a query: `None` when it is absent, doubled or not a path of this site.
pub(super) fn return_to(facts: &RequestFacts<'_>) -> Option<ReturnTo> {
    let mut values = parameters(facts, "return_to");
    match (values.next(), values.next()) {
        (Some(value), None) => ReturnTo::parse(&value),
        _ => None,
    }
}

fn switches(facts: &RequestFacts<'_>) -> bool {
    parameters(facts, "switch").any(|value| value == "1")
}

fn parameters<'a>(
    facts: &RequestFacts<'a>,
    wanted: &'a str,
) -> impl Iterator<Item = std::borrow::Cow<'a, str>> {
    let query = facts.query.unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes())
        .filter(move |(name, _)| name == wanted)
        .map(|(_, value)| value)
}
