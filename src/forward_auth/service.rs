//! What is this request to the forward-auth listener? A gateway's question in one of the dialects, or a browser's request
//! for one of Anteroom's own pages that the gateway has routed here.
//!
//! | path | who asks | reads |
//! |---|---|---|
//! | `/_anteroom/verify/nginx` | nginx `auth_request` | `X-Original-URL`, `X-Original-Method` |
//! | `/_anteroom/verify/forward` | Traefik, Caddy, HAProxy | `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri`, `-For` |
//! | `/_anteroom/verify/envoy/…` | Envoy, Gateway API | method, `Host`, the path behind the prefix |
//! | `/envoy.service.auth.v3.Authorization/Check` | Envoy over gRPC | the message |
//! | anything else | a browser, through the gateway | the request itself |
//!
//! One dialect per path, never guessed from the headers that happen to be there.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use http::header::{HOST, USER_AGENT};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};
use tracing::{Instrument, Span};

use super::original::{self, Original};
use super::peer::{Gatekeeper, Peer};
use super::refusals::{UNKNOWN_HOST, explained};
use super::strangers::Strangers;
use super::{Body, alias, answer, grpc, traced};
use crate::auth::{Auth, Check, RequestFacts, SessionPermit};
use crate::clock::{Clock, SystemClock};
use crate::identity::headers::HeaderSet;
use crate::metrics::{Decision, Exemplar, Mode};
use crate::ops::tracing::place;
use crate::ops::{AccessEntry, AccessLog, Remarks, RequestId, RequestIds};
use crate::reply::Reply;
use crate::span;

/// Where questions are asked.
const VERIFY: &str = "/_anteroom/verify/";
/// The largest body that Anteroom's own endpoints read, in bytes.
const MAX_BODY: usize = 8 * 1024;
/// How long a client may take over it.
pub(super) const BODY_TIME: Duration = Duration::from_secs(10);

/// How a gateway asks and is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// nginx `auth_request`.
    Nginx,
    /// Traefik, Caddy, HAProxy.
    Forward,
    /// Envoy's HTTP `ext_authz`.
    Envoy,
}

/// Answers requests.
pub(super) struct Service {
    pub(super) auth: Arc<Auth>,
    pub(super) access_log: Arc<dyn AccessLog>,
    pub(super) gatekeeper: Gatekeeper,
    pub(super) request_ids: Arc<RequestIds>,
    pub(super) strangers: Strangers,
    /// What the log has said of gateways' questions lately.
    pub(super) remarks: Remarks,
    /// Whether the log has said already that a gateway names another scheme than the configuration.
    pub(super) scheme_noted: AtomicBool,
    /// The dialect of `/oauth2/auth`, where oauth2-proxy's paths are on.
    pub(super) oauth2_proxy: Option<Dialect>,
}

/// What was decided, before a dialect puts it into its words.
pub(super) struct Decided<'a> {
    pub(super) answer: Answer<'a>,
    pub(super) decision: &'static str,
    pub(super) permit: Option<SessionPermit>,
    pub(super) span: Span,
}

/// Yes or no.
pub(super) enum Answer<'a> {
    /// Yes, and who is there.
    Allow(Arc<HeaderSet>),
    /// No.
    Refuse {
        /// In what words.
        reply: Reply,
        /// Where relative addresses in them lead.
        origin: &'a str,
    },
}

/// What the access log says of an answer.
pub(super) struct Outcome<'a> {
    pub(super) status: u16,
    pub(super) bytes: u64,
    pub(super) decision: &'static str,
    pub(super) permit: Option<&'a SessionPermit>,
    pub(super) span: &'a Span,
}

impl Service {
    /// For these gateways.
    pub(super) fn new(
        auth: Arc<Auth>,
        access_log: Arc<dyn AccessLog>,
        gatekeeper: Gatekeeper,
        request_ids: Arc<RequestIds>,
        oauth2_proxy: Option<Dialect>,
    ) -> Self {
        Self {
            auth,
            access_log,
            gatekeeper,
            request_ids,
            strangers: Strangers::default(),
            remarks: Remarks::default(),
            scheme_noted: AtomicBool::new(false),
            oauth2_proxy,
        }
    }

    /// Answers a request from a peer.
    pub(super) async fn answer(&self, request: Request<Incoming>, peer: Peer) -> Response<Body> {
        let (started, id) = (Instant::now(), self.request_ids.next());
        let (parts, body) = request.into_parts();
        if !self.gatekeeper.knows(peer) || !self.gatekeeper.opens(&parts.headers) {
            return self.turn_away(&parts, peer, id);
        }
        let Some((dialect, rest)) = self.question(parts.uri.path()) else {
            // In boxes: what is rare must not make the future of every question a large one.
            if grpc::asks(&parts) {
                return Box::pin(grpc::answer_call(self, parts, body, peer, started, id)).await;
            }
            return Box::pin(self.own(&parts, body, peer, started, id)).await;
        };
        let asked = match dialect {
            Dialect::Nginx => original::nginx(&parts.headers, peer),
            Dialect::Forward => original::forwarded(&parts.headers, peer, &self.gatekeeper),
            Dialect::Envoy => {
                let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
                let target = target.get(target.len().min(parts.uri.path().len() - rest.len())..);
                original::envoy(&parts.method, target.unwrap_or_default(), host(&parts), &parts.headers, peer)
            }
        };
        match asked {
            Ok(_) if self.narrowed(&parts) => {
                let reply = self.not_narrower(peer, id);
                in_words(dialect, Answer::Refuse { reply, origin: "" }, id)
            }
            Ok(original) => {
                let Decided { answer, decision, permit, span } = self.decide(&original, id);
                let response = in_words(dialect, answer, id);
                let outcome = Outcome::of(&response, decision, permit.as_ref(), &span);
                self.record(&original, &outcome, started, id);
                response
            }
            Err(unreadable) => {
                let reply = self.unreadable(unreadable, peer, id);
                in_words(dialect, Answer::Refuse { reply, origin: "" }, id)
            }
        }
    }

