//! Where is a server now? A name's addresses, asked of DNS as often as the name's owner says (its TTL).
//!
//! The hosts file comes first, then the system's resolver settings with their search domains, so that names mean what
//! they mean to other programs of a pod. `localhost` is both loopback addresses and is never asked for (RFC 6761 §6.3).
//! Nothing blocks a thread.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;
use std::time::Duration;

use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, ResolverBuilder, TokioResolver};
use tokio::time::{Instant, timeout};

/// How long an answer is believed, whatever its TTL.
const TTL: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);
/// How long the hosts file is believed.
const HOSTS_TTL: Duration = Duration::from_secs(10);
/// How long a look-up may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks names up.
#[derive(Default)]
pub(super) struct Resolver {
    /// Made when first needed, so that a broken `resolv.conf` hurts nobody who names no names.
    resolver: OnceLock<TokioResolver>,
    /// Asks these servers instead of the system's.
    servers: Option<ResolverConfig>,
}

/// What a look-up found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// In a fixed order, at least one.
    pub(super) addresses: Vec<IpAddr>,
    /// For how long.
    pub(super) ttl: Duration,
}

impl Resolver {
    /// Asks these servers, and no hosts file.
    #[cfg(test)]
    pub(super) fn asking(servers: ResolverConfig) -> Self {
        Self { resolver: OnceLock::new(), servers: Some(servers) }
    }

    /// All addresses of a name. `Err` says what went wrong, in words for a log.
    pub(super) async fn look_up(&self, host: &str) -> Result<Found, String> {
        if host.trim_end_matches('.').eq_ignore_ascii_case("localhost") {
            let addresses = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            return Ok(Found { addresses, ttl: *TTL.end() });
        }
        if self.servers.is_none()
            && let Some(addresses) = in_hosts_file(host).await
        {
            return Ok(Found { addresses, ttl: HOSTS_TTL });
        }
        let answer = timeout(PATIENCE, self.resolver()?.lookup_ip(host)).await;
        let answer =
            answer.map_err(|_| "no answer in time".to_owned())?.map_err(|error| error.to_string())?;
        let ttl = Instant::from_std(answer.valid_until()).saturating_duration_since(Instant::now());
        let mut addresses: Vec<IpAddr> = answer.iter().collect();
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.is_empty() {
            return Err("the name has no address".into());
        }
        Ok(Found { addresses, ttl: ttl.clamp(*TTL.start(), *TTL.end()) })
    }

