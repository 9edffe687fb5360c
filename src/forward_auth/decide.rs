//! May the original request pass? The one decision, the same for every dialect.

use http::StatusCode;

use super::original::Original;
use super::refusals::UNKNOWN_HOST;
use super::service::{Answer, Decided, Service};
use super::traced;
use crate::auth::{Check, RequestFacts};
use crate::metrics::{Decision, Mode};
use crate::ops::RequestId;
use crate::reply::Reply;
use crate::span;

impl Service {
    /// The one decision, for the original request.
    pub(super) fn decide(&self, original: &Original<'_>, id: RequestId) -> Decided<'_> {
        let span = traced::begin(original, id);
        let Some(app) = self.auth.origins().of_host(original.host) else {
            let answer = Answer::Refuse { reply: self.unknown_host(original, id), origin: "" };
            return Decided { answer, decision: UNKNOWN_HOST, permit: None, span };
        };
        if original.secure.is_some_and(|secure| secure != self.auth.origins().get(app).secure()) {
            self.other_scheme(original);
        }
        let facts = facts(original, &id);
        let checked = span.in_scope(|| span::decision().in_scope(|| self.auth.check(&facts)));
        let (reply, decision) = match checked {
            Check::Forward(permit) => {
                let identity = self.auth.identity_or_nobody(&permit, original.host);
                let decision = if permit.session().is_some() { Decision::SignedIn } else { Decision::Public };
                let answer = Answer::Allow(identity);
                return Decided { answer, decision: decision.as_str(), permit: Some(permit), span };
            }
            Check::Own(_) => (self.own_path(original, id), Decision::Own),
            Check::Answer(reply) => {
                let decision = decision_of(&reply);
                (reply, decision)
            }
        };
        let answer = Answer::Refuse { reply, origin: self.auth.origins().get(app).as_str() };
        Decided { answer, decision: decision.as_str(), permit: None, span }
    }
}

/// The original request, as the decision reads it.
pub(super) fn facts<'a>(original: &'a Original<'_>, id: &'a RequestId) -> RequestFacts<'a> {
    RequestFacts {
        method: &original.method,
        path: original.path,
        query: original.query,
        host: original.host,
        headers: original.headers,
        client: original.client,
        crowd: original.crowd,
        mode: Mode::ForwardAuth,
        request_id: id.as_str(),
    }
}

/// For the access log: what kind of no a reply is.
fn decision_of(reply: &Reply) -> Decision {
    match reply.status {
        StatusCode::UNAUTHORIZED => Decision::Unauthenticated,
        StatusCode::FORBIDDEN => Decision::Denied,
        status if status.is_redirection() => Decision::SignIn,
        _ => Decision::BadTarget,
    }
}
