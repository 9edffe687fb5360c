//! What may a client's connection do before its request is known? One deadline and one size for the whole header.
//!
//! pingora times single reads of a header and answers what it cannot parse with a page of its own. This stream counts
//! the header's total time and size instead, and replaces that page: what pingora writes before any hook has run is
//! never sent, a plain answer of ours is. RFC 9112 §2.2 and §3; RFC 6585 §5 (431); RFC 9110 §15.5.9 (408).

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderValue;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest,
    UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufWriter, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};

/// Puts header and a small body into one packet; larger writes pass it by.
const WRITE_BUFFER: usize = 4096;
/// The first part of a body may arrive together with the header.
const BODY_WITH_HEADER: usize = 64 * 1024;
/// How much, and for how long, is read on after an answer that came before the end of the request. Closing at once
/// would reset the connection, and the client could lose the answer (RFC 9112 §9.6).
const LINGER: (u64, Duration) = (256 * 1024, Duration::from_secs(1));

/// What the hooks and the accept loop know of a connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// Who is on the other end.
    pub(super) ip: IpAddr,
    /// The same, as `X-Forwarded-For` says it.
    pub(super) forwarded_for: HeaderValue,
    stage: AtomicU8,
    refusal: AtomicU16,
    linger: AtomicBool,
}

const HEADER: u8 = 0;
const RESTING: u8 = 1;
const SERVING: u8 = 2;

impl Connection {
    /// A new connection from `ip`; its first header is due.
    pub(super) fn new(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        let forwarded_for =
            HeaderValue::from_str(&ip.to_string()).unwrap_or(HeaderValue::from_static("unknown"));
        let (stage, refusal) = (AtomicU8::new(HEADER), AtomicU16::new(0));
        Self { ip, forwarded_for, stage, refusal, linger: AtomicBool::new(false) }
    }

    /// A header has been read: from here on the hooks answer.
    pub(super) fn serving(&self) {
        self.stage.store(SERVING, Ordering::Relaxed);
    }

    /// The request is done and the connection kept.
    pub(super) fn resting(&self) {
        self.stage.store(RESTING, Ordering::Relaxed);
    }

    /// The answer comes before the end of the request.
    pub(super) fn linger(&self) {
        self.linger.store(true, Ordering::Relaxed);
    }

    /// The status of the answer that was given without any hook, if that happened.
    pub(super) fn refusal(&self) -> Option<u16> {
        Some(self.refusal.load(Ordering::Relaxed)).filter(|status| *status > 0)
    }

    fn refuse(&self, status: u16) {
        // The first reason is the one to tell.
        let _kept = self.refusal.compare_exchange(0, status, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// The stream that pingora sees.
#[derive(Debug)]
pub(super) struct Client {
    io: BufWriter<TcpStream>,
    connection: Arc<Connection>,
    header_time: Duration,
    header_bytes: usize,
    received: usize,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Client {
    /// Wraps an accepted connection whose headers may take `header_time` and `header_bytes`.
    pub(super) fn new(
        tcp: TcpStream,
        connection: Arc<Connection>,
        header_time: Duration,
        header_bytes: usize,
    ) -> Self {
        let io = BufWriter::with_capacity(WRITE_BUFFER, tcp);
        Self { io, connection, header_time, header_bytes, received: 0, deadline: None }
    }

    /// What is known of the connection.
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    fn read_header(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.io).poll_read(context, buffer);
        if self.connection.stage.load(Ordering::Relaxed) == RESTING {
            if outcome.is_pending() {
                return Poll::Pending; // pingora watches how long it rests.
            }
            (self.received, self.deadline) = (0, None);
            self.connection.stage.store(HEADER, Ordering::Relaxed);
        }
        self.received = self.received.saturating_add(buffer.filled().len().saturating_sub(before));
        if self.received > self.header_bytes.saturating_add(BODY_WITH_HEADER) {
            self.connection.refuse(431);
            buffer.set_filled(before);
            return Poll::Ready(Ok(())); // The end, to pingora; it then shuts down, and we answer.
        }
        if outcome.is_pending() {
            let time = self.header_time;
            let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(time)));
            if deadline.as_mut().poll(context).is_ready() {
                self.connection.refuse(408);
                return Poll::Ready(Ok(()));
            }
        }
        outcome
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
        if !self.io.buffer().is_empty() {
            // Whoever waits for the client has said what there was to say: do not keep it back.
            let _reported_by_the_next_write = Pin::new(&mut self.io).poll_flush(context);
        }
        Pin::new(&mut self.io).poll_read(context, buffer)
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
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[async_trait]
impl Shutdown for Client {
    async fn shutdown(&mut self) {
        let refusal = self.connection.refusal();
        if let Some(status) = refusal {
            let _gone = self.io.write_all(page(status).as_bytes()).await;
        }
        let _gone = self.io.shutdown().await;
        if refusal.is_some() || self.connection.linger.load(Ordering::Relaxed) {
            let mut rest = self.io.get_mut().take(LINGER.0);
            let _read_or_not = timeout(LINGER.1, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
        }
    }
}

/// The answer to what is not a request: short, plain, and the last on its connection.
fn page(status: u16) -> String {
    let (reason, body) = match status {
        405 => ("Method Not Allowed", "This method is not served here.\n"),
        408 => ("Request Timeout", "The request took too long to arrive. Please try again.\n"),
        431 => ("Request Header Fields Too Large", "The request's headers are too large.\n"),
        _ => ("Bad Request", "This is not a well-formed HTTP request.\n"),
    };
    let length = body.len();
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

impl Drop for Client {
    /// What was said so far still goes out when a request fails half-way, as far as the socket takes it at once.
    fn drop(&mut self) {
        if !self.io.buffer().is_empty() {
            let _as_far_as_it_goes = self.io.get_ref().try_write(self.io.buffer());
        }
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
