//! Which path is this, in the one reading that policy and upstream share?
//!
//! The upstream gets the path as the client wrote it; a path that two programs could read differently is refused
//! with 400 rather than guessed at: encoded `/`, `.`, `\`, `#` or NUL at any depth of encoding, backslashes, empty or
//! dot segments, dot segments dressed up with `;`. What remains decodes to one text (RFC 3986 §6.2.2).

use percent_encoding::{percent_decode, percent_decode_str};

/// A path with exactly one reading, percent-decoded. Starts with `/`; no query, no fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalPath {
    decoded: Box<str>,
    /// The same path to a server that cuts parameters at `;` or a second query at a decoded `?`, or that decodes more
    /// than once, where that differs.
    others: Vec<Box<str>>,
}

/// Why a request target is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// Does not start with `/`.
    #[error("the request target is not an absolute path")]
    NotAbsolute,
    /// A `%` without two hex digits.
    #[error("the path has a broken percent-encoding")]
    Encoding,
    /// An encoded separator, dot, `#` or control character.
    #[error("the path hides a separator, a dot or a control character behind percent-encoding")]
    Hidden,
    /// A raw backslash, `#`, space or control character.
    #[error("the path has a character that servers read differently")]
    Character,
    /// `//`.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// `.` or `..`.
    #[error("the path has a dot segment")]
    DotSegment,
    /// Not UTF-8 once decoded.
    #[error("the path is not UTF-8")]
    Utf8,
}

/// How deep encodings of encodings are followed; deeper ones are refused.
const MAX_DEPTH: usize = 4;

impl CanonicalPath {
    /// Parses the path of a request target (what stands before `?`).
    pub fn parse(raw: &str) -> Result<Self, BadTarget> {
        if !raw.starts_with('/') {
            return Err(BadTarget::NotAbsolute);
        }
        if raw.bytes().any(|b| b <= b' ' || b == 0x7f || matches!(b, b'\\' | b'#' | b'?')) {
            return Err(BadTarget::Character);
        }
        let decoded = decode(raw)?;
        plain_segments(decoded.as_bytes())?;
        let deeper = deeper_readings(&decoded)?;
        let cut = |text: &str| text.contains([';', '?']).then(|| without_parameters(text));
        let mut others: Vec<Box<str>> = cut(&decoded).into_iter().collect();
        for text in deeper {
            others.extend(cut(&text));
            others.push(text);
        }
        Ok(Self { decoded, others })
    }

    /// The path, decoded once.
    pub fn as_str(&self) -> &str {
        &self.decoded
    }

    /// The other readings, to a server that drops `;parameters`, cuts at a decoded `?` or decodes again. Policy must say
    /// the same of all.
    pub fn other_readings(&self) -> impl Iterator<Item = &str> {
        self.others.iter().map(|text| &**text)
    }
}

fn decode(raw: &str) -> Result<Box<str>, BadTarget> {
    if !raw.contains('%') {
        return Ok(raw.into());
    }
    for byte in encoded(raw.as_bytes()) {
        if structural(byte.ok_or(BadTarget::Encoding)?) {
            return Err(BadTarget::Hidden);
        }
    }
    let text = percent_decode_str(raw).decode_utf8().map_err(|_| BadTarget::Utf8)?;
    Ok(text.into())
}

