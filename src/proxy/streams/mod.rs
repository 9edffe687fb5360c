//! How does what is under way end when its session does? Within two seconds of expiry, sign-out or a rule that is taken
//! away, and in words that the client understands: see [`last_words`].
//!
//! Guarantees: whatever is forwarded under a session is watched, from the request's header to the answer's last byte;
//! nothing is sent on behalf of a session that ended. When Anteroom drains, WebSockets and event streams leave at once,
//! so that clients come back elsewhere; what has an end of its own may reach it.

mod boundary;
mod form;
pub(super) mod last_words;
pub(in crate::proxy) mod little;
pub(super) mod origin;
pub(super) mod registry;
pub(in crate::proxy) mod watch;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use pingora::http::ResponseHeader;

use self::boundary::{Boundary, Frames, Tail};
use self::form::Form;
use self::registry::Registry;
use self::watch::Watch;
use crate::auth::LiveSession;
use crate::metrics::{Metrics, Open};
use crate::ops::RequestId;

/// What is under way, as its request sees it.
#[derive(Debug)]
pub(super) struct Stream {
    watch: Arc<Watch>,
    form: Form,
    boundary: Boundary,
    /// Bytes of body that were handed on to the client.
    handed_on: usize,
    _open: Option<Open>,
}

impl Stream {
    /// Watches over a request that is about to be forwarded, maybe under a session.
    pub(super) fn begin(watch: &Arc<Watch>, known: &Registry, session: Option<Arc<LiveSession>>) -> Self {
        known.know(watch);
        watch.set(session);
        let watch = Arc::clone(watch);
        Self { watch, form: Form::Body, boundary: Boundary::Nowhere, handed_on: 0, _open: None }
    }

    /// The upstream has answered, finally.
    pub(super) fn answered(&mut self, response: &ResponseHeader, metrics: &Metrics) {
        self.form = Form::of(response);
        if self.form == Form::Body {
            return;
        }
        self.boundary = match self.form {
            Form::WebSocket => Boundary::Frames(Frames::default()),
            Form::EventStream if plain_and_endless(&response.headers) => Boundary::Events(Tail::default()),
            _ => Boundary::Nowhere,
        };
        self.watch.shape(self.form);
        self._open = Some(metrics.stream(self.form.as_str()));
    }

    /// A piece of the answer goes to the client. After the end, no more than what completes a frame.
    pub(super) fn hand_on(&mut self, body: &mut Option<Bytes>) {
        let Some(bytes) = body else { return };
        match &mut self.boundary {
            Boundary::Nowhere => {}
            Boundary::Events(tail) => tail.pass(bytes),
            Boundary::Frames(frames) => {
                if self.watch.ended() {
                    bytes.truncate(frames.finish(bytes));
                } else {
                    frames.pass(bytes);
                }
                self.watch.mid_frame(!frames.between());
            }
        }
        self.handed_on += bytes.len();
    }

    /// The client sent something.
    pub(super) fn heard(&self, body: Option<&Bytes>) {
        if body.is_some_and(|bytes| !bytes.is_empty()) {
            self.watch.heard();
        }
    }

    /// Whether the client has been sent all that was handed on: what is not would be missing before words of ours.
    fn whole(&self, sent: usize) -> bool {
        self.handed_on == sent
    }

    /// Whether something of ours may follow what it has been sent.
    fn between(&self, sent: usize) -> bool {
        self.whole(sent) && self.boundary.reached()
    }

    /// It is over.
    pub(super) fn over(self, metrics: &Metrics, id: RequestId) {
        if let Some(reason) = self.watch.clear() {
            let (id, kind, reason) = (id.as_str(), self.form.as_str(), reason.as_str());
            metrics.stream_ended(kind, reason);
            tracing::info!(request_id = id, kind, reason, "a stream was ended");
        }
    }
}

/// Whether something can be added to a body: nobody compressed it, and nobody said how long it will be.
fn plain_and_endless(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_none_or(|coding| coding == "identity")
        && !headers.contains_key(CONTENT_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client that was slow has the beginning of a chunk; words of ours would become a part of it.
    #[test]
    fn nothing_follows_what_was_not_sent() {
        let boundaries = [Boundary::Events(Tail::default()), Boundary::Frames(Frames::default())];
        for (boundary, piece) in boundaries.into_iter().zip([&b"data: x\n\n"[..], b"\x82\x02ab"]) {
            let watch = Watch::new();
            let mut stream = Stream { watch, form: Form::EventStream, boundary, handed_on: 0, _open: None };
            stream.hand_on(&mut Some(Bytes::from_static(piece)));
            stream.hand_on(&mut Some(Bytes::from_static(piece)));
            for (sent, whole) in [(0, false), (piece.len(), false), (2 * piece.len(), true)] {
                assert_eq!((stream.whole(sent), stream.between(sent)), (whole, whole), "{sent} {piece:?}");
            }
            stream.hand_on(&mut Some(Bytes::copy_from_slice(piece.split_last().unwrap().1)));
            let all = 3 * piece.len() - 1;
            assert_eq!((stream.whole(all), stream.between(all)), (true, false), "{piece:?}");
        }
    }
}
