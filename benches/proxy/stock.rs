//! What does a proxy cost that is pingora's own example and nothing else? `stock LISTEN UPSTREAM [TLS_LISTEN CERT KEY]`.
//!
//! pingora's server with one thread, its defaults, and the system's allocator; with TLS, both listeners speak HTTP/2 too.
#![allow(missing_docs, clippy::unwrap_used)]

use std::net::SocketAddr;

use async_trait::async_trait;
use pingora::apps::HttpServerOptions;
use pingora::listeners::tls::TlsSettings;
use pingora::proxy::{ProxyHttp, Session, http_proxy_service};
use pingora::server::Server;
use pingora::server::configuration::ServerConf;
use pingora::upstreams::peer::HttpPeer;

struct Stock(SocketAddr);

#[async_trait]
impl ProxyHttp for Stock {
    type CTX = ();
    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.0, false, String::new())))
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (listen, upstream) = (arguments.next().unwrap(), arguments.next().unwrap());
    let mut server = Server::new_with_opt_and_conf(None, ServerConf::default());
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Stock(upstream.parse().unwrap()));
    service.add_tcp(&listen);
    if let (Some(listen), Some(cert), Some(key)) = (arguments.next(), arguments.next(), arguments.next()) {
        let mut tls = TlsSettings::intermediate(&cert, &key).unwrap();
        tls.enable_h2();
        service.add_tls_with_settings(&listen, None, tls);
        let mut options = HttpServerOptions::default();
        options.h2c = true;
        service.app_logic_mut().unwrap().server_options = Some(options);
    }
    server.add_service(service);
    server.run_forever();
}
