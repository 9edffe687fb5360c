//! Does one client take everybody's connections? Counts those of every address, and forgets an address with its last.
//!
//! On the internet IPv6 clients have a network, not an address: they are counted by /64 (RFC 6177 §2). Within a cluster it is
//! the other way round: all pods of a node and its kubelet share a /64. One lock is enough: it is held for a look-up, twice
//! in the life of a connection.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::remarks::PAUSE;

/// The connections of every client.
#[derive(Debug)]
pub struct Clients {
    open: Mutex<HashMap<u128, Entry>>,
    /// The part of an address that tells clients apart.
    mask: u128,
}

#[derive(Debug, Default)]
struct Entry {
    open: usize,
    /// When the log last said that there are too many.
    said: Option<Instant>,
}

/// Why a client may not connect.
#[derive(Debug, PartialEq, Eq)]
pub struct TooMany {
    /// Whether the log has not said so for a while.
    pub news: bool,
}

/// One connection of a client, for as long as this lives.
#[derive(Debug)]
pub struct Place {
    clients: Arc<Clients>,
    key: u128,
}

impl Clients {
    /// Clients are networks where they have some.
    pub fn by_network() -> Arc<Self> {
        Self::by(!u128::from(u64::MAX))
    }

    /// Every address is a client.
    pub fn by_address() -> Arc<Self> {
        Self::by(u128::MAX)
    }

    fn by(mask: u128) -> Arc<Self> {
        Arc::new(Self { open: Mutex::default(), mask })
    }

    /// IPv4 as mapped into IPv6, where no network of a client's lies.
    fn key(&self, client: IpAddr) -> u128 {
        match client.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits() & self.mask,
        }
    }

    /// One more connection of a client, which may have `most` of them.
    ///
    /// # Errors
    /// It has them.
    pub fn admit(self: &Arc<Self>, client: IpAddr, most: usize) -> Result<Place, TooMany> {
        let key = self.key(client);
        let mut clients = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = clients.entry(key).or_default();
        if entry.open < most {
            entry.open += 1;
            return Ok(Place { clients: Arc::clone(self), key });
        }
        let now = Instant::now();
        let news = entry.said.is_none_or(|last| now.duration_since(last) >= PAUSE);
        if news {
            entry.said = Some(now);
        }
        if entry.open == 0 {
            clients.remove(&key);
        }
        Err(TooMany { news })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut clients = self.clients.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = clients.get_mut(&self.key) {
            entry.open = entry.open.saturating_sub(1);
            if entry.open == 0 {
                clients.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_its_share_and_is_forgotten_with_its_last_connection() {
        let clients = Clients::by_network();
        let admit = |text: &str| clients.admit(text.parse().unwrap(), 2);
        let known = || clients.open.lock().unwrap().len();
        let (first, second) = (admit("192.0.2.1").unwrap(), admit("::ffff:192.0.2.1").unwrap());
        assert_eq!(admit("192.0.2.1").unwrap_err(), TooMany { news: true });
        assert_eq!(admit("192.0.2.1").unwrap_err(), TooMany { news: false });
        let other = admit("192.0.2.2").unwrap();
        drop(first);
        let third = admit("192.0.2.1").unwrap();
        assert!(admit("192.0.2.1").is_err());
        assert_eq!(known(), 2);
        drop((second, third, other));
        assert_eq!(known(), 0);
        assert!(clients.admit("192.0.2.1".parse().unwrap(), 0).is_err());
        assert_eq!(known(), 0);
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_on_the_internet_and_many_in_a_cluster() {
        let clients = Clients::by_network();
        let admit = |text: &str| clients.admit(text.parse().unwrap(), 1);
        let _one = admit("2001:db8:0:1::1").unwrap();
        assert!(admit("2001:db8:0:1:ffff::2").is_err());
        assert!(admit("2001:db8:0:2::1").is_ok());
        let _loopback = admit("::1").unwrap();
        assert!(admit("127.0.0.1").is_ok());
        let clients = Clients::by_address();
        let admit = |text: &str| clients.admit(text.parse().unwrap(), 1);
        let _pod = admit("fd00:10:244:1::7").unwrap();
        assert!(admit("fd00:10:244:1::7").is_err());
        assert!(admit("fd00:10:244:1::1").is_ok(), "the kubelet of its node");
    }
}
