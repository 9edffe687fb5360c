//! By which way did a request come, and what does the upstream learn of it? The client's address, the request's name and
//! its trace: from the connection alone, or, where the peer is one of the operator's own hops, from what that hop says.
//!
//! Guarantees: nothing that an untrusted peer writes counts or is passed on. One of `X-Forwarded-For` and `Forwarded` is
//! read, which the operator chooses: a hop that writes one may pass on what a client wrote into the other. Called after pingora has removed what `Connection` names, so nothing set here can be
//! named away (CVE-2025-48865).

mod cookies;
mod hearsay;
mod public;

use std::net::IpAddr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::net::hops::ClientHeader;
use crate::net::{TraceParent, TrustedProxies, hops};
use crate::ops::RequestId;

pub(super) use self::cookies::remove_cookies;
pub(super) use self::hearsay::remove_claims;
pub(super) use self::public::Public;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The name of a request.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The place of a request in a trace.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// What a trusted hop says of a request.
#[derive(Debug)]
pub(super) struct Way {
    /// Whom the request is from, if the hop names anybody.
    pub(super) client: Option<IpAddr>,
    /// What the request is called, if the hop has a fit name for it.
    pub(super) request_id: Option<RequestId>,
    /// Where it belongs, if it is traced.
    pub(super) trace: Option<TraceParent>,
    /// The client, the hops behind it and the peer, as far as they are known.
    addresses: Vec<IpAddr>,
}

impl Way {
    /// Reads it. `peer` is the other end of the connection, `None` on a Unix socket; `None` comes back for everybody who
    /// is not trusted.
    pub(super) fn read(
        headers: &HeaderMap,
        peer: Option<IpAddr>,
        trusted: &TrustedProxies,
        header: ClientHeader,
    ) -> Option<Box<Self>> {
        if !peer.map_or(trusted.unix(), |peer| trusted.contains(peer)) {
            return None;
        }
        let mut addresses = Vec::with_capacity(4);
        addresses.extend(peer.map(|peer| peer.to_canonical()));
        let nearest = addresses.len();
        match header {
            ClientHeader::XForwardedFor => {
                hops::walk(trusted, hops::x_forwarded_for(headers), |address| addresses.push(address));
            }
            ClientHeader::Forwarded => {
                hops::walk(trusted, hops::forwarded(headers), |address| addresses.push(address));
            }
        }
        let client = addresses.get(nearest..).and_then(|named| named.last()).copied();
        addresses.reverse();
        let request_id = only(headers, &X_REQUEST_ID).and_then(|id| RequestId::kept(id.as_bytes()));
        let trace = only(headers, &TRACEPARENT).and_then(|value| TraceParent::parse(value.as_bytes()));
        Some(Box::new(Self { client, request_id, trace, addresses }))
    }

    /// The client, the hops and the peer: what `X-Forwarded-For` says, if anybody is known.
    fn addresses(&self) -> Option<HeaderValue> {
        let list: Vec<String> = self.addresses.iter().map(IpAddr::to_string).collect();
        HeaderValue::try_from(list.join(", ")).ok().filter(|value| !value.is_empty())
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer<'a> {
    /// Its address; none on a Unix socket.
    pub(super) address: Option<IpAddr>,
    /// The same, as `X-Forwarded-For` says it.
    pub(super) written: &'a HeaderValue,
}

/// Says how the request came. `original` is the request as it was received; `forwarded`: by `Forwarded` as well.
pub(super) fn tell(
    headers: &mut HeaderMap,
    original: &HeaderMap,
    way: Option<&Way>,
    peer: &Peer<'_>,
    public: &Public,
    forwarded: bool,
) {
    let addresses = way.map_or_else(|| Some(peer.written.clone()), Way::addresses);
    if let Some(addresses) = addresses {
        headers.insert(X_FORWARDED_FOR, addresses);
    }
    if way.is_some_and(|way| way.trace.is_some()) {
        for name in [TRACEPARENT, TRACESTATE] {
            for value in original.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    if forwarded {
        let alone = peer.address.as_slice();
        headers.insert(FORWARDED, public.forwarded(way.map_or(alone, |way| &way.addresses)));
    }
    public.say(headers);
}

/// The value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    lines.next().filter(|_| lines.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Origin;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap())
        };
        lines.iter().map(line).collect()
    }

