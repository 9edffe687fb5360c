//! The only code that talks to Atlassian: authorize URL, code exchange, `/me`. Plain OAuth 2.0 (3LO): no OpenID Connect.
//!
//! No call happens at start-up or on the way of a request that has a session.
//! <https://developer.atlassian.com/cloud/confluence/oauth-2-3lo-apps/>

mod client;
mod http;
mod me;
mod settings;
mod token;

use async_trait::async_trait;

pub use self::client::Atlassian;
pub use self::settings::{Observe, Outcome, Settings, SetupError};

use crate::sign_in::{CodeGrant, VerifiedIdentity};

/// What the rest of Anteroom asks of Atlassian.
#[async_trait]
pub trait Identify: Send + Sync + 'static {
    /// The URL that begins a sign-in: `state` echoed back, `challenge` (S256) when PKCE is on. `choose_account` asks
    /// Atlassian to show its consent page, where people can switch accounts, whatever the configured prompt.
    fn authorize_url(&self, state: &str, challenge: Option<&str>, choose_account: bool) -> String;

    /// Redeems the code and reads `/me`.
    async fn identify(&self, grant: CodeGrant) -> Result<VerifiedIdentity, AtlassianError>;
}

/// Which call failed. The same code means different things at different places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `POST /oauth/token`
    Token,
    /// `GET /me`
    Me,
}

impl Place {
    /// `token` or `me`: a label for counting.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Me => "me",
        }
    }
}

/// Why Atlassian did not vouch for somebody. Never holds a code, token or secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AtlassianError {
    /// 401 `access_denied` at the token endpoint: our client ID or secret is wrong. Starting over would loop.
    #[error("Atlassian refused the client ID or secret")]
    ClientRefused,
    /// The code is unknown, used or expired: starting over once may help.
    #[error("Atlassian refused the authorization code")]
    CodeRefused,
    /// The token lacks a scope (401 or 403 "scope does not match").
    #[error("Atlassian says that the token lacks a scope for {0:?}")]
    ScopeMissing(Place),
    /// Timeout, connection failure, 429 or 5xx.
    #[error("Atlassian did not answer at {place:?}: {cause}")]
    Unavailable {
        /// Where.
        place: Place,
        /// Kind of failure, without addresses or bodies.
        cause: String,
    },
    /// An answer that is not what the documentation says: HTML, a redirect, oversized, no account ID.
    #[error("Atlassian's answer at {place:?} makes no sense: {cause}")]
    Unintelligible {
        /// Where.
        place: Place,
        /// What is wrong with it, without its content.
        cause: String,
    },
}
