//! What does pingora see of one request over HTTP/2? A session of its own kind, around pingora's HTTP/2 one.
//!
//! It carries what the hooks must know of the connection, limits how long a client may be silent in the middle of a
//! body, ends when it is told to, and ends an answer without a body with its header, as gRPC's Trailers-Only must
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>). RFC 9113 §8.1.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::Digest;
use pingora::protocols::http::HttpTask;
use pingora::protocols::http::custom::CustomMessageWrite;
use pingora::protocols::http::custom::server::Session as CustomSession;
use pingora::protocols::http::v2::server::HttpSession;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::proxy::Session;
use pingora::{Error, ErrorType, Result};
use tokio::time::timeout;

use super::resets::Resets;
use crate::proxy::client::Connection;
use crate::proxy::streams::watch::Watch;

#[cfg(test)]
mod tests;

/// What pingora is told when a stream ends because it was told to.
pub(in crate::proxy) const ENDED: ErrorType = ErrorType::Custom("told to end");

/// One request and its answer.
pub(super) struct Exchange {
    inner: HttpSession,
    digest: Digest,
    watch: Arc<Watch>,
    resets: Arc<Resets>,
    /// How long the client may be silent in the middle of its body.
    silence: Option<Duration>,
    /// It was told to end, and has passed that on.
    ended: bool,
    /// We have reset it.
    given_up: bool,
}

/// What the hooks find through a session's digest; pingora has no other place for it.
struct Ties {
    connection: Arc<Connection>,
    watch: Arc<Watch>,
}

/// The connection below an HTTP/2 session.
pub(in crate::proxy) fn connection_of(session: &Session) -> Option<&Arc<Connection>> {
    ties_of(session).map(|ties| &ties.connection)
}

/// What tells an HTTP/2 session to end.
pub(in crate::proxy) fn watch_of(session: &Session) -> Option<&Arc<Watch>> {
    ties_of(session).map(|ties| &ties.watch)
}

fn ties_of(session: &Session) -> Option<&Ties> {
    session.digest()?.proxy_digest.as_ref()?.user_data.as_ref()?.downcast_ref()
}

impl Exchange {
    /// A stream whose header has been read.
    pub(super) fn new(
        mut inner: HttpSession,
        connection: Arc<Connection>,
        resets: Arc<Resets>,
    ) -> Result<Self> {
        super::request::translate(inner.req_header_mut())?;
        let watch = Watch::new();
        let ties = Ties { connection, watch: Arc::clone(&watch) };
        let unused = Box::new(ResponseHeader::build(200, Some(0))?);
        let proxy_digest = Some(Arc::new(ProxyDigest::new(unused, Some(Box::new(ties)))));
        let digest = Digest { proxy_digest, ..Digest::default() };
        Ok(Self { inner, digest, watch, resets, silence: None, ended: false, given_up: false })
    }

    /// What tells it to end.
    pub(super) fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }

    async fn read(&mut self) -> Result<Option<Bytes>> {
        let piece = self.inner.read_body_bytes();
        match self.silence {
            None => piece.await,
            Some(silence) => timeout(silence, piece)
                .await
                .unwrap_or_else(|_| Error::e_explain(ErrorType::ReadTimedout, "the client is silent")),
        }
    }

    /// `Err` when the stream is told to end.
    async fn told_to_end<T>(watch: &Watch) -> Result<T> {
        poll_fn(|context| watch.poll_ended(context)).await;
        Error::e_explain(ENDED, "its session has ended")
    }

    /// Remembers that the word has been passed on: what is said after it, as last words, is not stopped again.
    fn pass_on_the_end<T>(&mut self, outcome: Result<T>) -> Result<T> {
        self.ended |= outcome.as_ref().is_err_and(|error| error.etype == ENDED);
        outcome
    }
}

/// Awaits `$work` unless the stream is told to end before that is done.
macro_rules! unless_ended {
    ($exchange:ident, $work:expr) => {{
        let watch = Arc::clone(&$exchange.watch);
        let listens = !$exchange.ended;
        let outcome = tokio::select! {
            biased;
            told = Self::told_to_end(&watch), if listens => told,
            done = $work => done,
        };
        $exchange.pass_on_the_end(outcome)
    }};
}

impl Drop for Exchange {
    /// A client that opens streams only to reset them makes work for nothing: CVE-2023-44487.
    fn drop(&mut self) {
        let mut nobody = Context::from_waker(Waker::noop());
        let reset = Pin::new(&mut self.inner.idle()).poll(&mut nobody);
        if !self.given_up && matches!(reset, Poll::Ready(Ok(_))) {
            self.resets.one_more();
        }
    }
}

