//! What did the browser ask the gateway for? The one request that a decision is about, in whatever dialect it was told.
//!
//! Guarantees: an original that exists was told completely, once, and in characters that every program reads alike;
//! everything else is refused (CVE-2021-32637: an unreadable URL that became a yes). Each dialect reads its own header
//! family and no other, because a client can write the others through its gateway.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, Method};

use super::peer::{Gatekeeper, Peer};
use crate::net;

/// A request as the gateway got it.
#[derive(Debug)]
pub(super) struct Original<'a> {
    pub(super) method: Method,
    pub(super) host: &'a str,
    /// As written: not decoded, no query.
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    /// Whether it came over TLS, as the gateway says, if it does.
    pub(super) secure: Option<bool>,
    pub(super) headers: &'a HeaderMap,
    pub(super) client: IpAddr,
    /// Whether that is the gateway, which names nobody.
    pub(super) crowd: bool,
}

/// Missing, doubled or not to be parsed: which part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable(pub(super) &'static str);

/// Reads `X-Original-URL` and `X-Original-Method`, as nginx is told to send them. They carry no address: `peer` stands for
/// the client.
pub(super) fn nginx<'a>(headers: &'a HeaderMap, peer: Peer) -> Result<Original<'a>, Unreadable> {
    const URL: &str = "X-Original-URL";
    let method = method(once(headers, "x-original-method", "X-Original-Method")?, "X-Original-Method")?;
    let url = once(headers, "x-original-url", URL)?;
    let (scheme, rest) = url.split_once("://").ok_or(Unreadable(URL))?;
    let secure = Some(secure(scheme).ok_or(Unreadable(URL))?);
    let at = rest.find('/').ok_or(Unreadable(URL))?;
    let (host, target) = rest.split_at_checked(at).ok_or(Unreadable(URL))?;
    let (path, query) = split(target, URL)?;
    let host = plain_host(host, URL)?;
    Ok(Original { method, host, path, query, secure, headers, client: peer.address(), crowd: true })
}

/// Reads `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri` and `-For`, as Traefik and Caddy send them and HAProxy is told to.
pub(super) fn forwarded<'a>(
    headers: &'a HeaderMap,
    peer: Peer,
    gatekeeper: &Gatekeeper,
) -> Result<Original<'a>, Unreadable> {
    const PROTO: &str = "X-Forwarded-Proto";
    let method = method(once(headers, "x-forwarded-method", "X-Forwarded-Method")?, "X-Forwarded-Method")?;
    // Some gateways leave it out; the configured scheme counts in any case.
    let secure = match headers.contains_key("x-forwarded-proto") {
        true => Some(secure(once(headers, "x-forwarded-proto", PROTO)?).ok_or(Unreadable(PROTO))?),
        false => None,
    };
    let (client, crowd) = gatekeeper.client(peer, headers);
    let host = plain_host(once(headers, "x-forwarded-host", "X-Forwarded-Host")?, "X-Forwarded-Host")?;
    let (path, query) = split(once(headers, "x-forwarded-uri", "X-Forwarded-Uri")?, "X-Forwarded-Uri")?;
    Ok(Original { method, host, path, query, secure, headers, client, crowd })
}

/// Reads what Envoy tells part by part: in the question's own request line, or in the fields of its message.
pub(super) fn envoy<'a>(
    method: &Method,
    target: &'a str,
    host: &'a str,
    headers: &'a HeaderMap,
    peer: Peer,
) -> Result<Original<'a>, Unreadable> {
    const PATH: &str = "the original path";
    let method = self::method(method.as_str(), "the method")?;
    let (path, query) = split(target, PATH)?;
    let host = plain_host(host, "Host")?;
    Ok(Original { method, host, path, query, secure: None, headers, client: peer.address(), crowd: true })
}

/// The value of a header that is there exactly once and is text. Header values hold no line ends and no NUL.
fn once<'a>(headers: &'a HeaderMap, name: &'static str, shown: &'static str) -> Result<&'a str, Unreadable> {
    let mut values = headers.get_all(HeaderName::from_static(name)).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => std::str::from_utf8(value.as_bytes()).map_err(|_| Unreadable(shown)),
        _ => Err(Unreadable(shown)),
    }
}

