//! What would Atlassian answer? An offline `auth.atlassian.com` and `api.atlassian.com` for development and tests.
//!
//! One listener, on loopback only, serves the paths of both hosts (they do not collide): authorize, log-in, consent and
//! error pages; token endpoint; `/me`; the site list; the Jira and Confluence calls that name groups; discovery and
//! JWKS. A [`Fixture`] says who exists, [`Switches`] say what goes wrong, a [`Scenario`] is a named mix of both, and the
//! journal tells what clients did.
//!
//! Guarantees: what the real service keeps to itself (an unregistered callback, an app that is not shared, a scope that
//! was never added, no site, a blocking admin) ends on an error page here too and never reaches the callback; requests
//! for a foreign `Host` are refused (DNS rebinding). Must not: be reachable from elsewhere, or hold a real secret, since
//! the journal keeps everything.
//!
//! Follows developer.atlassian.com/cloud/confluence/oauth-2-3lo-apps, RFC 6749 and RFC 7636; where no source says what
//! the real service does, a switch offers the likely answers.

mod accessible_resources;
mod authorize;
mod bearer;
mod control;
mod discovery;
mod fixture;
mod gateway;
mod grants;
mod journal;
mod keys;
mod login;
mod me;
mod pages;
mod reply;
mod request;
mod router;
mod sample_app;
mod scenario;
mod scopes;
mod server;
mod switches;
mod token;
mod world;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use url::Url;

use crate::clock::{Clock, SystemClock};
use crate::entropy::{Entropy, SystemEntropy};

pub use fixture::{
    App, Distribution, ExtendedProfile, Fixture, FixtureError, GrantKind, Group, Product, Site, User,
};
pub use journal::{CAPACITY as JOURNAL_CAPACITY, JournalEntry};
pub use keys::KeyError;
pub use sample_app::{SampleApp, SampleAppError};
pub use scenario::{Scenario, UnknownScenario};
pub use switches::{
    CodeShape, Decision, Endpoint, Fault, Pkce, PromptNone, RefreshError, Revoke, StateEcho, Switches,
    TokenType,
};

use world::World;

/// How to start.
pub struct Options {
    /// Where to listen; loopback, or the start is refused. Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Who exists.
    pub fixture: Fixture,
    /// `account_id` or email of the user who is logged in and consents by itself; none: pages ask.
    pub approve: Option<String>,
    /// The time that codes, tokens and pages live by.
    pub clock: Arc<dyn Clock>,
    /// Where codes and tokens come from; a seeded source makes them repeatable.
    pub entropy: Arc<dyn Entropy>,
}

impl Options {
    /// 127.0.0.1 on a free port, the demo fixture, log-in pages, real time and chance.
    pub fn loopback() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            fixture: Fixture::demo(),
            approve: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        }
    }
}

/// Why the emulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// Not a loopback address, or taken.
    #[error("the emulator cannot listen: {0}")]
    Listen(#[from] std::io::Error),
    /// `approve` names nobody.
    #[error("nobody in the fixture has the account ID or email `{0}`; use one that it lists")]
    UnknownSubject(String),
    /// The fixture's key is unusable.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A running emulator. Dropping it stops it too, without waiting.
pub struct Emulator {
    world: Arc<Mutex<World>>,
    server: server::Server,
    base_url: Url,
}

impl Emulator {
    /// Binds, and serves from now on.
    ///
    /// # Errors
    /// [`EmulatorError`] when the address is not loopback or taken, `approve` names nobody, or `signing_key` is unusable.
    pub async fn start(options: Options) -> Result<Self, EmulatorError> {
        let Options { listen, fixture, approve, clock, entropy } = options;
        // By account ID from here on: a scenario may take everybody's email away.
        let approve = approve.map(|subject| match fixture.user(&subject) {
            Some(user) => Ok(user.account_id.clone()),
            None => Err(EmulatorError::UnknownSubject(subject)),
        });
        let approve = approve.transpose()?;
        if let Some(pem) = &fixture.signing_key {
            keys::SigningKey::from_pem(pem)?;
        }
        let listener = server::bind(listen).await?;
        let address = listener.local_addr()?;
        let base_url = Url::parse(&format!("http://{address}/"))
            .map_err(|error| std::io::Error::other(format!("{address}: {error}")))?;
        let origin = format!("http://{address}");
        let world = Arc::new(Mutex::new(World::new(fixture, approve, origin, (clock, entropy))));
        let server = server::Server::start(listener, Arc::new(router::Router::new(Arc::clone(&world))));
        Ok(Self { world, server, base_url })
    }

    /// `http://127.0.0.1:PORT/`, for `auth_url` and `api_url` alike.
    pub fn base_url(&self) -> Url {
        self.base_url.clone()
    }

    /// Every request since the start or the last [`Self::clear_journal`], oldest first, without `/_emulator` ones.
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.lock().journal.all()
    }

    /// Forgets the requests so far.
    pub fn clear_journal(&self) {
        self.lock().journal.clear();
    }

    /// The current switches.
    pub fn switches(&self) -> Switches {
        self.lock().switches.clone()
    }

    /// Changes switches from the next request on.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.lock().switches);
    }

    /// Changes the fixture: adds a user, sets a callback. The current scenario still applies on top.
    pub fn fixture_mut(&self, change: impl FnOnce(&mut Fixture)) {
        self.lock().change_fixture(change);
    }

    /// The fixture as the current scenario leaves it.
    pub fn fixture(&self) -> Fixture {
        self.lock().fixture.clone()
    }

    /// The current scenario.
    pub fn scenario(&self) -> Scenario {
        self.lock().scenario()
    }

    /// Enters a scenario, from default switches and the fixture as configured. Grants, browser sessions and journal stay.
    pub fn enter(&self, scenario: Scenario) {
        self.lock().enter(scenario);
    }

    /// The account gets a new password: its refresh tokens so far are dead.
    pub fn change_password(&self, account_id: &str) {
        self.fixture_mut(|fixture| {
            let changed = fixture.users.iter_mut().filter(|user| user.account_id == account_id);
            changed.for_each(|user| user.password_epoch = user.password_epoch.saturating_add(1));
        });
    }

    /// The account withdraws its consent to the app: its codes and tokens are dead. False if there was no grant.
    pub fn revoke_grant(&self, client_id: &str, account_id: &str) -> bool {
        self.lock().book.revoke(client_id, account_id)
    }

    /// Stops listening, lets open requests finish for a second.
    pub async fn stop(self) {
        self.server.stop().await;
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        // A poisoned lock means that a caller's closure panicked; the state is still the best there is.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
