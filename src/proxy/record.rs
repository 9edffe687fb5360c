//! What is counted and written down of a request, when it is done or was refused? One line, and the series it belongs to.

use std::net::IpAddr;
use std::time::Duration;

use http::StatusCode;
use http::header::USER_AGENT;
use pingora::proxy::Session;

use super::client::Connection;
use super::context::Request;
use super::service::Service;
use super::{limits, own_pages};
use crate::auth::Check;
use crate::clock::{Clock, SystemClock};
use crate::metrics::{Decision, Entrance, Exemplar, Mode};
use crate::net::Limit;
use crate::ops::access_log::{self, AccessEntry};
use crate::ops::tracing::place;
use crate::reply::Reply;
use crate::span;

impl Service {
    /// Counts and says that a client ran into a limit, and gives the answer to it.
    pub(super) fn limited(&self, limit: Limit, request: &Request) -> Reply {
        self.note(limit, request.client);
        own_pages::plain(limits::status(limit))
    }

    fn note(&self, limit: Limit, client: IpAddr) {
        self.auth.metrics().limit(limit);
        if self.remarks.due(limit.as_str()) {
            tracing::warn!(%client, limit = limit.as_str(), setting = limit.setting(), "a client ran into a limit");
        }
    }

    /// Counts and logs a finished request.
    pub(super) fn record(&self, session: &Session, request: &Request) {
        let status = session.response_written().map_or(0, |response| response.status.as_u16());
        let duration = request.started.elapsed();
        let decision = request.decision.map_or("", Decision::as_str);
        span::answered(&request.span, status, decision);
        let here = place(&request.span);
        let example = match here {
            Some(here) => here.sampled().then(|| Exemplar::trace(here.trace_id())),
            None => Exemplar::request(request.id.as_str()),
        };
        self.auth.metrics().request_of(status, duration, example);
        if !self.access_log.writes() {
            return;
        }
        let (header, now) = (session.req_header(), SystemClock.now_millis());
        let live = request.permit.as_ref().and_then(|permit| permit.session());
        self.access_log.record(&AccessEntry {
            time_ms: now.saturating_sub(millis(duration)),
            request_id: request.id.as_str(),
            client: request.client,
            method: header.method.as_str(),
            path: header.uri.path(),
            status,
            bytes_out: session.body_bytes_sent() as u64,
            duration,
            decision,
            account_id: live.map(|live| live.session().person.account_id.as_str()),
            user_agent: header.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()),
            upstream_ms: request.answered.map(millis),
            http_version: access_log::http_version(header.version),
            trace_id: here
                .or_else(|| request.way.as_ref().and_then(|way| way.trace))
                .map(|trace| trace.trace_id()),
        });
    }

    /// Counts and logs what was answered before there was a request.
    pub(super) fn record_refusal(&self, connection: &Connection, status: u16) {
        match status {
            408 => self.note(Limit::HeaderRead, connection.ip),
            431 => self.note(Limit::HeaderBytes, connection.ip),
            _ => {}
        }
        self.auth.metrics().unreadable(Entrance::Proxy);
        self.auth.metrics().request(status, Duration::ZERO);
        self.auth.metrics().decision(Decision::BadTarget, Mode::Proxy);
        self.access_log.record(&AccessEntry {
            time_ms: SystemClock.now_millis(),
            request_id: self.request_ids.next().as_str(),
            client: connection.ip,
            method: "",
            path: "",
            status,
            bytes_out: 0,
            duration: Duration::ZERO,
            decision: "unreadable",
            account_id: None,
            user_agent: None,
            upstream_ms: None,
            http_version: None,
            trace_id: None,
        });
    }
}

/// How a decision is called.
pub(super) fn decision_of(check: &Check) -> Decision {
    match check {
        Check::Forward(permit) if permit.session().is_some() => Decision::SignedIn,
        Check::Forward(_) => Decision::Public,
        Check::Own(_) => Decision::Own,
        Check::Answer(reply) => match reply.status {
            StatusCode::BAD_REQUEST => Decision::BadTarget,
            StatusCode::FORBIDDEN => Decision::Denied,
            StatusCode::UNAUTHORIZED => Decision::Unauthenticated,
            _ => Decision::SignIn,
        },
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
