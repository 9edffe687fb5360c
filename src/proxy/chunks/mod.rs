//! Does a body in chunks follow RFC 9112 §7.1 to the letter, and where does it end? Byte by byte, holding nothing back.
//!
//! Guarantees: what it lets pass has one reading, so every program that knows chunks sees the same end. Stricter than the
//! grammar in two places: no white space around extensions (senders must not write it) and sizes of at most 16 digits. It
//! keeps no data and knows no limits; how much may come is for others to say.

pub(super) mod arriving;

/// Follows one body, from behind its header.
#[derive(Clone, Debug, Default)]
pub struct Chunks {
    at: At,
    /// What is left of the chunk under way, or its size while that is read.
    left: u64,
}

/// The body is not framed as the RFC says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// What was read last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Start,
    /// So many digits of a size.
    Size(u8),
    ExtensionStart,
    ExtensionName,
    ExtensionValueStart,
    ExtensionToken,
    ExtensionQuoted,
    ExtensionEscape,
    ExtensionQuotedEnd,
    SizeCr,
    Data,
    DataEnd,
    DataCr,
    LineStart,
    TrailerName,
    TrailerValue,
    TrailerCr,
    LastCr,
    End,
    Broken,
}

const MOST_DIGITS: u8 = 16;

impl Chunks {
    /// Takes in what arrived, and says how many of these bytes belong to the body: all of them, or fewer at its end.
    ///
    /// # Errors
    /// [`Malformed`] when one of them is out of place, and from then on for good.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut rest = bytes;
        while self.at != At::End {
            let Some((&byte, after)) = rest.split_first() else { break };
            if self.at == At::Data {
                let data = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
                self.left = self.left.saturating_sub(u64::try_from(data).unwrap_or(u64::MAX));
                if self.left == 0 {
                    self.at = At::DataEnd;
                }
                rest = rest.get(data..).unwrap_or_default();
                continue;
            }
            self.at = self.next(byte);
            if self.at == At::Broken {
                return Err(Malformed);
            }
            rest = after;
        }
        Ok(bytes.len().saturating_sub(rest.len()))
    }

    /// Whether the last byte of the body was taken in.
    pub fn ended(&self) -> bool {
        self.at == At::End
    }

    fn next(&mut self, byte: u8) -> At {
        match (self.at, byte) {
            (At::Start, _) => self.digit(0, byte),
            (At::Size(_) | At::ExtensionName | At::ExtensionToken | At::ExtensionQuotedEnd, b'\r') => {
                At::SizeCr
            }
            (At::Size(_) | At::ExtensionName | At::ExtensionToken | At::ExtensionQuotedEnd, b';') => {
                At::ExtensionStart
            }
            (At::Size(digits), _) => self.digit(digits, byte),
            (At::ExtensionName, b'=') => At::ExtensionValueStart,
            (At::ExtensionStart | At::ExtensionName, _) if token(byte) => At::ExtensionName,
            (At::ExtensionValueStart, b'"') => At::ExtensionQuoted,
            (At::ExtensionValueStart | At::ExtensionToken, _) if token(byte) => At::ExtensionToken,
            (At::ExtensionQuoted, b'"') => At::ExtensionQuotedEnd,
            (At::ExtensionQuoted, b'\\') => At::ExtensionEscape,
            (At::ExtensionQuoted | At::ExtensionEscape, _) if text(byte) => At::ExtensionQuoted,
            (At::SizeCr, b'\n') if self.left == 0 => At::LineStart,
            (At::SizeCr, b'\n') => At::Data,
            (At::DataEnd, b'\r') => At::DataCr,
            (At::DataCr, b'\n') => At::Start,
            (At::LineStart, b'\r') => At::LastCr,
            (At::LineStart | At::TrailerName, _) if token(byte) => At::TrailerName,
            (At::TrailerName, b':') => At::TrailerValue,
            (At::TrailerValue, b'\r') => At::TrailerCr,
            (At::TrailerValue, _) if text(byte) => At::TrailerValue,
            (At::TrailerCr, b'\n') => At::LineStart,
            (At::LastCr, b'\n') => At::End,
            _ => At::Broken,
        }
    }

    fn digit(&mut self, before: u8, byte: u8) -> At {
        match char::from(byte).to_digit(16) {
            Some(digit) if before < MOST_DIGITS => {
                self.left = (self.left << 4) | u64::from(digit);
                At::Size(before.saturating_add(1))
            }
            _ => At::Broken,
        }
    }
}

