//! Why does the process not start? One line each, for the terminal.

use std::path::PathBuf;

use super::upgrade::UpgradeError;
use crate::atlassian;
use crate::identity::assertion::NoKey;
use crate::pages::LogoError;
use crate::proxy;
use crate::sign_in::ScopeError;
use crate::store::StoreError;
use crate::store::embedded::OpenError;

/// Why the process does not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store's file.
    #[error("{0}. Its place is `store.url`")]
    Open(#[from] OpenError),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Atlassian's URLs.
    #[error(transparent)]
    Atlassian(#[from] atlassian::SetupError),
    /// The scopes.
    #[error(transparent)]
    Scopes(#[from] ScopeError),
    /// The assertion's keys.
    #[error(transparent)]
    Assertion(#[from] NoKey),
    /// The upstream's TLS.
    #[error(transparent)]
    Proxy(#[from] proxy::SetupError),
    /// An address that is taken or not ours.
    #[error("cannot listen on {place}: {source}. Is another process using it? Set `{key}` to a free place")]
    Listen {
        /// As configured.
        place: String,
        /// The configuration key.
        key: &'static str,
        /// The reason.
        source: std::io::Error,
    },
    /// A place for gateways that is taken or not ours.
    #[error("cannot listen on {place}: {source}. Set `forward_auth.listen` to a place that is free and ours")]
    ForwardAuth {
        /// As configured.
        place: String,
        /// The reason.
        source: std::io::Error,
    },
    /// The logo's file.
    #[error("cannot read `pages.branding.logo_file` {}: {source}", path.display())]
    LogoFile {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The logo itself.
    #[error(transparent)]
    Logo(#[from] LogoError),
    /// The process that serves does not give way.
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    /// The socket for the next process.
    #[error(
        "cannot listen on `ops.upgrade_socket` {}: {source}. Its folder has to exist and to belong to this user",
        path.display()
    )]
    UpgradeSocket {
        /// The socket.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// Sockets could not be kept for the next process.
    #[error("cannot keep the sockets for the next process: {0}. Is the limit of open files reached?")]
    Descriptors(std::io::Error),
    /// SIGHUP cannot be heard.
    #[error("cannot listen for SIGHUP: {0}")]
    Signals(std::io::Error),
    /// The thread that writes logs.
    #[error("cannot start the log writer: {0}")]
    Log(std::io::Error),
}
