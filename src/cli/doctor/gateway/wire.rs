//! How do bytes reach the gateway exactly as written? One connection per request over TCP or TLS; HTTP clients would
//! normalise what is to be tried.
//!
//! Guarantees: the certificate and the host name are verified against the system's roots, always; each step is bounded
//! in time.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_platform_verifier::BuilderVerifierExt;
use url::Url;

use super::message::Head;

/// How long the gateway may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long it may say nothing.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where the gateway is.
#[derive(Debug)]
pub(super) struct Wire {
    host: String,
    port: u16,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// The gateway cannot be reached; for people.
#[derive(Debug)]
pub(super) struct Unreachable(pub(super) String);

/// What the gateway answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// Status line and headers.
    pub(super) head: Head,
    /// The beginning of the body.
    pub(super) body: Vec<u8>,
}

impl Wire {
    /// To the host of this URL.
    pub(super) fn to(url: &Url) -> Result<Self, String> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().unwrap_or(80);
        let tls = (url.scheme() == "https").then(|| {
            let name = ServerName::try_from(host.clone()).map_err(|error| error.to_string())?;
            let client =
                client().map_err(|error| format!("the system's certificates cannot be read: {error}"))?;
            Ok::<_, String>((Arc::new(client), name))
        });
        Ok(Self { tls: tls.transpose()?, host, port })
    }

    /// Sends the bytes and reads one answer; `None` when the gateway closes or keeps silent instead.
    pub(super) fn exchange(&self, bytes: &[u8]) -> Result<Option<Answer>, Unreachable> {
        let unreachable = |error: io::Error| Unreachable(explained(&error));
        let mut tcp = self.connect().map_err(unreachable)?;
        let Some((config, name)) = &self.tls else { return Ok(talk(&mut tcp, bytes).ok().flatten()) };
        let connection = ClientConnection::new(Arc::clone(config), name.clone());
        let mut connection = connection.map_err(|error| Unreachable(error.to_string()))?;
        // The handshake alone, so that its failure is told apart from a refusal to answer.
        connection.complete_io(&mut tcp).map_err(unreachable)?;
        Ok(talk(&mut StreamOwned::new(connection, tcp), bytes).ok().flatten())
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE))?;
                    stream.set_write_timeout(Some(PATIENCE))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

fn client() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut client = builder.with_platform_verifier()?.with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(client)
}

fn talk(stream: &mut (impl Read + Write), bytes: &[u8]) -> io::Result<Option<Answer>> {
    // A gateway that refuses may do so before it has read everything.
    let _refused_early = stream.write_all(bytes).and_then(|()| stream.flush());
    let mut from = BufReader::new(stream);
    loop {
        let Some(head) = Head::read(&mut from)? else { return Ok(None) };
        if (100..200).contains(&head.status()) {
            continue;
        }
        let body = head.body(&mut from);
        return Ok(Some(Answer { head, body }));
    }
}

/// Ends the peer's wait as well as ours.
pub(super) fn hang_up(stream: &TcpStream) {
    let _already_closed = stream.shutdown(Shutdown::Write);
}

/// What went wrong, with the certificate named where it is the reason.
fn explained(error: &io::Error) -> String {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(reason)) => format!(
            "its certificate is not trusted here ({reason}). Add the CA to this system's certificates, or name its file in \
             SSL_CERT_FILE"
        ),
        _ => error.to_string(),
    }
}
