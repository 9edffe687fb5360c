//! Why can settings not be put in force? What is named is the file, the server or the header at fault.

use std::path::PathBuf;

use http::HeaderName;

use super::entrance::tls::error::TlsError;

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// TLS towards clients.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An upstream that is nowhere.
    #[error("the upstream {0} has no server")]
    NoServer(String),
    /// TLS without a name to verify would not be verified at all.
    #[error("the https upstream needs a server name that its certificate carries")]
    NoServerName,
    /// The authorities cannot be read.
    #[error("cannot read the certificate authorities for the https upstream from {from}: {reason}")]
    Authorities {
        /// The file, or the system's store.
        from: String,
        /// What the reader said.
        reason: String,
    },
    /// A client certificate that cannot be shown.
    #[error("the client certificate for the https upstream cannot be used because of {}: {reason}", file.display())]
    ClientCertificate {
        /// The file at fault.
        file: PathBuf,
        /// What the reader said.
        reason: String,
    },
    /// No path that a Unix socket could have.
    #[error("{} is no path of a Unix socket: it is too long, or no UTF-8", .0.display())]
    NoSocket(PathBuf),
    /// A header that is not the operator's to set.
    #[error(
        "the header {name} cannot be set for the upstream {upstream}: Anteroom or HTTP itself says what it is, or it would \
         have the app act on another method or path than the access rules were asked about"
    )]
    ReservedHeader {
        /// The upstream.
        upstream: String,
        /// The header.
        name: HeaderName,
    },
    /// There are none, so nothing could be verified.
    #[error("no certificate authority in {0}, so the https upstream could not be verified: name a CA file")]
    NoAuthorities(String),
}
