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

use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::Instant;
use tonic::Code;

use super::own::host;
use super::peer::Peer;
use super::refusals::explained;
use super::service::{Answer, Decided, Dialect, Outcome, Service};
use super::{Body, alias, answer, grpc, original};
use crate::ops::RequestId;

/// Where questions are asked.
const VERIFY: &str = "/_anteroom/verify/";

impl Service {
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

    /// The answer to somebody who is no trusted gateway.
    fn turn_away(&self, parts: &Parts, peer: Peer, id: RequestId) -> Response<Body> {
        self.auth.metrics().gateway_refused("stranger");
        if self.strangers.new_here(peer) {
            tracing::warn!(
                request_id = id.as_str(),
                %peer,
                "this peer is no trusted gateway; if it is yours, add it to forward_auth.trusted_proxies (and send the key)"
            );
        }
        let message = "This listener answers trusted gateways only.";
        if grpc::asks(parts) {
            return grpc::fail(StatusCode::FORBIDDEN, Code::PermissionDenied, message, id);
        }
        answer::plain(explained(StatusCode::FORBIDDEN, "not_a_trusted_gateway", message, id), id)
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
