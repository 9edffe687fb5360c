//! The OAuth dance as states (RFC 6749 §4.1, RFC 7636), with time and chance as arguments.
//!
//! ```text
//! Pending ──seal──▶ flow cookie + state      (the browser leaves for Atlassian)
//! Callback ◀─parse── query of the callback   (the browser is back)
//! Pending + Callback ──finish──▶ CodeGrant   (state matches, in time; used up)
//! CodeGrant + Profile ──▶ VerifiedIdentity   (only the Atlassian adapter has both)
//! ```
//! Every arrow consumes what stands before it, so nobody is identified without a matched state.

mod callback;
mod pending;
pub mod scopes;

pub use callback::{Callback, Malformed, Outcome, Reported};
pub(crate) use pending::flow_tag;
pub use pending::{FlowError, MAX_AGE, MAX_ALIVE, Pending, StateToken};
pub use scopes::{ScopeError, Scopes};

use crate::identity::Profile;
use crate::secret::SecretString;

/// Proof that a callback belongs to a flow that this browser began: the code, and what redeems it. Single use.
#[derive(Debug)]
pub struct CodeGrant {
    code: SecretString,
    verifier: Option<SecretString>,
}

impl CodeGrant {
    /// The authorization code; opaque, up to several KB.
    pub fn code(&self) -> &SecretString {
        &self.code
    }

    /// The PKCE verifier, when a challenge was sent.
    pub fn verifier(&self) -> Option<&SecretString> {
        self.verifier.as_ref()
    }

    /// The identity that Atlassian's `/me` gave for this grant. Called by the Atlassian adapter alone, once it has
    /// redeemed the code.
    pub fn identified(self, profile: Profile) -> VerifiedIdentity {
        VerifiedIdentity { profile }
    }
}

/// Proof that Atlassian vouched for this person in a flow that this browser began. Says nothing of whether they may
/// come in: that is `policy::AccessPolicy::admit`.
#[derive(Debug)]
pub struct VerifiedIdentity {
    profile: Profile,
}

impl VerifiedIdentity {
    /// The profile, once the proof is used up.
    pub(crate) fn into_profile(self) -> Profile {
        self.profile
    }
}
