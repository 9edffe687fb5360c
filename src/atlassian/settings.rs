//! What must be known to talk to Atlassian, and what is told about each call.

use std::fmt;
use std::time::Duration;

use url::Url;

use super::{AtlassianError, Place};
use crate::secret::SecretString;
use crate::sign_in::Scopes;

/// Told after every call: where, how it ended, how long it took.
pub type Observe = Box<dyn Fn(Place, Outcome, Duration) + Send + Sync>;

/// Everything about the app that is registered at Atlassian, and how patient we are.
pub struct Settings {
    /// Where people sign in and codes are redeemed: `https://auth.atlassian.com`. A path in it is kept.
    pub auth_url: Url,
    /// Where `/me` is: `https://api.atlassian.com`. A path in it is kept.
    pub api_url: Url,
    /// `audience` of the authorize URL: `api.atlassian.com`.
    pub audience: String,
    /// The app's client ID.
    pub client_id: String,
    /// The app's secret; sent in the body of the token call and nowhere else.
    pub client_secret: SecretString,
    /// The callback, as it is registered: Atlassian compares it byte for byte.
    pub redirect_uri: Url,
    /// What is asked for.
    pub scopes: Scopes,
    /// `prompt` of the authorize URL; `None` leaves it out.
    pub prompt: Option<String>,
    /// The HTTP proxy that is asked for a tunnel to https addresses.
    pub https_proxy: Option<Url>,
    /// How long one call may take, from looking up the name to the last byte. Two calls make a sign-in.
    pub timeout: Duration,
    /// Told after every call.
    pub observe: Observe,
}

impl Settings {
    /// How long one call may take when nobody says otherwise.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("auth_url", &self.auth_url.as_str())
            .field("api_url", &self.api_url.as_str())
            .field("client_id", &self.client_id)
            .field("redirect_uri", &self.redirect_uri.as_str())
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// How a call ended, as a label for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What we asked for.
    Ok,
    /// [`AtlassianError::ClientRefused`]
    ClientRefused,
    /// [`AtlassianError::CodeRefused`]
    CodeRefused,
    /// [`AtlassianError::ScopeMissing`]
    ScopeMissing,
    /// [`AtlassianError::Unavailable`]
    Unavailable,
    /// [`AtlassianError::Unintelligible`]
    Unintelligible,
}

impl Outcome {
    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ClientRefused => "client_refused",
            Self::CodeRefused => "code_refused",
            Self::ScopeMissing => "scope_missing",
            Self::Unavailable => "unavailable",
            Self::Unintelligible => "unintelligible",
        }
    }
}

impl<T> From<&Result<T, AtlassianError>> for Outcome {
    fn from(result: &Result<T, AtlassianError>) -> Self {
        match result {
            Ok(_) => Self::Ok,
            Err(AtlassianError::ClientRefused) => Self::ClientRefused,
            Err(AtlassianError::CodeRefused) => Self::CodeRefused,
            Err(AtlassianError::ScopeMissing(_)) => Self::ScopeMissing,
            Err(AtlassianError::Unavailable { .. }) => Self::Unavailable,
            Err(AtlassianError::Unintelligible { .. }) => Self::Unintelligible,
        }
    }
}

/// Why Atlassian cannot be talked to at all from here, found before any call.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Not `http` or `https` with a host.
    #[error("{0} is not a base URL: write it like https://auth.atlassian.com")]
    NotABase(Box<str>),
    /// The HTTPS client could not be made.
    #[error(
        "the HTTPS client could not be made: {0}; if it found no CA certificates, install the package ca-certificates or \
         point SSL_CERT_FILE at a bundle"
    )]
    Client(String),
}
