//! What does pingora cost by itself, used as Anteroom uses it? `bare LISTEN UPSTREAM`, both `127.0.0.1:port`.
//!
//! The same allocator, runtime, accept loop, modules and limits as `src/proxy`, and no line more: nobody is asked who
//! they are, nothing is rewritten, nothing is written down.
#![allow(missing_docs, clippy::unwrap_used)]

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::HttpServerApp;
use pingora::modules::http::HttpModules;
use pingora::protocols::http::ServerSession;
use pingora::protocols::l4::ext::set_tcp_keepalive;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TcpKeepalive,
    TimingDigest, UniqueID, UniqueIDType,
};
use pingora::proxy::{HttpProxy, ProxyHttp, Session, http_proxy};
use pingora::server::configuration::ServerConf;
use pingora::upstreams::peer::HttpPeer;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter, ReadBuf};
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

/// Header and a small body go out together, as in pingora's own listener, whose buffers a library's user cannot set.
#[derive(Debug)]
struct Client(BufWriter<TcpStream>);

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Client {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for Client {
    async fn shutdown(&mut self) {
        self.0.shutdown().await.unwrap_or_default();
    }
}

impl UniqueID for Client {
    fn id(&self) -> UniqueIDType {
        0
    }
}

impl GetTimingDigest for Client {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Client {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Client {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        None
    }
}

impl Ssl for Client {}
impl Peek for Client {}

async fn connection(app: Arc<HttpProxy<Bare>>, tcp: TcpStream, shutdown: watch::Receiver<bool>) {
    tcp.set_nodelay(true).unwrap();
    set_tcp_keepalive(&tcp, &keep_alive()).unwrap();
    let mut session = ServerSession::new_http1(Box::new(Client(BufWriter::with_capacity(4096, tcp))));
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
