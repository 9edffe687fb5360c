//! Is this a certificate with its key? Files, read into what rustls serves from.
//!
//! Whatever cannot work is an error that names the file; what works and should not be so (a key that others may read, a
//! certificate that has run out) is a line in the log.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
use zeroize::Zeroizing;

use super::error::TlsError;
use crate::clock::{Clock, SystemClock};
use crate::proxy::settings::CertificateFiles;

/// A certificate with its key.
pub(super) struct Pair {
    /// What rustls needs of it.
    pub(super) key: Arc<CertifiedKey>,
    /// The DNS names it is for (RFC 6125 §6.4), in lower case.
    pub(super) names: Vec<String>,
    /// The chain's file.
    pub(super) file: PathBuf,
    /// When it runs out, in seconds since 1970.
    pub(super) expires: i64,
}

/// Reads a certificate and its key.
pub(super) fn pair(files: &CertificateFiles, provider: &CryptoProvider) -> Result<Pair, TlsError> {
    let chain = certificates(&files.chain)?;
    let first = chain.first().cloned().ok_or_else(|| TlsError::NoCertificate(files.chain.clone()))?;
    let unusable = |file: &Path, reason: &dyn ToString| TlsError::Unusable {
        file: file.into(),
        reason: reason.to_string(),
    };
    let key = CertifiedKey::from_der(chain, key(&files.key)?, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::AnotherKey { key: files.key.clone(), chain: files.chain.clone() }
        }
        rustls::Error::InvalidCertificate(_) => unusable(&files.chain, &error),
        _ => unusable(&files.key, &error),
    })?;
    let (_, certificate) =
        X509Certificate::from_der(&first).map_err(|error| unusable(&files.chain, &error))?;
    let names = match certificate.subject_alternative_name() {
        Ok(Some(names)) => names.value.general_names.iter().filter_map(dns).collect(),
        Ok(None) => Vec::new(),
        Err(error) => return Err(unusable(&files.chain, &error)),
    };
    let (begins, expires) =
        (certificate.validity().not_before.timestamp(), certificate.validity().not_after.timestamp());
    let now = i64::try_from(SystemClock.now_millis() / 1000).unwrap_or(i64::MAX);
    if !(begins..=expires).contains(&now) {
        tracing::warn!(
            file = %files.chain.display(),
            "this certificate is not valid today, so browsers will refuse it: renew it, or check the clock"
        );
    }
    Ok(Pair { key: Arc::new(key), names, file: files.chain.clone(), expires })
}

/// Every certificate in a file; at least one.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = std::fs::read(file).map_err(unreadable(file))?;
    let found = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(TlsError::NoCertificate(file.into())),
    }
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = Zeroizing::new(std::fs::read(file).map_err(unreadable(file))?);
    let mode = std::fs::metadata(file).map_err(unreadable(file))?.permissions().mode();
    if mode & 0o004 != 0 {
        tracing::warn!(
            file = %file.display(),
            "every user of this machine may read this private key: take the right away (chmod o-r)"
        );
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| TlsError::NoKey(file.into()))
}

fn unreadable(file: &Path) -> impl Fn(io::Error) -> TlsError {
    move |source| TlsError::Unreadable { file: file.into(), source }
}

fn dns(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    }
}
