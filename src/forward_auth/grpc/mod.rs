//! Envoy's question over gRPC: `envoy.service.auth.v3.Authorization/Check`, the dialect with the most to say: it can take
//! headers and cookies away from the app's request.
//!
//! The same peers, key and decision as every other dialect. What is no `Check` call, or cannot be read as one, gets a
//! gRPC status that is not OK (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
//!
//! | file | question |
//! |---|---|
//! | `messages` | what do Envoy's messages look like? |
//! | `question` | what does a `CheckRequest` ask about? |
//! | `response` | how does a `CheckResponse` say yes or no? |

mod messages;
mod question;
mod response;

use std::future::{Ready, ready};

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::Either;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};
use tonic::Code;
use tonic::server::{Grpc, UnaryService};
use tonic_prost::ProstCodec;

use self::messages::{CheckRequest, CheckResponse, HttpResponse};
use self::question::Question;
use super::peer::Peer;
use super::service::{Answer, BODY_TIME, Decided, Outcome, Service};
use super::{Body, answer};
use crate::ops::RequestId;
use crate::reply::Reply;

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
/// Every version of Envoy's authorization services.
const SERVICES: &str = "/envoy.service.auth.";
/// The longest message, in bytes: Envoy's own bound on headers is 60 KiB, a body that it may add is not read.
const MAX_MESSAGE: usize = 256 * 1024;

/// Whether a request is a gRPC call, or means to be Envoy's.
pub(super) fn asks(parts: &Parts) -> bool {
    parts.uri.path().starts_with(SERVICES) || is_grpc(parts)
}

/// Answers a call from a trusted peer.
pub(super) async fn answer_call(
    service: &Service,
    parts: Parts,
    body: Incoming,
    peer: Peer,
    started: Instant,
    id: RequestId,
) -> Response<Body> {
    if !is_grpc(&parts) {
        let message = "only gRPC is spoken here: content-type application/grpc";
        return fail(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument, message, id);
    }
    if parts.version != Version::HTTP_2 || parts.method != Method::POST {
        return fail(StatusCode::BAD_REQUEST, Code::InvalidArgument, "gRPC is a POST over HTTP/2", id);
    }
    if parts.uri.path() != CHECK {
        return fail(StatusCode::NOT_FOUND, Code::Unimplemented, "only v3 Authorization/Check is here", id);
    }
    let mut grpc = Grpc::new(ProstCodec::default()).max_decoding_message_size(MAX_MESSAGE);
    let check = Check { service, peer, started, id };
    match timeout(BODY_TIME, grpc.unary(check, Request::from_parts(parts, body))).await {
        Ok(response) => response.map(Either::Right),
        Err(_late) => fail(StatusCode::REQUEST_TIMEOUT, Code::DeadlineExceeded, "the message is late", id),
    }
}

/// A call that failed: for readers of gRPC and for readers of HTTP.
pub(super) fn fail(status: StatusCode, code: Code, message: &str, id: RequestId) -> Response<Body> {
    let code = u8::try_from(code as i32).unwrap_or(2);
    answer::plain(Reply { status, ..Reply::grpc(code, message) }, id)
}

/// `application/grpc`, `application/grpc+proto`; not `application/grpc-web`.
fn is_grpc(parts: &Parts) -> bool {
    let content_type = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let rest = content_type.strip_prefix(b"application/grpc");
    rest.is_some_and(|rest| matches!(rest, [] | [b'+' | b';', ..]))
}

/// One call of `Check`.
struct Check<'a> {
    service: &'a Service,
    peer: Peer,
    started: Instant,
    id: RequestId,
}

impl UnaryService<CheckRequest> for Check<'_> {
    type Response = CheckResponse;
    type Future = Ready<Result<tonic::Response<CheckResponse>, tonic::Status>>;

    fn call(&mut self, request: tonic::Request<CheckRequest>) -> Self::Future {
        ready(Ok(tonic::Response::new(self.check(request.into_inner()))))
    }
}

impl Check<'_> {
    fn check(&self, message: CheckRequest) -> CheckResponse {
        let Self { service, peer, started, id } = *self;
        let question = Question::of(message);
        let original = match question.as_ref().map_err(|what| *what).and_then(|q| q.original(peer)) {
            Ok(original) => original,
            Err(what) => return response::refuse(service.unreadable(what, peer, id), "", id).0,
        };
        let Decided { answer, decision, permit, span } = service.decide(&original, id);
        let (response, status) = match answer {
            Answer::Allow(identity) => {
                let (layout, names) = (service.auth.layout(), service.auth.cookie_names());
                let yes = response::allow(&identity, original.headers, layout, |line| names.strip(line));
                (yes, StatusCode::OK)
            }
            Answer::Refuse { reply, origin } => response::refuse(reply, origin, id),
        };
        let bytes = match &response.http_response {
            Some(HttpResponse::DeniedResponse(denied)) => denied.body.len(),
            _ => 0,
        };
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let outcome =
            Outcome { status: status.as_u16(), bytes, decision, permit: permit.as_ref(), span: &span };
        service.record(&original, &outcome, started, id);
        response
    }
}
