//! What is decided and done in each of pingora's phases? The parts that do not wait, and the little that does.

use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderValue, Method, StatusCode, Version};
use pingora::http::RequestHeader;
use pingora::proxy::Session;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType};
use tokio::time::Instant;

use super::below::client_of;
use super::client::Client;
use super::context::Request;
use super::facts::host_of;
use super::limits::Body;
use super::record::decision_of;
use super::service::Service;
use super::streams::origin::may_open;
use super::upstreams::{Kind, of_connection};
use super::way::Way;
use super::{facts, limits, onward, own_pages};
use crate::auth::{Check, Endpoint, RequestFacts};
use crate::metrics::{Decision, Mode};
use crate::net::Limit;
use crate::ops::tracing::continue_from;
use crate::reply::Reply;
use crate::span;

/// What follows from the request's header alone.
pub(super) enum Next {
    /// To the upstream.
    Forward,
    /// To an endpoint of ours.
    Serve(Endpoint),
    /// Answer this.
    Answer(Reply),
    /// Answer this, and read nothing more: where this request ends is in doubt.
    Refuse(Reply),
}

impl Service {
    fn facts<'a>(&self, session: &'a Session, request: &'a Request) -> RequestFacts<'a> {
        let header = session.req_header();
        RequestFacts {
            method: &header.method,
            path: header.uri.path(),
            query: header.uri.query(),
            host: host_of(header),
            mode: Mode::Proxy,
            headers: &header.headers,
            client: request.client,
            crowd: request.crowd(),
            request_id: request.id.as_str(),
        }
    }

    /// Sets the connection's times, and settles whether this opens a WebSocket. pingora would take `Upgrade` alone as
    /// a handshake; a front proxy would not, and two readings of where a request ends are one too many.
    pub(super) fn begin(&self, session: &mut Session, request: &mut Request) {
        if let Some(client) = client_of(session) {
            client.serving();
            request.client = client.ip;
            let (headers, settings) = (&session.req_header().headers, &self.settings);
            request.way = Way::read(headers, client.address(), &settings.trusted, settings.client_header);
        }
        if let Some(way) = &request.way {
            request.client = way.client.unwrap_or(request.client);
            request.id = way.request_id.unwrap_or(request.id);
        }
        request.kind = kind_of(session.req_header());
        let times = &self.settings.timeouts;
        session.set_write_timeout(Some(times.write));
        request.body = Body::of(session.req_header(), request.kind, request.started);
        // A gRPC client may be silent for as long as it listens; whether it is there, its connection tells.
        session.set_read_timeout(request.body.patience(&self.settings.limits, times, request.started));
        if session.get_keepalive().is_some() {
            // pingora would keep it for ever. It takes whole seconds, and zero as "for ever".
            session.set_keepalive(Some(times.keep_alive.as_secs().max(1)));
        }
        if !end_is_known(session, request.kind) {
            // The engine reads chunk lines more leniently than the next program may: a bare LF, an empty size. Where the
            // body ends is then a matter of opinion, and nothing that follows it may count as a request.
            session.set_keepalive(None);
        }
        if request.kind != Kind::Upgrade {
            session.req_header_mut().remove_header(&UPGRADE);
        }
        onward::forget_spelling(session.req_header_mut());
        if session.req_header().version == Version::HTTP_10 {
            // It knows no interim answers (RFC 9110 §15.2 and §10.1.1).
            session.req_header_mut().remove_header(&EXPECT);
            session.set_ignore_info_resp(true);
        }
    }

    /// Begins the request's span, in the trace of a trusted hop if there is one.
    pub(super) fn trace(&self, session: &Session, request: &mut Request) {
        let header = session.req_header();
        let scheme = if self.settings.public_scheme_https { "https" } else { "http" };
        let (method, path) = (header.method.as_str(), header.uri.path());
        request.span = span::request(method, path, Some(scheme), request.id.as_str());
        continue_from(&request.span, request.way.as_ref().and_then(|way| way.trace));
    }

