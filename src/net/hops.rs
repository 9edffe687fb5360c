//! Whose request does a trusted hop bring? The addresses that hops write down, read from the nearest one outwards.
//!
//! `X-Forwarded-For`: all lines joined in their order, one address per entry (<https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For>);
//! `Forwarded`: its `for` parameters (RFC 7239 §4 and §6). Guarantees: an entry counts only if everything nearer is
//! trusted, because whatever stands further out may have been written by the client. Ask only when the peer is trusted.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::FORWARDED;

use super::TrustedProxies;

/// So many entries are looked at; no honest way is longer.
const FARTHEST: usize = 32;

/// In which header hops say whom a request is from. One, by choice: a client can send the one that a hop does not write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Visits the addresses that count, nearest first; the last one visited is the client. It ends with the first address
/// that is not trusted, or before an entry that is no address.
pub fn walk(
    trusted: &TrustedProxies,
    entries: impl IntoIterator<Item = Option<IpAddr>>,
    mut visit: impl FnMut(IpAddr),
) {
    for address in entries.into_iter().take(FARTHEST).map_while(|entry| entry) {
        visit(address);
        if !trusted.contains(address) {
            break;
        }
    }
}

/// The entries of `X-Forwarded-For`, nearest first; `None` for what is no address.
pub fn x_forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    lines.flat_map(|line| line.as_bytes().rsplit(|b| *b == b',')).map(|entry| address(entry.trim_ascii()))
}

/// The `for` parameters of `Forwarded`, nearest first; `None` for what is no address, and for an element without one.
pub fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let mut entries = Vec::new();
    for line in headers.get_all(FORWARDED) {
        match unquoted_parts(line.as_bytes(), b',') {
            Some(elements) => entries.extend(elements.into_iter().map(for_parameter)),
            None => entries.push(None),
        }
    }
    entries.reverse();
    entries
}

/// The `for` of one element, which must have exactly one.
fn for_parameter(element: &[u8]) -> Option<IpAddr> {
    let mut found = unquoted_parts(element, b';')?.into_iter().filter_map(|pair| {
        let (name, value) = pair.split_at_checked(pair.iter().position(|b| *b == b'=')?)?;
        name.trim_ascii().eq_ignore_ascii_case(b"for").then(|| value.get(1..).unwrap_or_default())
    });
    let (Some(value), None) = (found.next(), found.next()) else { return None };
    let value = value.trim_ascii();
    address(value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value))
}

/// Splits outside of quoted strings (RFC 9110 §5.6.4); `None` when one does not end.
fn unquoted_parts(text: &[u8], separator: u8) -> Option<Vec<&[u8]>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b if *b == separator && !quoted => {
                parts.push(text.get(start..at)?);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..)?);
    (!quoted).then_some(parts)
}

/// An address as hops write it: bare, in brackets, or with a port.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(bracketed).or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(name: &'static str, lines: &[&[u8]]) -> HeaderMap {
        let line = |line: &&[u8]| (HeaderName::from_static(name), HeaderValue::from_bytes(line).unwrap());
        lines.iter().map(line).collect()
    }

    /// The way, client first.
    fn walked(entries: impl IntoIterator<Item = Option<IpAddr>>) -> String {
        let trusted = TrustedProxies::parse(["10.0.0.0/8", "2001:db8::/32"]).unwrap();
        let mut way = Vec::new();
        walk(&trusted, entries, |address| way.insert(0, address.to_string()));
        way.join(" ")
    }

    #[test]
    fn the_client_is_the_nearest_that_nobody_trusts() {
        let many = vec!["10.0.0.1"; 40].join(",");
        for (lines, want) in [
            (&[&b""[..]][..], ""),
            (&[b"192.0.2.1"], "192.0.2.1"),
            (&[b"6.6.6.6, 192.0.2.1"], "192.0.2.1"),
            (&[b"6.6.6.6, 192.0.2.1,10.0.0.2 , 10.0.0.1"], "192.0.2.1 10.0.0.2 10.0.0.1"),
            (&[b"6.6.6.6", b"192.0.2.1", b"10.0.0.1"], "192.0.2.1 10.0.0.1"),
            (&[b"10.0.0.3, 10.0.0.2"], "10.0.0.3 10.0.0.2"),
            (&[b"192.0.2.1:4711"], "192.0.2.1"),
            (&[b"[2001:db9::1]:4711"], "2001:db9::1"),
            (&[b"[2001:db9::1]"], "2001:db9::1"),
            (&[b"2001:DB9::1"], "2001:db9::1"),
            (&[b"192.0.2.1, ::ffff:10.0.0.1"], "192.0.2.1 10.0.0.1"),
            (&[b"::ffff:192.0.2.1"], "192.0.2.1"),
            (&[b"192.0.2.1, nonsense, 10.0.0.1"], "10.0.0.1"),
            (&[b"192.0.2.1, unknown"], ""),
            (&[b"192.0.2.1,"], ""),
            (&[b"192.0.2.1", b""], ""),
            (&[b"[192.0.2.1]"], ""),
            (&[b"[::1"], ""),
            (&[b"192.0.2.1:x"], ""),
            (&[b"192.0.2.1 6.6.6.6"], ""),
            (&[b"192.0.2.01"], ""),
            (&[b"fe80::1%eth0"], ""),
            // Not skipped: what stands further out may be the client's.
            (&[b"6.6.6.6", b"\xe9, 192.0.2.1"], "192.0.2.1"),
            (&[b"6.6.6.6", b"\xe9"], ""),
        ] {
            let headers = headers("x-forwarded-for", lines);
            assert_eq!(walked(x_forwarded_for(&headers)), want, "{lines:?}");
        }
        let headers = headers("x-forwarded-for", &[many.as_bytes()]);
        assert_eq!(walked(x_forwarded_for(&headers)).split(' ').count(), 32);
    }

    #[test]
    fn forwarded_is_read_as_its_grammar_says() {
        for (lines, want) in [
            (&[&b"for=192.0.2.1"[..]][..], "192.0.2.1"),
            (&[b"For=192.0.2.1;proto=https;by=10.0.0.9"], "192.0.2.1"),
            (&[b"for=6.6.6.6, for=192.0.2.1, for=10.0.0.1"], "192.0.2.1 10.0.0.1"),
            (&[b"for=6.6.6.6", b"for=192.0.2.1"], "192.0.2.1"),
            (&[b"for=\"[2001:db9::1]:4711\""], "2001:db9::1"),
            (&[b"for=\"192.0.2.1:80\""], "192.0.2.1"),
            (&[b"host=\"a,b;for=6.6.6.6\";for=192.0.2.1"], "192.0.2.1"),
            (&[b"for=192.0.2.1, for=\"_hidden\", for=10.0.0.1"], "10.0.0.1"),
            (&[b"for=192.0.2.1, for=unknown"], ""),
            (&[b"for=192.0.2.1, proto=https"], ""),
            (&[b"for=192.0.2.1, for=10.0.0.1;for=10.0.0.2"], ""),
            (&[b"for=192.0.2.1, for=\"10.0.0.1"], ""),
            (&[b"for=6.6.6.6", b"for=\"x\\\", for=10.0.0.1"], ""),
            (&[b"xfor=192.0.2.1"], ""),
            (&[b""], ""),
        ] {
            let headers = headers("forwarded", lines);
            assert_eq!(walked(forwarded(&headers)), want, "{lines:?}");
        }
    }
}
