//! Which situations have a name? The test suite's vocabulary: each scenario is a change to the fixture and switches.
//!
//! A scenario never undoes another: it is applied to a clean state. `Emulator::enter` and
//! `POST /_emulator/scenario?name=…` start from the fixture as configured and from default switches.

use std::fmt;
use std::str::FromStr;

use super::fixture::{Distribution, Fixture, Product};
use super::switches::{CodeShape, Decision, Endpoint, Fault, RefreshError, StateEcho, Switches, TokenType};

macro_rules! scenarios {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// A named situation; `Display` and `FromStr` use the kebab-case name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scenario { $($(#[$doc])* $variant),+ }

        impl Scenario {
            /// Every scenario.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The kebab-case name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

scenarios! {
    /// Nothing is wrong.
    Happy = "happy",
    /// An automatic consent presses Cancel; people press it themselves.
    Decline = "decline",
    /// No app has the callback that it asks for.
    CallbackMismatch = "callback-mismatch",
    /// No app has any scope added.
    ScopeNotAdded = "scope-not-added",
    /// Every app is private, and its owner is somebody else.
    UnsharedApp = "unshared-app",
    /// Nobody has a site, and even `read:me` needs one.
    NoSite = "no-site",
    /// Every site's admin has blocked user-installed apps, and even `read:me` needs a site.
    AdminBlock = "admin-block",
    /// Everybody is a Confluence guest: consent works, the site list is empty.
    Guest = "guest",
    /// Every client secret has been rotated in the console.
    WrongSecret = "wrong-secret",
    /// The client's doing is a second exchange; here every code arrives as though it had been exchanged once before.
    CodeReplay = "code-replay",
    /// The callback comes without `state`.
    StateMissing = "state-missing",
    /// The callback comes with another `state`.
    StateForged = "state-forged",
    /// Access tokens live a minute and a rotated refresh token is dead at once: of two replicas that refresh with
    /// the same token the second gets 403 and must look for what the first one stored.
    RefreshRace2Replicas = "refresh-race-2-replicas",
    /// Every refresh token is dead; `invalid_grant`.
    RefreshDeadA = "refresh-dead-a",
    /// Every refresh token is dead; `unauthorized_client`.
    RefreshDeadB = "refresh-dead-b",
    /// Everybody changes the password now: refresh tokens issued so far are dead, later ones work.
    PasswordChanged = "password-changed",
    /// Another app with the same client id got a consent for `read:me` alone, which replaced every grant's scopes.
    ScopeNarrowedByOtherApp = "scope-narrowed-by-other-app",
    /// Token answers have no `token_type`.
    TokenTypeOmitted = "token-type-omitted",
    /// Codes have 6 KiB.
    HugeCode = "huge-code",
    /// Access tokens have 8 KiB.
    HugeToken = "huge-token",
    /// Nobody's `/me` has an email.
    EmailAbsent = "email-absent",
    /// Everybody's email is unverified.
    EmailUnverified = "email-unverified",
    /// Everybody is a Jira Service Management portal customer.
    CustomerAccount = "customer-account",
    /// Everybody's account is closed.
    ClosedAccount = "closed-account",
    /// Every user is on every site and every site runs both products: a token whose scopes span both lists each id twice.
    DupCloudid = "dup-cloudid",
    /// `/me`, sites and gateway answer 429.
    RateLimited = "rate-limited",
    /// Token endpoint, `/me`, sites and gateway drop the connection. People can still log in.
    AtlassianDown = "atlassian-down",
    /// Token endpoint and API answer after a quarter of a minute.
    Slow = "slow",
    /// Token endpoint and `/me` answer 502 with HTML.
    Html502 = "html-502",
    /// An automatic consent presses Cancel, and `error_description` carries markup.
    XssInError = "xss-in-error",
}

/// The back channel: what a server, not a browser, calls.
const BACK_CHANNEL: [Endpoint; 5] =
    [Endpoint::Token, Endpoint::Me, Endpoint::Resources, Endpoint::Jira, Endpoint::Confluence];

impl Scenario {
    /// Puts fixture and switches into this situation.
    pub fn apply(self, fixture: &mut Fixture, switches: &mut Switches) {
        match self {
            Self::Happy => {}
            Self::Decline => switches.decision = Decision::Decline,
            Self::CallbackMismatch => {
                fixture
                    .apps
                    .iter_mut()
                    .for_each(|app| app.callbacks = vec!["https://registered.example/elsewhere".to_owned()]);
            }
            Self::ScopeNotAdded => fixture.apps.iter_mut().for_each(|app| app.scopes.clear()),
            Self::UnsharedApp => fixture.apps.iter_mut().for_each(|app| {
                app.distribution = Distribution::Private;
                app.owner = Some("557058:somebody-else".to_owned());
            }),
            Self::NoSite => {
                switches.site_always_needed = true;
                fixture.users.iter_mut().for_each(|user| {
                    user.sites.clear();
                    user.guest_of.clear();
                });
            }
            Self::AdminBlock => {
                switches.site_always_needed = true;
                fixture.sites.iter_mut().for_each(|site| site.user_apps_blocked = true);
            }
            Self::Guest => fixture.users.iter_mut().for_each(|user| {
                let sites = std::mem::take(&mut user.sites);
                user.guest_of.extend(sites);
            }),
            Self::WrongSecret => {
                fixture
                    .apps
                    .iter_mut()
                    .for_each(|app| app.client_secret = "ATOA-rotated-in-the-console".to_owned());
            }
            Self::CodeReplay => switches.code_spent = true,
            Self::StateMissing => switches.state = StateEcho::Missing,
            Self::StateForged => switches.state = StateEcho::Forged,
            Self::RefreshRace2Replicas => {
                switches.refresh_leeway_secs = 0;
                switches.access_token_ttl_secs = 60;
            }
            Self::RefreshDeadA => {
                switches.refresh_dead = true;
                switches.refresh_error = RefreshError::A;
            }
            Self::RefreshDeadB => {
                switches.refresh_dead = true;
                switches.refresh_error = RefreshError::B;
            }
            Self::PasswordChanged => {
                fixture
                    .users
                    .iter_mut()
                    .for_each(|user| user.password_epoch = user.password_epoch.saturating_add(1));
            }
            Self::ScopeNarrowedByOtherApp => switches.narrowed_scopes = Some(vec!["read:me".to_owned()]),
            Self::TokenTypeOmitted => switches.token_type = TokenType::Omitted,
            Self::HugeCode => switches.code_shape = CodeShape::Huge,
            Self::HugeToken => switches.access_token_bytes = 8192,
            Self::EmailAbsent => fixture.users.iter_mut().for_each(|user| {
                user.email = None;
                user.email_verified = None;
            }),
            Self::EmailUnverified => {
                fixture.users.iter_mut().for_each(|user| user.email_verified = Some(false))
            }
            Self::CustomerAccount => {
                fixture.users.iter_mut().for_each(|user| user.account_type = "customer".to_owned());
            }
            Self::ClosedAccount => {
                fixture.users.iter_mut().for_each(|user| user.account_status = "closed".to_owned());
            }
            Self::DupCloudid => {
                let all: Vec<_> = fixture.sites.iter().map(|site| site.id.clone()).collect();
                fixture.users.iter_mut().for_each(|user| user.sites.clone_from(&all));
                fixture.sites.iter_mut().for_each(|site| site.products = Product::all());
            }
            Self::RateLimited => {
                let api = BACK_CHANNEL.into_iter().filter(|endpoint| *endpoint != Endpoint::Token);
                switches
                    .faults
                    .extend(api.map(|endpoint| (endpoint, Fault::RateLimited { retry_after_secs: 30 })));
            }
            Self::AtlassianDown => {
                switches.faults.extend(BACK_CHANNEL.map(|endpoint| (endpoint, Fault::Drop)))
            }
            Self::Slow => switches.latency_ms.extend(BACK_CHANNEL.map(|endpoint| (endpoint, 15_000))),
            Self::Html502 => {
                switches
                    .faults
                    .extend([Endpoint::Token, Endpoint::Me].map(|endpoint| (endpoint, Fault::Html502)));
            }
            Self::XssInError => {
                switches.decision = Decision::Decline;
                switches.decline_description =
                    "\"'><script>alert(1)</script><img src=x onerror=alert(2)>".to_owned();
            }
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No scenario has this name.
#[derive(Debug, thiserror::Error)]
#[error("no scenario is called `{0}`; GET /_emulator/scenario lists them")]
pub struct UnknownScenario(String);

impl FromStr for Scenario {
    type Err = UnknownScenario;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().copied().find(|scenario| scenario.name() == name);
        found.ok_or_else(|| UnknownScenario(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_only_happy_changes_nothing() {
        for scenario in Scenario::ALL.iter().copied() {
            assert_eq!(scenario.name().parse::<Scenario>().unwrap(), scenario);
            let (mut fixture, mut switches) = (Fixture::demo(), Switches::default());
            scenario.apply(&mut fixture, &mut switches);
            let unchanged = fixture == Fixture::demo() && switches == Switches::default();
            assert_eq!(unchanged, scenario == Scenario::Happy, "{scenario}");
        }
        assert!("no-such".parse::<Scenario>().is_err());
    }
}
