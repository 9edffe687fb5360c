//! May an endpoint still use the store? Yes, until another process takes over: then whoever comes waits for a moment, and
//! is asked to come again or let in after all.
//!
//! Guarantees: while the [`Gate`] is shut nobody is inside, so nothing is signed in, signed out or acknowledged by the
//! process that no longer keeps the store; nobody is turned away while it is undecided who does. Requests that need no
//! store (all that are forwarded) never come here.

use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONNECTION, LOCATION};
use http::{HeaderValue, StatusCode};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock, RwLockReadGuard};

use super::{Auth, RequestFacts};
use crate::reply::Reply;

/// Whether the store is with another process for good.
type Gone = bool;

/// Counts who is inside, and lets nobody in while it is shut.
#[derive(Debug, Default)]
pub(super) struct Gate(Arc<RwLock<Gone>>);

/// Nobody is inside, and nobody enters as long as this lives. Dropped, the gate is open again.
#[derive(Debug)]
pub struct Shut(OwnedRwLockWriteGuard<Gone>);

impl Gate {
    /// Waits while the gate is shut. `None`: another process has taken over.
    pub(super) async fn enter(&self) -> Option<RwLockReadGuard<'_, Gone>> {
        let inside = self.0.read().await;
        (!*inside).then_some(inside)
    }
}

impl Shut {
    /// Another process has taken over; who waits, and whoever comes, is told to ask there.
    pub fn for_good(mut self) {
        *self.0 = true;
    }
}

impl Auth {
    /// Shuts the gate and waits until everybody who is inside has left.
    pub async fn shut(&self) -> Shut {
        Shut(Arc::clone(&self.gate.0).write_owned().await)
    }
}

/// The same request once more, on a connection that the other process accepts (RFC 9110 §15.4.8: method and body stay).
pub(super) fn ask_again(facts: &RequestFacts<'_>) -> Reply {
    let target = match facts.query {
        Some(query) => format!("{}?{query}", facts.path),
        None => facts.path.to_owned(),
    };
    // A path of ours that is no header value does not exist.
    let target = HeaderValue::from_str(&target).unwrap_or(HeaderValue::from_static("/"));
    Reply::empty(StatusCode::TEMPORARY_REDIRECT)
        .with(LOCATION, target)
        .with(CONNECTION, HeaderValue::from_static("close"))
        .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