fn method(text: &str, shown: &'static str) -> Result<Method, Unreadable> {
    let method = Method::from_bytes(text.as_bytes()).map_err(|_| Unreadable(shown))?;
    let forwarded = net::plain_method(&method) && method != Method::TRACE && method != Method::CONNECT;
    if forwarded { Ok(method) } else { Err(Unreadable(shown)) }
}

/// Whether a scheme of the web means TLS; `None` for any other scheme.
fn secure(text: &str) -> Option<bool> {
    let schemes = [("https", true), ("http", false), ("wss", true), ("ws", false)];
    schemes.iter().find(|(scheme, _)| text.eq_ignore_ascii_case(scheme)).map(|(_, secure)| *secure)
}

fn plain_host<'a>(text: &'a str, shown: &'static str) -> Result<&'a str, Unreadable> {
    if net::plain_authority(text.as_bytes()) { Ok(text) } else { Err(Unreadable(shown)) }
}

/// Path and query of an origin-form target (RFC 9112 §3.2.1). What the path may hold is for the gate to say.
fn split<'a>(target: &'a str, shown: &'static str) -> Result<(&'a str, Option<&'a str>), Unreadable> {
    let plain = target.starts_with('/') && !target.bytes().any(|b| b <= b' ' || b == 0x7f || b == b'#');
    if !plain {
        return Err(Unreadable(shown));
    }
    Ok(target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query))))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::net::TrustedProxies;

    const PEER: Peer = Peer::Address(IpAddr::V4(Ipv4Addr::LOCALHOST));

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&str, &str)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap())
        };
        lines.iter().map(line).collect()
    }

    fn told(original: Result<Original<'_>, Unreadable>) -> Result<String, &'static str> {
        let Original { method, host, path, query, .. } = original.map_err(|Unreadable(part)| part)?;
        Ok(format!("{method} {host} {path} {}", query.unwrap_or("-")))
    }

    #[test]
    fn nginx_is_told_by_two_headers() {
        let good = [("X-Original-Method", "GET"), ("X-Original-URL", "https://wiki.example/a%20b?x=1&y=%26")];
        assert_eq!(told(nginx(&headers(&good), PEER)).unwrap(), "GET wiki.example /a%20b x=1&y=%26");
        for (url, want) in [
            ("https://wiki.example:8443/", Ok("GET wiki.example:8443 / -")),
            ("http://[::1]:80/x", Ok("GET [::1]:80 /x -")),
            ("https://wiki.example/a?b#c", Err("X-Original-URL")),
            ("https://wiki.example/a#/public", Err("X-Original-URL")),
            ("https://wiki.example", Err("X-Original-URL")),
            ("https://wiki.example?x=/admin", Err("X-Original-URL")),
            ("https://user@wiki.example/", Err("X-Original-URL")),
            ("https:///admin", Err("X-Original-URL")),
            ("https://a, b/", Err("X-Original-URL")),
            ("javascript://wiki.example/", Err("X-Original-URL")),
            ("http://[::1", Err("X-Original-URL")),
            ("//wiki.example/", Err("X-Original-URL")),
            ("/admin", Err("X-Original-URL")),
            ("https://wiki.example/a b", Err("X-Original-URL")),
            ("https://wiki.example/%", Ok("GET wiki.example /% -")),
            ("", Err("X-Original-URL")),
        ] {
            let lines = headers(&[("X-Original-Method", "GET"), ("X-Original-URL", url)]);
            assert_eq!(told(nginx(&lines, PEER)).as_deref(), want.as_ref().copied(), "{url}");
        }
    }

    #[test]
    fn the_others_are_told_by_the_forwarded_family() {
        let gatekeeper = Gatekeeper::new(TrustedProxies::parse(["127.0.0.1"]).unwrap(), None);
        let good = [
            ("X-Forwarded-Method", "POST"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "wiki.example"),
            ("X-Forwarded-Uri", "/a?b=c&d"),
            ("X-Forwarded-For", "198.51.100.7"),
        ];
        let whole = headers(&good);
        let original = forwarded(&whole, PEER, &gatekeeper).unwrap();
        assert_eq!(original.client.to_string(), "198.51.100.7");
        assert_eq!(told(Ok(original)).unwrap(), "POST wiki.example /a b=c&d");
        // Without a scheme and an address there is still a request; without the rest there is none.
        for (at, (name, _)) in good.iter().enumerate() {
            let mut fewer = good.to_vec();
            fewer.remove(at);
            let optional = ["X-Forwarded-Proto", "X-Forwarded-For"].contains(name);
            assert_eq!(told(forwarded(&headers(&fewer), PEER, &gatekeeper)).is_ok(), optional, "no {name}");
            let twice: Vec<_> = good.iter().copied().chain([(*name, good[at].1)]).collect();
            let several = *name == "X-Forwarded-For";
            assert_eq!(told(forwarded(&headers(&twice), PEER, &gatekeeper)).is_ok(), several, "two {name}");
        }
        for (name, value) in [
            ("X-Forwarded-Method", "get"),
            ("X-Forwarded-Method", "TRACE"),
            ("X-Forwarded-Method", "CONNECT"),
            ("X-Forwarded-Method", "G T"),
            ("X-Forwarded-Method", ""),
            ("X-Forwarded-Proto", "javascript"),
            ("X-Forwarded-Proto", "https, http"),
            ("X-Forwarded-Host", "a.example, b.example"),
            ("X-Forwarded-Host", "a.example/x"),
            ("X-Forwarded-Host", "user@a.example"),
            ("X-Forwarded-Host", ""),
            ("X-Forwarded-Uri", "admin"),
            ("X-Forwarded-Uri", "https://wiki.example/admin"),
            ("X-Forwarded-Uri", "/a#/public"),
            ("X-Forwarded-Uri", ""),
        ] {
            let lines = good.iter().map(|line| if line.0 == name { (name, value) } else { *line });
            let lines = headers(&lines.collect::<Vec<_>>());
            assert_eq!(told(forwarded(&lines, PEER, &gatekeeper)), Err(name), "{name}: {value}");
        }
    }

    #[test]
    fn no_dialect_reads_the_words_of_another() {
        let gatekeeper = Gatekeeper::new(TrustedProxies::default(), None);
        let of_nginx =
            headers(&[("X-Original-Method", "GET"), ("X-Original-URL", "https://a.example/public")]);
        let of_traefik = headers(&[
            ("X-Forwarded-Method", "GET"),
            ("X-Forwarded-Host", "a.example"),
            ("X-Forwarded-Uri", "/public"),
        ]);
        let twins = headers(&[
            ("X_Forwarded_Method", "GET"),
            ("X_Forwarded_Host", "a.example"),
            ("X.Forwarded.Uri", "/public"),
        ]);
        assert!(nginx(&of_traefik, PEER).is_err());
        assert!(forwarded(&of_nginx, PEER, &gatekeeper).is_err());
        assert!(forwarded(&twins, PEER, &gatekeeper).is_err());
        let both: HeaderMap =
            of_nginx.into_iter().chain(of_traefik).filter_map(|(n, v)| Some((n?, v))).collect();
        let asked = envoy(&Method::GET, "/admin?x=/public", "b.example", &both, PEER);
        assert_eq!(told(asked).unwrap(), "GET b.example /admin x=/public");
    }

    #[test]
    fn envoy_is_read_from_the_request_line() {
        for (method, target, host, good) in [
            (Method::DELETE, "/a", "a.example", true),
            (Method::TRACE, "/a", "a.example", false),
            (Method::GET, "", "a.example", false),
            (Method::GET, "a", "a.example", false),
            (Method::GET, "/a", "", false),
            (Method::GET, "/a", "a b", false),
        ] {
            assert_eq!(
                envoy(&method, target, host, &HeaderMap::new(), PEER).is_ok(),
                good,
                "{target} {host}"
            );
        }
    }
}
