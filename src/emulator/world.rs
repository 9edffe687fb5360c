//! What is true right now? Fixture, switches, grants, browser sessions and journal, behind one lock.
//!
//! The fixture as configured (`baseline`) and the current scenario are kept apart, so that leaving a scenario restores
//! the fixture, and a change to the fixture survives a change of scenario.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::{Clock, Timestamp};
use crate::entropy::Entropy;

use super::authorize::pending::PendingConsent;
use super::fixture::{Fixture, User};
use super::grants::Book;
use super::journal::Journal;
use super::keys::{KeyError, SigningKey};
use super::scenario::Scenario;
use super::switches::Switches;

/// The emulator's whole state.
pub(super) struct World {
    baseline: Fixture,
    scenario: Scenario,
    /// The fixture as the scenario leaves it.
    pub(super) fixture: Fixture,
    /// Current switches.
    pub(super) switches: Switches,
    /// Codes, grants, tokens.
    pub(super) book: Book,
    /// Browser session → `account_id`.
    pub(super) sessions: HashMap<String, String>,
    /// Consent pages waiting for an answer.
    pub(super) consents: HashMap<String, PendingConsent>,
    /// Every request.
    pub(super) journal: Journal,
    /// Who is logged in without a log-in page.
    pub(super) approve: Option<String>,
    /// `http://127.0.0.1:PORT`, no slash at the end.
    pub(super) origin: String,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl World {
    /// A world where nobody has signed in yet.
    pub(super) fn new(
        fixture: Fixture,
        approve: Option<String>,
        origin: String,
        (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>),
    ) -> Self {
        Self {
            baseline: fixture.clone(),
            scenario: Scenario::Happy,
            fixture,
            switches: Switches::default(),
            book: Book::default(),
            sessions: HashMap::new(),
            consents: HashMap::new(),
            journal: Journal::default(),
            approve,
            origin,
            clock,
            entropy,
        }
    }

    /// The emulator's clock.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The current scenario.
    pub(super) fn scenario(&self) -> Scenario {
        self.scenario
    }

    /// Default switches, fixture as configured, then this scenario. Grants and browser sessions stay.
    pub(super) fn enter(&mut self, scenario: Scenario) {
        self.scenario = scenario;
        let mut switches = Switches::default();
        self.derive(&mut switches);
        self.switches = switches;
    }

    /// Changes the fixture as configured; the current scenario still applies on top.
    pub(super) fn change_fixture(&mut self, change: impl FnOnce(&mut Fixture)) {
        change(&mut self.baseline);
        self.derive(&mut Switches::default());
    }

    fn derive(&mut self, switches: &mut Switches) {
        let mut fixture = self.baseline.clone();
        self.scenario.apply(&mut fixture, switches);
        for user in &fixture.users {
            let before = self.fixture.users.iter().find(|old| old.account_id == user.account_id);
            if before.is_some_and(|old| old.password_epoch < user.password_epoch) {
                self.book.password_changed(&user.account_id, user.password_epoch);
            }
        }
        self.fixture = fixture;
    }

    /// `bytes` random bytes as URL-safe text.
    pub(super) fn token(&self, bytes: usize) -> String {
        let mut buffer = vec![0; bytes];
        self.entropy.fill(&mut buffer);
        URL_SAFE_NO_PAD.encode(buffer)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub(super) fn below(&self, bound: usize) -> usize {
        let number = u32::from_le_bytes(self.entropy.bytes()) as usize;
        number.checked_rem(bound).unwrap_or(0)
    }

    /// The signing key: the fixture's, or the process's own.
    pub(super) fn signing_key(&self) -> Result<SigningKey, KeyError> {
        self.fixture.signing_key.as_deref().map_or_else(SigningKey::generated, SigningKey::from_pem)
    }

    /// Who is logged in: the automatic subject, or the session's account.
    pub(super) fn logged_in(&self, session: Option<&str>) -> Option<&User> {
        let subject = match &self.approve {
            Some(subject) => subject,
            None => self.sessions.get(session?)?,
        };
        self.fixture.user(subject)
    }
}
