//! What may a client's connection do before its request is known? One deadline and one size for the whole header.
//!
//! pingora times single reads of a header and answers what it cannot parse with a page of its own. This stream counts
//! the header's total time and size instead, and replaces that page: what pingora writes before any hook has run is
//! never sent, a plain answer of ours is. RFC 9112 §2.2 and §3; RFC 6585 §5 (431); RFC 9110 §15.5.9 (408).

mod connection;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf as _, Bytes};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest,
    UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Sleep, sleep};

use self::connection::{HEADER, PLAIN_HTTP, RESTING, SERVING};
use super::chunks::arriving::Arriving;
use super::entrance::{gather::Gather, io::Io};
use super::settings::{Limits, Timeouts};
use super::streams::little::poll_read_little;

pub(super) use self::connection::Connection;

/// What no request contains.
const NO_REQUEST: &[u8] = b"\0";
/// The first part of a body may arrive together with the header.
const BODY_WITH_HEADER: usize = 64 * 1024;
/// How much, and for how long, is read on after an answer that came before the end of the request. Closing at once
/// would reset the connection, and the client could lose the answer (RFC 9112 §9.6).
const LINGER_BYTES: usize = 1024 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(1);

/// The stream that pingora sees.
#[derive(Debug)]
pub(super) struct Client {
    io: Gather<Io>,
    connection: Arc<Connection>,
    header_time: Duration,
    header_bytes: usize,
    write_time: Duration,
    received: usize,
    deadline: Option<Pin<Box<Sleep>>>,
    arriving: Option<Box<Arriving>>,
    /// How much has come behind the request.
    beyond: usize,
    ending: Ending,
}

/// How far the end of a connection has come.
#[derive(Debug)]
enum Ending {
    NotYet,
    Saying(Bytes, Pin<Box<Sleep>>),
    Lingering(usize, Pin<Box<Sleep>>),
}

impl Client {
    /// Wraps a connection whose headers may take so much time and so many bytes.
    pub(super) fn new(io: Io, connection: Arc<Connection>, times: &Timeouts, limits: &Limits) -> Self {
        Self {
            io: Gather::new(io),
            connection,
            header_time: times.header_read,
            header_bytes: limits.header_bytes,
            write_time: times.write,
            received: 0,
            deadline: None,
            arriving: None,
            beyond: 0,
            ending: Ending::NotYet,
        }
    }

    /// What is known of the connection.
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// A body in chunks follows a header of this length. From here on they are checked; `false` if they cannot be, as the
    /// engine has read beyond the header.
    pub(super) fn check_chunks(&self, header: usize) -> bool {
        self.connection.chunks.check_if(self.received == header)
    }

    /// A body of this length follows a header of that length, in the engine's count; some of it, or more, may have come
    /// already.
    pub(super) fn expect_body(&self, header: usize, length: u64) {
        let behind = self.received.saturating_sub(header);
        match length.checked_sub(u64::try_from(behind).unwrap_or(u64::MAX)) {
            Some(due) => self.connection.expect(due),
            None => self.connection.go_on(),
        }
    }

    /// Whether the first bytes are these, which stay unread. In the clear; within a header's time and size.
    pub(super) async fn begins_with(&mut self, mark: &[u8]) -> bool {
        let mut first = Vec::with_capacity(mark.len());
        while first.len() < mark.len() && mark.starts_with(&first) {
            let mut more = [0; 32];
            let room = more.get_mut(..mark.len() - first.len()).unwrap_or_default();
            let mut more = ReadBuf::new(room);
            let read =
                std::future::poll_fn(|context| match Pin::new(&mut self.io).poll_read(context, &mut more) {
                    Poll::Pending if self.late(context) => Poll::Ready(Ok(())),
                    read => read,
                });
            if read.await.is_err() || more.filled().is_empty() {
                break;
            }
            first.extend_from_slice(more.filled());
        }
        let begins = first == mark;
        self.io.get_mut().unread(first.into());
        begins
    }

