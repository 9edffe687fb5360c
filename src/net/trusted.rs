//! From whom do we take another's word? The gateways whose `X-Forwarded-*` and `X-Original-*` count, by address.
//!
//! Guarantees: nobody is trusted who is not written out: no network of everybody, no network with a slip in it. An IPv4
//! address that arrives mapped into IPv6 (RFC 4291 §2.5.5.2) counts as the IPv4 address that it is.

use std::fmt;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// The word for peers on a Unix socket, which have no address.
const UNIX: &str = "unix";

/// The shortest prefix that still names somebody: half or a quarter of all addresses is everybody in two or four lines.
const NARROW: u8 = 4;

/// Whom an operator trusts to speak for others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    unix: bool,
}

/// One entry of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedPeer {
    /// Peers with an address in here; a single address is a network of one.
    Network(IpNet),
    /// Peers on a Unix socket.
    Unix,
}

/// Why an entry is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTrusted {
    /// Neither an address, nor a network, nor `unix`.
    #[error("it is neither an address, nor a network such as 10.0.0.0/8, nor the word unix")]
    Unreadable,
    /// The address of a network has bits beyond its prefix.
    #[error("it is an address with a prefix: the network is {network}, the address alone {address}")]
    HostBits {
        /// The network that it lies in.
        network: IpNet,
        /// The address itself.
        address: IpAddr,
    },
    /// A network, or an address that stands for one, with everybody in it.
    #[error("it means everybody")]
    Everybody,
}

impl TrustedPeer {
    /// Parses an address, a network in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3), or `unix`.
    pub fn parse(text: &str) -> Result<Self, NotTrusted> {
        if text == UNIX {
            return Ok(Self::Unix);
        }
        let network = match (text.parse::<IpAddr>(), text.parse::<IpNet>()) {
            (Ok(address), _) if address.is_unspecified() => return Err(NotTrusted::Everybody),
            (Ok(address), _) => IpNet::from(address),
            (_, Ok(network)) => network,
            (Err(_), Err(_)) => return Err(NotTrusted::Unreadable),
        };
        let network = unmapped(network);
        if network.prefix_len() < NARROW {
            return Err(NotTrusted::Everybody);
        }
        if network.trunc() != network {
            return Err(NotTrusted::HostBits { network: network.trunc(), address: network.addr() });
        }
        Ok(Self::Network(network))
    }
}

impl TrustedProxies {
    /// Parses every entry; `Err` is the first that is none.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, NotTrusted> {
        entries.into_iter().map(TrustedPeer::parse).collect()
    }

    /// Whether a peer with this address is trusted.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Whether a peer on a Unix socket is trusted.
    pub fn unix(&self) -> bool {
        self.unix
    }

    /// Whether a peer is trusted: by its address, or as one on a Unix socket, where nobody has any.
    pub fn knows(&self, peer: Option<IpAddr>) -> bool {
        peer.map_or(self.unix, |address| self.contains(address))
    }

    /// The networks, in the order in which they were written.
    pub fn networks(&self) -> &[IpNet] {
        &self.networks
    }
}

impl FromIterator<TrustedPeer> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = TrustedPeer>>(peers: I) -> Self {
        let mut trusted = Self::default();
        for peer in peers {
            match peer {
                TrustedPeer::Network(network) => trusted.networks.push(network),
                TrustedPeer::Unix => trusted.unix = true,
            }
        }
        trusted
    }
}

impl fmt::Display for TrustedPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                network.addr().fmt(f)
            }
            Self::Network(network) => network.fmt(f),
            Self::Unix => f.write_str(UNIX),
        }
    }
}

/// As the operator would write it: `10.0.0.0/8, 127.0.0.1, unix`.
impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let networks = self.networks.iter().copied().map(TrustedPeer::Network);
        let peers = networks.chain(self.unix.then_some(TrustedPeer::Unix)).map(|peer| peer.to_string());
        f.write_str(&peers.collect::<Vec<_>>().join(", "))
    }
}

