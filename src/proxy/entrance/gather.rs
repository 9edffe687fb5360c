//! How do a header and a small body become one packet? What is written in small pieces is gathered, and memory is held
//! only while pieces wait: an open connection on which nothing is being said holds none.
//!
//! Like tokio's `BufWriter`, which holds its buffer as long as it lives. Large writes pass by.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is gathered at most; a write of this size or more is handed on as it is.
const MOST: usize = 4096;

/// Gathers what is written to `inner`; reading passes through.
#[derive(Debug)]
pub(in crate::proxy) struct Gather<W> {
    inner: W,
    waiting: Vec<u8>,
    /// How much of `waiting` has been taken already.
    taken: usize,
}

impl<W> Gather<W> {
    /// Nothing waits yet.
    pub(in crate::proxy) fn new(inner: W) -> Self {
        Self { inner, waiting: Vec::new(), taken: 0 }
    }

    /// What writes go to.
    pub(in crate::proxy) fn get_ref(&self) -> &W {
        &self.inner
    }

    /// What writes go to, past what waits.
    pub(in crate::proxy) fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// What waits.
    pub(in crate::proxy) fn waiting(&self) -> &[u8] {
        self.waiting.get(self.taken..).unwrap_or_default()
    }

    /// The same, taken out: it is not written any more.
    pub(in crate::proxy) fn take_waiting(&mut self) -> Vec<u8> {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.drain(..std::mem::take(&mut self.taken).min(waiting.len()));
        waiting
    }
}

impl<W: AsyncWrite + Unpin> Gather<W> {
    fn poll_hand_on(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let rest @ [_, ..] = self.waiting.get(self.taken..).unwrap_or_default() {
            match ready!(Pin::new(&mut self.inner).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => self.taken = self.taken.saturating_add(taken),
            }
        }
        (self.waiting, self.taken) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Gather<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.waiting.len().saturating_add(bytes.len()) > MOST {
            ready!(self.poll_hand_on(context))?;
        }
        if bytes.len() >= MOST {
            return Pin::new(&mut self.inner).poll_write(context, bytes);
        }
        if self.waiting.capacity() == 0 {
            self.waiting.reserve_exact(MOST);
        }
        self.waiting.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_hand_on(context))?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_hand_on(context))?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<W: AsyncRead + Unpin> AsyncRead for Gather<W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Takes so many bytes at a time, every other time none.
    #[derive(Debug, Default)]
    struct Slow {
        step: usize,
        writes: Vec<Vec<u8>>,
        again: bool,
    }

    impl AsyncWrite for Slow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.again = !self.again;
            if self.again {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let taken = bytes.len().min(self.step);
            self.writes.push(bytes[..taken].to_vec());
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn small_writes_go_out_together_and_leave_no_memory_behind() {
        let mut gather = Gather::new(Slow { step: MOST, ..Slow::default() });
        gather.write_all(b"header").await.unwrap();
        gather.write_all(b"body").await.unwrap();
        assert_eq!(gather.waiting(), b"headerbody");
        gather.flush().await.unwrap();
        assert_eq!(gather.get_ref().writes, [b"headerbody"]);
        assert_eq!((gather.waiting.capacity(), gather.waiting().len()), (0, 0));
    }

    #[tokio::test]
    async fn every_byte_arrives_once_and_in_order() {
        let sizes = [1, MOST - 1, 1, MOST, 7, MOST + 1, 3 * MOST, 0, 100, MOST - 100, 1];
        for step in [1, 7, MOST, 10 * MOST] {
            let mut gather = Gather::new(Slow { step, ..Slow::default() });
            let mut sent = Vec::new();
            for (number, size) in sizes.iter().enumerate() {
                let piece = vec![number as u8; *size];
                gather.write_all(&piece).await.unwrap();
                sent.extend(piece);
            }
            gather.flush().await.unwrap();
            assert_eq!(gather.get_ref().writes.concat(), sent, "{step}");
        }
    }

    #[tokio::test]
    async fn what_is_taken_out_is_what_had_not_been_taken() {
        let mut gather = Gather::new(Slow { step: 4, ..Slow::default() });
        gather.write_all(b"header").await.unwrap();
        let once = std::future::poll_fn(|context| {
            let _not_yet = Pin::new(&mut gather).poll_flush(context);
            Poll::Ready(Pin::new(&mut gather).poll_flush(context).is_ready())
        });
        assert!(!once.await);
        assert_eq!(gather.take_waiting(), b"er");
        assert_eq!(gather.take_waiting(), b"");
    }

    #[tokio::test]
    async fn a_write_of_nothing_is_an_error_and_reading_passes() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut gather = Gather::new(ours);
        theirs.write_all(b"hello").await.unwrap();
        let mut read = [0; 5];
        gather.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"hello");
        let mut stuck = Gather::new(Slow::default());
        stuck.write_all(b"x").await.unwrap();
        assert_eq!(stuck.flush().await.unwrap_err().kind(), io::ErrorKind::WriteZero);
    }
}
