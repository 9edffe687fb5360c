//! What do people see? Chooses the page or its machine-readable twin and wraps it into an answer.

use http::header::CACHE_CONTROL;
use http::{HeaderMap, StatusCode, header};

use super::{Auth, LiveSession, RequestFacts};
use crate::gate::{Asker, Destination, ReturnTo};
use crate::pages::{Language, OperatorHint, Page, Problem, Service, Who};
use crate::reply::Reply;

impl Auth {
    /// A page in the language of the asker.
    pub(super) fn page(&self, facts: &RequestFacts<'_>, page: &Page<'_>) -> Reply {
        Reply::page(self.pages.render(page, language(facts.headers)))
    }

    /// The error page of a problem, with a way to try again and the operator's hint.
    pub(super) fn problem(&self, facts: &RequestFacts<'_>, problem: Problem, back: &Destination) -> Reply {
        let retry_url = self.own_url(facts, "/_anteroom/sign-in", back, false);
        let time = self.clock.now().to_string();
        let scopes = Some(self.settings.scopes.as_str());
        let hint = OperatorHint {
            callback_url: Some(&self.settings.callback_url),
            requested_scopes: scopes,
            missing_scope: (problem == Problem::AtlassianScopeMissing).then_some("read:me"),
        };
        let service = match problem {
            Problem::StoreUnavailable => Some(Service::Store),
            Problem::AtlassianUnavailable => Some(Service::Atlassian),
            _ => None,
        };
        let (retry_url, request_id, time) = (Some(retry_url.as_str()), facts.request_id, time.as_str());
        match service {
            Some(service) => self.page(facts, &Page::Unavailable { service, retry_url, request_id, time }),
            None => {
                let operator_hint = Some(&hint);
                self.page(facts, &Page::Error { problem, retry_url, operator_hint, request_id, time })
            }
        }
    }

    /// `GET /_anteroom/welcome?app=…&return_to=…`
    pub(super) fn welcome(&self, facts: &RequestFacts<'_>) -> Reply {
        let back = self.destination(facts);
        let Some(live) = self.live_session(facts) else {
            return Reply::redirect(&self.own_url(facts, "/_anteroom/sign-in", &back, false));
        };
        let continue_url = self.onward_afresh(facts, &back);
        self.page(facts, &Page::Welcome { who: &who(&live), continue_url: &continue_url })
    }

    /// 400: a target with two readings, or a malformed request.
    pub fn bad_request(&self, facts: &RequestFacts<'_>) -> Reply {
        let time = self.clock.now().to_string();
        let page = Page::BadRequest { request_id: facts.request_id, time: &time };
        self.page_or_json(
            facts,
            asker(facts),
            &page,
            "ambiguous_request",
            "This address can be read in more than one way.",
        )
    }

    /// 403 by a route rule.
    pub(super) fn denied(&self, facts: &RequestFacts<'_>, asker: Asker) -> Reply {
        let time = self.clock.now().to_string();
        let page = Page::Denied { who: None, request_id: facts.request_id, time: &time };
        self.page_or_json(facts, asker, &page, "denied", "A rule closes this address to everyone.")
    }

    /// 502, or 504 when the upstream took too long.
    pub fn upstream_down(&self, facts: &RequestFacts<'_>, timed_out: bool) -> Reply {
        self.metrics.upstream_error();
        let time = self.clock.now().to_string();
        let back = ReturnTo::parse(facts.path);
        let retry_url = back.as_ref().map(ReturnTo::as_str);
        let page = Page::UpstreamDown { retry_url, request_id: facts.request_id, time: &time };
        let mut reply =
            self.page_or_json(facts, asker(facts), &page, "upstream_unavailable", "The app did not answer.");
        if timed_out && reply.status == StatusCode::BAD_GATEWAY {
            reply.status = StatusCode::GATEWAY_TIMEOUT;
        }
        reply
    }

    /// Stylesheet and logo.
    pub(super) fn asset(&self, facts: &RequestFacts<'_>) -> Reply {
        match self.pages.asset(facts.path) {
            Some(asset) => Reply::asset(asset),
            None => self.not_found(facts),
        }
    }

    /// Nothing of ours is here.
    pub(super) fn not_found(&self, facts: &RequestFacts<'_>) -> Reply {
        let body = serde_json::json!({
            "error": "not_found",
            "message": "Anteroom has nothing at this address.",
            "request_id": facts.request_id,
        });
        Reply::json(StatusCode::NOT_FOUND, &body).with_text(CACHE_CONTROL, "no-store")
    }

    fn page_or_json(
        &self,
        facts: &RequestFacts<'_>,
        asker: Asker,
        page: &Page<'_>,
        error: &str,
        message: &str,
    ) -> Reply {
        match asker {
            Asker::Navigation | Asker::Frame => self.page(facts, page),
            Asker::Grpc => Reply::grpc(grpc_status(page.status()), message),
            Asker::Program => {
                let request_id = facts.request_id;
                let body =
                    serde_json::json!({ "error": error, "message": message, "request_id": request_id });
                Reply::json(page.status(), &body)
            }
        }
    }
}

/// The person of a session, as pages address them.
pub(super) fn who(live: &LiveSession) -> Who<'_> {
    let person = &live.session().person;
    Who {
        name: person.name.as_deref(),
        email: person.email.as_ref().map(crate::identity::Email::as_str),
        account_id: person.account_id.as_str(),
    }
}

fn asker(facts: &RequestFacts<'_>) -> Asker {
    Asker::of(facts.method, facts.path, facts.headers)
}

fn language(headers: &HeaderMap) -> Language {
    Language::negotiate(headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()))
}

/// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>
fn grpc_status(status: StatusCode) -> u8 {
    match status {
        StatusCode::BAD_REQUEST => 3,
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        _ => 14,
    }
}