    /// Waits until a request begins or the connection ends; `false` when a first one was due and did not come. Nothing is
    /// read yet. How long a connection may rest between two, the caller watches.
    pub(super) async fn begins(&mut self) -> bool {
        std::future::poll_fn(|context| {
            if self.io.get_mut().poll_begun(context).is_ready() {
                return Poll::Ready(true);
            }
            let rests = self.connection.stage.load(Ordering::Relaxed) == RESTING;
            if !rests && self.late(context) { Poll::Ready(false) } else { Poll::Pending }
        })
        .await
    }

    fn read_header(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let resting = self.connection.stage.load(Ordering::Relaxed) == RESTING;
        if resting && self.arriving.take().is_some_and(|arriving| arriving.holds()) {
            return Poll::Ready(Ok(())); // It was no part of that request, and is none of another.
        }
        let outcome = self.read_on(context, buffer);
        if resting && outcome.is_ready() {
            (self.received, self.deadline, self.beyond) = (0, None, 0);
            self.connection.stage.store(HEADER, Ordering::Relaxed);
        }
        if Arriving::cut(&mut self.arriving, buffer, before).is_err() {
            // The engine refuses this in our stead, and then shuts down; were it to see the end, it could do so in silence.
            buffer.set_filled(before);
            buffer.put_slice(NO_REQUEST);
        }
        self.received = self.received.saturating_add(buffer.filled().len().saturating_sub(before));
        if self.received > self.header_bytes.saturating_add(BODY_WITH_HEADER) {
            self.connection.refuse(431);
            buffer.set_filled(before);
            return Poll::Ready(Ok(())); // The end, to pingora; it then shuts down, and we answer.
        }
        if outcome.is_pending() && self.late(context) {
            return Poll::Ready(Ok(()));
        }
        outcome
    }

    fn read_chunks(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(self.read_on(context, buffer))?;
        let arriving = self.arriving.get_or_insert_default();
        let outcome = arriving.take(buffer, before, &self.connection.chunks);
        if self.connection.chunks.exceeded() {
            self.connection.go_on();
        }
        Poll::Ready(outcome)
    }

