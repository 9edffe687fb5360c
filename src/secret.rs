//! How are secrets held? As [`SecretString`]: wiped on drop, `Debug` redacted, read only through `expose_secret`.

pub use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// Compares two byte strings in time that does not depend on where they differ. Lengths are not secret.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_secret() {
        assert!(!format!("{:?}", SecretString::from("hunter2hunter2")).contains("hunter2"));
    }

    #[test]
    fn equality() {
        assert!(equal(b"same", b"same"));
        assert!(!equal(b"same", b"sama") && !equal(b"same", b"sam"));
    }
}
