//! Whom does an https app have to be, and who are we to it? Authorities and client certificates, read from files when
//! settings come into force, so that a file that changed counts from then on.
//!
//! Every https peer carries its own authorities: its file's, or else the system's. What pingora itself would trust is
//! nothing ([`NOBODY`]), so a peer without authorities could not be verified and is not used.

use std::path::Path;
use std::sync::Arc;

use pingora::protocols::tls::CaType;
use pingora::tls::{RootCertStore, load_native_certs};
use pingora::utils::tls::{CertKey, WrappedX509};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::proxy::settings::{CertificateFiles, UpstreamTls};
use crate::proxy::setup_error::SetupError;

/// A file without certificates.
pub(super) const NOBODY: &str = "/dev/null";

/// What a connection needs for TLS.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    /// Whom to trust; at least one.
    pub(super) authorities: Arc<CaType>,
    /// What to show when asked.
    pub(super) certificate: Option<Arc<CertKey>>,
}

/// Reads the files. `system` keeps the system's authorities for the next one.
pub(super) fn credentials(
    tls: &UpstreamTls,
    system: &mut Option<Arc<CaType>>,
) -> Result<Credentials, SetupError> {
    if tls.server_name.is_empty() {
        // pingora's rustls connector verifies nothing then.
        return Err(SetupError::NoServerName);
    }
    let authorities = match (&tls.ca_file, &*system) {
        (Some(file), _) => from_file(file)?,
        (None, Some(known)) => Arc::clone(known),
        (None, None) => Arc::clone(system.insert(from_system()?)),
    };
    let certificate = tls.certificate.as_ref().map(client_certificate).transpose()?;
    Ok(Credentials { authorities, certificate })
}

fn from_file(file: &Path) -> Result<Arc<CaType>, SetupError> {
    let from = file.display().to_string();
    let unreadable = |reason: String| SetupError::Authorities { from: from.clone(), reason };
    let mut certificates = Vec::new();
    let lines = CertificateDer::pem_file_iter(file).map_err(|error| unreadable(error.to_string()))?;
    for certificate in lines {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        RootCertStore::empty().add(certificate.clone()).map_err(|error| unreadable(error.to_string()))?;
        certificates.push(parsed(certificate.to_vec()).map_err(&unreadable)?);
    }
    if certificates.is_empty() {
        return Err(SetupError::NoAuthorities(from));
    }
    Ok(certificates.into())
}

/// The system's; those among them that make no sense to us are passed over, as one of a hundred is no reason to stop.
fn from_system() -> Result<Arc<CaType>, SetupError> {
    let from = "the system's store";
    let native = load_native_certs()
        .map_err(|error| SetupError::Authorities { from: from.into(), reason: error.to_string() })?;
    let usable = |certificate: &CertificateDer<'_>| {
        RootCertStore::empty().add(certificate.clone().into_owned()).is_ok()
    };
    let native =
        native.into_iter().filter(usable).filter_map(|certificate| parsed(certificate.to_vec()).ok());
    let certificates: Vec<WrappedX509> = native.collect();
    if certificates.is_empty() {
        return Err(SetupError::NoAuthorities(from.into()));
    }
    Ok(certificates.into())
}

/// pingora parses again and panics on what it cannot; so everything is tried here first.
fn client_certificate(files: &CertificateFiles) -> Result<Arc<CertKey>, SetupError> {
    let refused = |file: &Path, reason: String| SetupError::ClientCertificate { file: file.into(), reason };
    let of_chain = |reason: String| refused(&files.chain, reason);
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.chain)
        .and_then(Iterator::collect)
        .map_err(|error| of_chain(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| refused(&files.key, e.to_string()))?;
    for certificate in &chain {
        parsed(certificate.to_vec()).map_err(of_chain)?;
    }
    let provider = rustls::crypto::ring::default_provider();
    // Says when there is no certificate, and when the key is for another one.
    rustls::sign::CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider)
        .map_err(|error| refused(&files.key, error.to_string()))?;
    let der = key.secret_der().to_vec();
    PrivateKeyDer::try_from(der.clone()).map_err(|reason| refused(&files.key, reason.to_owned()))?;
    Ok(Arc::new(CertKey::new(chain.iter().map(|certificate| certificate.to_vec()).collect(), der)))
}

fn parsed(der: Vec<u8>) -> Result<WrappedX509, String> {
    WrappedX509::try_new(der, |der| match X509Certificate::from_der(der) {
        Ok((_, certificate)) => Ok(certificate),
        Err(error) => Err(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/proxy/tls").join(name)
    }

    fn with(server_name: &str, ca: Option<PathBuf>) -> UpstreamTls {
        UpstreamTls { server_name: server_name.into(), ca_file: ca, certificate: None }
    }

    #[test]
    fn https_without_a_name_is_refused() {
        let refused = credentials(&with("", Some(file("ca.pem"))), &mut None);
        assert!(matches!(refused, Err(SetupError::NoServerName)));
    }

    #[test]
    fn authorities_that_cannot_be_read_or_are_none_are_refused() {
        let read = |path: PathBuf| credentials(&with("app.example", Some(path)), &mut None);
        assert!(matches!(read("/no/such/file".into()), Err(SetupError::Authorities { .. })));
        assert!(matches!(read("/dev/null".into()), Err(SetupError::NoAuthorities(_))));
        assert_eq!(read(file("ca.pem")).unwrap().authorities.len(), 1);
    }

    #[test]
    fn a_client_certificate_needs_its_own_key() {
        let read = |chain: &str, key: &str| {
            let certificate = Some(CertificateFiles { chain: file(chain), key: file(key) });
            credentials(&UpstreamTls { certificate, ..with("app.example", Some(file("ca.pem"))) }, &mut None)
        };
        assert!(read("upstream.pem", "upstream.key").unwrap().certificate.is_some());
        for (chain, key) in [
            ("ca.pem", "upstream.key"),
            ("upstream.key", "upstream.key"),
            ("upstream.pem", "ca.pem"),
            ("x", "y"),
        ] {
            let refused = read(chain, key);
            assert!(matches!(refused, Err(SetupError::ClientCertificate { .. })), "{chain} {key}");
        }
    }
}
