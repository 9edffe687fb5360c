//! What is the core made of? What an operator chooses, and what stays around it whatever is chosen.

use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::audit::Audit;
use super::departure::Gate;
use super::landing::{Landings, NewUserUntil};
use super::live::Presenter;
use super::rate::Budgets;
use crate::atlassian::Identify;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::gate::{Origins, Routes};
use crate::metrics::Metrics;
use crate::pages::Pages;
use crate::policy::AccessPolicy;
use crate::session::Lifetimes;
use crate::session::seal::KeyRing;
use crate::store::Store;

/// What an operator chooses about signing in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The addresses of the apps, that of Atlassian's callback first.
    pub origins: Arc<Origins>,
    /// The domain whose hosts share one session cookie. Without it every host has its own.
    pub cookie_domain: Option<String>,
    /// The path of the OAuth callback.
    pub callback_path: String,
    /// The callback as it must be registered at Atlassian.
    pub callback_url: String,
    /// The scopes asked for, for the operator's hint on error pages.
    pub scopes: String,
    /// Whether a PKCE challenge is sent.
    pub pkce: bool,
    /// Whether people see a sign-in page before Atlassian's.
    pub sign_in_page: bool,
    /// Where people land.
    pub landings: Landings,
    /// How long an account counts as new.
    pub new_user_until: NewUserUntil,
    /// How long sessions live.
    pub lifetimes: Lifetimes,
    /// How many sign-ins may begin at one client address, at once and again within a minute. No limit without.
    pub sign_in_rate: Option<NonZeroU32>,
}

/// What [`Auth`](super::Auth) is made of.
pub struct Parts {
    /// The operator's choices.
    pub settings: Settings,
    /// The session secrets.
    pub keys: KeyRing,
    /// The route table.
    pub routes: Routes,
    /// Who may sign in.
    pub access: AccessPolicy,
    /// What the upstream is told.
    pub presenter: Presenter,
    /// Atlassian.
    pub atlassian: Arc<dyn Identify>,
    /// What outlives a process.
    pub store: Arc<dyn Store>,
    /// What people see.
    pub pages: Pages,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is written down about people.
    pub audit: Arc<dyn Audit>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

/// The parts that follow from the configuration alone, and may therefore be others tomorrow. See [`Parts`].
pub struct Choices {
    /// The operator's choices.
    pub settings: Settings,
    /// The session secrets.
    pub keys: KeyRing,
    /// The route table.
    pub routes: Routes,
    /// Who may sign in.
    pub access: AccessPolicy,
    /// What the upstream is told.
    pub presenter: Presenter,
    /// Atlassian.
    pub atlassian: Arc<dyn Identify>,
    /// What people see.
    pub pages: Pages,
}

/// What stays as it is when the configuration changes.
pub(super) struct Around {
    pub(super) store: Arc<dyn Store>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) audit: Arc<dyn Audit>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) gate: Arc<Gate>,
    pub(super) budgets: Arc<Budgets>,
    pub(super) exchanges: Arc<Semaphore>,
}
