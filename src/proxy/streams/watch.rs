//! Must what is under way here end? One watch per HTTP/1.1 connection or HTTP/2 stream: the sweeper marks it, and the
//! task that serves it finds out.
//!
//! After the mark the end comes in three steps, counted in looks of the sweeper: at once, reading from the client fails
//! as soon as the WebSocket frame under way is through; after [`PRESSED`] looks everything fails; after [`OVERDUE`] the
//! task is dropped, wherever it hangs. A request costs two uncontended locks and no allocation.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

use super::form::{Form, Reason};
use crate::auth::{Auth, LiveSession};

/// From which look on neither a frame's end nor a slow client is waited for.
const PRESSED: u8 = 4;
/// From which look on not even last words are.
const OVERDUE: u8 = 6;

/// Held by whatever serves a client, and weakly by the sweeper.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Watch {
    /// Looks of the sweeper since the end, that one included; 0: no end yet.
    looks: AtomicU8,
    /// The sweeper knows of this watch.
    pub(super) known: AtomicBool,
    /// The waker is in place.
    listening: AtomicBool,
    /// The client sent something since the last look.
    heard: AtomicBool,
    /// A WebSocket frame to the client is not through yet.
    mid_frame: AtomicBool,
    /// Last words are being said.
    speaking: AtomicBool,
    /// A WebSocket is open.
    websocket: AtomicBool,
    waker: AtomicWaker,
    under_way: Mutex<Option<UnderWay>>,
}

/// What is under way.
#[derive(Debug)]
struct UnderWay {
    session: Option<Arc<LiveSession>>,
    form: Form,
    end: Option<Reason>,
}

impl Watch {
    /// Nothing is under way.
    pub(in crate::proxy) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// A request is forwarded, maybe under a session.
    pub(in crate::proxy) fn set(&self, session: Option<Arc<LiveSession>>) {
        let mut under_way = self.lock();
        self.heard.store(false, Ordering::Relaxed);
        *under_way = Some(UnderWay { session, form: Form::Body, end: None });
    }

    /// It is over; says why it had to end, if it had to.
    pub(in crate::proxy) fn clear(&self) -> Option<Reason> {
        let mut under_way = self.lock();
        self.looks.store(0, Ordering::Relaxed);
        self.mid_frame.store(false, Ordering::Relaxed);
        self.speaking.store(false, Ordering::Relaxed);
        self.websocket.store(false, Ordering::Relaxed);
        under_way.take().and_then(|it| it.end)
    }

