//! What does a server do with exactly these bytes? A client over a bare socket: nothing is normalised, added or hidden.
//!
//! HTTP libraries repair half of what an attacker sends; the attack tables therefore use this one.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::DEADLINE;
use super::http1::{Head, Reader};
use super::secrets;

/// One keep-alive connection.
#[derive(Debug)]
pub(crate) struct RawClient {
    reader: Reader<TcpStream>,
}

impl RawClient {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap_or_else(|e| panic!("connect {address}: {e}"));
        stream.set_nodelay(true).unwrap();
        Self { reader: Reader::new(stream) }
    }

    /// Connects from another address of this machine.
    pub(crate) async fn connect_from(from: [u8; 4], address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        let stream = socket.connect(address).await.unwrap_or_else(|e| panic!("connect {address}: {e}"));
        stream.set_nodelay(true).unwrap();
        Self { reader: Reader::new(stream) }
    }

    /// Writes the bytes as they are. A peer that has already hung up is not an error: what it said before can still
    /// be read.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        secrets::note_request(bytes.as_ref());
        let written = self.reader.stream.write_all(bytes.as_ref()).await;
        if let Err(error) = written {
            let hung_up = matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset);
            assert!(hung_up, "send: {error}");
        }
    }

    /// Ends our half of the connection.
    pub(crate) async fn finish(&mut self) {
        let _already_closed = self.reader.stream.shutdown().await;
    }

    /// The next response to a GET (or any method but HEAD), interim ones (1xx) included.
    pub(crate) async fn response(&mut self) -> RawResponse {
        self.response_to("GET").await
    }

    /// The next response to a request of `method`; a HEAD's has no body whatever its headers say.
    pub(crate) async fn response_to(&mut self, method: &str) -> RawResponse {
        self.try_response(method).await.unwrap_or_else(|e| panic!("no response: {e}"))
    }

    /// The next response that is not interim (1xx).
    pub(crate) async fn final_response(&mut self) -> RawResponse {
        loop {
            let response = self.response().await;
            if !(100..=199).contains(&response.status) {
                return response;
            }
        }
    }

    /// As [`Self::response_to`], but the connection may end instead.
    ///
    /// # Errors
    /// `ConnectionAborted` when the peer closes without a byte, `UnexpectedEof` when it closes in the middle,
    /// `TimedOut` when it says nothing until the deadline.
    pub(crate) async fn try_response(&mut self, method: &str) -> io::Result<RawResponse> {
        match timeout(DEADLINE, self.read_response(method)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no complete response until the deadline")),
        }
    }

    async fn read_response(&mut self, method: &str) -> io::Result<RawResponse> {
        let Some(head) = self.reader.head().await? else {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "closed without a byte"));
        };
        let status = head.start_line.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("not a status line: {:?}", head.start_line))
        })?;
        secrets::note_response(head.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let body = self.reader.body(head.response_framing(method, status)).await?;
        Ok(RawResponse { status, head, raw_body: body.raw, body: body.content })
    }

    /// The head of the next response, its body left in the stream: for streams that do not end.
    pub(crate) async fn head(&mut self) -> Head {
        let head = timeout(DEADLINE, self.reader.head()).await.expect("a head until the deadline");
        head.expect("a whole head").expect("a head before the end")
    }

    /// Exactly `n` more bytes.
    pub(crate) async fn bytes(&mut self, n: usize) -> Vec<u8> {
        timeout(DEADLINE, self.reader.exactly(n)).await.expect("bytes until the deadline").expect("bytes")
    }

    /// Reads until `needle` has arrived; gives everything up to and including it.
    pub(crate) async fn until(&mut self, needle: &str) -> Vec<u8> {
        let wait = async {
            loop {
                if let Some(at) = super::http1::find(&self.reader.buffer, needle.as_bytes()) {
                    return self.reader.exactly(at + needle.len()).await.expect("already here");
                }
                assert!(self.reader.fill().await.expect("read"), "closed before {needle:?}");
            }
        };
        timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("no {needle:?} until the deadline"))
    }

    /// Everything until the peer closes; a reset counts as closing.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let wait = async { while self.reader.fill().await.unwrap_or(false) {} };
        timeout(DEADLINE, wait).await.expect("the peer to close until the deadline");
        std::mem::take(&mut self.reader.buffer)
    }

    /// Whether the peer stays silent, without closing, for `span`. Only for proving that something is *not* sent.
    pub(crate) async fn silent_for(&mut self, span: Duration) -> bool {
        self.reader.buffer.is_empty() && timeout(span, self.reader.fill()).await.is_err()
    }

    /// The bare stream, for what comes after an upgrade. Panics when bytes are already buffered.
    pub(crate) fn into_stream(self) -> TcpStream {
        assert!(self.reader.buffer.is_empty(), "bytes after the head would be lost");
        self.reader.stream
    }
}

/// Sends the bytes on a connection of their own and reads one response.
pub(crate) async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> RawResponse {
    try_exchange(address, bytes).await.unwrap_or_else(|e| panic!("no response: {e}"))
}

/// As [`exchange`], but the server may close instead.
///
/// # Errors
/// Those of [`RawClient::try_response`].
pub(crate) async fn try_exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> io::Result<RawResponse> {
    let method = if bytes.as_ref().starts_with(b"HEAD ") { "HEAD" } else { "GET" };
    let mut client = RawClient::connect(address).await;
    client.send(bytes).await;
    client.try_response(method).await
}

/// A response as it was on the wire. `Debug` shows it as text.
#[derive(Clone)]
pub(crate) struct RawResponse {
    /// The three digits.
    pub(crate) status: u16,
    /// Status line and headers, byte for byte.
    pub(crate) head: Head,
    /// The content.
    pub(crate) body: Vec<u8>,
    /// The content with its framing: chunk sizes and trailers.
    pub(crate) raw_body: Vec<u8>,
}

impl RawResponse {
    /// The first header of this name in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// Every header of this name in any case, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.head.all(name)
    }

    /// The content as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// `name=value` of each `Set-Cookie`, attributes left out: what a browser would send back.
    pub(crate) fn cookies(&self) -> Vec<String> {
        let pairs = self.all("set-cookie").into_iter();
        pairs.map(|line| line.split(';').next().unwrap_or_default().trim().to_owned()).collect()
    }
}

impl fmt::Debug for RawResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.head, self.text())
    }
}
