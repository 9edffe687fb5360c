//! What is this request called? A fresh name for each, made here alone: whatever a client sends under `X-Request-Id` is
//! dropped, so that nobody can write into somebody else's log lines.
//!
//! 32 hex digits: 16 that differ between processes, 16 that differ between requests. Unique, not secret: one call to
//! the system's generator per request would cost more than the whole decision.

use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;

use crate::entropy::Entropy;

/// The name of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId([u8; 32]);

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
        let mut digits = [0; 32];
        let words = hex(self.process).into_iter().chain(hex(scattered(self.offset.wrapping_add(count))));
        digits.iter_mut().zip(words).for_each(|(to, from)| *to = from);
        RequestId(digits)
    }
}

impl RequestId {
    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The digits, as a header carries them.
    pub fn value(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).unwrap_or(HeaderValue::from_static(""))
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
    fn words_are_written_in_full() {
        assert_eq!(&hex(0x0123_4567_89ab_cdef), b"0123456789abcdef");
    }
}
