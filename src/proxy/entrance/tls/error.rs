//! Why can clients not be spoken TLS to? The file at fault, and what to do.

use std::io;
use std::path::PathBuf;

/// Files that TLS cannot begin with. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Nothing to show.
    #[error("TLS needs a certificate: name at least one in `proxy.tls.certificates`")]
    NoneNamed,
    /// A file that cannot be read.
    #[error("cannot read {}: {source}. Name a file that is there and that this user may read", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// No certificate in a file that must have one.
    #[error(
        "there is no certificate in {}. It must be a PEM file with `-----BEGIN CERTIFICATE-----`, and for a chain the \
         certificate of this site comes first",
        .0.display()
    )]
    NoCertificate(PathBuf),
    /// No key in a file that must have one.
    #[error(
        "there is no private key in {}. It must be a PEM file with `-----BEGIN PRIVATE KEY-----`, without a password",
        .0.display()
    )]
    NoKey(PathBuf),
    /// The key is of another certificate.
    #[error(
        "the key in {} does not belong to the certificate in {}. Name the two files that were made together",
        key.display(), chain.display()
    )]
    AnotherKey {
        /// The key's file.
        key: PathBuf,
        /// The certificate's.
        chain: PathBuf,
    },
    /// It can be read and not be used.
    #[error("cannot use {}: {reason}. Replace it with one that was made for TLS servers", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
}
