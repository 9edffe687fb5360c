//! What does a server do with these HTTP/2 requests, and with these frames? A client that keeps the rules, and one that
//! writes frames as it is told. Frames: RFC 9113 §4.1 and §6; header blocks: RFC 7541 §6.2.2, never compressed.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::{HeaderMap, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::DEADLINE;

/// A connection that keeps the rules.
pub(crate) struct Http2Client {
    sender: SendRequest<Bytes>,
    closed: JoinHandle<Result<(), h2::Error>>,
}

/// An answer, whole.
#[derive(Clone, Debug)]
pub(crate) struct Http2Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Http2Answer {
    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The content as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Http2Client {
    /// Connects with prior knowledge.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let (sender, connection) = Builder::new().handshake(tcp).await.unwrap();
        Self { sender, closed: tokio::spawn(connection) }
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// The stream or its connection ended instead.
    pub(crate) async fn send(
        &self,
        request: Request<()>,
        body: impl Into<Bytes>,
    ) -> Result<Http2Answer, h2::Error> {
        timeout(DEADLINE, self.exchange(request, body.into())).await.expect("an answer until the deadline")
    }

    async fn exchange(&self, request: Request<()>, body: Bytes) -> Result<Http2Answer, h2::Error> {
        let mut sender = self.sender.clone().ready().await?;
        let (answer, stream) = sender.send_request(request, body.is_empty())?;
        // Beside the answer, which may come first.
        let upload = (!body.is_empty()).then(|| tokio::spawn(upload(stream, body)));
        let (head, mut received) = answer.await?.into_parts();
        let mut body = Vec::new();
        while let Some(piece) = received.data().await {
            let piece = piece?;
            let _still_there = received.flow_control().release_capacity(piece.len());
            body.extend_from_slice(&piece);
        }
        let trailers = received.trailers().await?;
        if let Some(upload) = upload {
            upload.abort();
        }
        Ok(Http2Answer { status: head.status.as_u16(), headers: head.headers, body, trailers })
    }

    /// Begins a request that goes on for as long as what is returned is kept.
    pub(crate) async fn begin(
        &self,
        request: Request<()>,
        end: bool,
    ) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
        let mut sender = self.sender.clone().ready().await.unwrap();
        sender.send_request(request, end).unwrap()
    }

    /// How the connection ended.
    pub(crate) async fn closed(self) -> Result<(), h2::Error> {
        let Self { sender, closed } = self;
        let ended = timeout(DEADLINE, closed).await.expect("an end until the deadline").unwrap();
        drop(sender);
        ended
    }
}

async fn upload(mut stream: h2::SendStream<Bytes>, mut body: Bytes) {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let Some(Ok(room)) = poll_fn(|context| stream.poll_capacity(context)).await else { return };
        let piece = body.split_to(room.min(body.len()));
        if stream.send_data(piece, body.is_empty()).is_err() {
            return;
        }
    }
}

/// A connection on which everything may be said.
pub(crate) struct RawHttp2 {
    tcp: TcpStream,
}

impl RawHttp2 {
    /// The socket, for a client that reads and writes at the same time.
    pub(crate) fn into_socket(self) -> TcpStream {
        self.tcp
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

impl Frame {
    /// The error code of a `RST_STREAM` or a `GOAWAY`.
    pub(crate) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

impl RawHttp2 {
    /// Connects and says the preface and empty settings.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).await.unwrap()
    }

    /// The same, where the server may be too busy for it.
    ///
    /// # Errors
    /// It takes no connection, or hangs up.
    pub(crate) async fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let mut client = Self { tcp };
        client.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
        client.frame(SETTINGS, 0, 0, b"").await?;
        Ok(client)
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// The peer has hung up.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tcp.write_all(bytes).await
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// The peer has hung up.
    pub(crate) async fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        self.write(&framed(kind, flags, stream, payload)).await
    }

    /// Writes a whole request without a body.
    ///
    /// # Errors
    /// The peer has hung up.
    pub(crate) async fn request(&mut self, stream: u32, fields: &[(&str, &str)]) -> io::Result<()> {
        self.frame(HEADERS, END_STREAM | END_HEADERS, stream, &block(fields)).await
    }

    /// The next frame; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        timeout(DEADLINE, self.read()).await.expect("a frame until the deadline").ok()
    }

    async fn read(&mut self) -> io::Result<Frame> {
        let mut head = [0; 9];
        self.tcp.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, s @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.tcp.read_exact(&mut payload).await?;
        Ok(Frame { kind, flags, stream: u32::from_be_bytes(s) & 0x7fff_ffff, payload })
    }

    /// The next frame of one of these kinds; `None` at the end.
    pub(crate) async fn next_of(&mut self, kinds: &[u8]) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if kinds.contains(&frame.kind) {
                return Some(frame);
            }
        }
    }
}

/// A frame's bytes.
pub(crate) fn framed(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A header block: every field as a literal that is never indexed.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0x10);
        for text in [name, value] {
            length(&mut bytes, text.len());
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

/// An integer with a prefix of seven bits (RFC 7541 §5.1).
fn length(bytes: &mut Vec<u8>, value: usize) {
    if value < 127 {
        return bytes.push(u8::try_from(value).unwrap());
    }
    bytes.push(127);
    let mut rest = value - 127;
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
}

mod tests {
    use super::*;

    #[test]
    fn frames_and_blocks_are_as_the_rfcs_say() {
        assert_eq!(framed(DATA, END_STREAM, 3, b"ab"), b"\0\0\x02\0\x01\0\0\0\x03ab");
        // RFC 7541 C.2.3, but for the Huffman code.
        assert_eq!(block(&[("password", "secret")]), b"\x10\x08password\x06secret");
        let mut bytes = Vec::new();
        length(&mut bytes, 1337 + 127);
        assert_eq!(bytes, [127, 0b1011_1001, 0b1010]);
    }
}
