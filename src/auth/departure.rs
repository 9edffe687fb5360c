//! May a step still use the store? Yes, until another process takes over: then whoever comes waits for a moment, and
//! is asked to come again or let in after all.
//!
//! Guarantees: while the gate is shut nobody is inside, so nothing is signed in, signed out or acknowledged by the
//! process that no longer keeps the store; nobody is turned away while it is undecided who does. Whoever is inside does
//! nothing but use the store: nobody waits there for Atlassian or for a client, or everybody at the gate would. What
//! needs no store (all requests that are forwarded, and every page) never waits here.

use std::sync::Arc;

use http::header::{CACHE_CONTROL, LOCATION};
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

    /// Without waiting: `None` also while the gate is shut.
    pub(super) fn enter_now(&self) -> Option<RwLockReadGuard<'_, Gone>> {
        self.0.try_read().ok().filter(|gone| !**gone)
    }

    /// Whether another process has taken over. Never waits.
    pub(super) fn shut_for_good(&self) -> bool {
        self.0.try_read().is_ok_and(|gone| *gone)
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

    /// What an endpoint does that uses the store from beginning to end.
    pub(super) async fn inside(&self, facts: &RequestFacts<'_>, step: impl Future<Output = Reply>) -> Reply {
        match self.gate.enter().await {
            Some(_inside) => step.await,
            None => ask_again(facts),
        }
    }
}

/// The same request once more (RFC 9110 §15.4.8: method and body stay). The shell closes the connection, so that it is the
/// other process that accepts the next one.
pub(super) fn ask_again(facts: &RequestFacts<'_>) -> Reply {
    let target = match facts.query {
        Some(query) => format!("{}?{query}", facts.path),
        None => facts.path.to_owned(),
    };
    // A path of ours that is no header value does not exist.
    let target = HeaderValue::from_str(&target).unwrap_or(HeaderValue::from_static("/"));
    Reply::empty(StatusCode::TEMPORARY_REDIRECT)
        .with(LOCATION, target)
        .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::task::{Context, Poll, Waker};

    use http::{HeaderMap, Method};

    use super::*;
    use crate::metrics::Mode;

    fn poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Poll<T> {
        std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    async fn shut(gate: &Gate) -> Shut {
        Shut(Arc::clone(&gate.0).write_owned().await)
    }

    #[test]
    fn it_shuts_behind_the_last_one_and_opens_again_or_never() {
        let gate = Gate::default();
        let mut first = Box::pin(gate.enter());
        let Poll::Ready(Some(inside)) = poll(&mut first) else { panic!("it is open") };
        let mut shutting = Box::pin(shut(&gate));
        assert!(poll(&mut shutting).is_pending(), "somebody is inside");
        let mut waiting = Box::pin(gate.enter());
        assert!(poll(&mut waiting).is_pending(), "nobody enters any more");
        drop(inside);
        let Poll::Ready(closed) = poll(&mut shutting) else { panic!("everybody has left") };
        assert!(poll(&mut waiting).is_pending(), "undecided");
        drop(closed);
        assert!(matches!(poll(&mut waiting), Poll::Ready(Some(_))), "taken back");
        drop(waiting);
        let Poll::Ready(closed) = poll(&mut Box::pin(shut(&gate))) else { panic!("nobody is inside") };
        let mut waiting = Box::pin(gate.enter());
        assert!(poll(&mut waiting).is_pending());
        closed.for_good();
        assert!(matches!(poll(&mut waiting), Poll::Ready(None)), "the other process has it");
    }

    #[test]
    fn the_same_is_asked_again() {
        let facts = RequestFacts {
            method: &Method::POST,
            path: "/_anteroom/sign-out",
            query: Some("a=b"),
            host: "a.example",
            headers: &HeaderMap::new(),
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
            crowd: false,
            mode: Mode::Proxy,
            request_id: "r",
        };
        let reply = ask_again(&facts);
        assert_eq!(reply.status, StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(reply.headers.get(LOCATION).unwrap(), "/_anteroom/sign-out?a=b");
    }
}