    /// Forward, serve or answer?
    pub(super) fn decide(&self, session: &Session, request: &mut Request) -> Next {
        let _within = span::decision().entered();
        let (raw, most) = (session.to_h1_raw(), &self.settings.limits);
        if let Some(limit) = limits::of_header(session.req_header(), &raw, most) {
            self.auth.metrics().decision(Decision::BadTarget, Mode::Proxy);
            request.decision = Some(Decision::BadTarget);
            return Next::Answer(self.limited(limit, request));
        }
        if let Err(status) = facts::examine(session.req_header(), &raw, *most) {
            request.decision = Some(Decision::BadTarget);
            self.auth.metrics().decision(Decision::BadTarget, Mode::Proxy);
            return match status {
                StatusCode::BAD_REQUEST => Next::Refuse(self.auth.bad_request(&self.facts(session, request))),
                status => Next::Answer(own_pages::plain(status)),
            };
        }
        if request.kind == Kind::Upgrade && !may_open(self, session.req_header(), request) {
            return Next::Answer(own_pages::foreign_websocket());
        }
        let check = self.auth.check(&self.facts(session, request));
        request.decision = Some(decision_of(&check));
        match check {
            Check::Forward(permit) => match limits::announced(session.req_header(), most) {
                Some(limit) => Next::Answer(self.limited(limit, request)),
                None => {
                    request.permit = Some(permit);
                    self.choose(session, request)
                }
            },
            Check::Own(endpoint) => Next::Serve(endpoint),
            Check::Answer(reply) => Next::Answer(reply),
        }
    }

    /// The app that a permitted request is for.
    fn choose(&self, session: &Session, request: &mut Request) -> Next {
        let header = session.req_header();
        let host = self.auth.origins().of_host(host_of(header));
        match self.upstreams.of(host, header.uri.path()) {
            Ok(upstream) => {
                request.upstream = Some(Arc::clone(upstream));
                Next::Forward
            }
            Err(StatusCode::BAD_REQUEST) => {
                Next::Answer(self.auth.bad_request(&self.facts(session, request)))
            }
            Err(status) => Next::Answer(own_pages::plain(status)),
        }
    }

    /// A piece of the body is about to be sent on: may it, and how long may the next one take?
    pub(super) fn body(
        &self,
        session: &mut Session,
        bytes: usize,
        end: bool,
        request: &mut Request,
    ) -> pingora::Result<()> {
        let (most, times) = (&self.settings.limits, &self.settings.timeouts);
        if request.kind == Kind::Upgrade || (end && bytes == 0 && request.body.is_empty()) {
            return Ok(());
        }
        request.body.add(bytes);
        let now = Instant::now();
        match request.body.beyond(most, times, now) {
            None => {}
            Some(Limit::BodyRead) if end => {}
            Some(limit) => {
                let status = ErrorType::HTTPStatus(limits::status(limit).as_u16());
                return Err(Error::explain(status, limit.as_str()).into_down());
            }
        }
        session.set_read_timeout(request.body.patience(most, times, now));
        Ok(())
    }

    /// The answer of an endpoint of ours.
    pub(super) async fn serve(&self, endpoint: Endpoint, session: &mut Session, request: &Request) -> Reply {
        match own_pages::read_body(session).await {
            Ok(body) => self.auth.serve(endpoint, &self.facts(session, request), &body).await,
            Err(status) => own_pages::plain(status),
        }
    }

    /// The page for a failure, unless the answer has begun or nobody is there to read it.
    pub(super) fn failure(&self, session: &Session, request: &Request, error: &Error) -> Option<Reply> {
        let limit = self.limit_behind(request, error);
        let limited = limit.map(|limit| self.limited(limit, request));
        if session.response_written().is_some_and(|sent| !sent.status.is_informational()) {
            return None;
        }
        let facts = self.facts(session, request);
        match (error.esource(), error.etype()) {
            (ErrorSource::Upstream, etype) => Some(self.auth.upstream_down(&facts, is_timeout(etype))),
            (ErrorSource::Downstream, ErrorType::InvalidHTTPHeader) => Some(self.auth.bad_request(&facts)),
            (ErrorSource::Downstream, etype)
                if BROKEN_BODY.contains(&etype.as_str())
                    || client_of(session).is_some_and(|client| client.chunks.malformed()) =>
            {
                Some(self.auth.bad_request(&facts))
            }
            (ErrorSource::Downstream, _) => limited,
            _ => Some(own_pages::plain(StatusCode::INTERNAL_SERVER_ERROR)),
        }
    }

