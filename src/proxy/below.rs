//! What lies below one of pingora's sessions? The connection that it came by, and what tells it to end.

use std::sync::Arc;

use pingora::proxy::Session;

use super::client::{Client, Connection};
use super::http2::stream;
use super::streams::watch::Watch;

/// The connection below a session. `None` only where a test builds sessions without one.
pub(super) fn client_of(session: &Session) -> Option<&Arc<Connection>> {
    let Some(stream) = session.stream() else { return stream::connection_of(session) };
    let stream: &dyn pingora::protocols::IO = &**stream;
    stream.as_any().downcast_ref::<Client>().map(Client::connection)
}

/// What tells it to end: an HTTP/2 stream alone, or else the connection.
pub(super) fn watch_of(session: &Session) -> Option<&Arc<Watch>> {
    stream::watch_of(session).or_else(|| client_of(session).map(|client| &client.watch))
}
