//! What does a connection run over? A TCP or Unix socket, in the clear or in TLS, told apart without a call through a
//! table.
//!
//! Bytes that were read to find out what follows are given back and read again: nothing is lost in between.

use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncBufRead as _, AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

/// An accepted socket, and what was read from it ahead of time.
#[derive(Debug)]
pub(in crate::proxy) struct Socket {
    kind: Kind,
    ahead: Bytes,
    /// The last read took all it had room for. Whether there is more, nobody knows: tokio takes the socket for readable
    /// until a read finds nothing.
    filled: bool,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl From<TcpStream> for Socket {
    fn from(tcp: TcpStream) -> Self {
        Self { kind: Kind::Tcp(tcp), ahead: Bytes::new(), filled: false }
    }
}

impl From<UnixStream> for Socket {
    fn from(unix: UnixStream) -> Self {
        Self { kind: Kind::Unix(unix), ahead: Bytes::new(), filled: false }
    }
}

impl Socket {
    /// Gives bytes back; they are read next.
    pub(in crate::proxy) fn unread(&mut self, bytes: Bytes) {
        self.ahead =
            if self.ahead.is_empty() { bytes } else { [bytes, self.ahead.split_off(0)].concat().into() };
    }

    /// The first byte, which stays unread; `None` at the end.
    pub(super) async fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.ahead.is_empty() {
            let mut first = [0; 1];
            let read = self.read(&mut first).await?;
            self.ahead = Bytes::copy_from_slice(first.get(..read).unwrap_or_default());
        }
        Ok(self.ahead.first().copied())
    }
}

impl Socket {
    fn poll_begun(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.ahead.is_empty() {
            return Poll::Ready(());
        }
        if std::mem::take(&mut self.filled) {
            let mut first = [0; 1];
            let read = match &self.kind {
                Kind::Tcp(tcp) => tcp.try_read(&mut first),
                Kind::Unix(unix) => unix.try_read(&mut first),
            };
            match read {
                Ok(read) => self.ahead = Bytes::copy_from_slice(first.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_is_read_next) => return Poll::Ready(()),
            }
            if !self.ahead.is_empty() {
                return Poll::Ready(());
            }
        }
        match &self.kind {
            Kind::Tcp(tcp) => tcp.poll_read_ready(context),
            Kind::Unix(unix) => unix.poll_read_ready(context),
        }
        .map(|_error_is_read_next| ())
    }
}

/// Writes what fits right now.
impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.kind {
            Kind::Tcp(tcp) => tcp.try_write(bytes),
            Kind::Unix(unix) => unix.try_write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A socket, or TLS over one.
#[derive(Debug)]
pub(in crate::proxy) enum Io {
    /// In the clear.
    Plain(Socket),
    /// In TLS.
    Tls(Box<TlsStream<Socket>>),
}

impl Io {
    /// Gives bytes back, in the clear: over TLS the handshake has told what follows.
    pub(in crate::proxy) fn unread(&mut self, bytes: Bytes) {
        if let Self::Plain(socket) = self {
            socket.unread(bytes);
        }
    }

    /// Ready once there is something to read, or the end, or an error, all of which is read next.
    pub(in crate::proxy) fn poll_begun(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Plain(socket) => socket.poll_begun(context),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_fill_buf(context).map(|_read_next| ()),
        }
    }

    /// Whether bytes wait in TLS for the socket to take them.
    pub(in crate::proxy) fn holds_back(&self) -> bool {
        matches!(self, Self::Tls(tls) if tls.get_ref().1.wants_write())
    }

    /// The last bytes, as far as the socket takes them at once. `whole`: they end what was being said, so that TLS may
    /// say so too (RFC 8446 §6.1); otherwise the client must see that the end is missing (RFC 9112 §9.8).
    pub(in crate::proxy) fn leave(&mut self, bytes: &[u8], whole: bool) -> io::Result<()> {
        match self {
            Self::Plain(socket) => (&*socket).write_all(bytes)?,
            Self::Tls(tls) => {
                let (socket, session) = tls.get_mut();
                session.writer().write_all(bytes)?;
                if whole {
                    session.send_close_notify();
                }
                while session.wants_write() {
                    session.write_tls(&mut &*socket)?;
                }
            }
        }
        Ok(())
    }
}

impl AsRawFd for Io {
    fn as_raw_fd(&self) -> RawFd {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.get_ref().0,
        };
        match &socket.kind {
            Kind::Tcp(tcp) => tcp.as_raw_fd(),
            Kind::Unix(unix) => unix.as_raw_fd(),
        }
    }
}

/// Hands a call on to whichever stream is inside.
macro_rules! inside {
    ($whole:expr, [$($case:path),+], $stream:ident => $call:expr) => {
        match $whole { $($case($stream) => { let $stream = Pin::new($stream); $call })+ }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let fits = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(self.ahead.get(..fits).unwrap_or_default());
            self.ahead.advance(fits);
            return Poll::Ready(Ok(()));
        }
        let read = inside!(&mut self.kind, [Kind::Tcp, Kind::Unix], s => s.poll_read(context, buffer));
        self.filled = read.is_ready() && buffer.remaining() == 0;
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        inside!(&mut self.kind, [Kind::Tcp, Kind::Unix], s => s.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        inside!(&mut self.kind, [Kind::Tcp, Kind::Unix], s => s.poll_write_vectored(context, parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // Neither kind keeps anything back.
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        inside!(&mut self.kind, [Kind::Tcp, Kind::Unix], s => s.poll_shutdown(context))
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        inside!(&mut *self, [Self::Plain, Self::Tls], s => s.poll_read(context, buffer))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        inside!(&mut *self, [Self::Plain, Self::Tls], s => s.poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        inside!(&mut *self, [Self::Plain, Self::Tls], s => s.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        inside!(&mut *self, [Self::Plain, Self::Tls], s => s.poll_shutdown(context))
    }
}
