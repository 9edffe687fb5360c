//! What does a sign-in that is under way remember? A [`Pending`] in a sealed cookie of this browser, and a
//! [`StateToken`] that travels through Atlassian as `state`.
//!
//! Both hold the flow's random ID; a callback counts only when they agree (RFC 6749 §10.12). The state token also
//! carries the way back, sealed, so that a flow whose cookie is gone can start over for the page that was asked for.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::CodeGrant;
use super::callback::{Callback, Outcome, Reported};
use crate::clock::Timestamp;
use crate::gate::Destination;
use crate::secret::{self, SecretString};

/// How long a browser may stay at Atlassian.
pub const MAX_AGE: Duration = Duration::from_secs(15 * 60);
/// How many flows one browser may have under way; starting another one drops the oldest.
pub const MAX_ALIVE: usize = 5;
/// Longer ways back stay in the cookie only: the state is part of a URL.
const MAX_RETURN_IN_STATE: usize = 512;

/// A sign-in under way, as its flow cookie holds it.
#[derive(Serialize, Deserialize)]
pub struct Pending {
    id: [u8; 16],
    verifier: Option<Box<str>>,
    destination: Destination,
    started: Timestamp,
    restarts: u8,
}

/// What `state` says once it is opened.
#[derive(Serialize, Deserialize)]
pub struct StateToken {
    id: [u8; 16],
    destination: Destination,
    started: Timestamp,
    restarts: u8,
}

/// Why a flow and a callback do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowError {
    /// The state names another flow.
    Mismatch,
    /// The browser stayed away too long.
    Expired,
    /// Atlassian reported an error instead of a code.
    Reported(Reported),
}

impl Pending {
    /// Begins a flow. `id` and `verifier` are fresh random bytes; no verifier means that PKCE is off.
    pub fn begin(
        destination: Destination,
        restarts: u8,
        id: [u8; 16],
        verifier: Option<[u8; 32]>,
        now: Timestamp,
    ) -> Self {
        let verifier = verifier.map(|bytes| URL_SAFE_NO_PAD.encode(bytes).into());
        Self { id, verifier, destination, started: now, restarts }
    }

    /// Eight hex digits that name the flow's cookie, derived from its ID.
    pub fn tag(&self) -> String {
        flow_tag(&self.id)
    }

    /// The S256 challenge for the authorize URL (RFC 7636 §4.2), when PKCE is on.
    pub fn challenge(&self) -> Option<String> {
        let verifier = self.verifier.as_ref()?;
        Some(URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes())))
    }

    /// What travels as `state`.
    pub fn state(&self) -> StateToken {
        StateToken {
            id: self.id,
            destination: self.destination.shorter_than(MAX_RETURN_IN_STATE),
            started: self.started,
            restarts: self.restarts,
        }
    }

    /// When it began.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// Where the person wanted to go.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Whether the flow is too old to count.
    pub fn expired(&self, now: Timestamp) -> bool {
        now.since(self.started) >= MAX_AGE
    }

    /// Uses the flow up against the callback that claims to belong to it.
    pub fn finish(
        self,
        callback: Callback,
        state: &StateToken,
        now: Timestamp,
    ) -> Result<CodeGrant, FlowError> {
        if !secret::equal(&self.id, &state.id) {
            return Err(FlowError::Mismatch);
        }
        if self.expired(now) {
            return Err(FlowError::Expired);
        }
        match callback.outcome {
            Outcome::Code(code) => {
                Ok(CodeGrant { code, verifier: self.verifier.map(|v| SecretString::from(String::from(v))) })
            }
            Outcome::Reported(reported) => Err(FlowError::Reported(reported)),
        }
    }
}

impl StateToken {
    /// The tag of the flow cookie that belongs to it.
    pub fn tag(&self) -> String {
        flow_tag(&self.id)
    }

    /// The flow's ID: what is used up.
    pub fn id(&self) -> [u8; 16] {
        self.id
    }

    /// Where the person wanted to go; without the page if that was too long to travel.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// How often this sign-in has already been started over.
    pub fn restarts(&self) -> u8 {
        self.restarts
    }

    /// When the flow began.
    pub fn started(&self) -> Timestamp {
        self.started
    }
}

/// Eight hex digits that name a flow's cookie.
pub(crate) fn flow_tag(id: &[u8; 16]) -> String {
    let hash = digest::digest(&digest::SHA256, id);
    hash.as_ref().iter().take(4).map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::ReturnTo;

    /// Says only what differs from a flow that works.
    struct Scenario {
        other_state: bool,
        minutes_away: u64,
        query: &'static str,
    }

    impl Scenario {
        fn run(self) -> Result<CodeGrant, FlowError> {
            let begun = Timestamp::from_secs(1000);
            let pending = Pending::begin(Destination::default(), 0, [1; 16], Some([2; 32]), begun);
            let state = if self.other_state {
                Pending::begin(Destination::default(), 0, [9; 16], None, begun).state()
            } else {
                pending.state()
            };
            let now = begun.plus(Duration::from_secs(self.minutes_away * 60));
            pending.finish(Callback::parse(self.query).unwrap(), &state, now)
        }
    }

    const FINE: Scenario = Scenario { other_state: false, minutes_away: 1, query: "code=abc&state=s" };

    #[test]
    fn a_matching_callback_gives_the_grant() {
        use crate::secret::ExposeSecret;
        let grant = FINE.run().unwrap();
        assert_eq!(grant.code().expose_secret(), "abc");
        assert_eq!(grant.verifier().unwrap().expose_secret().len(), 43);
    }

    #[test]
    fn what_does_not_match_gives_none() {
        let fails = |s: Scenario| s.run().unwrap_err();
        assert_eq!(fails(Scenario { other_state: true, ..FINE }), FlowError::Mismatch);
        assert_eq!(fails(Scenario { minutes_away: 15, ..FINE }), FlowError::Expired);
        let declined = Scenario { query: "error=access_denied&state=s", ..FINE };
        assert_eq!(fails(declined), FlowError::Reported(Reported::Declined));
        let both = Scenario { other_state: true, query: "error=access_denied&state=s", ..FINE };
        assert_eq!(fails(both), FlowError::Mismatch, "a foreign state never decides anything");
    }

    #[test]
    fn the_challenge_is_rfc_7636() {
        // The verifier of RFC 7636 appendix B.
        let mut pending = Pending::begin(Destination::default(), 0, [0; 16], None, Timestamp::default());
        assert_eq!(pending.challenge(), None);
        pending.verifier = Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into());
        assert_eq!(pending.challenge().unwrap(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_long_way_back_stays_out_of_the_url() {
        let long = ReturnTo::parse(&format!("/{}", "x".repeat(600)));
        let pending = Pending::begin(Destination::default().at(long), 0, [0; 16], None, Timestamp::default());
        assert!(pending.destination().path().is_some() && pending.state().destination().path().is_none());
    }
}
