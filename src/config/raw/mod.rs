//! The configuration as typed: what serde reads, before anything is checked. The doc comments of this folder are the
//! descriptions in the JSON Schema and in `docs/reference/config.md`; the defaults are the defaults.

mod atlassian;
mod forward_auth;
mod ops;
mod proxy;
mod rules;
mod site;
mod size;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::SecretString;

pub(crate) use atlassian::{RawAtlassian, RawPrompt};
pub(crate) use forward_auth::{RawForwardAuth, RawOauth2Proxy};
pub(crate) use ops::{RawAccessLogSchema, RawLevel, RawLogFormat, RawOps, RawTracing};
pub(crate) use proxy::{
    RawBalance, RawCertificate, RawClientCertificates, RawClientHeader, RawEjection, RawHealth, RawLimits,
    RawProbes, RawProtocol, RawProxy, RawTimeouts, RawTls, RawTlsVersion, RawUpstream, RawUpstreamTimeouts,
};
pub(crate) use rules::{RawAccess, RawHeaders, RawPreset, RawRoute, RawRouteAccess, RawUser};
pub(crate) use site::{RawNewUser, RawPages, RawSession, RawStore, RawUntil};
pub(crate) use size::{RawHeaderFiles, RawSecretHeaders, RawSize};

/// Anteroom reads TOML. A table that is not listed here is a profile: the same settings again, laid over the others
/// when `--profile` or `ANTEROOM_PROFILE` names it, for example `[production.atlassian]`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawConfig {
    /// The address under which people reach the app: scheme, host and, if unusual, port. `https`, or `http` on
    /// `localhost`, names below it and loopback addresses. The callback URL and the cookies follow from it. Required.
    pub(crate) public_url: Option<String>,
    /// Further addresses of apps behind the same Anteroom, written as `public_url` is: the one that Atlassian sends people
    /// back to, for all of them.
    pub(crate) app_urls: Vec<String>,
    pub(crate) atlassian: RawAtlassian,
    pub(crate) proxy: RawProxy,
    pub(crate) forward_auth: Option<RawForwardAuth>,
    pub(crate) access: RawAccess,
    /// What each path demands. The first rule that matches counts; a path without one demands a session.
    pub(crate) routes: Vec<RawRoute>,
    pub(crate) headers: RawHeaders,
    pub(crate) session: RawSession,
    pub(crate) new_user: RawNewUser,
    pub(crate) pages: RawPages,
    pub(crate) store: RawStore,
    pub(crate) ops: RawOps,
}

/// A secret as typed; not shown, not written.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub(crate) struct RawSecret(pub(crate) SecretString);

impl From<String> for RawSecret {
    fn from(text: String) -> Self {
        Self(SecretString::from(text))
    }
}

/// One value, or a list of them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// The values, in order, each with its index when they stand in a list.
    pub(crate) fn indexed(&self) -> Vec<(Option<usize>, &T)> {
        match self {
            Self::One(value) => vec![(None, value)],
            Self::Many(values) => values.iter().enumerate().map(|(at, v)| (Some(at), v)).collect(),
        }
    }
}