    /// The request is complete, and the engine only wants to hear whether its client leaves. One empty line behind a body is
    /// ignored (RFC 9112 §2.2). Anything else would be the next request, sent before this one is answered: it is thrown
    /// away, and the connection ends with the answer; without it where there is too much of that, since whether a client
    /// is still there shows only to who reads on.
    fn read_beyond(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut waste = [0; 1024];
        while self.beyond < LINGER_BYTES {
            let mut buffer = ReadBuf::new(&mut waste);
            ready!(self.read_on(context, &mut buffer))?;
            match buffer.filled() {
                [] => return Poll::Ready(Ok(())),
                b"\r\n" | b"\n" if self.beyond == 0 => {}
                _ => self.connection.go_on(),
            }
            self.beyond = self.beyond.saturating_add(buffer.filled().len());
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "too much behind a request")))
    }

    /// What was held back, then what the socket has.
    fn read_on(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.arriving.as_mut().is_some_and(|arriving| arriving.hand_out(buffer)) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(context, buffer)
    }

    /// Whether the header's time is up, which is refused.
    fn late(&mut self, context: &mut Context<'_>) -> bool {
        let time = self.header_time;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(time)));
        let late = deadline.as_mut().poll(context).is_ready();
        if late {
            self.connection.refuse(408);
        }
        late
    }
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.connection.stage.load(Ordering::Relaxed) != SERVING {
            return self.read_header(context, buffer);
        }
        self.deadline = None;
        if self.connection.watch.hears_no_more() {
            return Poll::Ready(Err(ended()));
        }
        if !self.io.waiting().is_empty() || self.io.get_ref().holds_back() {
            // Whoever waits for the client has said what there was to say: do not keep it back.
            let _reported_by_the_next_write = Pin::new(&mut self.io).poll_flush(context);
        }
        if self.connection.complete() {
            return self.read_beyond(context);
        }
        if self.connection.chunks.checks() {
            return self.read_chunks(context, buffer);
        }
        if self.connection.watch.websocket() {
            return poll_read_little(Pin::new(&mut self.io), context, buffer);
        }
        let before = buffer.filled().len();
        ready!(self.read_on(context, buffer))?;
        self.connection.read(buffer.filled().len().saturating_sub(before));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.connection.stage.load(Ordering::Relaxed) != SERVING {
            self.connection.refuse(if bytes.starts_with(b"HTTP/1.1 405") { 405 } else { 400 });
            return Poll::Ready(Ok(bytes.len()));
        }
        if self.connection.watch.says_no_more() {
            return Poll::Ready(Err(ended()));
        }
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    /// Says the refusal, if there is one, closes our half, and reads on for a while if the client may still be sending.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match &mut this.ending {
                Ending::NotYet => {
                    let refusal = this.connection.refusal.load(Ordering::Relaxed);
                    let page = if refusal == 0 { String::new() } else { page(refusal) };
                    this.ending = Ending::Saying(page.into(), Box::pin(sleep(this.write_time)));
                }
                Ending::Saying(page, until) => {
                    if until.as_mut().poll(context).is_ready() {
                        return Poll::Ready(Ok(())); // It takes nothing: there is nobody to tell.
                    }
                    if page.is_empty() {
                        let _gone_already = ready!(Pin::new(&mut this.io).poll_shutdown(context));
                        if !this.connection.lingers() {
                            return Poll::Ready(Ok(()));
                        }
                        this.ending = Ending::Lingering(LINGER_BYTES, Box::pin(sleep(LINGER_TIME)));
                        continue;
                    }
                    match ready!(Pin::new(&mut this.io).poll_write(context, page)) {
                        Ok(written) => page.advance(written),
                        Err(_) => return Poll::Ready(Ok(())),
                    }
                }
                Ending::Lingering(left, until) => {
                    let mut waste = [0; 1024];
                    let mut buffer = ReadBuf::new(&mut waste);
                    if until.as_mut().poll(context).is_ready() || *left == 0 {
                        return Poll::Ready(Ok(()));
                    }
                    let read = ready!(Pin::new(&mut this.io).poll_read(context, &mut buffer));
                    if read.is_err() || buffer.filled().is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                    *left = left.saturating_sub(buffer.filled().len());
                }
            }
        }
    }
}

#[async_trait]
impl Shutdown for Client {
    async fn shutdown(&mut self) {
        let _gone_already = AsyncWriteExt::shutdown(self).await;
    }
}

/// What pingora is told when what is under way must end.
fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "told to end")
}

/// The answer to what is not a request: short, plain, and the last on its connection.
fn page(status: u16) -> String {
    let (reason, body) = match status {
        405 => ("Method Not Allowed", "This method is not served here.\n"),
        408 => ("Request Timeout", "The request took too long to arrive. Please try again.\n"),
        PLAIN_HTTP => {
            ("Bad Request", "Plain HTTP was sent to a port for HTTPS. Use a URL that begins with https://.\n")
        }
        431 => ("Request Header Fields Too Large", "The request's headers are too large.\n"),
        _ => ("Bad Request", "This is not a well-formed HTTP request.\n"),
    };
    let (length, status) = (body.len(), if status == PLAIN_HTTP { 400 } else { status });
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

impl Drop for Client {
    /// What was said so far still goes out when a request fails half-way, as far as the socket takes it at once.
    fn drop(&mut self) {
        let serving = self.connection.stage.load(Ordering::Relaxed) == SERVING;
        let rest = self.io.take_waiting();
        let _as_far_as_it_goes = self.io.get_mut().leave(&rest, !serving);
    }
}

impl UniqueID for Client {
    fn id(&self) -> UniqueIDType {
        std::os::fd::AsRawFd::as_raw_fd(self.io.get_ref())
    }
}

impl Ssl for Client {}
impl Peek for Client {}

impl GetTimingDigest for Client {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Client {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Client {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        None
    }
}