    /// Ready once what is under way must end. One task may wait.
    pub(in crate::proxy) fn poll_ended(&self, context: &mut Context<'_>) -> Poll<()> {
        self.waker.register(context.waker());
        if self.ended() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether what is under way must end.
    pub(in crate::proxy) fn ended(&self) -> bool {
        self.looks.load(Ordering::Acquire) > 0
    }

    /// Whether reading from the client must fail. Who reads is polled again by [`Self::bounded`].
    pub(in crate::proxy) fn hears_no_more(&self) -> bool {
        self.ended() && (self.pressed() || !self.mid_frame.load(Ordering::Relaxed))
    }

    /// Whether writing to the client must fail.
    pub(in crate::proxy) fn says_no_more(&self) -> bool {
        self.pressed() && !self.speaking.load(Ordering::Relaxed)
    }

    /// Whether what is under way is a WebSocket.
    pub(in crate::proxy) fn websocket(&self) -> bool {
        self.websocket.load(Ordering::Relaxed)
    }

    /// The client sent something: a use of the session.
    pub(in crate::proxy) fn heard(&self) {
        if !self.heard.load(Ordering::Relaxed) {
            self.heard.store(true, Ordering::Relaxed);
        }
    }

    /// Awaits `work`; `None` when it had to end long ago and did not.
    pub(in crate::proxy) async fn bounded<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        std::future::poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            if !self.listening.swap(true, Ordering::Relaxed) && self.poll_ended(context).is_ready() {
                // Maybe marked after `work` looked, and before anybody listened.
                context.waker().wake_by_ref();
            }
            if self.looks.load(Ordering::Relaxed) >= OVERDUE { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }

    /// What the answer is.
    pub(super) fn shape(&self, form: Form) {
        self.websocket.store(form == Form::WebSocket, Ordering::Relaxed);
        if let Some(it) = self.lock().as_mut() {
            it.form = form;
        }
    }

    /// Whether a frame to the client is not through yet.
    pub(super) fn mid_frame(&self, yes: bool) {
        self.mid_frame.store(yes, Ordering::Relaxed);
    }

    /// Why what is under way must end; from here on last words may be written.
    pub(super) fn speak(&self) -> Option<Reason> {
        let reason = self.lock().as_ref().and_then(|it| it.end);
        self.speaking.store(reason.is_some(), Ordering::Relaxed);
        reason
    }

    /// One look of the sweeper.
    pub(super) fn look(&self, auth: &Auth, draining: bool) {
        let mut under_way = self.lock();
        let Some(it) = under_way.as_mut() else { return };
        let looks = self.looks.load(Ordering::Relaxed);
        if it.end.is_none() {
            let ended = it.session.as_ref().and_then(|live| auth.end_of(live)).map(Reason::Session);
            it.end = ended.or((draining && it.form.leaves_first()).then_some(Reason::Draining));
            if it.end.is_none() {
                if self.heard.swap(false, Ordering::Relaxed)
                    && let Some(live) = &it.session
                {
                    auth.used(live);
                }
                return;
            }
        }
        self.looks.store(looks.saturating_add(1), Ordering::Release);
        drop(under_way);
        self.listening.store(false, Ordering::Relaxed);
        self.waker.wake();
    }

    fn pressed(&self) -> bool {
        self.looks.load(Ordering::Acquire) >= PRESSED
    }

    fn lock(&self) -> MutexGuard<'_, Option<UnderWay>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Watch {
    /// As the sweeper would.
    pub(in crate::proxy) fn end(&self) {
        self.looks.store(1, Ordering::Release);
        self.waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `docs/streams.md` gives this figure.
    #[test]
    fn a_watch_is_small() {
        // With the counts of its `Arc`, and the sweeper's pointer.
        assert!(size_of::<Watch>() + 16 + 8 <= 80, "{}", size_of::<Watch>());
    }

    fn marked(looks: u8) -> Arc<Watch> {
        let watch = Watch::new();
        watch.set(None);
        watch.lock().as_mut().unwrap().end = Some(Reason::Draining);
        watch.looks.store(looks, Ordering::Relaxed);
        watch
    }

    #[test]
    fn a_frame_under_way_is_waited_for_but_not_for_long() {
        let watch = marked(1);
        assert!(watch.hears_no_more() && !watch.says_no_more());
        watch.mid_frame(true);
        assert!(!watch.hears_no_more());
        watch.looks.store(PRESSED, Ordering::Relaxed);
        assert!(watch.hears_no_more() && watch.says_no_more());
        assert_eq!(watch.speak(), Some(Reason::Draining));
        assert!(!watch.says_no_more(), "last words pass");
    }

    #[test]
    fn the_next_request_begins_anew() {
        let watch = marked(OVERDUE);
        assert_eq!((watch.clear(), watch.ended(), watch.clear()), (Some(Reason::Draining), false, None));
        watch.set(None);
        assert_eq!((watch.speak(), watch.says_no_more()), (None, false));
    }

    /// The connection's next request is held up by nothing that was said, or left half said, before it.
    #[test]
    fn nothing_of_the_last_request_is_left() {
        let watch = marked(1);
        watch.mid_frame(true);
        assert!(watch.speak().is_some());
        watch.clear();
        watch.set(None);
        watch.looks.store(1, Ordering::Relaxed);
        assert!(watch.hears_no_more(), "no frame is under way");
        watch.looks.store(PRESSED, Ordering::Relaxed);
        assert!(watch.says_no_more(), "no last words are being said");
    }

    #[tokio::test]
    async fn whatever_hangs_is_dropped() {
        let watch = marked(0);
        assert_eq!(watch.bounded(async { 7 }).await, Some(7));
        let hanging = {
            let watch = Arc::clone(&watch);
            tokio::spawn(async move { watch.bounded(std::future::pending::<()>()).await })
        };
        tokio::task::yield_now().await;
        watch.looks.store(OVERDUE, Ordering::Release);
        watch.waker.wake();
        assert_eq!(hanging.await.unwrap(), None);
    }
}