#[async_trait]
impl CustomSession for Exchange {
    fn req_header(&self) -> &RequestHeader {
        self.inner.req_header()
    }

    fn req_header_mut(&mut self) -> &mut RequestHeader {
        self.inner.req_header_mut()
    }

    async fn read_body_bytes(&mut self) -> Result<Option<Bytes>> {
        unless_ended!(self, self.read())
    }

    async fn drain_request_body(&mut self) -> Result<()> {
        self.inner.drain_request_body().await
    }

    async fn write_response_header(&mut self, header: Box<ResponseHeader>, end: bool) -> Result<()> {
        let empty = header.headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0");
        self.inner.write_response_header(header, end || empty)
    }

    async fn write_response_header_ref(&mut self, header: &ResponseHeader, end: bool) -> Result<()> {
        self.write_response_header(Box::new(header.clone()), end).await
    }

    async fn write_body(&mut self, data: Bytes, end: bool) -> Result<()> {
        unless_ended!(self, self.inner.write_body(data, end))
    }

    async fn write_trailers(&mut self, trailers: HeaderMap) -> Result<()> {
        self.inner.write_trailers(trailers)
    }

    async fn response_duplex_vec(&mut self, tasks: Vec<HttpTask>) -> Result<bool> {
        unless_ended!(self, self.inner.response_duplex_vec(tasks))
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.silence = timeout;
    }

    fn get_read_timeout(&self) -> Option<Duration> {
        self.silence
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.inner.set_write_timeout(timeout);
    }

    fn get_write_timeout(&self) -> Option<Duration> {
        self.inner.get_write_timeout()
    }

    fn set_total_drain_timeout(&mut self, timeout: Option<Duration>) {
        self.inner.set_total_drain_timeout(timeout);
    }

    fn get_total_drain_timeout(&self) -> Option<Duration> {
        self.inner.get_total_drain_timeout()
    }

    /// Without the target, which may hold a code.
    fn request_summary(&self) -> String {
        "a request over HTTP/2".into()
    }

    fn response_written(&self) -> Option<&ResponseHeader> {
        self.inner.response_written()
    }

    async fn shutdown(&mut self, _code: u32, _context: &str) {
        self.given_up = true;
        self.inner.shutdown();
    }

    fn is_body_done(&mut self) -> bool {
        self.inner.is_body_done()
    }

    async fn finish(&mut self) -> Result<()> {
        self.inner.finish()
    }

    fn is_body_empty(&mut self) -> bool {
        self.inner.is_body_empty()
    }

    async fn read_body_or_idle(&mut self, no_body_expected: bool) -> Result<Option<Bytes>> {
        if no_body_expected || self.inner.is_body_done() {
            unless_ended!(self, self.inner.read_body_or_idle(no_body_expected))
        } else {
            unless_ended!(self, self.read())
        }
    }

    fn body_bytes_sent(&self) -> usize {
        self.inner.body_bytes_sent()
    }

    fn body_bytes_read(&self) -> usize {
        self.inner.body_bytes_read()
    }

    fn digest(&self) -> Option<&Digest> {
        Some(&self.digest)
    }

    fn digest_mut(&mut self) -> Option<&mut Digest> {
        Some(&mut self.digest)
    }

    fn client_addr(&self) -> Option<&SocketAddr> {
        None
    }

    fn server_addr(&self) -> Option<&SocketAddr> {
        None
    }

    /// There is none; what is examined is the header itself.
    fn pseudo_raw_h1_request_header(&self) -> Bytes {
        Bytes::new()
    }

    fn enable_retry_buffering(&mut self) {
        self.inner.enable_retry_buffering();
    }

    fn retry_buffer_truncated(&self) -> bool {
        self.inner.retry_buffer_truncated()
    }

    fn get_retry_buffer(&self) -> Option<Bytes> {
        self.inner.get_retry_buffer()
    }

    // Messages beside the body: HTTP has none.

    async fn finish_custom(&mut self) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_reader(
        &mut self,
    ) -> Option<Box<dyn Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>> {
        None
    }

    fn restore_custom_message_reader(
        &mut self,
        _reader: Box<dyn Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>,
    ) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_writer(&mut self) -> Option<Box<dyn CustomMessageWrite>> {
        None
    }

    fn restore_custom_message_writer(&mut self, _writer: Box<dyn CustomMessageWrite>) -> Result<()> {
        Ok(())
    }
}
