//! How is one HTTP/1.1 message read without changing a byte of it? Head and body, with case, order and framing kept.
//!
//! Tolerant on purpose: it reports what arrived, right or wrong, and leaves the judgement to the test. Framing
//! follows RFC 9112 §6.3 for well-formed messages.

use std::fmt;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// A start line and its headers, as they were on the wire. `Debug` shows the bytes as text.
#[derive(Clone, Default)]
pub(crate) struct Head {
    /// Every byte up to and including the empty line.
    pub(crate) raw: Vec<u8>,
    /// The first line without its line ending.
    pub(crate) start_line: String,
    /// Name and value in order, in the case they were sent; only the spaces around the value are gone.
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    fn parse(raw: Vec<u8>) -> Self {
        let text = String::from_utf8_lossy(&raw).into_owned();
        let mut lines = text.split("\r\n");
        let start_line = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .filter(|line| !line.is_empty())
            .map(|line| match line.split_once(':') {
                Some((name, value)) => (name.to_owned(), value.trim_matches([' ', '\t']).to_owned()),
                None => (line.to_owned(), String::new()),
            })
            .collect();
        Self { raw, start_line, headers }
    }

    /// The first header of this name in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).into_iter().next()
    }

    /// Every header of this name in any case, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    /// How the body after this head ends, when it is a request's.
    pub(crate) fn request_framing(&self) -> Framing {
        self.framing(Framing::None)
    }

    /// How the body after this head ends, when it answers a request of `method` with `status`.
    pub(crate) fn response_framing(&self, method: &str, status: u16) -> Framing {
        if method == "HEAD" || matches!(status, 100..=199 | 204 | 304) {
            return Framing::None;
        }
        self.framing(Framing::UntilClose)
    }

    fn framing(&self, otherwise: Framing) -> Framing {
        let chunked =
            self.all("transfer-encoding").iter().any(|v| v.to_ascii_lowercase().ends_with("chunked"));
        let length = self.header("content-length").and_then(|v| v.parse().ok());
        match (chunked, length) {
            (true, _) => Framing::Chunked,
            (false, Some(n)) => Framing::Length(n),
            (false, None) => otherwise,
        }
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.raw), f)
    }
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    None,
    /// After this many bytes.
    Length(usize),
    /// After the last chunk and its trailers.
    Chunked,
    /// When the sender closes.
    UntilClose,
}

/// A body as sent and as meant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    /// The bytes on the wire, chunk sizes and trailers included.
    pub(crate) raw: Vec<u8>,
    /// The content alone.
    pub(crate) content: Vec<u8>,
}

/// Reads messages from a stream and keeps what belongs to the next one.
#[derive(Debug)]
pub(crate) struct Reader<S> {
    pub(crate) stream: S,
    pub(crate) buffer: Vec<u8>,
}

