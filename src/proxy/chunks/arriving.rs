//! Which of a connection's bytes are a body in chunks? What arrives together with the header is held back until the header
//! has been judged, so that the body is seen from its first byte on.
//!
//! The engine alone says where a header ends. What is cut off here on a guess only arrives one read later; whether the
//! guess was right shows once the header is known: then nothing beyond it may have been given out.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::{Buf as _, Bytes};
use memchr::memmem;
use tokio::io::ReadBuf;

use super::{Chunks, Malformed};

const HEADER_END: &[u8] = b"\r\n\r\n";
const CODING: &[u8] = b"transfer-encoding:";

/// What is kept while a header is incomplete or a body arrives in chunks; nothing for all other requests.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Arriving {
    /// The header's first parts, while its end is due.
    header: Vec<u8>,
    /// What came behind the header.
    held: Bytes,
    chunks: Chunks,
}

/// How the body under way stands, for all who serve the connection.
#[derive(Debug)]
pub(in crate::proxy) struct Standing(AtomicU8);

/// It is not in chunks, or not checked.
const UNCHECKED: u8 = 0;
const WITHIN: u8 = 1;
/// Its last byte has come, and nothing behind it.
const ENDED: u8 = 2;
const EXCEEDED: u8 = 3;
const MALFORMED: u8 = 4;

impl Standing {
    /// Nothing is checked yet.
    pub(in crate::proxy) fn new() -> Self {
        Self(AtomicU8::new(UNCHECKED))
    }

    /// From here on every byte is one of a body in chunks, if its beginning is `known`; hands that back.
    pub(in crate::proxy) fn check_if(&self, known: bool) -> bool {
        self.0.store(if known { WITHIN } else { UNCHECKED }, Ordering::Relaxed);
        known
    }

    /// Whether what arrives is to be checked.
    pub(in crate::proxy) fn checks(&self) -> bool {
        self.0.load(Ordering::Relaxed) != UNCHECKED
    }

    /// Whether the last chunk has been given out, and nothing behind it.
    pub(in crate::proxy) fn ended(&self) -> bool {
        self.0.load(Ordering::Relaxed) == ENDED
    }

    /// Whether something came behind the last chunk.
    pub(in crate::proxy) fn exceeded(&self) -> bool {
        self.0.load(Ordering::Relaxed) == EXCEEDED
    }

    /// Whether the chunks break the rules.
    pub(in crate::proxy) fn malformed(&self) -> bool {
        self.0.load(Ordering::Relaxed) == MALFORMED
    }

    /// The request is over: whether its chunks, if it had some, ended to the letter, and nothing came behind them.
    pub(in crate::proxy) fn settle(&self) -> bool {
        matches!(self.0.swap(UNCHECKED, Ordering::Relaxed), UNCHECKED | ENDED)
    }
}

impl Arriving {
    /// Looks through what arrived of a header, and takes away what is behind it if that may be chunks.
    ///
    /// # Errors
    /// When the header is complete and its first line is not three words. The engine would make an encoded space of each
    /// one in a target, which nobody has asked for (RFC 9112 §3.2), and the header would be longer than what was read.
    pub(in crate::proxy) fn cut(
        this: &mut Option<Box<Self>>,
        buffer: &mut ReadBuf<'_>,
        before: usize,
    ) -> Result<(), Malformed> {
        let new = buffer.filled().get(before..).unwrap_or_default();
        if new.is_empty() {
            return Ok(());
        }
        let known = this.as_ref().map_or(0, |this| this.header.len());
        let end = match this {
            Some(this) if known > 0 => {
                this.header.extend_from_slice(new);
                let from = known.saturating_sub(HEADER_END.len() - 1);
                memmem::find(this.header.get(from..).unwrap_or_default(), HEADER_END)
                    .map(|at| from + at + HEADER_END.len())
            }
            _ => memmem::find(new, HEADER_END).map(|at| at + HEADER_END.len()),
        };
        let Some(end) = end else {
            if known == 0 {
                this.get_or_insert_default().header = new.to_vec();
            }
            return Ok(());
        };
        let kept = end.saturating_sub(known);
        let behind = new.get(kept..).unwrap_or_default();
        let whole = match this {
            Some(this) if known > 0 => this.header.get(..end),
            _ => new.get(..end),
        };
        let Some(whole) = whole.filter(|whole| three_words(whole)) else { return Err(Malformed) };
        if !behind.is_empty() && names_coding(whole) {
            let behind = Bytes::copy_from_slice(behind);
            let this = this.get_or_insert_default();
            this.held = [behind, std::mem::take(&mut this.held)].concat().into();
            buffer.set_filled(before.saturating_add(kept));
        }
        if let Some(this) = this {
            this.header = Vec::new();
        }
        Ok(())
    }

