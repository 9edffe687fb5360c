//! Certificates for the tests of TLS, made when they are needed, and clients that look at them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anteroom::proxy::settings::CertificateFiles;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::http1::{Head, Reader};

/// An authority, and a folder for the files of what it issues.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
    folder: TempDir,
}

/// A certificate with its key.
pub(crate) struct Issued {
    pub(crate) der: CertificateDer<'static>,
    key: Vec<u8>,
    pub(crate) files: CertificateFiles,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Of the same name as what it issues, OpenSSL would take that for signed by itself.
        params.distinguished_name.push(DnType::CommonName, "authority of the tests");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key), folder: TempDir::new().unwrap() }
    }

    pub(crate) fn issue(&self, file: &str, names: &[&str]) -> Issued {
        self.issue_with(file, names, |_| {})
    }

    pub(crate) fn issue_expired(&self, file: &str, names: &[&str]) -> Issued {
        self.issue_with(file, names, |params| params.not_after = date_time_ymd(2001, 1, 1))
    }

    fn issue_with(&self, file: &str, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = CertificateFiles {
            chain: self.file(&format!("{file}.pem"), &certificate.pem()),
            key: self.file(&format!("{file}.key"), &key.serialize_pem()),
        };
        Issued { der: certificate.der().clone(), key: key.serialize_der(), files }
    }

    /// A file of this content in the folder.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The authority's own file.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.file("ca.pem", &self.certificate.pem())
    }

    /// A client that trusts this authority.
    pub(crate) fn client(&self) -> Client {
        let mut authorities = RootCertStore::empty();
        authorities.add(self.certificate.der().clone()).unwrap();
        Client { authorities: Some(authorities), ..Client::default() }
    }
}

/// What a TLS client offers.
#[derive(Default)]
pub(crate) struct Client {
    /// Whom it trusts; anybody when nobody is named.
    pub(crate) authorities: Option<RootCertStore>,
    /// All, when none are named.
    pub(crate) versions: Option<&'static [&'static SupportedProtocolVersion]>,
    /// By ALPN.
    pub(crate) protocols: &'static [&'static str],
    /// What it shows when asked.
    pub(crate) certificate: Option<(CertificateDer<'static>, Vec<u8>)>,
}

impl Client {
    /// Trusts everybody, to see who answers.
    pub(crate) fn onlooker() -> Self {
        Self::default()
    }

    /// Shows this when asked.
    pub(crate) fn showing(mut self, issued: &Issued) -> Self {
        self.certificate = Some((issued.der.clone(), issued.key.clone()));
        self
    }

    /// rustls's words for it. Connections made with one remember each other's sessions.
    pub(crate) fn connector(self) -> TlsConnector {
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let config =
            config.with_protocol_versions(self.versions.unwrap_or(rustls::DEFAULT_VERSIONS)).unwrap();
        let config = match self.authorities {
            Some(authorities) => config.with_root_certificates(authorities),
            None => config.dangerous().with_custom_certificate_verifier(Arc::new(Anybody)),
        };
        let mut config = match self.certificate {
            Some((der, key)) => {
                config.with_client_auth_cert(vec![der], PrivateKeyDer::try_from(key).unwrap()).unwrap()
            }
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = self.protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }
}

/// A connection in TLS, read as HTTP.
pub(crate) struct Secure(pub(crate) Reader<TlsStream<TcpStream>>);

impl Secure {
    /// Connects, asking for this name; an IP address is not asked for (RFC 6066 §3).
    pub(crate) async fn connect(with: &TlsConnector, to: SocketAddr, name: &str) -> std::io::Result<Self> {
        Self::over(TcpStream::connect(to).await?, with, name).await
    }

    pub(crate) async fn over(tcp: TcpStream, with: &TlsConnector, name: &str) -> std::io::Result<Self> {
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        Ok(Self(Reader::new(with.connect(name, tcp).await?)))
    }

    /// Who answered.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.session().peer_certificates().unwrap()[0]
    }

    pub(crate) fn session(&self) -> &rustls::ClientConnection {
        self.0.stream.get_ref().1
    }

    /// One request and its answer; errors are the connection's.
    pub(crate) async fn ask(&mut self, request: &str) -> std::io::Result<(Head, String)> {
        self.0.stream.write_all(request.as_bytes()).await?;
        self.0.stream.flush().await?;
        let head = self.0.head().await?.ok_or(std::io::ErrorKind::ConnectionAborted)?;
        let status = head.start_line.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap();
        let body = self.0.body(head.response_framing("GET", status)).await?;
        Ok((head, String::from_utf8_lossy(&body.content).into_owned()))
    }

    /// Whether the connection ends, and says so as TLS does, without another byte.
    pub(crate) async fn ends_well(&mut self) -> bool {
        self.0.buffer.is_empty() && matches!(self.0.fill().await, Ok(false))
    }
}

#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}
