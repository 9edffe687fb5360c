//! Which addresses does an app have now, and how are they? The servers as configured, each with the addresses it was
//! last known by. A request reads one snapshot and waits for nothing, unless no address is known at all.

use std::net::{IpAddr, SocketAddr as Inet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use http::HeaderValue;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::upstreams::peer::HttpPeer;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::Instant;

use super::backend::{Backend, Change};
use super::names::Resolver;
use crate::metrics::Metrics;
use crate::net;
use crate::proxy::settings;
use crate::proxy::setup_error::SetupError;

/// How long a failed look-up is not repeated.
const RETRY: Duration = Duration::from_secs(1);

/// The servers of one app.
#[derive(Debug)]
pub(super) struct Pool {
    upstream: Box<str>,
    servers: Vec<Server>,
    backends: ArcSwap<Vec<Arc<Backend>>>,
    resolver: Arc<Resolver>,
}

/// One server as configured.
#[derive(Debug)]
struct Server {
    /// As in the configuration: `host:port` or `unix:/path`.
    label: Box<str>,
    own_host: HeaderValue,
    name: Option<Name>,
    backends: Mutex<Vec<Arc<Backend>>>,
    /// Once it is in force.
    healthy: OnceLock<Gauge>,
}

/// A server that was given by name.
#[derive(Debug)]
struct Name {
    host: Box<str>,
    port: u16,
    /// When the addresses should be looked up again, and when they were last. Held while looking up: one at a time.
    times: tokio::sync::Mutex<Times>,
    failing: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    until: Instant,
    looked_up: Option<Instant>,
}

impl Pool {
    /// Of these servers. Looks nothing up.
    pub(super) fn new(upstream: &settings::Upstream, resolver: Arc<Resolver>) -> Result<Self, SetupError> {
        if upstream.servers.is_empty() {
            return Err(SetupError::NoServer(upstream.name.clone()));
        }
        let tls = upstream.tls.is_some();
        let server = |(place, server): (usize, &settings::Server)| {
            let (label, own_host, name, address) = match server {
                settings::Server::Tcp { host, port } => {
                    let label = net::authority(host, *port, tls);
                    let address =
                        host.parse::<IpAddr>().ok().map(|ip| SocketAddr::Inet(Inet::new(ip, *port)));
                    let name = address.is_none().then(|| Name::new(host, *port));
                    (label.clone(), label, name, address)
                }
                settings::Server::Unix(path) => {
                    let address = unix(path).ok_or_else(|| SetupError::NoSocket(path.clone()))?;
                    (format!("unix:{}", path.display()), "localhost".to_owned(), None, Some(address))
                }
            };
            let backends = address.map(|address| Arc::new(Backend::new(address, place)));
            Ok(Server {
                // A host that is no header value could not be resolved either.
                own_host: HeaderValue::from_str(&own_host).unwrap_or(HeaderValue::from_static("localhost")),
                label: label.into(),
                name,
                backends: Mutex::new(backends.into_iter().collect()),
                healthy: OnceLock::new(),
            })
        };
        let servers = upstream.servers.iter().enumerate().map(server).collect::<Result<_, SetupError>>()?;
        let pool =
            Self { upstream: upstream.name.as_str().into(), servers, backends: ArcSwap::default(), resolver };
        pool.publish();
        Ok(pool)
    }

    /// All addresses known now.
    pub(super) fn backends(&self) -> Guard<Arc<Vec<Arc<Backend>>>> {
        self.backends.load()
    }

    /// The `Host` by which a server knows itself.
    pub(super) fn own_host(&self, backend: &Backend) -> Option<&HeaderValue> {
        self.servers.get(backend.server).map(|server| &server.own_host)
    }

    /// Whether an address more may turn up by looking names up again.
    pub(super) fn named(&self) -> bool {
        self.servers.iter().any(|server| server.name.is_some())
    }

    /// Logs and counts what became of an address.
    pub(super) fn note(&self, backend: &Backend, change: Change, why: &str) {
        let (upstream, server) = (&*self.upstream, self.servers.get(backend.server));
        match change {
            Change::None => return,
            Change::Out => tracing::warn!(
                upstream, server = %backend.address, why,
                "a server takes no requests: they go to the others as long as there are any"
            ),
            Change::Back => {
                tracing::info!(upstream, server = %backend.address, "a server takes requests again")
            }
        }
        if let Some(server) = server {
            server.report();
        }
    }

    /// Looks all names up anew that were not looked up just now.
    pub(super) async fn look_up(&self) {
        for (place, server) in self.servers.iter().enumerate() {
            if server.name.is_some() {
                self.refresh(place).await;
            }
        }
    }

    /// Keeps the addresses of one server fresh, for ever. Returns when it has no name.
    pub(super) async fn keep_fresh(&self, place: usize) {
        while let Some(until) = self.refresh(place).await {
            tokio::time::sleep_until(until.max(Instant::now() + RETRY)).await;
        }
    }

    /// The labels of its servers in metrics: upstream and server.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.servers.iter().map(|server| (&*self.upstream, &*server.label))
    }

    /// How many servers there are.
    pub(super) fn servers(&self) -> usize {
        self.servers.len()
    }

    /// Takes over what another pool knows of the same servers. `checked`: whether health checks go on.
    pub(super) fn adopt(&self, old: &Self, checked: bool) {
        for (place, server) in self.servers.iter().enumerate() {
            let Some(known) = old.servers.iter().find(|other| other.label == server.label) else { continue };
            let known: Vec<_> =
                known.lock().iter().map(|backend| Arc::new(backend.like(place, checked))).collect();
            if !known.is_empty() {
                *server.lock() = known;
            }
        }
        self.publish();
    }

    /// Says in these metrics how every server is, from now on. What is not in force says nothing.
    pub(super) fn report(&self, metrics: &Metrics) {
        for server in &self.servers {
            server.healthy.get_or_init(|| metrics.upstream_healthy(&self.upstream, &server.label));
            server.report();
        }
    }

    async fn refresh(&self, place: usize) -> Option<Instant> {
        let server = self.servers.get(place)?;
        let name = server.name.as_ref()?;
        let mut times = name.times.lock().await;
        if times.looked_up.is_some_and(|last| last.elapsed() < RETRY) {
            return Some(times.until); // Somebody else has just done it.
        }
        match self.resolver.look_up(&name.host).await {
            Ok(found) => {
                let addresses = found.addresses.iter().map(|ip| SocketAddr::Inet(Inet::new(*ip, name.port)));
                server.replace(addresses, place);
                server.report();
                self.publish();
                times.until = Instant::now() + found.ttl;
                if name.failing.swap(false, Relaxed) {
                    tracing::info!(upstream = &*self.upstream, host = &*name.host, "the name resolves again");
                }
            }
            Err(error) => {
                times.until = Instant::now() + RETRY;
                if !name.failing.swap(true, Relaxed) {
                    let (upstream, host) = (&*self.upstream, &*name.host);
                    if server.lock().is_empty() {
                        tracing::warn!(
                            upstream,
                            host,
                            error,
                            "the upstream's name could not be resolved: it gets no requests until it can be"
                        );
                    } else {
                        tracing::warn!(
                            upstream,
                            host,
                            error,
                            "the upstream's name could not be resolved: its last known addresses stay in use"
                        );
                    }
                }
            }
        }
        times.looked_up = Some(Instant::now());
        Some(times.until)
    }

    fn publish(&self) {
        let all = self.servers.iter().flat_map(|server| server.lock().clone()).collect();
        self.backends.store(Arc::new(all));
    }
}

