//! What did the operator say? From a file, the environment and flags to a [`Config`] of domain types.
//!
//! Guarantees: a [`Config`] that exists is valid, and nothing in it is checked again; otherwise every mistake is
//! reported at once, with its place and its remedy ([`ConfigErrors`]); no message holds a secret.
//! Must not: touch the network, or read the process environment anywhere but in [`Environment::of_the_process`].
//!
//! As typed (`raw/`, with serde and schemars) → layers merged (`layers`, with figment) → as valid (`valid/`).

mod check;
mod convert;
mod environment;
mod file;
mod finding;
mod key;
mod layers;
mod profile;
mod raw;
mod reference;
mod shape;
mod sources;
mod valid;
mod variables;

use std::num::NonZeroU32;
use std::path::PathBuf;

pub use environment::{
    Environment, KUBERNETES_HOST, NOTIFY_SOCKET, SOCKET_NAMES, WATCHDOG_INTERVAL, WATCHDOG_PROCESS,
};
pub use finding::{ConfigErrors, Finding, Origin, Snippet, Warning};
pub use reference::reference;
pub use shape::json_schema;
pub use sources::Sources;
pub use valid::{
    AccessLogSchema, Atlassian, Audience, Balance, Branding, CertificateFiles, ClientCertificates, Dialect,
    Ejection, ForwardAuth, Headers, HealthCheck, Landing, Level, Limits, Listen, LogFormat, NewUser,
    NewUserUntil, Ops, Pages, Probes, Prompt, Protocol, Proxy, PublicUrl, Server, Session, StoreUrl,
    Timeouts, Tls, Tracing, Upstream, UpstreamTimeouts, UpstreamTls, WebSocketOrigins,
};

use crate::gate::{Route, Routes};
use crate::policy::AccessPolicy;
use check::Check;
use layers::Layers;

/// The file of a machine-wide installation.
pub const SYSTEM_FILE: &str = "/etc/anteroom/anteroom.toml";

/// A valid configuration.
#[derive(Debug)]
pub struct Config {
    /// Where people reach the app.
    pub public_url: PublicUrl,
    /// Further apps behind the same Anteroom; none of them is `public_url`, no two are the same.
    pub app_urls: Vec<PublicUrl>,
    /// The app registered at Atlassian.
    pub atlassian: Atlassian,
    /// The listener and the upstream of the reverse proxy; `None` when there is `forward_auth` alone.
    pub proxy: Option<Proxy>,
    /// The listener that gateways ask; `None` when there is `proxy` alone.
    pub forward_auth: Option<ForwardAuth>,
    /// Who may sign in; names somebody.
    pub access: AccessPolicy,
    /// How often one client address may begin to sign in within a minute; `None` for no limit.
    pub sign_in_rate: Option<NonZeroU32>,
    /// What each path demands, compiled.
    pub routes: Routes,
    /// The same rules in order, to be shown.
    pub route_table: Vec<Route>,
    /// What the upstream is told.
    pub headers: Headers,
    /// Keys and lifetimes of sessions.
    pub session: Session,
    /// How long an account counts as new.
    pub new_user: NewUser,
    /// Where people land, and what they see.
    pub pages: Pages,
    /// Where state is kept.
    pub store: StoreUrl,
    /// How Anteroom is watched and stopped.
    pub ops: Ops,
    /// What was read.
    pub read_from: ReadFrom,
}

/// The file and the profile that a configuration was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadFrom {
    /// The file, if there was one.
    pub file: Option<String>,
    /// The profile, if one was chosen.
    pub profile: Option<String>,
}

/// Where to look for the configuration.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// `--config`; else `ANTEROOM_CONFIG`, `anteroom.toml` in the working folder, [`SYSTEM_FILE`], or no file at all.
    pub config: Option<PathBuf>,
    /// `--profile`; else `ANTEROOM_PROFILE`, else none.
    pub profile: Option<String>,
    /// The environment.
    pub environment: Environment,
    /// The working folder, which relative paths count from; empty for the process's own.
    pub folder: PathBuf,
    /// Flags that set something, such as `--listen`.
    pub flags: Vec<Flag>,
}

/// A flag that sets something.
#[derive(Clone, Debug)]
pub struct Flag {
    /// As typed: `--listen`.
    pub name: &'static str,
    /// What it sets: `proxy.listen`.
    pub key: &'static str,
    /// To what.
    pub value: String,
}

impl Config {
    /// Reads all layers and checks everything. Reads files; makes no call to anywhere.
    pub fn load(options: &LoadOptions) -> Result<(Self, Vec<Warning>), ConfigErrors> {
        let alone = |finding: Box<Finding>| ConfigErrors::new(vec![*finding], Vec::new());
        let layers = Layers::read(options).map_err(alone)?;
        let raw = layers.extract().map_err(alone)?;
        let mut check = Check::new(&layers, &options.folder);
        let config = valid::config(&raw, layers.read_from(), &mut check);
        let warnings = check.finish()?;
        config.map(|config| (config, warnings)).ok_or_else(|| alone(Box::new(Finding::unexplained())))
    }
}
