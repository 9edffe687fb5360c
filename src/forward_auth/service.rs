//! What do all dialects share? The decision's home, what is counted and written down of an answer, and the words in which
//! one is handed to a dialect.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use http::Response;
use http::header::USER_AGENT;
use tokio::time::Instant;
use tracing::Span;

use super::Body;
use super::original::Original;
use super::peer::Gatekeeper;
use super::strangers::Strangers;
use crate::auth::{Auth, SessionPermit};
use crate::clock::{Clock, SystemClock};
use crate::identity::headers::HeaderSet;
use crate::metrics::Exemplar;
use crate::ops::tracing::place;
use crate::ops::{AccessEntry, AccessLog, Remarks, RequestId, RequestIds};
use crate::reply::Reply;
use crate::span;

/// How long a client may take over a body.
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

/// What is in force for a question.
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
    pub(super) fn of(
        response: &Response<Body>,
        decision: &'static str,
        permit: Option<&'a SessionPermit>,
        span: &'a Span,
    ) -> Self {
        let bytes = hyper::body::Body::size_hint(response.body()).exact().unwrap_or_default();
        Self { status: response.status().as_u16(), bytes, decision, permit, span }
    }
}
