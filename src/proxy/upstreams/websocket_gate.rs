//! How does a WebSocket survive an upstream that answers at once? By not showing its answer before pingora looks.
//!
//! pingora 0.9 polls the upstream's answer and its own queue of request-body pieces in random order. When `101` can be
//! read at the first poll, the (empty) request body, taken out of the queue afterwards, counts as the end of the new
//! tunnel, and the socket is torn down: cloudflare/pingora#946. This stream withholds what can be read for
//! [`HELD_POLLS`] polls after each write, waking itself each time, so that the empty body is always taken first. Used
//! for upgrade requests only. Below TLS it works the same: the request is a write, and its answer comes after it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::{Error, ErrorType, OrErr as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::proxy::streams::little::poll_read_little;

/// One would do as long as pingora polls its own queue first; two do not depend on that.
const HELD_POLLS: u8 = 2;

/// Connects with the gate in place.
#[derive(Clone, Copy, Debug)]
pub(super) struct GatedConnect;

#[async_trait]
impl L4Connect for GatedConnect {
    async fn connect(&self, address: &SocketAddr) -> pingora::Result<Stream> {
        let failed = "connecting a WebSocket";
        let socket: Box<dyn VirtualSocket> = match address {
            SocketAddr::Inet(address) => {
                let tcp = TcpStream::connect(address).await.or_err(ErrorType::ConnectError, failed)?;
                tcp.set_nodelay(true).or_err(ErrorType::ConnectError, failed)?;
                Box::new(Gated { stream: tcp, held: 0 })
            }
            SocketAddr::Unix(address) => {
                let Some(path) = address.as_pathname() else {
                    return Error::e_explain(ErrorType::ConnectError, "not the path of a socket");
                };
                let unix = UnixStream::connect(path).await.or_err(ErrorType::ConnectError, failed)?;
                Box::new(Gated { stream: unix, held: 0 })
            }
        };
        Ok(VirtualSocketStream::new(socket).into())
    }
}

#[derive(Debug)]
struct Gated<S> {
    stream: S,
    held: u8,
}

impl<S: AsyncRead + Unpin> AsyncRead for Gated<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.held > 0 {
            self.held -= 1;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        poll_read_little(Pin::new(&mut self.stream), context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gated<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.held = HELD_POLLS;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S> VirtualSocket for Gated<S>
where
    S: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Sync + Unpin,
{
    /// Both options are set while connecting.
    fn set_socket_option(&self, _option: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}
