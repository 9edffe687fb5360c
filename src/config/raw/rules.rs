//! `[access]`, `[[routes]]` and `[headers]` as typed: who may come in, where, and what the upstream is told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may sign in: everybody whom one of the rules names. Without a rule Anteroom does not start.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawAccess {
    /// Everybody with an Atlassian account. Anybody on the internet can make one.
    pub(crate) allow_any_atlassian_account: bool,
    /// Everybody with a verified email address at exactly these domains. Subdomains need entries of their own.
    pub(crate) email_domains: Vec<String>,
    /// The people with these email addresses, once verified.
    pub(crate) emails: Vec<String>,
    /// The people with these Atlassian account IDs.
    pub(crate) account_ids: Vec<String>,
    /// Whether the email rules also count for addresses that Atlassian does not say are verified.
    pub(crate) allow_unverified_emails: bool,
    /// Account types that may sign in besides `atlassian`, for example `customer`.
    pub(crate) allow_account_types: Vec<String>,
    /// Account statuses that may sign in besides `active`.
    pub(crate) allow_account_statuses: Vec<String>,
    /// How often one client address may begin to sign in within a minute; beyond it 429. 0 for no limit.
    /// Ten times as often for all behind a proxy in front that does not say whom its requests are from.
    pub(crate) sign_in_rate: u64,
}

/// One rule about paths. It has exactly one of `path`, `prefix` and `glob`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawRoute {
    /// This path and no other.
    pub(crate) path: Option<String>,
    /// This path and everything below it.
    pub(crate) prefix: Option<String>,
    /// `*` stands for anything within a segment, `**` across segments.
    pub(crate) glob: Option<String>,
    /// The methods it speaks for, in capitals. Without it: all. `GET` does not include `HEAD`.
    pub(crate) methods: Option<Vec<String>>,
    /// The hosts it speaks for, of those in `public_url` and `app_urls`. Without it: all.
    pub(crate) hosts: Option<Vec<String>>,
    /// What it demands. Required.
    pub(crate) access: Option<RawRouteAccess>,
}

/// What a route demands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawRouteAccess {
    /// Anybody may pass.
    Public,
    /// A session is needed.
    SignedIn,
    /// Nobody may pass.
    Deny,
}

/// What the upstream is told about the person.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawHeaders {
    /// Sets of header names that the upstream may already understand.
    pub(crate) presets: Vec<RawPreset>,
    /// What the `…-User` headers of the other presets carry.
    pub(crate) user: RawUser,
    /// Whether to send the signed `X-Anteroom-Assertion`.
    pub(crate) assertion: bool,
    /// The `aud` of the assertion. Without it: the origin of the app that the request is for.
    pub(crate) audience: Option<String>,
    pub(crate) names: RawHeaderNames,
}

/// Header names of your own for each fact, besides the presets.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawHeaderNames {
    /// The Atlassian account ID.
    pub(crate) account_id: Vec<String>,
    /// The email address.
    pub(crate) email: Vec<String>,
    /// `true`, `false` or `unknown`.
    pub(crate) email_verified: Vec<String>,
    /// The display name, percent-encoded beyond ASCII.
    pub(crate) name: Vec<String>,
    /// The URL of the avatar.
    pub(crate) picture: Vec<String>,
    /// `true` or `false`.
    pub(crate) new_user: Vec<String>,
}

/// A set of header names.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawPreset {
    /// `X-Anteroom-Account-Id`, `-Email`, `-Email-Verified`, `-Name`, `-Picture`, `-New-User`.
    Anteroom,
    /// `X-Forwarded-User`, `-Email`, `-Preferred-Username`.
    Forwarded,
    /// `X-Auth-Request-User`, `-Email`, `-Preferred-Username`.
    AuthRequest,
    /// `Remote-User`, `-Email`, `-Name`.
    Remote,
}

/// What a user header carries.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawUser {
    /// The Atlassian account ID, which never changes.
    #[default]
    AccountId,
    /// The email address, which may change or be absent.
    Email,
}

impl Default for RawAccess {
    fn default() -> Self {
        Self {
            allow_any_atlassian_account: false,
            email_domains: Vec::new(),
            emails: Vec::new(),
            account_ids: Vec::new(),
            allow_unverified_emails: false,
            allow_account_types: Vec::new(),
            allow_account_statuses: Vec::new(),
            sign_in_rate: 120,
        }
    }
}

impl Default for RawHeaders {
    fn default() -> Self {
        Self {
            presets: vec![RawPreset::Anteroom],
            user: RawUser::AccountId,
            assertion: true,
            audience: None,
            names: RawHeaderNames::default(),
        }
    }
}
