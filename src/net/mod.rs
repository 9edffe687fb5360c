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

/// Whether a path is absolute and has one reading only, without any decoding: no `%`, `;`, query or fragment, no empty or
/// dot segments (RFC 3986 §3.3).
pub fn plain_path(text: &str) -> bool {
    let in_path = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@/".contains(&b);
    let Some(inside) = text.strip_prefix('/') else { return false };
    let inside = inside.strip_suffix('/').unwrap_or(inside);
    let segment = |segment: &str| !matches!(segment, "" | "." | "..");
    text.bytes().all(in_path) && (text == "/" || inside.split('/').all(segment))
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
    fn a_path_with_one_reading() {
        for good in ["/", "/healthz", "/a/b/", "/.well-known/x", "/a..b", "/v1:check"] {
            assert!(plain_path(good), "{good}");
        }
        for bad in [
            "", "a", "//", "/a//b", "/a//", "/.", "/a/..", "/a/../b", "/%61", "/a;b", "/a?b", "/a#b", "/a b",
            "/é", "/a\\b", "/a\0",
        ] {
            assert!(!plain_path(bad), "{bad}");
        }
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
