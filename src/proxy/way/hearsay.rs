//! What may a client not say to the upstream? Who it is, and how its request came: every header that speaks of either is
//! removed, whoever sent it.
//!
//! Names are compared with every sign read as `-`, because CGI, WSGI and PHP cannot tell some of them apart
//! (CVE-2025-64484, CVE-2026-39858). The few that a trusted hop may say are put back by [`super::Way`], from what it said.

use http::{HeaderMap, HeaderName};

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
    // A trace is taken up from a trusted hop only (W3C Trace Context, "Security considerations").
    "traceparent",
    "tracestate",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-scheme",
    "x-url-scheme",
    "true-client-ip",
    "client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "x-envoy-external-address",
    "x-remote-addr",
    "x-remote-ip",
    "front-end-https",
    // Becomes `HTTP_PROXY` in a CGI program (CVE-2016-5385).
    "proxy",
];
const FORWARDED_NAMESPACE: &str = "x-forwarded-";
/// Their twins with `_` or `.` could stand in for them behind us. Names without `-`, such as `Host`, have none.
const NO_TWINS: &[&str] = &["content-length", "content-type", "transfer-encoding"];

/// Removes what a client may not say: identity, hearsay, twins.
pub(in crate::proxy) fn remove_claims(headers: &mut HeaderMap, layout: &Layout) {
    let unwelcome = |name: &&HeaderName| is_unwelcome(name.as_str()) || layout.reserved(name);
    let doomed: Vec<HeaderName> = headers.keys().filter(unwelcome).cloned().collect();
    for name in &doomed {
        headers.remove(name);
    }
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
        [b'c' | b'f' | b'p' | b't', ..] if HEARSAY.iter().any(reads_as) => true,
        bytes => {
            bytes.iter().any(|b| *b != b'-' && !b.is_ascii_alphanumeric()) && NO_TWINS.iter().any(reads_as)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::headers::{Claim, Preset};

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&str, &str)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap())
        };
        lines.iter().map(line).collect()
    }

    fn lines(headers: &HeaderMap) -> String {
        headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect()
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
            "traceparent",
            "TraceState",
            "Proxy",
            "True-Client-IP",
            "Front-End-Https",
            "Front_End_Https",
            "X-Scheme",
            "X_Scheme",
            "X-Url-Scheme",
            "X-Client-Ip",
            "X-Cluster-Client-Ip",
            "X-Original-Forwarded-For",
            "Client-Ip",
            "CF-Connecting-IP",
            "Fastly-Client-Ip",
            "X-Envoy-External-Address",
            "X-Remote-Addr",
            "X-Remote-Ip",
            "Content_Length",
            "Content_Type",
            "Transfer.Encoding",
            "Cookie_".trim_end_matches('_'),
            "X-Anteroom-Email",
            "X-Original-URL",
        ] {
            let mut headers = headers(&[("Accept", "*/*"), (name, "a"), (name, "b")]);
            remove_claims(&mut headers, &layout);
            let left = if name == "Cookie" { "accept: */*\ncookie: a\ncookie: b\n" } else { "accept: */*\n" };
            assert_eq!(lines(&headers), left, "{name}");
        }
        let innocent = [
            ("X-Api-Key", "1"),
            ("X_Custom", "2"),
            ("Referer", "3"),
            ("From", "4"),
            ("X-Forwardedness", "5"),
        ];
        let mut headers = headers(&innocent);
        remove_claims(&mut headers, &layout);
        assert_eq!(headers.len(), innocent.len());
    }
}
