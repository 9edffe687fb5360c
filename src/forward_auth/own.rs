//! How is a browser's request for one of Anteroom's own pages answered, when a gateway has routed it here?

use http::header::HOST;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::decide::facts;
use super::original::Original;
use super::peer::Peer;
use super::refusals::{UNKNOWN_HOST, explained};
use super::service::{BODY_TIME, Outcome, Service};
use super::{Body, alias, answer, traced};
use crate::auth::{Check, RequestFacts};
use crate::metrics::Decision;
use crate::ops::RequestId;
use crate::reply::Reply;

/// The largest body that Anteroom's own endpoints read, in bytes.
const MAX_BODY: usize = 8 * 1024;

impl Service {
    /// A request that the gateway routed here for one of our own endpoints.
    pub(super) async fn own(
        &self,
        parts: &Parts,
        body: Incoming,
        peer: Peer,
        started: Instant,
        id: RequestId,
    ) -> Response<Body> {
        let (client, crowd) = self.gatekeeper.client(peer, &parts.headers);
        let original = Original {
            method: parts.method.clone(),
            host: host(parts),
            path: parts.uri.path(),
            query: parts.uri.query(),
            secure: None,
            headers: &parts.headers,
            client,
            crowd,
        };
        let span = traced::begin(&original, id);
        let (response, decision) = self.serve(&original, body, id).instrument(span.clone()).await;
        self.record(&original, &Outcome::of(&response, decision, None, &span), started, id);
        response
    }

    async fn serve(
        &self,
        original: &Original<'_>,
        body: Incoming,
        id: RequestId,
    ) -> (Response<Body>, &'static str) {
        if self.auth.origins().of_host(original.host).is_none() {
            return (answer::plain(self.unknown_host(original, id), id), UNKNOWN_HOST);
        }
        let facts = facts(original, &id);
        if let Some(reply) = self.as_oauth2_proxy(&facts) {
            return (answer::plain(reply, id), Decision::Own.as_str());
        }
        let (reply, decision) = match self.auth.check(&facts) {
            Check::Own(endpoint) => match read(body).await {
                Ok(body) => (self.auth.serve(endpoint, &facts, &body).await, Decision::Own),
                Err(status) => (Reply::empty(status), Decision::Own),
            },
            // Whatever the decision: there is no app behind this listener.
            Check::Forward(_) | Check::Answer(_) => {
                let message =
                    "Only Anteroom's own pages are here. The gateway sends everything else to the app.";
                (explained(StatusCode::NOT_FOUND, "not_found", message, id), Decision::BadTarget)
            }
        };
        (answer::plain(reply, id), decision.as_str())
    }

    /// The answer of oauth2-proxy's endpoints, where they are on.
    fn as_oauth2_proxy(&self, facts: &RequestFacts<'_>) -> Option<Reply> {
        let endpoint = alias::Endpoint::of(facts.path).filter(|_| self.oauth2_proxy.is_some())?;
        if facts.method != Method::GET && facts.method != Method::HEAD {
            return Some(Reply::empty(StatusCode::METHOD_NOT_ALLOWED));
        }
        let here = self.auth.origins().of_host(facts.host)?;
        let moved = alias::moved(endpoint, facts.query, here, self.auth.origins());
        Some(moved.unwrap_or_else(|| self.auth.oauth2_user_info(facts)))
    }
}

/// Host and port of a request: `Host`, exactly once, or what HTTP/2 says instead (RFC 9113 §8.3.1).
pub(super) fn host(parts: &Parts) -> &str {
    let mut hosts = parts.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().unwrap_or_default(),
        (None, _) => parts.uri.authority().map_or("", |authority| authority.as_str()),
        (Some(_), Some(_)) => "",
    }
}

async fn read(body: Incoming) -> Result<Vec<u8>, StatusCode> {
    match timeout(BODY_TIME, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes().into()),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_late) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}
