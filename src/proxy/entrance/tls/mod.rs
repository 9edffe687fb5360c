//! How do clients reach us over TLS? What rustls needs, prepared once for every set of settings; a handshake with it.
//!
//! TLS 1.2 and 1.3 (RFC 9325), HTTP/2 and HTTP/1.1 by ALPN (RFC 7301). The provider is ring, as for connections to
//! upstreams. No early data: a request in it could be replayed (RFC 8470). Tickets are sealed with keys that rustls changes
//! by itself and that end with the settings, so that nobody resumes past certificates or authorities that were replaced.

pub(in crate::proxy) mod error;
mod files;
mod names;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use self::error::TlsError;
use self::names::Names;
use super::io::Socket;
use crate::proxy::settings::{ClientCertificates, Tls};

const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";
/// The first byte of every handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

/// What is asked of clients in TLS.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::proxy) struct Asked {
    only_tls13: bool,
    clients: Option<ClientCertificates>,
    /// What the authorities' file says.
    authorities: Vec<CertificateDer<'static>>,
}

/// What a set of settings makes of TLS.
pub(in crate::proxy) struct Prepared {
    acceptor: TlsAcceptor,
    pub(in crate::proxy) asked: Asked,
    /// The file of every certificate, and when it runs out, in seconds since 1970.
    pub(in crate::proxy) expiries: Vec<(PathBuf, i64)>,
}

impl Prepared {
    /// Reads every file.
    ///
    /// # Errors
    /// The first file that does not do.
    pub(in crate::proxy) fn new(tls: &Tls, http2: bool) -> Result<Self, TlsError> {
        let first = tls.certificates.first().ok_or(TlsError::NoneNamed)?;
        let provider = Arc::new(ring::default_provider());
        let pairs = tls.certificates.iter().map(|files| files::pair(files, &provider));
        let pairs = pairs.collect::<Result<Vec<_>, _>>()?;
        let versions: &[_] =
            if tls.only_tls13 { &[&rustls::version::TLS13] } else { rustls::DEFAULT_VERSIONS };
        let unusable = |error: rustls::Error| TlsError::Unusable {
            file: first.chain.clone(),
            reason: error.to_string(),
        };
        let authorities = match &tls.clients {
            Some(clients) => files::certificates(&clients.ca_file)?,
            None => Vec::new(),
        };
        let verifier = verifier(tls.clients.as_ref(), &authorities)?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(unusable)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(Names::new(&pairs)));
        config.alpn_protocols = vec![HTTP1.to_vec()];
        if http2 {
            config.alpn_protocols.insert(0, HTTP2.to_vec());
        }
        config.ticketer = ring::Ticketer::new().map_err(unusable)?;
        let expiries = pairs.into_iter().map(|pair| (pair.file, pair.expires)).collect();
        let asked = Asked { only_tls13: tls.only_tls13, clients: tls.clients.clone(), authorities };
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), asked, expiries })
    }

    /// Whether a connection that begins with this byte can be TLS at all, or is HTTP in the clear.
    pub(super) fn begins_with(byte: u8) -> bool {
        byte == HANDSHAKE || !byte.is_ascii_uppercase()
    }

    /// The handshake.
    ///
    /// # Errors
    /// rustls's, as `InvalidData`; others are the connection's.
    pub(super) async fn accept(&self, socket: Socket) -> io::Result<Box<TlsStream<Socket>>> {
        self.acceptor.accept(socket).await.map(Box::new)
    }
}

/// Whether client and server agreed on HTTP/2.
pub(super) fn speaks_http2(stream: &TlsStream<Socket>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP2)
}

fn verifier(
    clients: Option<&ClientCertificates>,
    issuers: &[CertificateDer<'static>],
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let Some(clients) = clients else { return Ok(WebPkiClientVerifier::no_client_auth()) };
    let file = &clients.ca_file;
    let unusable = |reason: String| TlsError::Unusable { file: file.clone(), reason };
    let mut authorities = RootCertStore::empty();
    for issuer in issuers {
        authorities.add(issuer.clone()).map_err(|error| unusable(error.to_string()))?;
    }
    let provider = Arc::new(ring::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider);
    let builder = if clients.required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| unusable(error.to_string()))
}
