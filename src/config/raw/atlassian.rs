//! `[atlassian]` as typed. Source: <https://developer.atlassian.com/cloud/jira/platform/oauth-2-3lo-apps/>.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RawSecret;

/// The app that is registered in the Atlassian developer console.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawAtlassian {
    /// The client ID from the app's settings. `PROVIDER_ATLASSIAN_CLIENT_ID` is read too. Required.
    pub(crate) client_id: Option<String>,
    /// The secret from the app's settings. `PROVIDER_ATLASSIAN_CLIENT_SECRET` is read too. Required, here or as
    /// `client_secret_file`.
    #[serde(skip_serializing)]
    #[schemars(with = "Option<String>")]
    pub(crate) client_secret: Option<RawSecret>,
    /// A file that holds the secret and nothing else; one newline at its end is dropped.
    pub(crate) client_secret_file: Option<String>,
    /// Scopes to ask for besides `read:me`, which is always asked for. Each must have been added to the app in the
    /// developer console.
    pub(crate) scopes: Vec<String>,
    /// What Atlassian asks the person for. Without it, Atlassian decides.
    pub(crate) prompt: Option<RawPrompt>,
    /// Whether to send a PKCE challenge (RFC 7636, S256).
    pub(crate) pkce: bool,
    /// Where people sign in. Differs for Atlassian Government Cloud.
    pub(crate) auth_url: String,
    /// Where profiles are read. Differs for Atlassian Government Cloud.
    pub(crate) api_url: String,
    /// The `audience` that is asked for. Differs for Atlassian Government Cloud.
    pub(crate) audience: String,
    /// The proxy that lets requests to Atlassian out of this network, for example `http://proxy.example.com:3128`. It is
    /// asked for a tunnel (CONNECT) and sees no secret. Without it they go directly; `HTTPS_PROXY` is not heeded.
    pub(crate) https_proxy: Option<String>,
    /// The path of the callback URL that is registered in the developer console. Atlassian compares it exactly.
    pub(crate) callback_path: String,
    /// How long one call to Atlassian may take.
    pub(crate) timeout: String,
}

/// The OAuth `prompt` parameter.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawPrompt {
    /// Ask for consent at every sign-in.
    Consent,
    /// Ask for nothing; fail if something would have to be asked.
    None,
    /// Ask for the password again.
    Login,
    /// Ask which account to use.
    SelectAccount,
}

impl Default for RawAtlassian {
    fn default() -> Self {
        Self {
            client_id: None,
            client_secret: None,
            client_secret_file: None,
            scopes: Vec::new(),
            prompt: None,
            pkce: true,
            auth_url: "https://auth.atlassian.com".into(),
            api_url: "https://api.atlassian.com".into(),
            audience: "api.atlassian.com".into(),
            https_proxy: None,
            callback_path: "/api/auth/callback/atlassian".into(),
            timeout: "10s".into(),
        }
    }
}
