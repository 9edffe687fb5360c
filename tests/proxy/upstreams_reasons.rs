//! Does the log say why an app cannot be spoken to, in words that help? Against real TLS servers, for requests and for
//! health checks.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anteroom::proxy::settings::{CertificateFiles, HealthCheck, Protocol};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::rig::{Plan, Rig};
use super::upstreams_http2::{app, file, speaking, tls};
use crate::support::log::Warnings;

/// One that speaks TLS 1.2 alone and demands certificates from `mutual-ca.pem`. Before TLS 1.3 a server could refuse
/// within the handshake.
fn old_and_demanding() -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("mutual-ca.pem")).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider);
    let config = config.with_protocol_versions(&[&rustls::version::TLS12]).unwrap();
    let chain = vec![CertificateDer::from_pem_file(file("upstream.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file("upstream.key")).unwrap();
    let config = config.with_client_cert_verifier(verifier.build().unwrap());
    config.with_single_cert(chain, key).unwrap()
}

/// Takes connections and ends them.
async fn closing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    address
}

/// Answers in rustls's words where a status line belongs.
async fn forging() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _read = tcp.read(&mut [0; 4096]).await;
                let _gone = tcp.write_all(b"received fatal alert: CertificateRequired\r\n\r\n").await;
            });
        }
    });
    address
}

/// Asks by a request, then by a health check, and looks for the words in the line of each.
async fn told(mut plan: Plan, words: &[&str]) {
    let warnings = Warnings::collect();
    let rig = Rig::start(plan.clone()).await;
    assert_eq!(rig.get("/", "").await.status, 502, "{words:?}");
    warnings.wait_for(&[&["cause=", "request_id="], words].concat()).await;
    assert!(!warnings.lines().iter().any(|line| line.contains("local address")), "{:?}", warnings.lines());
    drop(rig);
    plan.upstream().health = Some(HealthCheck {
        path: "/healthz".into(),
        interval: Duration::from_secs(60),
        timeout: Duration::from_secs(10),
        healthy_after: 1,
        unhealthy_after: 1,
    });
    let _rig = Rig::start(plan).await;
    warnings
        .wait_for(&[&["a server takes no requests", "why=its health check failed: "], words].concat())
        .await;
}

#[tokio::test]
async fn what_tls_says_is_said_in_words_that_help() {
    let own = |chain: &str, key: &str| Some(CertificateFiles { chain: file(chain), key: file(key) });
    let (http1, any): (&[&str], &[&str]) = (&["http/1.1"], &[]);
    for (server, protocol, ca, name, shown, words) in [
        (
            Some(tls("upstream.pem", any, false)),
            Protocol::Http1,
            "other-ca.pem",
            "upstream.test",
            None,
            &["an authority that is not trusted", "ca_file"][..],
        ),
        (
            Some(tls("upstream.pem", any, false)),
            Protocol::Http1,
            "ca.pem",
            "other.test",
            None,
            &["\"other.test\"", "\"upstream.test\"", "server_name"],
        ),
        (
            Some(tls("expired.pem", any, false)),
            Protocol::Http1,
            "mutual-ca.pem",
            "upstream.test",
            None,
            &["has expired", "renew"],
        ),
        (
            Some(tls("upstream.pem", any, true)),
            Protocol::Http1,
            "ca.pem",
            "upstream.test",
            None,
            &["demands a certificate", "cert_file"],
        ),
        (
            Some(tls("upstream.pem", &["h2"], true)),
            Protocol::Http2,
            "ca.pem",
            "upstream.test",
            None,
            &["demands a certificate", "cert_file"],
        ),
        (
            Some(old_and_demanding()),
            Protocol::Http1,
            "ca.pem",
            "upstream.test",
            None,
            &["certificate of ours", "cert_file"],
        ),
        (
            Some(tls("upstream.pem", any, true)),
            Protocol::Http1,
            "ca.pem",
            "upstream.test",
            own("upstream.pem", "upstream.key"),
            &["refuses the certificate", "cert_file"],
        ),
        (
            Some(tls("upstream.pem", http1, false)),
            Protocol::Http2,
            "ca.pem",
            "upstream.test",
            None,
            &["does not speak the HTTP", "protocol"],
        ),
        (None, Protocol::Http1, "ca.pem", "upstream.test", None, &["does not speak TLS", "http://"]),
    ] {
        let (address, _) = app(server).await;
        let mut plan = speaking(address, protocol, Some(ca));
        let tls = plan.upstream().tls.as_mut().unwrap();
        (tls.server_name, tls.certificate) = (name.into(), shown);
        told(plan, words).await;
    }
}

#[tokio::test]
async fn what_is_not_about_certificates_is_said_too() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    told(speaking(nobody, Protocol::Http1, None), &["nothing listens there"]).await;
    told(speaking(closing().await, Protocol::Http1, Some("ca.pem")), &["ends the connection"]).await;
    let mut nowhere = speaking(nobody, Protocol::Http1, None);
    nowhere.upstream().servers =
        vec![anteroom::proxy::settings::Server::Unix(PathBuf::from("/no/such.sock"))];
    told(nowhere, &["No such file or directory"]).await;
}

#[tokio::test]
async fn what_an_app_says_is_not_taken_for_tls() {
    let warnings = Warnings::collect();
    let rig = Rig::start(speaking(forging().await, Protocol::Http1, None)).await;
    assert_eq!(rig.get("/", "").await.status, 502);
    warnings.wait_for(&["a request failed", "InvalidHTTPHeader"]).await;
    assert!(!warnings.lines().iter().any(|line| line.contains("cert_file")), "{:?}", warnings.lines());
}