    fn resolver(&self) -> Result<&TokioResolver, String> {
        if let Some(resolver) = self.resolver.get() {
            return Ok(resolver);
        }
        let builder = match &self.servers {
            Some(config) => {
                TokioResolver::builder_with_config(config.clone(), TokioRuntimeProvider::default())
            }
            None => TokioResolver::builder_tokio().map_err(|error| format!("resolv.conf: {error}"))?,
        };
        let resolver = configured(builder).build().map_err(|error| error.to_string())?;
        Ok(self.resolver.get_or_init(|| resolver))
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

/// All addresses of both kinds; nothing remembered here, as the addresses are kept with the upstream.
fn configured(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> ResolverBuilder<TokioRuntimeProvider> {
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = 0;
    builder
}

async fn in_hosts_file(host: &str) -> Option<Vec<IpAddr>> {
    let name = Name::from_utf8(host).ok()?;
    let hosts = tokio::task::spawn_blocking(Hosts::from_system).await.ok()?.ok()?;
    let of = |kind| hosts.lookup_static_host(&Query::query(name.clone(), kind));
    let found = [RecordType::A, RecordType::AAAA].into_iter().filter_map(of);
    let ips = |lookup: hickory_resolver::lookup::Lookup| {
        lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>()
    };
    let addresses: Vec<IpAddr> = found.flat_map(ips).collect();
    (!addresses.is_empty()).then_some(addresses)
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use hickory_resolver::config::{ConnectionConfig, NameServerConfig};
    use tokio::net::UdpSocket;
    use tokio::task::AbortHandle;

    use super::*;

    /// A DNS server that answers every question for an A record with the addresses it was given last.
    pub(in crate::proxy::upstreams) struct Dns {
        pub(in crate::proxy::upstreams) answers: Arc<Mutex<Vec<Ipv4Addr>>>,
        /// Questions that came.
        pub(in crate::proxy::upstreams) asked: Arc<AtomicUsize>,
        address: SocketAddr,
        serving: AbortHandle,
    }

    impl Dns {
        pub(in crate::proxy::upstreams) async fn start(ttl: u32, first: &[Ipv4Addr]) -> Self {
            let answers = Arc::new(Mutex::new(first.to_vec()));
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let address = socket.local_addr().unwrap();
            let given = Arc::clone(&answers);
            let asked = Arc::<AtomicUsize>::default();
            let count = Arc::clone(&asked);
            let serving = tokio::spawn(async move {
                let mut question = [0; 512];
                while let Ok((length, from)) = socket.recv_from(&mut question).await {
                    count.fetch_add(1, Ordering::SeqCst);
                    let given = given.lock().unwrap().clone();
                    socket.send_to(&reply(&question[..length], ttl, &given), from).await.unwrap();
                }
            });
            Self { answers, asked, address, serving: serving.abort_handle() }
        }

        pub(in crate::proxy::upstreams) fn resolver(&self) -> Resolver {
            let mut udp = ConnectionConfig::udp();
            udp.port = self.address.port();
            let server = NameServerConfig::new(self.address.ip(), true, vec![udp]);
            Resolver::asking(ResolverConfig::from_parts(None, Vec::new(), vec![server]))
        }

        pub(in crate::proxy::upstreams) fn stop(&self) {
            self.serving.abort();
        }
    }

    impl Drop for Dns {
        fn drop(&mut self) {
            self.stop();
        }
    }

    /// RFC 1035 §4.1: the question again, and an answer that points at its name.
    fn reply(question: &[u8], ttl: u32, addresses: &[Ipv4Addr]) -> Vec<u8> {
        let end = 12 + question[12..].iter().position(|b| *b == 0).unwrap() + 5;
        let is_a = question[end - 4..end - 2] == [0, 1];
        let addresses = if is_a { addresses } else { &[] };
        let mut out = question[..2].to_vec();
        out.extend([0x81, 0x80, 0, 1, 0, u8::try_from(addresses.len()).unwrap(), 0, 0, 0, 0]);
        out.extend(&question[12..end]);
        for address in addresses {
            out.extend([0xc0, 12, 0, 1, 0, 1]);
            out.extend(ttl.to_be_bytes());
            out.extend([0, 4]);
            out.extend(address.octets());
        }
        out
    }

    #[tokio::test]
    async fn localhost_needs_no_network() {
        let found = Resolver::default().look_up("LocalHost").await.unwrap();
        assert_eq!(found.addresses, ["127.0.0.1".parse::<IpAddr>().unwrap(), "::1".parse().unwrap()]);
    }

    #[tokio::test]
    async fn all_addresses_are_found_and_kept_as_long_as_their_owner_says() {
        let both = [Ipv4Addr::new(192, 0, 2, 2), Ipv4Addr::new(192, 0, 2, 1)];
        for (ttl, want) in [(0, 1), (20, 20), (86_400, 300)] {
            let dns = Dns::start(ttl, &both).await;
            let found = dns.resolver().look_up("app.test").await.unwrap();
            assert_eq!(found.addresses, [IpAddr::from(both[1]), both[0].into()]);
            let took = Duration::from_secs(want).saturating_sub(found.ttl);
            assert!(took < Duration::from_secs(2), "{ttl}: {:?}", found.ttl);
            assert!(found.ttl <= Duration::from_secs(want));
        }
    }

    #[tokio::test]
    async fn a_name_that_is_nowhere_is_an_error() {
        assert!(Resolver::default().look_up("no-such-host.invalid").await.is_err());
        let dns = Dns::start(20, &[]).await;
        assert!(dns.resolver().look_up("app.test").await.is_err());
    }
}
