//! Who is on the other end, and how is a host written on the wire? The text of `Host`, read and made (RFC 9110 §4.2 and
//! §7.2, RFC 3986 §3.2.2), and the peers who may speak for others.

pub mod hops;
mod limit;
mod trace;
mod trusted;

use http::Method;

pub use limit::Limit;
pub use trace::TraceParent;
pub use trusted::{NotTrusted, TrustedPeer, TrustedProxies};

/// Whether `text` consists of the characters that a host with a port can have; not whether such a host exists.
pub fn plain_authority(text: &[u8]) -> bool {
    let in_host = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    !text.is_empty() && text.iter().all(in_host)
}

/// Whether a method is written in capitals and hyphens: all registered ones are, and no lenient server would fold another
/// one into them (RFC 9110 §9.1).
pub fn plain_method(method: &Method) -> bool {
    method.as_str().bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
}

/// `host:port` as a URL writes it: IPv6 addresses in brackets, the scheme's usual port left out.
pub fn authority(host: &str, port: u16, tls: bool) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let usual = if tls { 443 } else { 80 };
    if port == usual { host } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_as_a_url_would() {
        assert_eq!(authority("app", 80, false), "app");
        assert_eq!(authority("app", 443, true), "app");
        assert_eq!(authority("app", 443, false), "app:443");
        assert_eq!(authority("::1", 8080, false), "[::1]:8080");
    }

    #[test]
    fn read_without_room_for_anything_else() {
        for good in ["app.example", "app.example:8443", "[::1]:80", "a_b"] {
            assert!(plain_authority(good.as_bytes()), "{good}");
        }
        for bad in ["", "a b", "a/b", "a,b", "a@b", "a?b", "a#b", "a%b", "a\\b", "é"] {
            assert!(!plain_authority(bad.as_bytes()), "{bad}");
        }
    }
}
