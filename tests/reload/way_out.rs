//! Where a network lets nothing out but through its proxy, does sign-in take that way to Atlassian's real addresses, and does a
//! change of the proxy count? The certificates of auth.atlassian.com and api.atlassian.com are the test's here, and behind
//! them is the emulator.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};

use anteroom::emulator::Fixture;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::rig::{House, says};
use crate::proxy::certificates::{Authority, Issued};
use crate::support::gateway::free_address;
use crate::support::person::{Page, Person};
use crate::support::process::Process;
use crate::support::site::CLIENT_ID;

const NAMES: [&str; 2] = ["auth.atlassian.com", "api.atlassian.com"];

/// A proxy that opens tunnels to whoever shows this certificate, and all that it could read.
struct Tunnels {
    address: SocketAddr,
    read: Arc<Mutex<String>>,
}

async fn head(from: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(from.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn tunnels(issued: &Issued, emulator: SocketAddr) -> Tunnels {
    let chain = CertificateDer::pem_file_iter(&issued.files.chain).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&issued.files.key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let read = Arc::new(Mutex::new(String::new()));
    let heads = Arc::clone(&read);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (acceptor, heads) = (acceptor.clone(), Arc::clone(&heads));
            tokio::spawn(async move {
                let asked = head(&mut client).await;
                heads.lock().unwrap().push_str(&asked);
                client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                let mut inside = acceptor.accept(client).await.unwrap();
                // The emulator answers to no name but its own; one request to a connection is enough here.
                let request = head(&mut inside).await;
                let name = request.lines().find(|line| line.starts_with("host: ")).unwrap();
                let request = request.replace(name, &format!("host: {emulator}\r\nconnection: close"));
                let mut behind = TcpStream::connect(emulator).await.unwrap();
                behind.write_all(request.as_bytes()).await.unwrap();
                let _over = copy_bidirectional(&mut inside, &mut behind).await;
            });
        }
    });
    Tunnels { address, read }
}

/// A proxy that opens none.
async fn refusing(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            head(&mut client).await;
            let refusal = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
            client.write_all(refusal.as_bytes()).await.unwrap();
        }
    });
    address
}

/// Begins to sign in and goes on at the emulator, where a browser would be at Atlassian.
async fn sign_in(house: &House) -> (Person, Page) {
    let mut ada = Person::new();
    let away = ada.get(&house.url("/_anteroom/start?return_to=%2F")).await;
    let mut there = away.location().expect("on the way to Atlassian");
    assert_eq!(there.origin().ascii_serialization(), format!("https://{}", NAMES[0]));
    let emulator = house.emulator.base_url();
    there.set_scheme("http").unwrap();
    there.set_host(emulator.host_str()).unwrap();
    there.set_port(emulator.port()).unwrap();
    let last = ada.visit(there.as_str()).await;
    (ada, last)
}

fn behind(house: &House, proxy: SocketAddr) {
    let base = house.emulator.base_url();
    let base = base.as_str().trim_end_matches('/');
    house.change(&[
        (&format!("auth_url = \"{base}\""), &format!("https_proxy = \"http://{proxy}\"")),
        (&format!("api_url = \"{base}\"\n"), ""),
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_goes_through_the_proxy_and_tells_it_nothing() {
    let authority = Authority::new();
    let house = House::new().await;
    let emulator = house.emulator.base_url().socket_addrs(|| None).unwrap()[0];
    let tunnels = tunnels(&authority.issue("atlassian", &NAMES), emulator).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
    command.arg("run").current_dir(house.folder.path()).env("SSL_CERT_FILE", authority.ca_file());
    // Not heeded: nobody listens there.
    for variable in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"] {
        command.env(variable, format!("http://{}", free_address()));
    }
    let process = Process::start("anteroom", command, "cargo build");
    says(&process, "\"listening\"").await;
    house.ada().await;
    behind(&house, tunnels.address);
    house.hang_up(&process, "applied").await;

    let (ada, _) = sign_in(&house).await;
    assert_eq!(house.ask(&ada, "/").await.status, 200, "signed in. It said:\n{}", process.output());
    let read = tunnels.read.lock().unwrap().clone();
    for name in NAMES {
        assert!(read.contains(&format!("CONNECT {name}:443 HTTP/1.1\r\n")), "{read}");
    }
    let fixture = Fixture::demo();
    let secret = &fixture.apps.iter().find(|app| app.client_id == CLIENT_ID).unwrap().client_secret;
    let told = read.to_ascii_lowercase();
    assert!(!read.contains(secret) && !told.contains("authorization") && !told.contains("cookie"), "{read}");

    // The next one lets nobody through, and it is said whose fault that is.
    let closed = free_address();
    behind(&house, closed);
    house.hang_up(&process, "applied").await;
    let (_, page) = sign_in(&house).await;
    assert!(page.body.contains("atlassian.unavailable"), "{}", page.body);
    says(&process, "through atlassian.https_proxy").await;
    for (answer, said) in [
        ("407 Proxy Authentication Required", "the proxy wants a user and a password"),
        ("403 Forbidden", "the proxy refuses the tunnel"),
    ] {
        behind(&house, refusing(answer).await);
        house.hang_up(&process, "applied").await;
        sign_in(&house).await;
        assert!(says(&process, said).await.contains("through atlassian.https_proxy"), "{said}");
    }
    assert_eq!(house.ask(&ada, "/").await.status, 200, "who is in stays in");
}
