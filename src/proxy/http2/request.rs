//! How does a request over HTTP/2 become one that everything behind reads alike? It is put into the words of HTTP/1.1:
//! origin form, exactly one `Host` that is the authority, one `Cookie` line. Then it is examined as any other.
//!
//! RFC 9113 §8.2 (fields), §8.2.2 (connection-specific fields), §8.2.3 (cookie crumbs), §8.3.1 (pseudo-header fields).
//! The engine below has already refused names in upper case, pseudo-header fields that are unknown, doubled or late,
//! control characters, lengths that do not match the body, and an `:authority` that differs from `Host`.

use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use pingora::http::RequestHeader;

use crate::net;
use crate::proxy::settings::Limits;

/// What separates a name from its value, and ends the line.
const LINE: usize = ": \r\n".len();
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Puts a header into the words of HTTP/1.1. It remains an HTTP/2 one by its version.
pub(super) fn translate(header: &mut RequestHeader) -> pingora::Result<()> {
    if let Some(authority) = header.uri.authority() {
        // Bytes that are an authority are a header value.
        let host = HeaderValue::from_str(authority.as_str()).unwrap_or(HeaderValue::from_static(""));
        header.insert_header(HOST, host)?;
        let target = header.uri.path_and_query().cloned();
        header.set_uri(Uri::from(target.unwrap_or(PathAndQuery::from_static("/"))));
    }
    join_cookies(header)
}

/// Browsers send a line per cookie, because that compresses better.
fn join_cookies(header: &mut RequestHeader) -> pingora::Result<()> {
    let mut crumbs = header.headers.get_all(COOKIE).iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else { return Ok(()) };
    let mut whole = first.as_bytes().to_vec();
    for crumb in std::iter::once(second).chain(crumbs) {
        whole.extend_from_slice(b"; ");
        whole.extend_from_slice(crumb.as_bytes());
    }
    // Header values with a separator between them are one.
    let whole = HeaderValue::from_maybe_shared(bytes::Bytes::from(whole));
    header.insert_header(COOKIE, whole.unwrap_or(HeaderValue::from_static("")))
}

/// Checks a translated header. `Err` is the status to answer.
pub(in crate::proxy) fn examine(header: &RequestHeader, limits: Limits) -> Result<(), StatusCode> {
    if size(header) > limits.header_bytes || header.headers.len() > limits.header_count {
        return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    if header.method == Method::TRACE || header.method == Method::CONNECT {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let plain = net::plain_method(&header.method)
        && header.raw_path().starts_with(b"/")
        && header.raw_path_is_utf8()
        && plain_fields(&header.headers);
    plain.then_some(()).ok_or(StatusCode::BAD_REQUEST)
}

/// As many bytes as it would be over HTTP/1.1.
pub(in crate::proxy) fn size(header: &RequestHeader) -> usize {
    let request_line = header.method.as_str().len() + header.raw_path().len() + "  HTTP/1.1\r\n".len();
    let line = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + LINE;
    request_line + header.headers.iter().map(line).sum::<usize>()
}

fn plain_fields(headers: &HeaderMap) -> bool {
    let one = |name| {
        let mut lines = headers.get_all(name).iter();
        lines.next().filter(|_| lines.next().is_none())
    };
    let host = one(HOST).is_some_and(|host| net::plain_authority(host.as_bytes()));
    let length = !headers.contains_key(CONTENT_LENGTH)
        || one(CONTENT_LENGTH).is_some_and(|l| !l.is_empty() && l.as_bytes().iter().all(u8::is_ascii_digit));
    let of_the_connection = [CONNECTION, TRANSFER_ENCODING, UPGRADE, KEEP_ALIVE, PROXY_CONNECTION];
    host && length
        && !of_the_connection.iter().any(|name| headers.contains_key(name))
        && headers.get_all(TE).iter().all(|value| value == "trailers")
        && headers.values().all(|value| value.as_bytes().trim_ascii().len() == value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(method: &str, uri: &str, lines: &[(&'static str, &'static str)]) -> RequestHeader {
        let request = http::Request::builder().method(method).uri(uri).version(http::Version::HTTP_2);
        let mut header = RequestHeader::from(request.body(()).unwrap().into_parts().0);
        for (name, value) in lines {
            header.append_header(*name, *value).unwrap();
        }
        translate(&mut header).unwrap();
        header
    }

    fn lines(header: &RequestHeader) -> Vec<String> {
        header.headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect()
    }

    #[test]
    fn it_is_said_in_the_words_of_http_1() {
        let crumbs = [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2; c"), ("cookie", "")];
        let said = header("GET", "http://app.example:8443/a?b=%2f", &crumbs);
        assert_eq!((said.raw_path(), said.uri.authority()), (&b"/a?b=%2f"[..], None));
        let mut all = lines(&said);
        all.sort();
        assert_eq!(all, ["cookie: a=1; b=2; c; ", "host: app.example:8443", "x: y"]);
        let named_by_host = header("GET", "/a", &[("host", "app.example")]);
        assert_eq!((named_by_host.raw_path(), lines(&named_by_host).len()), (&b"/a"[..], 1));
        assert_eq!(lines(&header("GET", "http://a/", &[("host", "a")])), ["host: a"]);
    }

    #[test]
    fn table() {
        let limits = Limits { header_bytes: 200, header_count: 4, ..Limits::default() };
        let long = "x".repeat(200).leak();
        for (method, uri, lines, want) in [
            ("GET", "http://a/", &[][..], Ok(())),
            ("PROPFIND", "http://a:1/b?c", &[("te", "trailers"), ("content-length", "12")], Ok(())),
            ("GET", "http://a_b/", &[("te", "trailers, gzip")], Err(400)),
            ("get", "http://a/", &[], Err(400)),
            ("TRACE", "http://a/", &[], Err(405)),
            ("CONNECT", "a:443", &[], Err(405)),
            ("GET", "/", &[], Err(400)),
            ("GET", "/", &[("host", "a b")], Err(400)),
            ("GET", "/", &[("host", "a"), ("host", "a")], Err(400)),
            ("OPTIONS", "*", &[("host", "a")], Err(400)),
            ("GET", "http://a/", &[("connection", "close")], Err(400)),
            ("GET", "http://a/", &[("transfer-encoding", "chunked")], Err(400)),
            ("GET", "http://a/", &[("upgrade", "websocket")], Err(400)),
            ("GET", "http://a/", &[("keep-alive", "1")], Err(400)),
            ("GET", "http://a/", &[("proxy-connection", "close")], Err(400)),
            ("GET", "http://a/", &[("content-length", "+1")], Err(400)),
            ("GET", "http://a/", &[("content-length", "")], Err(400)),
            ("GET", "http://a/", &[("content-length", "1"), ("content-length", "1")], Err(400)),
            ("GET", "http://a/", &[("x", " 1")], Err(400)),
            ("GET", "http://a/", &[("x", "1\t")], Err(400)),
            ("GET", "http://a/", &[("x", long)], Err(431)),
            ("GET", "http://a/", &[("b", "1"), ("c", "1"), ("d", "1"), ("e", "1")], Err(431)),
            ("GET", "http://a/", &[("cookie", "1"); 9], Ok(())),
        ] {
            let (lines, want): (&[_], _) = (lines, want);
            let got = examine(&header(method, uri, lines), limits).map_err(|s| s.as_u16());
            assert_eq!(got, want, "{method} {uri} {lines:?}");
        }
    }
}
