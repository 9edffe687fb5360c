//! What is remembered of one request between pingora's phases?

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::phases::Phases;
use super::upstreams::{Backend, InFlight, Kind, Upstream};
use crate::auth::SessionPermit;
use crate::metrics::{Decision, Open};
use crate::ops::RequestId;

/// One request.
pub(super) struct Request {
    /// What was in force when it arrived, to the end.
    pub(super) phases: Arc<Phases>,
    /// When its header had been read.
    pub(super) started: Instant,
    /// Its name.
    pub(super) id: RequestId,
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
    /// When the upstream was asked.
    pub(super) asked: Option<Instant>,
    /// How long it took to answer.
    pub(super) answered: Option<Duration>,
    /// Counts the WebSocket as long as it is open.
    pub(super) websocket: Option<Open>,
}

impl Request {
    /// A request that has just been read.
    pub(super) fn new(phases: Arc<Phases>) -> Self {
        let id = phases.request_ids.next();
        Self {
            phases,
            started: Instant::now(),
            id,
            decision: None,
            permit: None,
            kind: Kind::Plain,
            upstream: None,
            under_way: None,
            tried: Vec::new(),
            asked: None,
            answered: None,
            websocket: None,
        }
    }
}
