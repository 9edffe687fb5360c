//! `[forward_auth]` as typed: the listener that gateways ask, and who may ask.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RawSecret;

/// The listener on which a gateway asks whether a request may pass. On when the table is there.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawForwardAuth {
    /// Where to listen: an address and port, `unix:/path/of.sock`, `systemd` for the one socket that systemd hands over,
    /// or `systemd:NAME` for the one with this `FileDescriptorName=`.
    pub(crate) listen: String,
    /// The permissions of a `unix:` socket, in octal. Whoever may write to it can ask.
    pub(crate) unix_mode: String,
    /// The gateways, whose word about a request counts: addresses, networks such as `10.0.0.0/8`, and `unix` for whoever
    /// reaches a Unix socket. Required; everybody else is refused.
    pub(crate) trusted_proxies: Vec<String>,
    /// A secret of at least 32 characters that gateways have to send as `X-Anteroom-Gateway-Key`, for networks where
    /// addresses prove little.
    #[serde(skip_serializing)]
    #[schemars(with = "Option<String>")]
    pub(crate) key: Option<RawSecret>,
    /// A file that holds the key and nothing else; one newline at its end is dropped.
    pub(crate) key_file: Option<String>,
    /// Whether `/oauth2/*` answers as oauth2-proxy does, and how `/oauth2/auth` is asked. Adds the preset `auth-request`
    /// to the headers.
    pub(crate) oauth2_proxy: RawOauth2Proxy,
}

/// How `/oauth2/auth` is asked.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawOauth2Proxy {
    /// Not at all.
    #[default]
    Off,
    /// By nginx, which sends `X-Original-URL` and `X-Original-Method`.
    Nginx,
    /// By Traefik, Caddy or HAProxy, which send `X-Forwarded-*`.
    Forward,
}

impl Default for RawForwardAuth {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4182".into(),
            unix_mode: "0660".into(),
            trusted_proxies: Vec::new(),
            key: None,
            key_file: None,
            oauth2_proxy: RawOauth2Proxy::Off,
        }
    }
}
