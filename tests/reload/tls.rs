//! Are certificates and authorities in force that were replaced on disk, and only when they belong together?

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::rig::House;
use crate::proxy::certificates::{Authority, Client, Issued, Secure};

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Who answers a new connection.
async fn served(house: &House) -> CertificateDer<'static> {
    let onlooker = Client::onlooker().connector();
    let client = Secure::connect(&onlooker, house.proxy, "localhost").await.unwrap();
    client.certificate().clone()
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_connections() {
    let authority = Authority::new();
    let (old, new) = (authority.issue("old", &["localhost"]), authority.issue("new", &["localhost"]));
    let house = House::new().await;
    house.write("site.pem", &text(&old.files.chain));
    house.write("site.key", &text(&old.files.key));
    house.change(&[
        ("public_url = \"http:", "public_url = \"https:"),
        (
            "[proxy.timeouts]",
            "[proxy.tls]\ncertificates = [{ cert_file = \"site.pem\", key_file = \"site.key\" }]\n[proxy.timeouts]",
        ),
    ]);
    let process = house.started().await;
    let request = format!("GET /open HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", house.proxy.port());
    let connector = authority.client().connector();
    let mut kept = Secure::connect(&connector, house.proxy, "localhost").await.unwrap();
    assert_eq!(kept.ask(&request).await.unwrap().1, "one nobody");
    assert_eq!(served(&house).await, old.der);

    // The certificate comes before its key, as it may.
    house.write("site.pem", &text(&new.files.chain));
    house.hang_up(&process, "failed").await;
    assert_eq!(served(&house).await, old.der, "they do not belong together");
    let before = house.reloads("applied").await;
    house.write("site.key", &text(&new.files.key));
    house.reloaded("applied", before, &process).await;
    assert_eq!(served(&house).await, new.der);
    assert_eq!(kept.ask(&request).await.unwrap().1, "one nobody", "connections stay");
}

/// In TLS what `app` says in the clear.
async fn in_tls(issued: &Issued, app: SocketAddr) -> SocketAddr {
    let chain = vec![CertificateDer::from_pem_slice(text(&issued.files.chain).as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(text(&issued.files.key).as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let (Ok(mut tls), Ok(mut tcp)) =
                    (acceptor.accept(tcp).await, TcpStream::connect(app).await)
                {
                    let _ended = tokio::io::copy_bidirectional(&mut tls, &mut tcp).await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn an_authority_of_the_upstream_is_replaced() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (right, wrong) = (text(&authority.ca_file()), text(&other.ca_file()));
    let house = House::new().await;
    let app = in_tls(&authority.issue("app", &["app.test"]), house.upstream.address()).await;
    house.write("ca.pem", &wrong);
    let short = format!("upstream = \"http://{}\"\n", house.upstream.address());
    let table = format!(
        "[[proxy.upstreams]]\nservers = [\"https://{app}\"]\nserver_name = \"app.test\"\nca_file = \"ca.pem\"\n[forward_auth]"
    );
    house.change(&[(&short, ""), ("[forward_auth]", &table)]);
    let process = house.started().await;
    let nobody = crate::support::person::Person::new();
    let status = async || house.ask(&nobody, "/open").await.status;
    assert_eq!(status().await, 502, "of somebody else");
    house.write("ca.pem", &right);
    house.hang_up(&process, "applied").await;
    assert_eq!(status().await, 200);
    house.write("ca.pem", &wrong);
    house.hang_up(&process, "applied").await;
    assert_eq!(status().await, 502, "connections that were verified by another are not used");
}
