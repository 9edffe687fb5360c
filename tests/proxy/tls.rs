//! Is an https upstream verified, whatever is configured? The certificate carries `upstream.test` and `127.0.0.1`; the
//! key beside it is for tests and opens nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use anteroom::proxy::settings::UpstreamTls;
use futures_util::future::BoxFuture;
use pingora::tls::TlsAcceptor;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::rig::{Plan, Rig, plan};
use crate::support::raw::RawClient;
use crate::support::repository;

const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// An upstream behind TLS that answers every request on its first bytes, a WebSocket's with 101 and an echo.
async fn upstream() -> SocketAddr {
    let chain = vec![CertificateDer::from_pem_file(repository("tests/proxy/tls/upstream.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(repository("tests/proxy/tls/upstream.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(tcp).await else { return };
                let name = stream.get_ref().1.server_name().unwrap_or("none").to_owned();
                while let Some(head) = head(&mut stream).await {
                    if head.contains("websocket") {
                        stream.write_all(SWITCHING.as_bytes()).await.unwrap();
                        let mut ping = [0; 4];
                        while stream.read_exact(&mut ping).await.is_ok() {
                            stream.write_all(&ping).await.unwrap();
                        }
                        return;
                    }
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    address
}

/// The next request's head, as text; `None` at the end of the connection.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

async fn https(sni: &str, ca: &str) -> Plan {
    let mut plan = plan(upstream().await);
    plan.upstream().tls = Some(UpstreamTls {
        server_name: sni.into(),
        ca_file: (!ca.is_empty()).then(|| repository(&format!("tests/proxy/tls/{ca}"))),
        certificate: None,
    });
    plan
}

#[tokio::test]
async fn a_verified_upstream_is_used_and_told_its_name() {
    let rig = Rig::start(https("upstream.test", "ca.pem").await).await;
    for _ in 0..2 {
        assert_eq!(rig.get("/", "").await.text(), "upstream.test");
    }
    // By its address: verified against it, and without a name to tell.
    let rig = Rig::start(https("127.0.0.1", "ca.pem").await).await;
    assert_eq!(rig.get("/", "").await.text(), "none");
}

#[tokio::test]
async fn what_cannot_be_verified_is_not_used() {
    for (sni, ca) in [("other.test", "ca.pem"), ("upstream.test", "other-ca.pem"), ("upstream.test", "")] {
        let rig = Rig::start(https(sni, ca).await).await;
        assert_eq!(rig.get("/", "").await.status, 502, "{sni} {ca}");
    }
}

/// The gate sits below TLS and must not upset the handshake, nor lose its hold on the answer.
#[tokio::test]
async fn websockets_work_over_tls() {
    let rig = Arc::new(Rig::start(https("upstream.test", "ca.pem").await).await);
    let one = |rig: Arc<Rig>| -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let mut client = RawClient::connect(rig.address).await;
            client.send(rig.signed_in("GET /ws", "Connection: Upgrade\r\nUpgrade: websocket\r\n")).await;
            assert_eq!(client.response().await.status, 101);
            for _ in 0..3 {
                client.send("ping").await;
                client.until("ping").await;
            }
        })
    };
    for _ in 0..100 {
        futures_util::future::join_all((0..4).map(|_| one(Arc::clone(&rig)))).await;
    }
}
