//! What does Anteroom say where there is nothing to decide about: an unknown host, a path of its own, an unreadable
//! question? Each is counted, named in the log with its remedy, and a no.

use std::sync::atomic::Ordering;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use super::original::{Original, Unreadable};
use super::peer::Peer;
use super::service::Service;
use crate::ops::RequestId;
use crate::reply::Reply;

/// What logs and metrics call an unknown host.
pub(super) const UNKNOWN_HOST: &str = "unknown_host";

impl Service {
    /// The answer about a host that is none of ours.
    pub(super) fn unknown_host(&self, original: &Original<'_>, id: RequestId) -> Reply {
        self.auth.metrics().gateway_refused(UNKNOWN_HOST);
        if self.remarks.due(UNKNOWN_HOST) {
            tracing::warn!(
                request_id = id.as_str(),
                host = original.host,
                "a gateway asks about a host that nobody named; if it is yours, add it to app_urls"
            );
        }
        explained(
            StatusCode::FORBIDDEN,
            UNKNOWN_HOST,
            "Anteroom does not know this host. Its operator can add it to app_urls.",
            id,
        )
    }

    /// Says once that a gateway and the configuration disagree about TLS. The configuration counts.
    pub(super) fn other_scheme(&self, original: &Original<'_>) {
        if !self.scheme_noted.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                host = original.host,
                "the gateway names another scheme (http, https) than public_url or app_urls; if browsers do come over \
                 plain http, they drop the session cookie. Behind a load balancer, let the gateway trust its \
                 X-Forwarded-Proto. Said once"
            );
        }
    }

    /// The answer to a question that oauth2-proxy would have narrowed by its query.
    pub(super) fn not_narrower(&self, peer: Peer, id: RequestId) -> Reply {
        self.auth.metrics().gateway_refused("narrowed");
        if self.remarks.due("narrowed") {
            tracing::warn!(
                request_id = id.as_str(),
                %peer,
                "a gateway asks /oauth2/auth with allowed_groups, allowed_emails or the like, which Anteroom does not \
                 read; say who may pass in [access] and [[routes]], then take the parameter away"
            );
        }
        let message = "Anteroom reads no allowed_... parameters. Who may pass stands in its configuration.";
        explained(StatusCode::FORBIDDEN, "narrowed", message, id)
    }

    /// A yes here would hand a path of ours to the app, so the answer is no; the way out is in the message.
    pub(super) fn own_path(&self, original: &Original<'_>, id: RequestId) -> Reply {
        self.auth.metrics().gateway_refused("own_path");
        if self.remarks.due("own_path") {
            tracing::warn!(
                request_id = id.as_str(),
                path = original.path,
                "a gateway asks about a path of Anteroom's own; it should route /_anteroom/ and the callback here without asking"
            );
        }
        explained(
            StatusCode::FORBIDDEN,
            "own_path",
            "The gateway asks Anteroom about one of Anteroom's own pages. Route /_anteroom/ and the callback path to \
             Anteroom without asking first; `anteroom config` prints how.",
            id,
        )
    }

    /// The answer to a question that cannot be read.
    pub(super) fn unreadable(&self, what: Unreadable, peer: Peer, id: RequestId) -> Reply {
        self.auth.metrics().gateway_refused("unreadable");
        if self.remarks.due("unreadable") {
            tracing::warn!(
                request_id = id.as_str(),
                %peer,
                what = what.0,
                "a gateway does not say what it asks about: missing, doubled or not to be parsed"
            );
        }
        let message = format!("{} is missing, doubled or not to be parsed.", what.0);
        explained(StatusCode::BAD_REQUEST, "unreadable_request", &message, id)
    }
}

/// A refusal in words.
pub(super) fn explained(status: StatusCode, error: &str, message: &str, id: RequestId) -> Reply {
    let body = serde_json::json!({ "error": error, "message": message, "request_id": id.as_str() });
    Reply::json(status, &body).with(CONTENT_TYPE, HeaderValue::from_static("application/json"))
}