    /// The dialect of a path, and what stands behind the dialect's own part of it.
    fn question<'a>(&self, path: &'a str) -> Option<(Dialect, &'a str)> {
        match self.oauth2_proxy {
            Some(dialect) if alias::Endpoint::of(path) == Some(alias::Endpoint::Auth) => Some((dialect, "")),
            _ => question(path),
        }
    }

    /// Whether this asks oauth2-proxy's way for less than the configuration allows.
    fn narrowed(&self, parts: &Parts) -> bool {
        let asked = self.oauth2_proxy.and_then(|_| alias::Endpoint::of(parts.uri.path()));
        asked.is_some_and(|endpoint| alias::narrows(endpoint, parts.uri.query()))
    }

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

    /// A request that the gateway routed here for one of our own endpoints.
    async fn own(
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

    /// Counts an answer and writes it down.
    pub(super) fn record(
        &self,
        original: &Original<'_>,
        outcome: &Outcome<'_>,
        started: Instant,
        id: RequestId,
    ) {
        let duration = started.elapsed();
        span::answered(outcome.span, outcome.status, outcome.decision);
        let here = place(outcome.span);
        let example = match here {
            Some(here) => here.sampled().then(|| Exemplar::trace(here.trace_id())),
            None => Exemplar::request(id.as_str()),
        };
        self.auth.metrics().request_of(outcome.status, duration, example);
        let live = outcome.permit.and_then(|permit| permit.session());
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.access_log.record(&AccessEntry {
            time_ms: SystemClock.now_millis().saturating_sub(millis),
            request_id: id.as_str(),
            client: original.client,
            method: original.method.as_str(),
            path: original.path,
            status: outcome.status,
            bytes_out: outcome.bytes,
            duration,
            decision: outcome.decision,
            account_id: live.map(|live| live.session().person.account_id.as_str()),
            user_agent: original.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()),
            upstream_ms: None,
            http_version: None,
            trace_id: here.map(|here| here.trace_id()),
        });
    }
}

impl<'a> Outcome<'a> {
    fn of(
        response: &Response<Body>,
        decision: &'static str,
        permit: Option<&'a SessionPermit>,
        span: &'a Span,
    ) -> Self {
        let bytes = hyper::body::Body::size_hint(response.body()).exact().unwrap_or_default();
        Self { status: response.status().as_u16(), bytes, decision, permit, span }
    }
}

/// The dialect that a path speaks, and what stands behind the dialect's own part of it.
fn question(path: &str) -> Option<(Dialect, &str)> {
    match path.strip_prefix(VERIFY)? {
        "nginx" => Some((Dialect::Nginx, "")),
        "forward" => Some((Dialect::Forward, "")),
        rest => {
            let rest = rest.strip_prefix("envoy")?;
            (rest.is_empty() || rest.starts_with('/')).then_some((Dialect::Envoy, rest))
        }
    }
}

fn in_words(dialect: Dialect, answer: Answer<'_>, id: RequestId) -> Response<Body> {
    match (answer, dialect) {
        (Answer::Allow(identity), _) => answer::allow(&identity),
        (Answer::Refuse { reply, origin }, Dialect::Nginx) => answer::refuse_nginx(reply, origin, id),
        (Answer::Refuse { reply, origin }, _) => answer::refuse(reply, origin, id),
    }
}

fn facts<'a>(original: &'a Original<'_>, id: &'a RequestId) -> RequestFacts<'a> {
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

/// Host and port of a request: `Host`, exactly once, or what HTTP/2 says instead (RFC 9113 §8.3.1).
fn host(parts: &Parts) -> &str {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_dialect_per_path() {
        for (path, want) in [
            ("/_anteroom/verify/nginx", Some((Dialect::Nginx, ""))),
            ("/_anteroom/verify/forward", Some((Dialect::Forward, ""))),
            ("/_anteroom/verify/envoy/a%2fb", Some((Dialect::Envoy, "/a%2fb"))),
            ("/_anteroom/verify/envoy//a", Some((Dialect::Envoy, "//a"))),
            ("/_anteroom/verify/envoy", Some((Dialect::Envoy, ""))),
            ("/_anteroom/verify/envoyx", None),
            ("/_anteroom/verify/nginx/", None),
            ("/_anteroom/verify/Nginx", None),
            ("/_anteroom/verify/", None),
            ("/_anteroom/verify", None),
            ("/verify/nginx", None),
        ] {
            assert_eq!(question(path), want, "{path}");
        }
    }
}
