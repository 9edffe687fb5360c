//! What is remembered of one request between pingora's phases?

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Span;

use super::limits::Body;
use super::service::Service;
use super::streams::Stream;
use super::upstreams::{Backend, InFlight, Kind, Upstream};
use super::way::Way;
use crate::auth::SessionPermit;
use crate::metrics::{Decision, Open};
use crate::ops::RequestId;

/// One request.
pub(super) struct Request {
    /// What was in force when it arrived, to the end.
    pub(super) service: Arc<Service>,
    /// When its header had been read.
    pub(super) started: Instant,
    /// Its name.
    pub(super) id: RequestId,
    /// Whom it is from: the other end of the connection, or whom a trusted hop there names.
    pub(super) client: IpAddr,
    /// What a trusted hop says of it; none unless there is one.
    pub(super) way: Option<Box<Way>>,
    /// Its span, where spans are collected.
    pub(super) span: Span,
    /// The span of the attempt to have the upstream answer.
    pub(super) upstream_span: Span,
    /// How it was decided.
    pub(super) decision: Option<Decision>,
    /// The leave it was given; without one it is not forwarded.
    pub(super) permit: Option<SessionPermit>,
    /// What it needs of the upstream's connection.
    pub(super) kind: Kind,
    /// The app it is for, once it may pass.
    pub(super) upstream: Option<Arc<Upstream>>,
    /// The server that it is under way to.
    pub(super) under_way: Option<InFlight>,
    /// The servers that took no connection.
    pub(super) tried: Vec<Arc<Backend>>,
    /// Its body, as far as it has come.
    pub(super) body: Body,
    /// When the upstream was asked, where somebody writes that down.
    pub(super) asked: Option<Instant>,
    /// How long it took to answer.
    pub(super) answered: Option<Duration>,
    /// Counts the WebSocket as long as it is open.
    pub(super) websocket: Option<Open>,
    /// Watches over what was forwarded.
    pub(super) stream: Option<Stream>,
}

impl Request {
    /// Whether the client is one of many that nobody tells apart.
    pub(super) fn crowd(&self) -> bool {
        self.way.as_ref().map_or(self.client.is_unspecified(), |way| way.client.is_none())
    }

    /// A request that has just been read.
    pub(super) fn new(service: Arc<Service>) -> Self {
        let id = service.request_ids.next();
        Self {
            service,
            started: Instant::now(),
            id,
            client: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            way: None,
            span: Span::none(),
            upstream_span: Span::none(),
            decision: None,
            permit: None,
            kind: Kind::Plain,
            upstream: None,
            under_way: None,
            tried: Vec::new(),
            body: Body::default(),
            asked: None,
            answered: None,
            websocket: None,
            stream: None,
        }
    }

    /// What was forwarded is over.
    pub(super) fn end_stream(&mut self) {
        if let Some(stream) = self.stream.take() {
            stream.over(self.service.auth.metrics(), self.id);
        }
    }
}

impl Drop for Request {
    /// A request that is cut has no last phase.
    fn drop(&mut self) {
        self.end_stream();
    }
}
