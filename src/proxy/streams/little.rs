//! How much memory does an open WebSocket keep? pingora reads each direction into a buffer of 64 KiB that lives as long as
//! the WebSocket does, and what was written to once stays resident. So little is read at a time: only the beginning of
//! that buffer is ever touched, however long the messages are.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// As much as most messages take, and enough that long ones are not slow.
const LITTLE: usize = 8 * 1024;

/// Reads, but no more than [`LITTLE`].
pub(in crate::proxy) fn poll_read_little(
    stream: Pin<&mut impl AsyncRead>,
    context: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    if buffer.remaining() <= LITTLE {
        return stream.poll_read(context, buffer);
    }
    // `ReadBuf::take` would need `unsafe` to say how much of the whole was written.
    let mut room = [MaybeUninit::uninit(); LITTLE];
    let mut little = ReadBuf::uninit(&mut room);
    ready!(stream.poll_read(context, &mut little))?;
    buffer.put_slice(little.filled());
    Poll::Ready(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_more_than_little_is_read_and_nothing_is_lost() {
        let sent: Vec<u8> = (0..10 * LITTLE + 7).map(|n| n as u8).collect();
        let mut source = &sent[..];
        let (mut read, mut room) = (Vec::new(), vec![0xaa; 8 * LITTLE]);
        while read.len() < sent.len() {
            let mut buffer = ReadBuf::new(&mut room);
            let outcome =
                std::future::poll_fn(|context| poll_read_little(Pin::new(&mut source), context, &mut buffer));
            outcome.await.unwrap();
            assert_eq!(buffer.filled().len(), LITTLE.min(sent.len() - read.len()));
            read.extend_from_slice(buffer.filled());
            assert!(room[LITTLE..].iter().all(|byte| *byte == 0xaa));
        }
        assert!(read == sent);
        let mut small = [0; 3];
        let mut buffer = ReadBuf::new(&mut small);
        let outcome = std::future::poll_fn(|context| {
            poll_read_little(Pin::new(&mut &b"abcdef"[..]), context, &mut buffer)
        });
        outcome.await.unwrap();
        assert_eq!(buffer.filled(), b"abc");
    }
}
