//! What do we do in each of pingora's phases? Each is handed to the module that knows.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use http::{StatusCode, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::protocols::Digest;
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType};
use tokio::time::Instant;
use tracing::Instrument;

use super::below::watch_of;
use super::context::Request;
use super::facts::{self, host_of};
use super::phases::{self, Next, close_when_due};
use super::service::Service;
use super::streams::Stream;
use super::streams::last_words::last_words;
use super::upstreams::of_exchange;
use super::{own_pages, response};
use crate::metrics::Open;
use crate::span;

/// What is in force, as pingora owns it: a request takes it along as it is when the request arrives.
pub(super) struct App(pub(super) Arc<ArcSwap<Service>>);

#[async_trait]
impl ProxyHttp for App {
    type CTX = Request;

    fn new_ctx(&self) -> Request {
        Request::new(self.0.load_full())
    }

    /// None: pingora's own would be compression.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, request: &mut Request) -> pingora::Result<bool> {
        let service = Arc::clone(&request.service);
        service.begin(session, request);
        service.trace(session, request);
        let span = request.span.clone();
        let next = span.in_scope(|| service.decide(session, request));
        let reply = match next {
            Next::Forward => {
                let live = request.permit.as_ref().and_then(|permit| permit.session()).cloned();
                request.stream = watch_of(session).map(|watch| Stream::begin(watch, &service.streams, live));
                return Ok(false);
            }
            Next::Answer(reply) => reply,
            Next::Refuse(reply) => {
                session.set_keepalive(None);
                reply
            }
            Next::Serve(endpoint) => service.serve(endpoint, session, request).instrument(span).await,
        };
        close_when_due(session, &service);
        own_pages::write(session, request.id, reply).await.map(|()| true)
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        request: &mut Request,
    ) -> pingora::Result<Box<HttpPeer>> {
        request.asked = request.service.access_log.writes().then(Instant::now);
        request.upstream_span = span::upstream(&request.span, session.req_header().method.as_str());
        phases::peer(request).await
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        request: &mut Request,
        mut error: Box<Error>,
    ) -> Box<Error> {
        span::upstream_answered(&request.upstream_span, 0);
        error.set_retry(phases::connect_failed(request, &error));
        error
    }

    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        reused: bool,
        _peer: &HttpPeer,
        _fd: std::os::unix::io::RawFd,
        _digest: Option<&Digest>,
        request: &mut Request,
    ) -> pingora::Result<()> {
        if !reused && let (Some(upstream), Some(under_way)) = (&request.upstream, &request.under_way) {
            upstream.connected(under_way.backend());
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        header: &mut RequestHeader,
        request: &mut Request,
    ) -> pingora::Result<()> {
        request.service.prepare(session, header, request)
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        request: &mut Request,
    ) -> pingora::Result<()> {
        if let Some(stream) = &request.stream {
            stream.heard(body.as_ref());
        }
        let service = Arc::clone(&request.service);
        service.body(session, body.as_ref().map_or(0, Bytes::len), end, request)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        request: &mut Request,
    ) -> pingora::Result<()> {
        if response.status == StatusCode::SWITCHING_PROTOCOLS && !facts::opens_websocket(session.req_header())
        {
            // A client that did not ask would read what follows as something else.
            let unasked = Error::explain(ErrorType::InvalidHTTPHeader, "protocols switched unasked");
            return Err(unasked.into_up());
        }
        let provisioned =
            response::clean(response, |name| request.service.auth.cookie_names().is_ours(name))?;
        if session.req_header().version == Version::HTTP_10 {
            response::without_chunks(session, response);
        }
        request.answered = request.asked.map(|asked| asked.elapsed());
        span::upstream_answered(&request.upstream_span, response.status.as_u16());
        if response.status == StatusCode::SWITCHING_PROTOCOLS {
            request.websocket = Some(Open::new(&request.service.auth.metrics().websockets));
        }
        let switching = response.status == StatusCode::SWITCHING_PROTOCOLS;
        if let Some(stream) = &mut request.stream
            && (switching || !response.status.is_informational())
        {
            stream.answered(response, request.service.auth.metrics());
        }
        // Browsers drop the cookies of an interim answer; the word counts when it comes with the final one.
        if provisioned
            && !response.status.is_informational()
            && let Some(permit) = &request.permit
            && let Some(line) = request
                .service
                .auth
                .provisioned(permit, host_of(session.req_header()))
                .instrument(request.span.clone())
                .await
        {
            response.append_header("Set-Cookie", line)?;
            // A session must not be kept by a shared cache, whatever the app says of this answer (RFC 9111 §7.3).
            response.insert_header("Cache-Control", "private, no-store")?;
            for name in ["cdn-cache-control", "surrogate-control", "expires"] {
                response.remove_header(name);
            }
        }
        close_when_due(session, &request.service);
        Ok(())
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end: bool,
        request: &mut Request,
    ) -> pingora::Result<Option<Duration>> {
        if let Some(stream) = &mut request.stream {
            stream.hand_on(body);
        }
        Ok(None)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        request: &mut Request,
    ) -> FailToProxy {
        if last_words(session, request).await {
            return FailToProxy { error_code: 0, can_reuse_downstream: false };
        }
        // What a client breaks off could fill a disk; the access log has each one.
        let of_the_client = *error.esource() == ErrorSource::Downstream;
        if !of_the_client || request.service.remarks.due("client_failed") {
            let (id, source, kind) = (request.id.as_str(), error.esource().as_str(), error.etype().as_str());
            let cause = of_exchange(error);
            tracing::warn!(
                request_id = id,
                source,
                error = kind,
                cause = cause.as_deref(),
                "a request failed"
            );
        }
        let mut error_code = 0;
        if let Some(reply) = request.service.failure(session, request, error) {
            error_code = reply.status.as_u16();
            // The client may be gone as well; there is nobody left to tell.
            let _gone = own_pages::write_last(session, request.id, reply).await;
        }
        FailToProxy { error_code, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, _error: Option<&Error>, request: &mut Request) {
        request.websocket = None;
        request.under_way = None;
        request.end_stream();
        request.service.record(session, request);
    }

    /// Everything that may be said is said by us: pingora's lines quote targets and buffers.
    fn suppress_error_log(&self, _session: &Session, _request: &Request, _error: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _request: &Request,
        _error: &Error,
        _context: ProxyWarnLogContext,
    ) -> bool {
        true
    }

    fn request_summary(&self, _session: &Session, request: &Request) -> String {
        format!("request {}", request.id.as_str())
    }
}
