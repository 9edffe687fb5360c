//! Is this a request that every program on the way reads alike? What pingora lets pass and two servers could read
//! differently is refused here, before any decision rests on it.
//!
//! RFC 9112 §3.2 (target, Host), §6 (framing), §2.2 (line ends); RFC 9110 §9 (methods). pingora itself refuses what
//! cannot be parsed at all: two `Host` lines, folded lines, differing lengths, white space before a colon.

use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use memchr::{memchr_iter, memchr2};
use pingora::http::RequestHeader;
use pingora::http::authority::{RawTargetAuthority, raw_target_authority};

use super::http2::request;
use super::settings::Limits;
use crate::net;

/// Checks a header. `raw` is the same as it was on the wire. `Err` is the status to answer.
pub(super) fn examine(header: &RequestHeader, raw: &[u8], limits: Limits) -> Result<(), StatusCode> {
    if header.version == Version::HTTP_2 {
        return request::examine(header, limits);
    }
    if raw.len() > limits.header_bytes || header.headers.len() > limits.header_count {
        return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    if header.method == Method::TRACE || header.method == Method::CONNECT {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let plain = net::plain_method(&header.method)
        && plain_lines(raw)
        && plain_target(header)
        && plain_host(&header.headers)
        && plain_framing(&header.headers, raw);
    plain.then_some(()).ok_or(StatusCode::BAD_REQUEST)
}

/// Every line ends with CR LF, and the target has no fragment (pingora would cut it silently).
fn plain_lines(raw: &[u8]) -> bool {
    let count = |byte| memchr_iter(byte, raw).count();
    // A `#` in a header is allowed: only one before the first line's end counts.
    let fragment = memchr2(b'#', b'\n', raw).is_some_and(|at| raw.get(at) == Some(&b'#'));
    count(b'\r') == count(b'\n') && !fragment
}

/// Origin form, or absolute form with a host of the web; valid UTF-8 in both.
fn plain_target(header: &RequestHeader) -> bool {
    let target = header.raw_path();
    let web = |scheme: &[u8]| scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    let form = target.starts_with(b"/")
        || matches!(raw_target_authority(target), RawTargetAuthority::Absolute { scheme, .. } if web(scheme));
    form && header.raw_path_is_utf8()
}

/// Exactly one host, of the characters that a host and a port can have.
fn plain_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    net::plain_authority(host.as_bytes())
}

/// One length in digits, or chunks and nothing else; never both.
fn plain_framing(headers: &HeaderMap, raw: &[u8]) -> bool {
    let one = |name| {
        let mut lines = headers.get_all(name).iter();
        (lines.next(), lines.next().is_none())
    };
    match (one(CONTENT_LENGTH), one(TRANSFER_ENCODING)) {
        ((None, _), (None, _)) => true,
        ((Some(length), true), (None, _)) => length.as_bytes().iter().all(u8::is_ascii_digit),
        // pingora has already dropped a length beside chunks; the wire still shows it.
        ((None, _), (Some(coding), true)) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked") && !names_a_length(raw)
        }
        _ => false,
    }
}

fn names_a_length(raw: &[u8]) -> bool {
    let name = b"content-length:";
    raw.split(|b| *b == b'\n')
        .any(|line| line.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name)))
}

/// Whether this opens a WebSocket: RFC 6455 §4.1, and without a body.
pub(super) fn opens_websocket(header: &RequestHeader) -> bool {
    let headers = &header.headers;
    let asks = headers.get(UPGRADE).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"websocket"));
    asks && header.method == Method::GET
        && header.version == Version::HTTP_11
        && tokens(headers).any(|token| token.eq_ignore_ascii_case(b"upgrade"))
        && !headers.contains_key(CONTENT_LENGTH)
        && !headers.contains_key(TRANSFER_ENCODING)
}

/// Whether this is a call of gRPC's own protocol, which needs HTTP/2; elsewhere the word would only be a way around limits: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.
pub(super) fn is_grpc(header: &RequestHeader) -> bool {
    let grpc = |value: &HeaderValue| value.as_bytes().starts_with(b"application/grpc");
    header.version == Version::HTTP_2 && header.headers.get(CONTENT_TYPE).is_some_and(grpc)
}

/// What `Connection` names.
pub(super) fn tokens(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(CONNECTION).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|t| !t.is_empty())
}