impl<S: AsyncRead + Unpin> Reader<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Reads once more into the buffer; `false` at the end of the stream.
    pub(crate) async fn fill(&mut self) -> io::Result<bool> {
        let mut chunk = vec![0; 16 * 1024];
        let n = self.stream.read(&mut chunk).await?;
        self.buffer.extend_from_slice(&chunk[..n]);
        Ok(n > 0)
    }

    /// The next head; `None` when the stream ends before its first byte.
    ///
    /// # Errors
    /// `UnexpectedEof` when it ends in the middle.
    pub(crate) async fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                return Ok(Some(Head::parse(self.take(end + 4))));
            }
            if !self.fill().await? {
                return if self.buffer.is_empty() { Ok(None) } else { Err(cut_short()) };
            }
        }
    }

    /// The body after a head.
    ///
    /// # Errors
    /// `UnexpectedEof` when the stream ends before the framing says so; `InvalidData` on a chunk size that is none.
    pub(crate) async fn body(&mut self, framing: Framing) -> io::Result<Body> {
        match framing {
            Framing::None => Ok(Body::default()),
            Framing::Length(n) => {
                let content = self.exactly(n).await?;
                Ok(Body { raw: content.clone(), content })
            }
            Framing::UntilClose => {
                while self.fill().await? {}
                let content = std::mem::take(&mut self.buffer);
                Ok(Body { raw: content.clone(), content })
            }
            Framing::Chunked => self.chunked().await,
        }
    }

    async fn chunked(&mut self) -> io::Result<Body> {
        let mut body = Body::default();
        loop {
            let line = self.line().await?;
            body.raw.extend_from_slice(&line);
            let text = String::from_utf8_lossy(&line);
            let digits = text.trim().split(';').next().unwrap_or_default().trim().to_owned();
            let size = usize::from_str_radix(&digits, 16).map_err(|_| {
                io::Error::new(io::ErrorKind::InvalidData, format!("not a chunk size: {text:?}"))
            })?;
            if size == 0 {
                break;
            }
            let chunk = self.exactly(size + 2).await?;
            body.content.extend_from_slice(&chunk[..size]);
            body.raw.extend_from_slice(&chunk);
        }
        loop {
            let trailer = self.line().await?;
            body.raw.extend_from_slice(&trailer);
            if trailer == b"\r\n" {
                return Ok(body);
            }
        }
    }

    async fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                return Ok(self.take(end + 2));
            }
            if !self.fill().await? {
                return Err(cut_short());
            }
        }
    }

    /// Exactly `n` bytes.
    pub(crate) async fn exactly(&mut self, n: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < n {
            if !self.fill().await? {
                return Err(cut_short());
            }
        }
        Ok(self.take(n))
    }

    fn take(&mut self, n: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(n);
        std::mem::replace(&mut self.buffer, rest)
    }
}

fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the stream ended in the middle of a message")
}

/// Where `needle` starts in `haystack`.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

mod tests {
    use super::*;

    #[tokio::test]
    async fn a_head_keeps_case_order_and_bytes() {
        let bytes: &[u8] = b"GET / HTTP/1.1\r\nhOST: a\r\nX: 1\r\nx:  2 \r\n\r\nrest";
        let mut reader = Reader::new(bytes);
        let head = reader.head().await.unwrap().unwrap();
        assert_eq!(head.raw, &bytes[..bytes.len() - 4]);
        assert_eq!(head.headers[0], ("hOST".into(), "a".into()));
        assert_eq!(head.all("X"), ["1", "2"]);
        assert_eq!(reader.buffer, b"rest");
    }

    #[tokio::test]
    async fn bodies_end_where_their_framing_says() {
        let cases = [
            (Framing::None, &b"next"[..], &b""[..], &b"next"[..]),
            (Framing::Length(3), b"abcnext", b"abc", b"next"),
            (Framing::Chunked, b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\nnext", b"abcde", b"next"),
            (Framing::UntilClose, b"all of it", b"all of it", b""),
        ];
        for (framing, bytes, content, rest) in cases {
            let mut reader = Reader::new(bytes);
            let body = reader.body(framing).await.unwrap();
            assert_eq!(body.content, content, "{framing:?}");
            assert_eq!(reader.body(Framing::UntilClose).await.unwrap().content, rest, "{framing:?}");
        }
    }

    #[tokio::test]
    async fn a_message_that_is_cut_short_is_an_error() {
        let cases: [(Framing, &[u8]); 3] = [
            (Framing::Length(9), b"abc"),
            (Framing::Chunked, b"3\r\nab"),
            (Framing::Chunked, b"3\r\nabc\r\n"),
        ];
        for (framing, bytes) in cases {
            let error = Reader::new(bytes).body(framing).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{bytes:?}");
        }
        let not_a_size = Reader::new(&b"zz\r\n"[..]).body(Framing::Chunked).await.unwrap_err();
        assert_eq!(not_a_size.kind(), io::ErrorKind::InvalidData);
        assert!(Reader::new(&b"GET / HT"[..]).head().await.is_err());
        assert!(Reader::new(&b""[..]).head().await.unwrap().is_none());
    }
}
