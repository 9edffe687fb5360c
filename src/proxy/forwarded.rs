//! What does the upstream learn of the way a request came? Only what Anteroom knows itself: the peer's address, the
//! public scheme, the host asked for. Nobody in front is trusted yet, so every such header of a client is removed.
//!
//! Names are compared with every sign read as `-`, because CGI, WSGI and PHP cannot tell some of them apart
//! (CVE-2025-64484, CVE-2026-39858). Called after pingora has removed what `Connection` names, so nothing set here can
//! be named away (CVE-2025-48865).

use std::borrow::Cow;

use bytes::Bytes;
use http::header::COOKIE;
use http::{HeaderName, HeaderValue};
use pingora::http::RequestHeader;

use crate::identity::headers::Layout;

/// Speaks of the client, or of the request as somebody before us saw it.
const HEARSAY: &[&str] = &[
    "forwarded",
    "forwarded-for",
    "x-forwarded",
    "x-host",
    "x-original-host",
    "x-real-ip",
    "x-request-id",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-scheme",
    "x-url-scheme",
    "true-client-ip",
    "front-end-https",
    // Becomes `HTTP_PROXY` in a CGI program (CVE-2016-5385).
    "proxy",
];
const FORWARDED_NAMESPACE: &str = "x-forwarded-";
/// Their twins with `_` or `.` could stand in for them behind us.
const NO_TWINS: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "origin",
    "transfer-encoding",
    "upgrade",
];

/// Removes what a client may not say: identity, hearsay, twins.
pub(super) fn remove_claims(request: &mut RequestHeader, layout: &Layout) {
    let unwelcome = |name: &&HeaderName| is_unwelcome(name.as_str()) || layout.reserved(name);
    let doomed: Vec<HeaderName> = request.headers.keys().filter(unwelcome).cloned().collect();
    for name in &doomed {
        request.remove_header(name);
    }
}

/// Says how the request came.
pub(super) fn set(
    request: &mut RequestHeader,
    client: &HeaderValue,
    https: bool,
    public_host: &HeaderValue,
) -> pingora::Result<()> {
    request.insert_header("X-Forwarded-For", client.clone())?;
    request
        .insert_header("X-Forwarded-Proto", HeaderValue::from_static(if https { "https" } else { "http" }))?;
    request.insert_header("X-Forwarded-Host", public_host.clone())
}

/// Takes our cookies out and leaves every other byte. `strip` does it for one line; `None` is a line without a rest.
pub(super) fn remove_cookies(
    request: &mut RequestHeader,
    strip: impl Fn(&[u8]) -> Option<Cow<'_, [u8]>>,
) -> pingora::Result<()> {
    let lines = request.headers.get_all(COOKIE).iter();
    let kept: Vec<Option<Cow<'_, [u8]>>> = lines.map(|line| strip(line.as_bytes())).collect();
    if kept.iter().all(|line| matches!(line, Some(Cow::Borrowed(_)))) {
        return Ok(());
    }
    let kept: Vec<Vec<u8>> = kept.into_iter().flatten().map(Cow::into_owned).collect();
    request.remove_header(&COOKIE);
    for line in kept {
        // Bytes that came as a header value are one.
        let value = HeaderValue::from_maybe_shared(Bytes::from(line));
        request.append_header("Cookie", value.unwrap_or(HeaderValue::from_static("")))?;
    }
    Ok(())
}

fn is_unwelcome(name: &str) -> bool {
    let dashed = |b: u8| if b.is_ascii_alphanumeric() { b } else { b'-' };
    let reads_as = |other: &&str| name.len() == other.len() && name.bytes().map(dashed).eq(other.bytes());
    // Starts as `x-` does, or is one of the few that do not: spares nearly all names the lists.
    match name.as_bytes() {
        [b'x', second, ..] if !second.is_ascii_alphanumeric() => {
            let namespace = name.bytes().map(dashed).zip(FORWARDED_NAMESPACE.bytes()).all(|(a, b)| a == b);
            (namespace && name.len() > FORWARDED_NAMESPACE.len()) || HEARSAY.iter().any(reads_as)
        }
        [b'f' | b'p' | b't', ..] if HEARSAY.iter().any(reads_as) => true,
        bytes => {
            bytes.iter().any(|b| *b != b'-' && !b.is_ascii_alphanumeric()) && NO_TWINS.iter().any(reads_as)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::headers::{Claim, Preset};
    use crate::session::cookie::CookieNames;

    fn request(lines: &[(&'static str, &'static str)]) -> RequestHeader {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        for (name, value) in lines {
            request.append_header(*name, *value).unwrap();
        }
        request
    }

    fn wire(request: &RequestHeader) -> String {
        let mut bytes = Vec::new();
        request.header_to_h1_wire(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn claims_go_and_the_rest_stays() {
        let layout = Layout::new(&[Preset::Anteroom], &[], Claim::AccountId);
        for name in [
            "X-Forwarded-For",
            "X_Forwarded_For",
            "X.Forwarded.Host",
            "X~Forwarded~For",
            "X-Forwarded",
            "Forwarded-For",
            "X-Host",
            "X-Original-Host",
            "x-forwarded-anything",
            "Forwarded",
            "X-Real-IP",
            "X_Real_IP",
            "X-Request-Id",
            "Proxy",
            "True-Client-IP",
            "Content_Length",
            "Transfer.Encoding",
            "Cookie_".trim_end_matches('_'),
            "X-Anteroom-Email",
            "X-Original-URL",
        ] {
            let mut request = request(&[("Accept", "*/*"), (name, "a"), (name, "b")]);
            remove_claims(&mut request, &layout);
            let left = if name == "Cookie" {
                "Accept: */*\r\nCookie: a\r\nCookie: b\r\n"
            } else {
                "Accept: */*\r\n"
            };
            assert_eq!(wire(&request), left, "{name}");
        }
        let innocent = [
            ("X-Api-Key", "1"),
            ("X_Custom", "2"),
            ("Referer", "3"),
            ("From", "4"),
            ("X-Forwardedness", "5"),
        ];
        let mut request = request(&innocent);
        remove_claims(&mut request, &layout);
        assert_eq!(request.headers.len(), innocent.len());
    }

    #[test]
    fn cookies_of_the_app_stay_byte_for_byte() {
        let names = CookieNames::new(true);
        for (lines, want) in [
            (&["a=1;  b=\"x y\" ;c"][..], &["a=1;  b=\"x y\" ;c"][..]),
            (&["a=1; __Host-anteroom=s; b=2"], &["a=1; b=2"]),
            (&["__Host-anteroom=s"], &[]),
            (&["__Host-anteroom=s; a=1"], &["a=1"]),
            (&["a=1", "__Host-anteroom=s", "b=2"], &["a=1", "b=2"]),
            (&[], &[]),
        ] {
            let mut request = request(&[]);
            for line in lines {
                request.append_header("Cookie", *line).unwrap();
            }
            remove_cookies(&mut request, |line| names.strip(line)).unwrap();
            let left: Vec<_> = request.headers.get_all(COOKIE).iter().map(|v| v.to_str().unwrap()).collect();
            assert_eq!(left, want, "{lines:?}");
        }
    }
}