/// Host and port as the client named them; the header has exactly one host, in ASCII ([`examine`]).
pub(super) fn host_of(header: &RequestHeader) -> &str {
    header.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(lines: &[&str]) -> (RequestHeader, Vec<u8>) {
        let raw = format!("{}\r\n\r\n", lines.join("\r\n"));
        let mut first = lines[0].split(' ');
        let (method, target) = (first.next().unwrap(), first.next().unwrap());
        let mut header = RequestHeader::build(method, target.as_bytes(), None).unwrap();
        for line in &lines[1..] {
            let (name, value) = line.split_once(": ").unwrap();
            header.append_header(name.to_owned(), value).unwrap();
        }
        (header, raw.into())
    }

    fn judge(lines: &[&str]) -> Result<(), u16> {
        let (header, raw) = parsed(lines);
        examine(&header, &raw, Limits { header_bytes: 200, header_count: 5, ..Limits::default() })
            .map_err(|s| s.as_u16())
    }

    #[test]
    fn table() {
        let long = format!("X: {}", "x".repeat(200));
        for (lines, want) in [
            (&["GET / HTTP/1.1", "Host: app.example:8443"][..], Ok(())),
            (&["GET / HTTP/1.1", "Host: [::1]:80"], Ok(())),
            (&["M-SEARCH /a?b=c#x HTTP/1.1", "Host: a"], Err(400)),
            (&["PROPFIND /a HTTP/1.1", "Host: a"], Ok(())),
            (&["get / HTTP/1.1", "Host: a"], Err(400)),
            (&["TRACE / HTTP/1.1", "Host: a"], Err(405)),
            (&["GET / HTTP/1.1"], Err(400)),
            (&["GET / HTTP/1.1", "Host: "], Err(400)),
            (&["GET / HTTP/1.1", "Host: a b"], Err(400)),
            (&["GET / HTTP/1.1", "Host: a/b"], Err(400)),
            (&["GET http://a/b HTTP/1.1", "Host: a"], Ok(())),
            (&["GET ftp://a/b HTTP/1.1", "Host: a"], Err(400)),
            (&["GET a HTTP/1.1", "Host: a"], Err(400)),
            (&["GET ?a HTTP/1.1", "Host: a"], Err(400)),
            (&["OPTIONS * HTTP/1.1", "Host: a"], Err(400)),
            (&["POST / HTTP/1.1", "Host: a", "Content-Length: 1"], Ok(())),
            (&["POST / HTTP/1.1", "Host: a", "Content-Length: 1, 1"], Err(400)),
            (&["POST / HTTP/1.1", "Host: a", "Content-Length: +1"], Err(400)),
            (&["POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Content-Length: 1"], Err(400)),
            (&["POST / HTTP/1.1", "Host: a", "Transfer-Encoding: Chunked"], Ok(())),
            (&["POST / HTTP/1.1", "Host: a", "Transfer-Encoding: gzip, chunked"], Err(400)),
            (&["POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Content-length: 1"], Err(400)),
            (&["GET / HTTP/1.1", "Host: a", "A: 1", "B: 2", "C: 3", "D: 4", "E: 5"], Err(431)),
            (&["GET / HTTP/1.1", "Host: a", &long], Err(431)),
            (&["GET / HTTP/1.1", "Host: a", "A: 1\nB: 2"], Err(400)),
        ] {
            let (lines, want): (&[&str], _) = (lines, want);
            // `append_header` takes no LF, as httparse would have cut there.
            if lines.iter().any(|line| line.contains('\n')) {
                assert!(!plain_lines(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes()));
                continue;
            }
            assert_eq!(judge(lines), want, "{lines:?}");
        }
    }

    #[test]
    fn only_a_whole_handshake_opens_a_websocket() {
        let opens = |lines: &[&str]| {
            let (mut header, _) = parsed(lines);
            header.set_version(Version::HTTP_11);
            opens_websocket(&header)
        };
        assert!(opens(&["GET / HTTP/1.1", "Upgrade: WebSocket", "Connection: keep-alive, Upgrade"]));
        assert!(!opens(&["GET / HTTP/1.1", "Upgrade: websocket"]));
        assert!(!opens(&["GET / HTTP/1.1", "Upgrade: h2c", "Connection: Upgrade"]));
        assert!(!opens(&["POST / HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade"]));
        assert!(!opens(&[
            "GET / HTTP/1.1",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Content-Length: 0"
        ]));
    }
}