/// The byte behind each `%`; `None` for a `%` without two hex digits.
fn encoded(text: &[u8]) -> impl Iterator<Item = Option<u8>> {
    text.split(|b| *b == b'%').skip(1).map(|after| match after {
        [high, low, ..] => Some(hex(*high)? * 16 + hex(*low)?),
        _ => None,
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// Whether a byte may not stand behind an encoding: it would change what the path is made of.
const fn structural(byte: u8) -> bool {
    byte < b' ' || matches!(byte, 0x7f | b'/' | b'.' | b'\\' | b'#')
}

/// Only the last segment may be empty (a trailing slash), and none is made of dots: not even once its parameters are
/// dropped. `/a/;x/b` is `/a//b` to a server that does so.
fn plain_segments(path: &[u8]) -> Result<(), BadTarget> {
    let below_root = path.strip_prefix(b"/").unwrap_or_default();
    for (from_end, segment) in below_root.rsplit(|b| *b == b'/').enumerate() {
        match segment.split(|b| matches!(b, b';' | b'?')).next().unwrap_or_default() {
            b"." | b".." => return Err(BadTarget::DotSegment),
            b"" if from_end > 0 => return Err(BadTarget::EmptySegment),
            _ => {}
        }
    }
    Ok(())
}

/// What a server that decodes again sees, once per further decoding. It must not see more than one that decodes once;
/// neither when it passes over what it cannot decode.
fn deeper_readings(decoded: &str) -> Result<Vec<Box<str>>, BadTarget> {
    let mut readings = Vec::new();
    let mut text: Vec<u8> = decoded.into();
    for _ in 0..MAX_DEPTH {
        if encoded(&text).all(|byte| byte.is_none()) {
            return Ok(readings);
        }
        if encoded(&text).flatten().any(structural) {
            return Err(BadTarget::Hidden);
        }
        text = percent_decode(&text).collect();
        plain_segments(&text)?;
        readings.push(String::from_utf8_lossy(&text).into());
    }
    Err(BadTarget::Hidden)
}

fn without_parameters(decoded: &str) -> Box<str> {
    let path = decoded.split('?').next().unwrap_or_default();
    let plain: Vec<&str> = path.split('/').map(|s| s.split(';').next().unwrap_or_default()).collect();
    plain.join("/").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_with_one_reading() {
        for (raw, want) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/", "/a/"),
            ("/%61dmin", "/admin"),
            ("/caf%C3%A9", "/café"),
            ("/a%20b", "/a b"),
            ("/100%25", "/100%"),
            ("/a.b/.well-known/...", "/a.b/.well-known/..."),
            ("/a:b@c,d=e+f&g~", "/a:b@c,d=e+f&g~"),
        ] {
            assert_eq!(CanonicalPath::parse(raw).unwrap().as_str(), want, "{raw}");
        }
    }

    #[test]
    fn paths_with_two_readings_are_refused() {
        use BadTarget::*;
        for (raw, want) in [
            ("", NotAbsolute),
            ("*", NotAbsolute),
            ("admin", NotAbsolute),
            ("http://evil/admin", NotAbsolute),
            ("/public/../admin", DotSegment),
            ("/public/..", DotSegment),
            ("/./admin", DotSegment),
            ("/public/..;/admin", DotSegment),
            ("/public/..;x=1/admin", DotSegment),
            ("/public/..%3b/admin", DotSegment),
            ("/public/..%3fx/admin", DotSegment),
            ("/public/%2e%2e/admin", Hidden),
            ("/public/.%2E/admin", Hidden),
            ("/public/%252e%252e/admin", Hidden),
            ("/public/%25252e/admin", Hidden),
            ("/public/..%2fadmin", Hidden),
            ("/public%2F..%2fadmin", Hidden),
            ("/public%252fadmin", Hidden),
            ("/public/%25/%252e%252e/admin", Hidden),
            ("/public/%25zz/%25252e%25252e/admin", Hidden),
            ("/public/%25ff/%25252e%25252e/admin", Hidden),
            ("/public/..%253b/admin", DotSegment),
            ("/public/..%25253fx/admin", DotSegment),
            ("/a/%253bx/b", EmptySegment),
            ("/public%5c..%5cadmin", Hidden),
            ("/admin%23/public", Hidden),
            ("/admin%00", Hidden),
            ("/admin%0d%0aX: y", Character),
            ("/admin%0d%0a", Hidden),
            ("/public\\..\\admin", Character),
            ("/admin#/public", Character),
            ("/a b", Character),
            ("//admin", EmptySegment),
            ("/public//admin", EmptySegment),
            ("/a/;x/b", EmptySegment),
            ("/a/%", Encoding),
            ("/a/%4", Encoding),
            ("/a/%zz", Encoding),
            ("/%ff", Utf8),
        ] {
            assert_eq!(CanonicalPath::parse(raw), Err(want), "{raw}");
        }
    }

    #[test]
    fn parameters_make_a_second_reading() {
        assert_eq!(others("/admin;x=1/users;y"), ["/admin/users"]);
        assert_eq!(others("/admin%3bx"), ["/admin"]);
        assert_eq!(others("/admin%3fx"), ["/admin"]);
        assert!(others("/admin").is_empty());
    }

    #[test]
    fn every_further_decoding_makes_a_reading() {
        assert_eq!(others("/%2561dmin"), ["/admin"]);
        assert_eq!(others("/%252561dmin"), ["/%61dmin", "/admin"]);
        assert_eq!(others("/admin%253bx"), ["/admin", "/admin;x"]);
        assert!(others("/100%25").is_empty());
    }

    fn others(raw: &str) -> Vec<String> {
        CanonicalPath::parse(raw).unwrap().other_readings().map(str::to_owned).collect()
    }

    proptest! {
        /// Whatever passes has no dot or empty segment and no separator that a second decoding could add.
        #[test]
        fn what_passes_is_plain(raw in "/(%[0-9a-fA-F]{2}|[a-z./;%\\\\#?]){0,12}") {
            if let Ok(path) = CanonicalPath::parse(&raw) {
                for reading in std::iter::once(path.as_str()).chain(path.other_readings()) {
                    let twice = percent_decode_str(reading).decode_utf8_lossy().into_owned();
                    prop_assert_eq!(twice.matches('/').count(), reading.matches('/').count());
                    prop_assert!(!reading.contains("//") && !twice.contains('\\') && !twice.contains('\0'));
                    prop_assert!(!twice.split('/').any(|s| s == "." || s == ".."));
                }
            }
        }
    }
}