    /// Gives out what was held back; whether there was something.
    pub(in crate::proxy) fn hand_out(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let fits = self.held.len().min(buffer.remaining());
        buffer.put_slice(self.held.get(..fits).unwrap_or_default());
        self.held.advance(fits);
        fits > 0
    }

    /// Whether something is still held back.
    pub(in crate::proxy) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes in bytes of the body: those in the buffer from `before` on.
    ///
    /// # Errors
    /// When they break the rules; then none of them is given out.
    pub(in crate::proxy) fn take(
        &mut self,
        buffer: &mut ReadBuf<'_>,
        before: usize,
        standing: &Standing,
    ) -> io::Result<()> {
        let new = buffer.filled().get(before..).unwrap_or_default();
        let now = match self.chunks.take(new) {
            Err(Malformed) => MALFORMED,
            Ok(_) if !self.chunks.ended() => WITHIN,
            Ok(taken) if taken < new.len() || self.holds() => EXCEEDED,
            Ok(_) => ENDED,
        };
        standing.0.store(now, Ordering::Relaxed);
        if now == MALFORMED {
            buffer.set_filled(before);
            return Err(io::Error::new(io::ErrorKind::InvalidData, "malformed chunks"));
        }
        Ok(())
    }
}

/// Whether the first line that is not empty has two spaces, and nothing else that is no visible character.
fn three_words(header: &[u8]) -> bool {
    let lines = header.trim_ascii_start();
    let line = lines.get(..memchr::memchr(b'\n', lines).unwrap_or(lines.len())).unwrap_or_default();
    let blank = |byte: &&u8| **byte <= b' ' || **byte == 0x7f;
    line.iter().filter(blank).eq(b"  \r")
}