/// A letter of a token (RFC 9110 §5.6.2).
fn token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What may stand in a field's value or, escaped, in a quoted string (RFC 9110 §5.5 and §5.6.4).
fn text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of this is the body, or `None` where it is malformed; `Some(0)` for what has no end yet.
    fn whole(bytes: &[u8]) -> Option<usize> {
        let mut chunks = Chunks::default();
        let taken = chunks.take(bytes).ok()?;
        Some(if chunks.ended() { taken } else { 0 })
    }

    const STRICT: &[&[u8]] = &[
        b"0\r\n\r\n",
        b"0000000000000000\r\n\r\n",
        b"3\r\nabc\r\n0\r\n\r\n",
        b"0003\r\n\r\n0\r\n0\r\n\r\n",
        b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
        b"1;a\r\nx\r\n0\r\n\r\n",
        b"1;a=b;c=\"d\\\"\\\\ \t;\xff\";e\r\nx\r\n0;f=\"\"\r\n\r\n",
        b"0\r\nA:\r\nB: \tc d\xff \r\n!: x\r\n\r\n",
        b"2\r\n\r\n\r\n0\r\n\r\n",
    ];

    const MALFORMED: &[&[u8]] = &[
        b"\r\n",
        b"\n",
        b";a\r\n",
        b" 1\r\n",
        b"\t1\r\n",
        b"1 \r\n",
        b"1\t\r\n",
        b"+1\r\n",
        b"-1\r\n",
        b"0x1\r\n",
        b"1_\r\n",
        b"g\r\n",
        b"00000000000000000\r\n",
        b"10000000000000003\r\n",
        b"1\n",
        b"1\rx",
        b"1\r\r\n",
        b"1;\r\n",
        b"1;\n",
        b"1; a\r\n",
        b"1 ;a\r\n",
        b"1;a =b\r\n",
        b"1;a=\r\n",
        b"1;a=b c\r\n",
        b"1;a=b=c\r\n",
        b"1;=b\r\n",
        b"1;a;;b\r\n",
        b"1;a\n",
        b"1;a=b\n",
        b"1;a\0\r\n",
        b"1;a=\"b\r\n",
        b"1;a=\"\n\"\r\n",
        b"1;a=\"\\\r\"\r\n",
        b"1;a=\"\x7f\"\r\n",
        b"1;a=\"b\"c\r\n",
        b"1;a\xff\r\n",
        b"1\r\nxx",
        b"1\r\nx\n",
        b"1\r\nx\rx",
        b"1\r\nx0\r\n",
        b"0\n",
        b"0\r\n\n",
        b"0\r\n\rx",
        b"0\r\n x: y\r\n",
        b"0\r\n: y\r\n",
        b"0\r\nx : y\r\n",
        b"0\r\nx\r\n",
        b"0\r\nx: y\n",
        b"0\r\nx: y\rz",
        b"0\r\nx: \0\r\n",
        b"0\r\nx: y\r\n z\r\n",
    ];

    #[test]
    fn strict_bodies_end_where_they_end_in_every_split() {
        for body in STRICT {
            for behind in [&b""[..], b"GET / HTTP/1.1\r\n", b"\0", b"\r\n"] {
                let bytes = [body, behind].concat();
                assert_eq!(whole(&bytes), Some(body.len()), "{}", bytes.escape_ascii());
                for first in 0..=bytes.len() {
                    for second in first..=bytes.len() {
                        let mut chunks = Chunks::default();
                        let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                        let taken: usize = pieces.iter().map(|piece| chunks.take(piece).unwrap()).sum();
                        assert_eq!((taken, chunks.ended()), (body.len(), true), "{}", bytes.escape_ascii());
                    }
                }
            }
            for short in 0..body.len() {
                assert_eq!(whole(&body[..short]), Some(0), "{}", body.escape_ascii());
            }
        }
    }

    /// The byte that is out of place is the last one, or in the line end that these tables write in full.
    #[test]
    fn malformed_bodies_are_refused_in_every_split_and_for_good() {
        for body in MALFORMED {
            for before in [&b""[..], b"2\r\nab\r\n"] {
                let bytes = [before, body, b"0\r\n\r\n"].concat();
                assert_eq!(whole(&bytes), None, "{}", bytes.escape_ascii());
                for split in 0..=bytes.len() {
                    let mut chunks = Chunks::default();
                    let halves = [&bytes[..split], &bytes[split..]];
                    assert!(halves.iter().any(|half| chunks.take(half).is_err()), "{}", bytes.escape_ascii());
                    assert_eq!((chunks.take(b"0\r\n\r\n"), chunks.ended()), (Err(Malformed), false));
                }
            }
            let mut chunks = Chunks::default();
            assert!(body.iter().any(|byte| chunks.take(&[*byte]).is_err()), "{}", body.escape_ascii());
        }
    }

    /// Of every byte in every place of a body, only what the grammar has there passes.
    #[test]
    fn one_byte_changed() {
        let body = b"2;a=b\r\nxy\r\n0\r\nT: v\r\n\r\n";
        let passes = |at: usize| {
            (0..=u8::MAX).filter(move |byte| {
                let mut changed = *body;
                changed[at] = *byte;
                whole(&changed) == Some(body.len())
            })
        };
        for at in [0, 1, 5, 6, 9, 10, 11, 12, 13, 15, 18, 19, 20, 21] {
            assert_eq!(passes(at).collect::<Vec<_>>(), [body[at]], "{at}");
        }
        // Names, the sign between name and value (`;` begins another name), data, text.
        assert_eq!((passes(2).count(), passes(3).count(), passes(7).count()), (77, 79, 256));
        assert_eq!(passes(17).count(), 256 - 31 - 1);
    }

    #[test]
    fn the_largest_size_is_counted_and_not_added_to() {
        let mut chunks = Chunks::default();
        assert_eq!(chunks.take(b"ffffffffffffffff\r\nabc"), Ok(21));
        assert_eq!((chunks.left, chunks.ended()), (u64::MAX - 3, false));
    }
}
