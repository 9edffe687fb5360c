//! How does a value become part of a log line that nobody can forge?
//!
//! Paths and user agents are written by strangers. In both formats a value stays inside its line and its field: line
//! breaks, quotes, terminal escapes (ECMA-48 C0 and C1), Unicode line separators and direction overrides (the "Trojan
//! Source" characters, CVE-2021-42574) come out as `\uXXXX`. JSON per RFC 8259.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

thread_local! {
    /// One buffer per thread: a line costs no allocation.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Builds one line in this thread's buffer and hands it on, line break included.
/// Nothing is handed on when `write` fails.
pub(super) fn build(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>, hand_on: impl FnOnce(&[u8])) {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        if write(buffer).is_ok() {
            buffer.push(b'\n');
            hand_on(buffer);
        }
    });
}

/// Writes `value` as JSON without a line break.
pub(super) fn json(out: &mut Vec<u8>, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(out, Escaped)).map_err(io::Error::from)
}

/// Writes a value for the text format: as it is when it is plain, otherwise quoted and escaped. Never empty, and never
/// a lone `-`, which stands for "absent".
pub(super) fn word(out: &mut Vec<u8>, text: &str) -> io::Result<()> {
    let plain = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
    if text.is_empty() || text == "-" || !text.bytes().all(plain) {
        return json(out, &text);
    }
    out.write_all(text.as_bytes())
}

/// Writes a sentence for the text format: as it is, but for what would break or disguise the line.
pub(super) fn prose(out: &mut Vec<u8>, text: &str) -> io::Result<()> {
    Escaped.write_string_fragment(out, text)
}

/// RFC 3339, UTC, with milliseconds.
pub(super) fn timestamp(millis: u64) -> Time {
    // Year 9999 is the last that RFC 3339 can write.
    let millis = millis.min(253_402_300_799_999);
    Time(humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(millis)))
}

/// An instant as a line shows it.
pub(super) struct Time(humantime::Rfc3339Timestamp);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(super) struct Hex(pub(super) [u8; 16]);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// The longest prefix of at most `max` bytes that ends between two characters.
pub(super) fn cut(text: &str, max: usize) -> &str {
    let end = text.len().min(max);
    let end = (0..=end).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// Compact JSON that also escapes what `serde_json` lets through.
struct Escaped;

impl Formatter for Escaped {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return out.write_all(fragment.as_bytes());
        }
        for c in fragment.chars() {
            if misleads(c) {
                write!(out, "\\u{:04x}", u32::from(c))?;
            } else {
                out.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
        }
        Ok(())
    }
}

/// Whether a character changes how the rest of a line is shown. All of them are below U+10000.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a stranger sends, and what stands in a line.
    const HOSTILE: [(&str, &str); 12] = [
        ("a\nb", r#""a\nb""#),
        ("a\r\nb", r#""a\r\nb""#),
        ("\"}{\"x\":\"", r#""\"}{\"x\":\"""#),
        ("\\", r#""\\""#),
        ("\u{1b}[2J", r#""\u001b[2J""#),
        ("\u{9b}2J", r#""\u009b2J""#),
        ("\u{7f}", r#""\u007f""#),
        ("\0", r#""\u0000""#),
        ("\u{2028}\u{85}", r#""\u2028\u0085""#),
        ("\u{202e}cod", r#""\u202ecod""#),
        ("", r#""""#),
        ("-", r#""-""#),
    ];

    #[test]
    fn a_hostile_value_stays_in_its_field() {
        for (raw, written) in HOSTILE {
            for write in [word as fn(&mut Vec<u8>, &str) -> io::Result<()>, |out, text| json(out, &text)] {
                let mut out = Vec::new();
                write(&mut out, raw).unwrap();
                let out = String::from_utf8(out).unwrap();
                assert_eq!(out, written, "{raw:?}");
                assert_eq!(serde_json::from_str::<String>(&out).unwrap(), raw, "reads back as it was");
            }
        }
    }

    #[test]
    fn a_plain_value_is_left_alone() {
        for (raw, written) in
            [("/a/b.js", "/a/b.js"), ("a b", "\"a b\""), ("Zoë", "\"Zoë\""), ("😀", "\"😀\"")]
        {
            let mut out = Vec::new();
            word(&mut out, raw).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), written);
        }
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        for (text, max, kept) in
            [("abc", 9, "abc"), ("abc", 2, "ab"), ("aé", 2, "a"), ("😀", 3, ""), ("", 0, "")]
        {
            assert_eq!(cut(text, max), kept);
        }
    }

    #[test]
    fn timestamps_have_milliseconds_and_an_end() {
        assert_eq!(timestamp(1_500).to_string(), "1970-01-01T00:00:01.500Z");
        assert_eq!(timestamp(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }
}
