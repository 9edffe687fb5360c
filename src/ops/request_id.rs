//! What is this request called? A fresh name for each; or the one that a trusted hop gave it, so that its log and ours can
//! be read together. Whatever anybody else sends under `X-Request-Id` is dropped, so that nobody can write into somebody
//! else's log lines.
//!
//! Ours are 32 hex digits: 16 that differ between processes, 16 that differ between requests. Unique, not secret: one call
//! to the system's generator per request would cost more than the whole decision.

use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;

use crate::entropy::Entropy;

/// The longest name that is taken over from a hop, in bytes.
const LONGEST: usize = 128;

/// The name of one request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    bytes: [u8; LONGEST],
    length: usize,
}

/// Makes names.
#[derive(Debug)]
pub struct RequestIds {
    process: u64,
    offset: u64,
    count: AtomicU64,
}

impl RequestIds {
    /// Names that no other process makes.
    pub fn new(entropy: &dyn Entropy) -> Self {
        let [process, offset] = [entropy.bytes(), entropy.bytes()].map(u64::from_le_bytes);
        Self { process, offset, count: AtomicU64::new(0) }
    }

    /// The next name.
    pub fn next(&self) -> RequestId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let words = hex(self.process).into_iter().chain(hex(scattered(self.offset.wrapping_add(count))));
        RequestId::of(words)
    }
}

impl RequestId {
    /// A name that a hop gave: at most 128 letters, digits, `-`, `.`, `_` and `~` (the unreserved characters of RFC 3986
    /// §2.3), which mean nothing in a log line, a header, a URL or a page.
    pub fn kept(name: &[u8]) -> Option<Self> {
        let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        let fit = !name.is_empty() && name.len() <= LONGEST && name.iter().all(plain);
        fit.then(|| Self::of(name.iter().copied()))
    }

    fn of(name: impl Iterator<Item = u8>) -> Self {
        let (mut bytes, mut length) = ([0; LONGEST], 0);
        for (to, from) in bytes.iter_mut().zip(name) {
            *to = from;
            length += 1;
        }
        Self { bytes, length }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The name, as a header carries it.
    pub fn value(&self) -> HeaderValue {
        HeaderValue::from_bytes(self.as_bytes()).unwrap_or(HeaderValue::from_static(""))
    }
}

impl std::fmt::Debug for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RequestId").field(&self.as_str()).finish()
    }
}

/// The finaliser of SplitMix64: one-to-one, so different counts stay different, and neighbours look unrelated.
const fn scattered(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn hex(word: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for (place, digit) in digits.iter_mut().rev().enumerate() {
        // At most 15, so it fits.
        let nibble = u8::try_from((word >> (4 * place)) & 0xf).unwrap_or_default();
        *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    }
    digits
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::entropy::SystemEntropy;

    #[test]
    fn names_are_hex_and_differ() {
        let (here, there) = (RequestIds::new(&SystemEntropy), RequestIds::new(&SystemEntropy));
        let mut seen = HashSet::new();
        for _ in 0..1000 {
            for id in [here.next(), there.next()] {
                assert!(id.as_str().bytes().all(|b| b.is_ascii_hexdigit()));
                assert_eq!(id.value().as_bytes(), id.as_str().as_bytes());
                assert!(seen.insert(id.as_str().to_owned()));
            }
        }
    }

    #[test]
    fn a_hops_name_is_taken_over_if_it_is_plain() {
        let longest = "x".repeat(LONGEST);
        for good in ["a", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736", "A.b_c~9", &longest] {
            let id = RequestId::kept(good.as_bytes()).unwrap();
            assert_eq!((id.as_str(), id.value().as_bytes()), (good, good.as_bytes()));
        }
        for bad in ["", "a b", "a,b", "a;b", "a\"b", "a=b", "a/b", "a<b", "a\nb", "é", &format!("{longest}x")]
        {
            assert!(RequestId::kept(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn words_are_written_in_full() {
        assert_eq!(&hex(0x0123_4567_89ab_cdef), b"0123456789abcdef");
    }
}