/// A network of IPv4 addresses mapped into IPv6, as the IPv4 network that it is.
fn unmapped(network: IpNet) -> IpNet {
    let (IpAddr::V4(address), Some(prefix)) =
        (network.addr().to_canonical(), network.prefix_len().checked_sub(96))
    else {
        return network;
    };
    match network {
        IpNet::V6(_) => Ipv4Net::new(address, prefix).map_or(network, IpNet::V4),
        IpNet::V4(_) => network,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries() {
        for (text, want) in [
            ("10.0.0.0/8", Ok("10.0.0.0/8")),
            ("127.0.0.1", Ok("127.0.0.1")),
            ("192.0.2.7/32", Ok("192.0.2.7")),
            ("2001:DB8::/32", Ok("2001:db8::/32")),
            ("::1", Ok("::1")),
            ("::ffff:10.0.0.0/104", Ok("10.0.0.0/8")),
            ("::ffff:10.0.0.1", Ok("10.0.0.1")),
            ("unix", Ok("unix")),
            ("0.0.0.0/0", Err(NotTrusted::Everybody)),
            ("10.0.0.0/0", Err(NotTrusted::Everybody)),
            ("0.0.0.0/1", Err(NotTrusted::Everybody)),
            ("8000::/1", Err(NotTrusted::Everybody)),
            ("fc00::/7", Ok("fc00::/7")),
            ("::/0", Err(NotTrusted::Everybody)),
            ("::ffff:0:0/96", Err(NotTrusted::Everybody)),
            ("0.0.0.0", Err(NotTrusted::Everybody)),
            ("::", Err(NotTrusted::Everybody)),
            ("", Err(NotTrusted::Unreadable)),
            ("*", Err(NotTrusted::Unreadable)),
            ("Unix", Err(NotTrusted::Unreadable)),
            ("10.0.0", Err(NotTrusted::Unreadable)),
            ("10.0.0.0/33", Err(NotTrusted::Unreadable)),
            ("10.0.0.0/255.0.0.0", Err(NotTrusted::Unreadable)),
            (" 10.0.0.1", Err(NotTrusted::Unreadable)),
            ("10.0.0.1:80", Err(NotTrusted::Unreadable)),
            ("gateway", Err(NotTrusted::Unreadable)),
        ] {
            let got = TrustedPeer::parse(text);
            assert_eq!(got.map(|peer| peer.to_string()), want.map(str::to_owned), "{text}");
        }
        for (text, said) in [
            ("10.1.2.3/8", "the network is 10.0.0.0/8, the address alone 10.1.2.3"),
            ("2001:db8::1/64", "the network is 2001:db8::/64, the address alone 2001:db8::1"),
            ("::ffff:10.1.2.3/104", "the network is 10.0.0.0/8, the address alone 10.1.2.3"),
        ] {
            let refused = TrustedPeer::parse(text).unwrap_err().to_string();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }

    #[test]
    fn who_is_trusted() {
        let trusted = TrustedProxies::parse(["10.0.0.0/8", "127.0.0.1", "2001:db8::/32"]).unwrap();
        for (address, want) in [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("9.255.255.255", false),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("::ffff:10.1.1.1", true),
            ("::ffff:11.0.0.1", false),
            ("::1", false),
            ("::10.1.1.1", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(trusted.contains(address.parse().unwrap()), want, "{address}");
        }
        assert!(!trusted.unix() && !trusted.knows(None));
        assert!(trusted.knows("127.0.0.1".parse().ok()) && !trusted.knows("127.0.0.2".parse().ok()));
        assert_eq!(trusted.to_string(), "10.0.0.0/8, 127.0.0.1, 2001:db8::/32");
        let unix = TrustedProxies::parse(["unix"]).unwrap();
        assert!(unix.unix() && unix.knows(None) && !unix.contains("127.0.0.1".parse().unwrap()));
        assert_eq!(TrustedProxies::parse(["10.0.0.0/8", "all"]), Err(NotTrusted::Unreadable));
        assert!(!TrustedProxies::default().contains("127.0.0.1".parse().unwrap()), "nobody by itself");
    }
}