    fn read(peer: &str, lines: &[(&'static str, &str)]) -> Option<Box<Way>> {
        read_in(ClientHeader::XForwardedFor, peer, lines)
    }

    fn read_in(header: ClientHeader, peer: &str, lines: &[(&'static str, &str)]) -> Option<Box<Way>> {
        let trusted = TrustedProxies::parse(["10.0.0.0/8", "unix"]).unwrap();
        let peer = (peer != "unix").then(|| peer.parse().unwrap());
        Way::read(&headers(lines), peer, &trusted, header)
    }

    /// What the upstream is told besides the public host.
    fn told(peer: &str, lines: &[(&'static str, &str)]) -> Vec<String> {
        let way = read(peer, lines);
        let written = peer.parse().unwrap();
        let peer = Peer { address: peer.parse().ok(), written: &written };
        let public = Public::new(&Origin::parse("https://app.example:8443").unwrap(), true);
        let mut request = HeaderMap::new();
        tell(&mut request, &headers(lines), way.as_deref(), &peer, &public, true);
        let ours =
            |name: &str| !matches!(name, "x-forwarded-proto" | "x-forwarded-host" | "x-forwarded-port");
        let lines = request.iter().filter(|(name, _)| ours(name.as_str()));
        lines.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn who_is_listened_to() {
        let says = [("x-forwarded-for", "6.6.6.6, 192.0.2.1, 10.0.0.7")];
        let client = |peer| read(peer, &says).map(|way| way.client.unwrap().to_string());
        assert_eq!(client("10.0.0.1").as_deref(), Some("192.0.2.1"));
        assert_eq!(client("::ffff:10.0.0.1").as_deref(), Some("192.0.2.1"));
        assert_eq!(client("unix").as_deref(), Some("192.0.2.1"));
        assert_eq!(client("11.0.0.1"), None);
        assert!(read("10.0.0.1", &[]).unwrap().client.is_none());
        let nobody = TrustedProxies::default();
        for peer in ["127.0.0.1".parse().ok(), None] {
            assert!(Way::read(&headers(&says), peer, &nobody, ClientHeader::XForwardedFor).is_none());
        }
    }

    #[test]
    fn one_of_the_two_headers_is_read() {
        let client = |header, lines: &[_]| {
            read_in(header, "10.0.0.1", lines).unwrap().client.map(|client| client.to_string())
        };
        let (x, standard) = (("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.2"));
        for (header, lines, want) in [
            (ClientHeader::XForwardedFor, &[x, standard][..], Some("192.0.2.1")),
            (ClientHeader::XForwardedFor, &[standard], None),
            (ClientHeader::XForwardedFor, &[("x-forwarded-for", "nonsense"), standard], None),
            (ClientHeader::Forwarded, &[x, standard], Some("192.0.2.2")),
            (ClientHeader::Forwarded, &[x], None),
        ] {
            assert_eq!(client(header, lines).as_deref(), want, "{header:?} {lines:?}");
        }
    }

    #[test]
    fn what_the_upstream_is_told() {
        let trace = ("traceparent", TRACE);
        for (peer, says, want) in [
            (
                "192.0.2.9",
                &[("x-forwarded-for", "6.6.6.6"), ("forwarded", "for=6.6.6.6"), trace][..],
                &[
                    "x-forwarded-for: 192.0.2.9",
                    "forwarded: for=192.0.2.9;host=\"app.example:8443\";proto=https",
                ][..],
            ),
            (
                "10.0.0.1",
                &[("x-forwarded-for", "6.6.6.6, 2001:db8::1, 10.0.0.7"), trace, ("tracestate", "a=1")],
                &[
                    "x-forwarded-for: 2001:db8::1, 10.0.0.7, 10.0.0.1",
                    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                    "tracestate: a=1",
                    "forwarded: for=\"[2001:db8::1]\";host=\"app.example:8443\";proto=https, for=10.0.0.7, for=10.0.0.1",
                ],
            ),
            (
                "10.0.0.1",
                &[("traceparent", "00-0-0-0"), ("tracestate", "a=1")],
                &[
                    "x-forwarded-for: 10.0.0.1",
                    "forwarded: for=10.0.0.1;host=\"app.example:8443\";proto=https",
                ],
            ),
            (
                "10.0.0.1",
                &[trace, trace],
                &[
                    "x-forwarded-for: 10.0.0.1",
                    "forwarded: for=10.0.0.1;host=\"app.example:8443\";proto=https",
                ],
            ),
            ("unix", &[], &["forwarded: for=unknown;host=\"app.example:8443\";proto=https"]),
        ] {
            assert_eq!(told(peer, says), want, "{peer} {says:?}");
        }
    }

    #[test]
    fn names_of_requests() {
        let id = |lines: &[_]| read("10.0.0.1", lines).unwrap().request_id.map(|id| id.as_str().to_owned());
        assert_eq!(id(&[("x-request-id", "4bf92f35-77b3.4da6")]).as_deref(), Some("4bf92f35-77b3.4da6"));
        assert_eq!(id(&[("x-request-id", "a"), ("x-request-id", "a")]), None);
        assert_eq!(id(&[("x-request-id", "a b")]), None);
    }
}
