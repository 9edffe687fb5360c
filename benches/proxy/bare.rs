//! What does pingora cost by itself, used as Anteroom uses it? `bare LISTEN UPSTREAM`, both `127.0.0.1:port`.
//!
//! The same allocator, runtime, accept loop, modules and limits as `src/proxy`, and no line more: nobody is asked who
//! they are, nothing is rewritten, nothing is written down.
#![allow(missing_docs, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::HttpServerApp;
use pingora::modules::http::HttpModules;
use pingora::protocols::TcpKeepalive;
use pingora::protocols::http::ServerSession;
use pingora::protocols::l4::ext::set_tcp_keepalive;
use pingora::protocols::l4::stream::Stream;
use pingora::proxy::{HttpProxy, ProxyHttp, Session, http_proxy};
use pingora::server::configuration::ServerConf;
use pingora::upstreams::peer::HttpPeer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Bare(HttpPeer);

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();
    fn new_ctx(&self) {}

    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(self.0.clone()))
    }
}

fn keep_alive() -> TcpKeepalive {
    let (idle, interval) = (Duration::from_secs(60), Duration::from_secs(15));
    TcpKeepalive { idle, interval, count: 4, user_timeout: Duration::ZERO }
}

fn peer(upstream: SocketAddr) -> HttpPeer {
    let mut peer = HttpPeer::new(upstream, false, String::new());
    peer.options.connection_timeout = Some(Duration::from_secs(5));
    peer.options.total_connection_timeout = Some(Duration::from_secs(5));
    peer.options.read_timeout = Some(Duration::from_secs(60));
    peer.options.write_timeout = Some(Duration::from_secs(60));
    peer.options.idle_timeout = Some(Duration::from_secs(30));
    peer.options.tcp_keepalive = Some(keep_alive());
    peer
}

async fn connection(app: Arc<HttpProxy<Bare>>, tcp: TcpStream, shutdown: watch::Receiver<bool>) {
    tcp.set_nodelay(true).unwrap();
    set_tcp_keepalive(&tcp, &keep_alive()).unwrap();
    let mut session = ServerSession::new_http1(Box::new(Stream::from(tcp)));
    session.set_keepalive(Some(75));
    while let Some(reused) = app.process_new_http(session, &shutdown).await {
        let (stream, persistent) = reused.consume();
        session = ServerSession::new_http1(stream);
        if let Some(persistent) = persistent {
            persistent.apply_to_session(&mut session);
        }
    }
}

#[tokio::main]
async fn main() {
    let mut addresses = std::env::args().skip(1).map(|a| a.parse::<SocketAddr>().unwrap());
    let (listen, upstream) = (addresses.next().unwrap(), addresses.next().unwrap());
    let conf = ServerConf {
        ca_file: Some("/dev/null".into()),
        threads: 1,
        upstream_keepalive_pool_size: 128,
        max_retries: 3,
        ..ServerConf::default()
    };
    let app = Arc::new(http_proxy(&Arc::new(conf), Bare(peer(upstream))));
    let (_keep_running, shutdown) = watch::channel(false);
    let listener = TcpListener::bind(listen).await.unwrap();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        tokio::spawn(connection(Arc::clone(&app), tcp, shutdown.clone()));
    }
}
