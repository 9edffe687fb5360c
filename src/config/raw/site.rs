//! `[session]`, `[new_user]`, `[pages]`, `[store]` and `[ops]` as typed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OneOrMany, RawSecret};

/// How long people stay signed in, and what protects their cookies.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawSession {
    /// What cookies are sealed with: at least 32 random characters, as `anteroom keygen` prints them. In a list the
    /// first seals and all open. Required, here or as `secret_file`.
    #[serde(skip_serializing)]
    #[schemars(with = "Option<OneOrMany<String>>")]
    pub(crate) secret: Option<OneOrMany<RawSecret>>,
    /// A file, or a list of files, with one secret per line.
    pub(crate) secret_file: Option<OneOrMany<String>>,
    /// Without a request for this long, a session is over.
    pub(crate) idle_timeout: String,
    /// Whatever happens, a session is over after this long. At most 90 days.
    pub(crate) max_lifetime: String,
    /// The domain above all hosts of `public_url` and `app_urls`, for one cookie that they share. Every host below it gets
    /// the cookie, whoever runs it. Without it each host has a cookie of its own, which is safer.
    pub(crate) cookie_domain: Option<String>,
}

/// How long an account counts as new.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawNewUser {
    /// Until when `X-Anteroom-New-User` is `true`.
    pub(crate) until: RawUntil,
}

/// When an account stops being new.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawUntil {
    /// The end of the first session, or the upstream's acknowledgement if that comes earlier.
    #[default]
    SessionEnd,
    /// The upstream's answer `X-Anteroom-Provisioned: true`, across sessions.
    Acknowledged,
}

/// Where people land, and what they see. A landing page is a path of the app, or an `https` URL of another site.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawPages {
    /// Where people land who asked for no page in particular. Without it: `/`.
    pub(crate) success: Option<String>,
    /// Where people land when a sign-in fails. A path of the app needs a public route. Without it: Anteroom's page.
    pub(crate) error: Option<String>,
    /// Where people land at their first sign-in.
    pub(crate) new_user: Option<String>,
    /// Whether Anteroom shows a welcome page at the first sign-in when `new_user` is not set.
    pub(crate) welcome: bool,
    /// Whether people see a sign-in page first. Otherwise they go straight to Atlassian.
    pub(crate) sign_in: bool,
    pub(crate) branding: RawBranding,
}

/// Whose app it is.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawBranding {
    /// The name of the app.
    pub(crate) name: Option<String>,
    /// An SVG, PNG, WebP or JPEG image of at most 256 KB.
    pub(crate) logo_file: Option<String>,
    /// The colour of buttons and links, as `#rrggbb`.
    pub(crate) colour: Option<String>,
    /// Where people find help: an `https:` or `mailto:` URL, an email address, or a line of text.
    pub(crate) support: Option<String>,
}

/// Where accounts and ended sessions are kept.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawStore {
    /// `file:PATH`, relative to the working folder, or `memory:`, which forgets everything at a restart.
    pub(crate) url: String,
}

/// Health, metrics, logs and the end of the process.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawOps {
    /// The address of `/livez`, `/readyz` and `/metrics`, or `off`.
    pub(crate) listen: String,
    /// How log lines are written.
    pub(crate) log_format: RawLogFormat,
    /// The least severe lines that are written.
    pub(crate) level: RawLevel,
    /// Whether every request is logged.
    pub(crate) access_log: bool,
    /// After SIGTERM: how long to go on accepting while saying "not ready".
    pub(crate) shutdown_delay: String,
    /// After that: how long requests may take to finish.
    pub(crate) drain_timeout: String,
    /// Whether a change of the file, or of a file that it names, is put in force by itself. SIGHUP does it either way.
    pub(crate) reload: bool,
    /// A Unix socket by which the next process takes over from this one without losing a request. Without it: none.
    pub(crate) upgrade_socket: Option<String>,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawLogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// How severe a log line is.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawLevel {
    /// Something failed.
    Error,
    /// Something is off.
    Warn,
    /// What happens.
    #[default]
    Info,
    /// How it happens.
    Debug,
    /// Everything.
    Trace,
}

impl Default for RawSession {
    fn default() -> Self {
        Self {
            secret: None,
            secret_file: None,
            idle_timeout: "8h".into(),
            max_lifetime: "7d".into(),
            cookie_domain: None,
        }
    }
}

impl Default for RawPages {
    fn default() -> Self {
        Self {
            success: None,
            error: None,
            new_user: None,
            welcome: true,
            sign_in: true,
            branding: RawBranding::default(),
        }
    }
}

impl Default for RawStore {
    fn default() -> Self {
        Self { url: "file:anteroom-data/accounts.redb".into() }
    }
}

impl Default for RawOps {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4181".into(),
            log_format: RawLogFormat::Json,
            level: RawLevel::Info,
            access_log: true,
            shutdown_delay: "5s".into(),
            drain_timeout: "20s".into(),
            reload: true,
            upgrade_socket: None,
        }
    }
}
