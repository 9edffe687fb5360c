//! Which trace does a request belong to? `traceparent`, as W3C Trace Context writes it
//! (<https://www.w3.org/TR/trace-context/#traceparent-header>).
//!
//! Guarantees: what parses is well-formed; nothing is repaired. Whether its sender may be believed is not decided here.

use std::fmt;

/// The flag that says that the caller records this trace.
const SAMPLED: u8 = 1;

/// The place of a request in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: [u8; 16],
    parent_id: [u8; 8],
    flags: u8,
}

impl TraceParent {
    /// Parses the header's value: version 00 exactly, a later version by the part that it shares with 00.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut fields = value.splitn(5, |b| *b == b'-');
        let mut next = || fields.next();
        let ([version], trace_id, parent_id, [flags]) =
            (hex::<1>(next()?)?, hex::<16>(next()?)?, hex::<8>(next()?)?, hex::<1>(next()?)?);
        let more = next().is_some();
        let known = version != 0xff && !(version == 0 && more);
        let named = trace_id.iter().any(|b| *b != 0) && parent_id.iter().any(|b| *b != 0);
        (known && named).then_some(Self { trace_id, parent_id, flags })
    }

    /// A span of ours, as its children are told. Neither identifier may be all zero.
    pub const fn of(trace_id: [u8; 16], parent_id: [u8; 8], sampled: bool) -> Self {
        Self { trace_id, parent_id, flags: if sampled { SAMPLED } else { 0 } }
    }

    /// The trace; never all zero.
    pub const fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    /// The caller's span; never all zero.
    pub const fn parent_id(&self) -> [u8; 8] {
        self.parent_id
    }

    /// All flags as sent.
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether the caller records this trace.
    pub const fn sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

/// As a header of version 00 says it.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace_id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.parent_id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, "-{:02x}", self.flags)
    }
}

/// Lower-case hexadecimal digits, two for each byte.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_is_read_is_what_was_said() {
        let parent = TraceParent::parse(GOOD.as_bytes()).unwrap();
        assert_eq!((parent.trace_id()[0], parent.parent_id()[7], parent.flags()), (0x0a, 0x31, 1));
        assert!(parent.sampled());
        assert_eq!(parent.to_string(), GOOD);
        let quiet = TraceParent::parse(GOOD.replace("-01", "-02").as_bytes()).unwrap();
        assert!(!quiet.sampled() && quiet.flags() == 2);
    }

    #[test]
    fn table() {
        let long = format!("{GOOD}-more");
        for (value, want) in [
            (GOOD, true),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-will-be", true),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what", false),
            (&long, false),
            ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false),
            ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g", false),
            ("0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            (" 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("", false),
        ] {
            assert_eq!(TraceParent::parse(value.as_bytes()).is_some(), want, "{value}");
        }
    }
}
