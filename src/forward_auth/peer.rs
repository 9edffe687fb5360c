//! Who is on the other end: a gateway that the operator trusts to say what somebody asked for, or a stranger?
//!
//! Guarantees: nobody is listened to who is not in the list; where a key is configured, the list alone is not enough.
//! A client that could reach this listener would otherwise name any path it likes (CVE-2026-40575).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, HeaderName};
use secrecy::ExposeSecret;

use crate::net::{TrustedProxies, hops};
use crate::ops::listen::Accepted;
use crate::secret::{self, SecretString};

/// Carries the key that gateways share with Anteroom.
pub const GATEWAY_KEY: HeaderName = HeaderName::from_static("x-anteroom-gateway-key");

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// By its address.
    Address(IpAddr),
    /// On a Unix socket.
    Unix,
}

/// Tells gateways from strangers.
#[derive(Debug)]
pub(super) struct Gatekeeper {
    trusted: TrustedProxies,
    key: Option<SecretString>,
}

impl From<&Accepted> for Peer {
    fn from(accepted: &Accepted) -> Self {
        match accepted {
            Accepted::Tcp(_, address) => Self::Address(*address),
            Accepted::Unix(_) => Self::Unix,
        }
    }
}

impl Peer {
    /// For logs that have room for an address only.
    pub(super) fn address(self) -> IpAddr {
        match self {
            Self::Address(address) => address.to_canonical(),
            Self::Unix => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.to_canonical().fmt(f),
            Self::Unix => f.write_str("a peer on the Unix socket"),
        }
    }
}

impl Gatekeeper {
    /// From the operator's list and key.
    pub(super) fn new(trusted: TrustedProxies, key: Option<SecretString>) -> Self {
        Self { trusted, key }
    }

    /// Whether a peer is in the list.
    pub(super) fn knows(&self, peer: Peer) -> bool {
        match peer {
            Peer::Address(address) => self.trusted.contains(address),
            Peer::Unix => self.trusted.unix(),
        }
    }

    /// Whether a request carries the key, exactly once, if one is needed.
    pub(super) fn opens(&self, headers: &HeaderMap) -> bool {
        let Some(key) = &self.key else { return true };
        let mut sent = headers.get_all(GATEWAY_KEY).iter();
        match (sent.next(), sent.next()) {
            (Some(sent), None) => secret::equal(sent.as_bytes(), key.expose_secret().as_bytes()),
            _ => false,
        }
    }

    /// The client behind a trusted peer: the last address in `X-Forwarded-For` that is no trusted proxy itself. Whatever
    /// stands before it, the client may have written. Where none is named, the peer, and that it stands for a crowd.
    pub(super) fn client(&self, peer: Peer, headers: &HeaderMap) -> (IpAddr, bool) {
        let mut nearest = None;
        hops::walk(&self.trusted, hops::x_forwarded_for(headers), |address| nearest = Some(address));
        nearest.map_or((peer.address(), true), |client| (client, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeper(key: Option<&str>) -> Gatekeeper {
        let trusted = TrustedProxies::parse(["10.0.0.0/8", "127.0.0.1"]).unwrap();
        Gatekeeper::new(trusted, key.map(SecretString::from))
    }

    fn peer(text: &str) -> Peer {
        Peer::Address(text.parse().unwrap())
    }

    #[test]
    fn strangers_are_told_from_gateways() {
        let keeper = keeper(None);
        for (address, want) in [("10.1.2.3", true), ("::ffff:10.1.2.3", true), ("192.0.2.1", false)] {
            assert_eq!(keeper.knows(peer(address)), want, "{address}");
        }
        assert!(!keeper.knows(Peer::Unix));
    }

    #[test]
    fn the_key_counts_once_and_whole() {
        let key = "a-gateway-key-0123456789-abcdefghij";
        for (sent, want) in [
            (vec![key], true),
            (vec![], false),
            (vec![""], false),
            (vec!["a-gateway-key-0123456789-abcdefghi"], false),
            (vec![key, key], false),
            (vec!["wrong", key], false),
        ] {
            let headers = sent.iter().map(|k| (GATEWAY_KEY, k.parse().unwrap())).collect();
            assert_eq!(keeper(Some(key)).opens(&headers), want, "{sent:?}");
        }
        assert!(keeper(None).opens(&HeaderMap::new()));
        assert!(!format!("{:?}", keeper(Some(key))).contains(key));
    }

    #[test]
    fn the_client_is_the_last_one_that_nobody_trusts() {
        for (lines, want) in [
            (&[][..], ("10.9.9.9", true)),
            (&["198.51.100.7"], ("198.51.100.7", false)),
            (&["6.6.6.6, 198.51.100.7"], ("198.51.100.7", false)),
            (&["127.0.0.1, 198.51.100.7, 10.0.0.1"], ("198.51.100.7", false)),
            (&["6.6.6.6", "198.51.100.7"], ("198.51.100.7", false)),
            (&["198.51.100.7:4711"], ("198.51.100.7", false)),
            (&["[2001:db8::7]:4711"], ("2001:db8::7", false)),
            (&["10.0.0.2, 10.0.0.1"], ("10.0.0.2", false)),
            (&["6.6.6.6, nonsense"], ("10.9.9.9", true)),
            (&["6.6.6.6,"], ("10.9.9.9", true)),
        ] {
            let name = HeaderName::from_static("x-forwarded-for");
            let headers = lines.iter().map(|line| (name.clone(), line.parse().unwrap())).collect();
            let (client, crowd) = keeper(None).client(peer("10.9.9.9"), &headers);
            assert_eq!((client.to_string().as_str(), crowd), want, "{lines:?}");
        }
    }
}