impl Name {
    fn new(host: &str, port: u16) -> Self {
        let times = Times { until: Instant::now(), looked_up: None };
        Self { host: host.into(), port, times: times.into(), failing: AtomicBool::new(false) }
    }
}

impl Server {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Backend>>> {
        self.backends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A server without an address takes no requests.
    fn report(&self) {
        if let Some(healthy) = self.healthy.get() {
            healthy.set(i64::from(self.lock().iter().any(|backend| backend.well())));
        }
    }

    /// The addresses now; those that stay keep what is known of them.
    fn replace(&self, addresses: impl Iterator<Item = SocketAddr>, place: usize) {
        let mut backends = self.lock();
        let kept = |address: &SocketAddr| backends.iter().find(|known| known.address == *address).cloned();
        let next = addresses
            .map(|address| kept(&address).unwrap_or_else(|| Arc::new(Backend::new(address, place))))
            .collect();
        *backends = next;
    }
}

fn unix(path: &Path) -> Option<SocketAddr> {
    HttpPeer::new_uds(path.to_str()?, false, String::new()).ok().map(|peer| peer._address)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::names::tests::Dns;
    use super::*;

    const ONE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const TWO: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

    fn pool(resolver: Resolver) -> Pool {
        let servers = vec![settings::Server::Tcp { host: "app.test".into(), port: 8080 }];
        let upstream = settings::Upstream { servers, ..settings::Upstream::default() };
        Pool::new(&upstream, Arc::new(resolver)).unwrap()
    }

    fn addresses(pool: &Pool) -> Vec<String> {
        pool.backends().iter().map(|backend| backend.address.to_string()).collect()
    }

    /// Waits until the addresses are these.
    async fn until(pool: &Pool, want: &[&str]) {
        let there = async {
            while addresses(pool) != want {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), there).await;
        assert!(waited.is_ok(), "{:?} instead of {want:?}", addresses(pool));
    }

    #[tokio::test]
    async fn addresses_follow_the_name_when_its_time_is_over() {
        let dns = Dns::start(1, &[ONE, TWO]).await;
        let pool = Arc::new(pool(dns.resolver()));
        assert!(pool.backends().is_empty(), "nothing is looked up before it is needed");
        let fresh = Arc::clone(&pool);
        let keeping = tokio::spawn(async move { fresh.keep_fresh(0).await });
        until(&pool, &["192.0.2.1:8080", "192.0.2.2:8080"]).await;
        let two = Arc::clone(&pool.backends()[1]);
        let _busy = super::super::backend::InFlight::new(Arc::clone(&two));
        *dns.answers.lock().unwrap() = vec![TWO];
        until(&pool, &["192.0.2.2:8080"]).await;
        assert!(Arc::ptr_eq(&two, &pool.backends()[0]), "an address that stays keeps its state");
        keeping.abort();
    }

    #[tokio::test]
    async fn the_last_known_addresses_stay_while_nobody_answers() {
        let dns = Dns::start(1, &[ONE]).await;
        let pool = pool(dns.resolver());
        pool.look_up().await;
        *dns.answers.lock().unwrap() = Vec::new();
        tokio::time::sleep(RETRY).await;
        pool.look_up().await;
        assert!(pool.servers[0].name.as_ref().unwrap().failing.load(Relaxed), "it was asked again");
        assert_eq!(addresses(&pool), ["192.0.2.1:8080"]);
    }

    /// What the metrics say of the server.
    fn healthy(pool: &Pool) -> i64 {
        pool.servers[0].healthy.get().unwrap().get()
    }

    /// Every request that finds no connection looks names up: a flood of them must not become one of questions.
    #[tokio::test]
    async fn a_name_is_asked_for_once_in_a_while_however_many_want_to_know() {
        for answers in [&[ONE][..], &[]] {
            let dns = Dns::start(0, answers).await;
            let pool = pool(dns.resolver());
            pool.look_up().await;
            let asked = dns.asked.load(std::sync::atomic::Ordering::SeqCst);
            assert!(asked > 0);
            for _ in 0..20 {
                pool.look_up().await;
            }
            assert_eq!(dns.asked.load(std::sync::atomic::Ordering::SeqCst), asked, "{answers:?}");
            tokio::time::sleep(RETRY).await;
            pool.look_up().await;
            assert!(dns.asked.load(std::sync::atomic::Ordering::SeqCst) > asked, "{answers:?}");
        }
    }

    #[tokio::test]
    async fn a_server_is_healthy_once_its_name_resolves() {
        let dns = Dns::start(1, &[]).await;
        let pool = pool(dns.resolver());
        pool.report(&Metrics::new());
        assert_eq!(healthy(&pool), 0, "nothing is known of it");
        pool.look_up().await;
        assert!(pool.backends().is_empty());
        assert_eq!(healthy(&pool), 0, "the name does not resolve");
        *dns.answers.lock().unwrap() = vec![ONE];
        tokio::time::sleep(RETRY).await;
        pool.look_up().await;
        assert_eq!(healthy(&pool), 1);
        *dns.answers.lock().unwrap() = Vec::new();
        tokio::time::sleep(RETRY).await;
        pool.look_up().await;
        assert_eq!(healthy(&pool), 1, "the last known addresses stay in use");
    }

    #[tokio::test]
    async fn what_is_known_survives_new_settings() {
        let dns = Dns::start(60, &[ONE, TWO]).await;
        let (old, new) = (pool(dns.resolver()), pool(dns.resolver()));
        old.look_up().await;
        let ejection = settings::Ejection { failures: 1, duration: Duration::from_secs(60) };
        old.backends()[0].failed(1, ejection);
        new.adopt(&old, false);
        assert_eq!(addresses(&new), addresses(&old));
        assert_eq!(new.backends().iter().map(|b| b.well()).collect::<Vec<_>>(), [false, true]);
    }
}
