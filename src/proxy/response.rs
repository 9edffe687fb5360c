//! What of the upstream's answer is for the client? Everything but what belongs to the connection between upstream and
//! Anteroom (RFC 9110 §7.6.1), Anteroom's own signals, and cookies under Anteroom's names.

use http::header::{CONNECTION, CONTENT_LENGTH, SET_COOKIE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, HeaderValue, StatusCode};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use pingora::{Error, ErrorType};

use super::facts::tokens;
use crate::identity::headers::PROVISIONED;

/// For the next hop alone, besides what `Connection` names. Framing is pingora's, `Upgrade` a matter of the status; `Via`
/// is left as it is, because Anteroom adds none: it stands beside the app, not between networks.
const HOP_BY_HOP: &[&str] = &[
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authentication-info",
    "te",
    // pingora does not pass trailers on.
    "trailer",
];

/// Cleans an answer; `is_ours` knows the names of our cookies. `true` when the upstream says that it knows the new user now.
pub(super) fn clean(response: &mut ResponseHeader, is_ours: impl Fn(&[u8]) -> bool) -> pingora::Result<bool> {
    plain_framing(response)?;
    if response.headers.contains_key(CONNECTION) {
        remove_nominated(response);
    }
    if response.headers.keys().any(|name| HOP_BY_HOP.contains(&name.as_str())) {
        for name in HOP_BY_HOP {
            response.remove_header(*name);
        }
    }
    if !matches!(response.status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::UPGRADE_REQUIRED) {
        response.remove_header(&UPGRADE);
    }
    if response.headers.contains_key(SET_COOKIE) {
        remove_own_cookies(response, is_ours)?;
    }
    Ok(response.remove_header(&PROVISIONED).is_some_and(|value| value == "true"))
}

/// A body has chunks and nothing else, or a length, or neither; interim answers and 204 have none (RFC 9112 §6.1, RFC 9110
/// §8.6). What the next program could frame otherwise would be read there as somebody else's answer.
fn plain_framing(response: &mut ResponseHeader) -> pingora::Result<()> {
    if response.status.is_informational() || response.status == StatusCode::NO_CONTENT {
        response.remove_header(&TRANSFER_ENCODING);
        response.remove_header(&CONTENT_LENGTH);
        return Ok(());
    }
    let mut codings = response.headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Error::explain(ErrorType::InvalidHTTPHeader, "an answer's framing is not plain").into_up()),
    }
}

/// For a client of HTTP/1.0, which knows no chunks: a body without a length ends with the connection (RFC 9112 §6.3).
pub(super) fn without_chunks(session: &mut Session, response: &mut ResponseHeader) {
    if response.remove_header(&TRANSFER_ENCODING).is_some() {
        session.set_keepalive(None);
    }
}

fn remove_nominated(response: &mut ResponseHeader) {
    let kept = |name: &HeaderName| [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE].contains(name);
    let nominated: Vec<HeaderName> = tokens(&response.headers)
        .filter_map(|t| HeaderName::from_bytes(t).ok())
        .filter(|n| !kept(n))
        .collect();
    for name in &nominated {
        response.remove_header(name);
    }
    if response.status != StatusCode::SWITCHING_PROTOCOLS {
        response.remove_header(&CONNECTION);
    }
}

/// An app that could set our cookies could sign people in.
fn remove_own_cookies(response: &mut ResponseHeader, is_ours: impl Fn(&[u8]) -> bool) -> pingora::Result<()> {
    let ours = |line: &HeaderValue| is_ours(cookie_name(line.as_bytes()));
    if !response.headers.get_all(SET_COOKIE).iter().any(ours) {
        return Ok(());
    }
    let kept: Vec<HeaderValue> =
        response.headers.get_all(SET_COOKIE).iter().filter(|line| !ours(line)).cloned().collect();
    response.remove_header(&SET_COOKIE);
    for line in kept {
        response.append_header(SET_COOKIE, line)?;
    }
    Ok(())
}

/// The name in a `Set-Cookie` line. Browsers send `=name=value` back as `name=value`, so a nameless one counts as well.
fn cookie_name(line: &[u8]) -> &[u8] {
    let pair = line.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    let pair = pair.strip_prefix(b"=").unwrap_or(pair);
    pair.split(|b| *b == b'=').next().unwrap_or_default().trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::cookie::CookieNames;

    fn cleaned(status: u16, lines: &[(&'static str, &'static str)]) -> (Vec<String>, bool) {
        let mut response = ResponseHeader::build(status, None).unwrap();
        for (name, value) in lines {
            response.append_header(*name, *value).unwrap();
        }
        let provisioned = clean(&mut response, |name| CookieNames::new(true).is_ours(name)).unwrap();
        let line = |(n, v): (&HeaderName, &HeaderValue)| format!("{n}: {}", v.to_str().unwrap());
        (response.headers.iter().map(line).collect(), provisioned)
    }

    #[test]
    fn what_belongs_to_the_connection_stays_behind() {
        let lines = [
            ("Connection", "keep-alive, X-Hop, Content-Length"),
            ("Keep-Alive", "timeout=5"),
            ("X-Hop", "1"),
            ("Proxy-Connection", "keep-alive"),
            ("Trailer", "X-T"),
            ("TE", "trailers"),
            ("Proxy-Authenticate", "Basic"),
            ("Proxy-Authentication-Info", "nextnonce=1"),
            ("Proxy-Authentication-Info", "nextnonce=2"),
            ("Upgrade", "h2c"),
            ("Content-Length", "3"),
            ("Server", "app"),
            ("Via", "1.1 inner"),
        ];
        assert_eq!(cleaned(200, &lines).0, ["content-length: 3", "via: 1.1 inner", "server: app"]);
        let secret =
            [("Connection", "x-secret"), ("connection", "X-More"), ("X-Secret", "1"), ("X-More", "2")];
        for status in [101, 103, 200, 304, 426] {
            let left = cleaned(status, &secret).0;
            assert!(left.iter().all(|line| line.starts_with("connection:")), "{status}: {left:?}");
        }
        let switching = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Accept", "x")];
        assert_eq!(cleaned(101, &switching).0.len(), 3);
    }

    #[test]
    fn our_cookies_cannot_be_set_by_the_app() {
        let own = [
            "__Host-anteroom=x",
            " anteroom = x; Path=/",
            "=__Host-anteroom=x",
            "anteroom-flow-1=x",
            "anteroom",
        ];
        for line in own {
            let (left, _) =
                cleaned(200, &[("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", line), ("Set-Cookie", "b=2")]);
            assert_eq!(left, ["set-cookie: a=1; Path=/", "set-cookie: b=2"], "{line}");
        }
        assert_eq!(cleaned(200, &[("Set-Cookie", "anteroomish=1")]).0.len(), 1);
    }

    #[test]
    fn the_signal_is_heard_and_removed() {
        assert_eq!(cleaned(200, &[("X-Anteroom-Provisioned", "true")]), (vec![], true));
        assert_eq!(cleaned(200, &[("X-Anteroom-Provisioned", "no")]), (vec![], false));
    }
}
