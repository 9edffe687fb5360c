//! Has this stream been told to end? A flag that wakes whoever waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// Held by a stream and by whoever may end it.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Watch {
    ended: AtomicBool,
    waker: AtomicWaker,
}

impl Watch {
    /// Not ended.
    pub(in crate::proxy) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Ready once the stream has been told to end. One task may wait.
    pub(in crate::proxy) fn poll_ended(&self, context: &mut Context<'_>) -> Poll<()> {
        self.waker.register(context.waker());
        if self.ended.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[cfg(test)]
impl Watch {
    pub(in crate::proxy) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.waker.wake();
    }
}