    /// The limit that a client ran into, where a failure is that.
    fn limit_behind(&self, request: &Request, error: &Error) -> Option<Limit> {
        let beyond = request.body.beyond(&self.settings.limits, &self.settings.timeouts, Instant::now());
        match (error.esource(), error.etype()) {
            (ErrorSource::Downstream, ErrorType::HTTPStatus(_)) => beyond,
            (ErrorSource::Downstream, ErrorType::ReadTimedout) => Some(beyond.unwrap_or(Limit::Read)),
            _ => None,
        }
    }
}

/// The connection to make for a request that was given leave.
pub(super) async fn peer(request: &mut Request) -> pingora::Result<Box<HttpPeer>> {
    // What an earlier try counted is over.
    request.under_way = None;
    let Some(upstream) = &request.upstream else {
        return Error::e_explain(ErrorType::InternalError, "a request for no app was about to be sent");
    };
    let account = request.permit.as_ref().and_then(|permit| permit.session());
    let account = account.map(|live| live.session().person.account_id.as_str());
    match upstream.peer(request.kind, account, &request.tried).await {
        Ok((peer, under_way)) => {
            request.under_way = Some(under_way);
            Ok(peer)
        }
        Err(none) => {
            tracing::warn!(request_id = request.id.as_str(), upstream = upstream.name(), "{none}");
            Err(Error::explain(ErrorType::ConnectNoRoute, none.to_string()).into_up())
        }
    }
}

/// A connection could not be made; says whether to try again. Nothing was sent yet, so every method may.
pub(super) fn connect_failed(request: &mut Request, error: &Error) -> bool {
    let (Some(upstream), Some(under_way)) = (&request.upstream, request.under_way.take()) else {
        return false;
    };
    let (id, backend, cause) = (request.id.as_str(), under_way.backend(), of_connection(error));
    // That one is out has been said; each try of it since is no news.
    if upstream.trusts(backend) {
        tracing::warn!(
            request_id = id, upstream = upstream.name(), server = %backend.address(),
            error = error.root_etype().as_str(), cause = &*cause, "no connection to the upstream"
        );
    }
    request.tried.push(Arc::clone(backend));
    upstream.connect_failed(backend, &request.tried, &cause)
}

/// How pingora calls chunks and trailers that break the rules (RFC 9112 §7.1).
const BROKEN_BODY: [&str; 2] = ["InvalidChunk", "InvalidTrailerEnd"];

/// Tells the connection where the request ends: after so many bytes, or with its chunks, which are held against the RFC byte
/// by byte. `false` where they cannot be.
fn end_is_known(session: &Session, kind: Kind) -> bool {
    let Some(stream) = session.stream() else { return true }; // HTTP/2 frames everything.
    let stream: &dyn pingora::protocols::IO = &**stream;
    let Some(client) = stream.as_any().downcast_ref::<Client>() else { return false };
    let (headers, header) = (&session.req_header().headers, session.to_h1_raw().len());
    if headers.contains_key(TRANSFER_ENCODING) {
        return client.check_chunks(header);
    }
    if kind != Kind::Upgrade {
        let length = headers.get(CONTENT_LENGTH).map_or(Some(0), |length| length.to_str().ok()?.parse().ok());
        // What is no length is refused before a body is read.
        client.expect_body(header, length.unwrap_or(u64::MAX));
    }
    true
}

fn kind_of(header: &RequestHeader) -> Kind {
    let listens = |value: &HeaderValue| value.as_bytes().starts_with(b"text/event-stream");
    if facts::opens_websocket(header) {
        Kind::Upgrade
    } else if facts::is_grpc(header) {
        Kind::Grpc
    } else if header.method == Method::GET && header.headers.get(ACCEPT).is_some_and(listens) {
        Kind::EventStream
    } else {
        Kind::Plain
    }
}

/// This answer is the last on its connection: while draining, when the connection's terms are no longer those in force, and
/// where the client did not wait for it.
pub(super) fn close_when_due(session: &mut Session, service: &Service) {
    let went_on = || client_of(session).is_some_and(|client| client.went_on());
    if session.is_process_shutting_down() || service.door.is_closed() || went_on() {
        session.set_keepalive(None);
    }
}

fn is_timeout(etype: &ErrorType) -> bool {
    use ErrorType::{ConnectTimedout, ReadTimedout, TLSHandshakeTimedout, WriteTimedout};
    matches!(etype, ConnectTimedout | TLSHandshakeTimedout | ReadTimedout | WriteTimedout)
}