/// Whether a header has a line of this name.
fn names_coding(header: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', header).any(|at| {
        let name = header.get(at + 1..).and_then(|line| line.get(..CODING.len()));
        name.is_some_and(|name| name.eq_ignore_ascii_case(CODING))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-encoding: chunked\r\n\r\n";

    /// What the engine gets of these pieces while the header is due, and what is held back then.
    fn cut(pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
        let (mut arriving, mut given) = (None, Vec::new());
        for piece in pieces {
            let mut room = vec![0; 4 + piece.len()];
            let mut buffer = ReadBuf::new(&mut room);
            buffer.put_slice(b"old!");
            buffer.put_slice(piece);
            let _body_alone_is_no_header = Arriving::cut(&mut arriving, &mut buffer, 4);
            given.extend_from_slice(&buffer.filled()[4..]);
        }
        let held = arriving.map(|arriving| arriving.held.to_vec());
        (given, held.unwrap_or_default())
    }

    #[test]
    fn a_header_and_its_chunks_are_told_apart_in_every_split() {
        let bytes = [HEADER, b"0\r\n\r\n"].concat();
        for split in 1..bytes.len() {
            let (given, held) = cut(&[&bytes[..split], &bytes[split..]]);
            if split < HEADER.len() {
                assert_eq!((&given[..], &held[..]), (HEADER, &b"0\r\n\r\n"[..]), "{split}");
            } else {
                // The engine has its header by then; it is asked for no more of it.
                assert_eq!(&given[..HEADER.len()], HEADER);
            }
        }
        let single: Vec<&[u8]> = bytes[..HEADER.len()].chunks(1).collect();
        assert_eq!(cut(&single), (HEADER.to_vec(), vec![]));
    }

    #[test]
    fn nothing_is_kept_of_a_request_without_chunks() {
        for request in ["GET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\na"] {
            let mut arriving = None;
            let mut room = [0; 99];
            let mut buffer = ReadBuf::new(&mut room);
            buffer.put_slice(request.as_bytes());
            Arriving::cut(&mut arriving, &mut buffer, 0).unwrap();
            assert!(arriving.is_none());
            assert_eq!(buffer.filled(), request.as_bytes());
        }
    }

    #[test]
    fn another_header_of_a_similar_name_holds_nothing_back() {
        let request = b"GET / HTTP/1.1\r\nTransfer-Encoding-X: chunked\r\nX: transfer-encoding:\r\n\r\nabc";
        assert_eq!(cut(&[request]), (request.to_vec(), vec![]));
    }

    #[test]
    fn a_request_begins_with_three_words() {
        for (line, good) in [
            ("GET / HTTP/1.1\r", true),
            ("GET /a\"<>{}\u{e9} HTTP/1.1\r", true),
            ("GET /a%20b HTTP/1.1\r", true),
            ("GET /a b HTTP/1.1\r", false),
            ("GET  / HTTP/1.1\r", false),
            ("GET / HTTP/1.1 \r", false),
            ("GET /\ta HTTP/1.1\r", false),
            ("GET /\u{1}a HTTP/1.1\r", false),
            ("GET /\u{7f}a HTTP/1.1\r", false),
            ("GET /\ra HTTP/1.1\r", false),
            ("GET /\r", false),
            ("", false),
        ] {
            for empty in ["", "\r\n"] {
                let header = format!("{empty}{line}\nA: b c d\r\n\r\n");
                for split in 0..header.len() {
                    let (mut arriving, mut outcome) = (None, Ok(()));
                    for piece in [&header.as_bytes()[..split], &header.as_bytes()[split..]] {
                        let mut room = vec![0; piece.len()];
                        let mut buffer = ReadBuf::new(&mut room);
                        buffer.put_slice(piece);
                        outcome = outcome.and(Arriving::cut(&mut arriving, &mut buffer, 0));
                    }
                    assert_eq!(outcome.is_ok(), good, "{header:?} at {split}");
                }
            }
        }
    }

    #[test]
    fn what_follows_the_end_is_seen() {
        let standing = Standing::new();
        // The buffer has old bytes in front, which are none of the body's.
        let take = |arriving: &mut Arriving, bytes: &[u8]| {
            let mut room = vec![0; bytes.len() + 1];
            let mut buffer = ReadBuf::new(&mut room);
            buffer.put_slice(b"!");
            buffer.put_slice(bytes);
            let outcome = arriving.take(&mut buffer, 1, &standing);
            let given = if outcome.is_ok() { bytes.len() } else { 0 };
            assert_eq!(buffer.filled().len(), 1 + given);
            standing.0.load(Ordering::Relaxed)
        };
        let mut arriving = Arriving::default();
        let pieces = [&b"1\r\na\r\n0"[..], b"\r\n\r\n", b"", b"G"];
        assert_eq!(pieces.map(|piece| take(&mut arriving, piece)), [WITHIN, ENDED, ENDED, EXCEEDED]);
        assert!(!standing.settle() && standing.settle());
        assert_eq!(take(&mut Arriving::default(), b"0\r\n\r\nG"), EXCEEDED);
        // Held back behind the end counts as well.
        let mut held = Arriving { held: Bytes::from_static(b"G"), ..Arriving::default() };
        assert_eq!(take(&mut held, b"0\r\n\r\n"), EXCEEDED);
        assert_eq!(take(&mut Arriving::default(), b"1\r\na\n"), MALFORMED);
        assert!(standing.malformed() && !standing.settle());
    }

    #[test]
    fn what_was_held_back_comes_first_and_as_it_fits() {
        let mut arriving = Arriving { held: Bytes::from_static(b"abc"), ..Arriving::default() };
        for (want, more) in [(&b"ab"[..], true), (b"c", true), (b"", false)] {
            let mut room = [0; 2];
            let mut buffer = ReadBuf::new(&mut room);
            assert_eq!((arriving.hand_out(&mut buffer), buffer.filled()), (more, want));
        }
        assert!(!arriving.holds());
    }
}
