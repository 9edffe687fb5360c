//! What can be made to go wrong, or merely different? Every behaviour that the real Atlassian varies, or that nobody
//! has been able to observe, is a switch with the likeliest value as its default.
//!
//! JSON form (`GET`/`PUT /_emulator/switches`): the same names; a `PUT` replaces only the switches it names.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// All switches. `Default` is the real service on a good day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Switches {
    /// Faults, per endpoint.
    pub faults: BTreeMap<Endpoint, Fault>,
    /// Milliseconds to wait before an endpoint answers, faulty or not.
    pub latency_ms: BTreeMap<Endpoint, u64>,

    /// The only accepted `audience`.
    pub audience: String,
    /// What an automatic consent presses.
    pub decision: Decision,
    /// `error_description` of a declined consent.
    pub decline_description: String,
    /// What comes back as `state`.
    pub state: StateEcho,
    /// `prompt=none` that cannot be met: back to the callback, or the error page.
    pub prompt_none: PromptNone,
    /// Seconds before a consent page is too old to answer.
    pub consent_ttl_secs: u64,
    /// Every consent needs a usable site, even for `read:me` alone.
    pub site_always_needed: bool,

    /// Seconds a code can be exchanged.
    pub code_ttl_secs: u64,
    /// What a code looks like.
    pub code_shape: CodeShape,
    /// Codes arrive already used, as though somebody had been quicker.
    pub code_spent: bool,
    /// Status of a refused code: 403 or 400.
    pub code_error_status: u16,
    /// Whether a code's PKCE challenge is checked.
    pub pkce: Pkce,

    /// How the token answer names its type.
    pub token_type: TokenType,
    /// The token answer lists its scopes backwards.
    pub scopes_reversed: bool,
    /// Seconds an access token lives.
    pub access_token_ttl_secs: u64,
    /// Least size of an access token in bytes; kept within 1,024 and 8,192.
    pub access_token_bytes: usize,

    /// Seconds that a rotated refresh token still works.
    pub refresh_leeway_secs: u64,
    /// Seconds after which an unused refresh token is dead.
    pub refresh_inactivity_secs: u64,
    /// Seconds after which a refresh token family is dead, however used; absent: never.
    pub refresh_absolute_secs: Option<u64>,
    /// Every refresh token is dead.
    pub refresh_dead: bool,
    /// Body of a refused refresh.
    pub refresh_error: RefreshError,
    /// Another app under the same client id consented to these scopes only; grants hold no others.
    pub narrowed_scopes: Option<Vec<String>>,

    /// Status of `/me` without `read:me`: 401 or 403.
    pub me_scope_status: u16,
    /// Status of a revoked token at the API: 401 or 403.
    pub revoked_status: u16,
    /// `accessible-resources` answers 403 "Unauthorized".
    pub resources_forbidden: bool,
    /// Status for a cloud id outside the token: 404 or 401.
    pub foreign_site_status: u16,
    /// What `POST /oauth/revoke` does.
    pub revoke: Revoke,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            faults: BTreeMap::new(),
            latency_ms: BTreeMap::new(),
            audience: "api.atlassian.com".to_owned(),
            decision: Decision::Accept,
            decline_description: "User did not authorize the request".to_owned(),
            state: StateEcho::Echoed,
            prompt_none: PromptNone::Redirect,
            consent_ttl_secs: 600,
            site_always_needed: false,
            code_ttl_secs: 60,
            code_shape: CodeShape::Jwt,
            code_spent: false,
            code_error_status: 403,
            pkce: Pkce::Checked,
            token_type: TokenType::Bearer,
            scopes_reversed: false,
            access_token_ttl_secs: 3600,
            access_token_bytes: 2560,
            refresh_leeway_secs: 600,
            refresh_inactivity_secs: 90 * 86_400,
            refresh_absolute_secs: None,
            refresh_dead: false,
            refresh_error: RefreshError::A,
            narrowed_scopes: None,
            me_scope_status: 401,
            revoked_status: 401,
            resources_forbidden: false,
            foreign_site_status: 404,
            revoke: Revoke::NoEffect,
        }
    }
}

impl Switches {
    /// The fault that applies to an endpoint: its own, or that of [`Endpoint::All`].
    pub fn fault(&self, endpoint: Endpoint) -> Option<&Fault> {
        self.faults.get(&endpoint).or_else(|| self.faults.get(&Endpoint::All))
    }

    /// How long an endpoint waits: its own latency, or that of [`Endpoint::All`].
    pub fn latency(&self, endpoint: Endpoint) -> Duration {
        let millis = self.latency_ms.get(&endpoint).or_else(|| self.latency_ms.get(&Endpoint::All));
        Duration::from_millis(millis.copied().unwrap_or(0))
    }
}

/// Where a fault or a latency applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// Every endpoint that has none of its own, pages included; never `/_emulator`.
    All,
    /// `/authorize`, log-in, consent and error pages.
    Authorize,
    /// `POST /oauth/token`.
    Token,
    /// `POST /oauth/revoke`.
    Revoke,
    /// `GET /me`.
    Me,
    /// `GET /oauth/token/accessible-resources`.
    Resources,
    /// `/ex/jira/…`.
    Jira,
    /// `/ex/confluence/…`.
    Confluence,
    /// Discovery and JWKS.
    Discovery,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Fault {
    /// The connection closes without an answer.
    Drop,
    /// The connection starts with a TLS alert where an answer belongs.
    TlsAlert,
    /// 502 with a gateway's HTML page.
    Html502,
    /// This status with a JSON body.
    Status {
        /// 400–599.
        status: u16,
    },
    /// 200 with a body that is not JSON.
    NotJson,
    /// 302; a client that follows it with the request's body gives its secret away.
    Redirect {
        /// Absolute URL.
        to: String,
    },
    /// 429 with the rate-limit headers of the Jira Cloud documentation.
    RateLimited {
        /// `Retry-After`, seconds.
        retry_after_secs: u64,
    },
    /// 200 and a body without end, until the client leaves.
    Endless,
}

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }
    )+};
}

choices! {
    /// What the consenting user does when nobody is there to click.
    Decision {
        /// Accept.
        Accept,
        /// Cancel.
        Decline,
    }
    /// What becomes of `state`.
    StateEcho {
        /// Comes back as sent.
        Echoed,
        /// Is lost.
        Missing,
        /// Comes back as another.
        Forged,
    }
    /// Where an impossible `prompt=none` ends.
    PromptNone {
        /// Callback with `login_required` or `consent_required`.
        Redirect,
        /// The error page.
        ErrorPage,
    }
    /// What an authorization code looks like. Clients must take any.
    CodeShape {
        /// Some 700 bytes in three dotted parts, as today.
        Jwt,
        /// 32 bytes, as in years past.
        Opaque,
        /// 6 KiB in three dotted parts.
        Huge,
    }
    /// PKCE (RFC 7636) at the token endpoint.
    Pkce {
        /// A code that had a challenge needs its verifier.
        Checked,
        /// Neither is looked at.
        Ignored,
    }
    /// `token_type` of a token answer.
    TokenType {
        /// `Bearer`
        Bearer,
        /// `bearer`
        Lowercase,
        /// Not there, as in the documentation's example.
        Omitted,
    }
    /// The two bodies seen for a dead refresh token, both with 403.
    RefreshError {
        /// `invalid_grant`, "Unknown or invalid refresh token."
        A,
        /// `unauthorized_client`, "refresh_token is invalid"
        B,
    }
    /// `POST /oauth/revoke`, which discovery advertises and no page documents.
    Revoke {
        /// 200, and nothing happens.
        NoEffect,
        /// 200, and the token's grant is gone.
        Effective,
        /// 400.
        Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_round_trips_and_refuses_strangers() {
        let mut switches = Switches::default();
        switches.faults.insert(Endpoint::Token, Fault::Redirect { to: "http://x/".into() });
        let json = serde_json::to_string(&switches).unwrap();
        assert_eq!(serde_json::from_str::<Switches>(&json).unwrap(), switches);
        assert!(serde_json::from_str::<Switches>(r#"{"colour":1}"#).is_err());
    }

    #[test]
    fn an_endpoint_of_its_own_wins_over_all() {
        let mut switches = Switches::default();
        switches.faults.insert(Endpoint::All, Fault::Drop);
        switches.faults.insert(Endpoint::Me, Fault::NotJson);
        assert_eq!(switches.fault(Endpoint::Me), Some(&Fault::NotJson));
        assert_eq!(switches.fault(Endpoint::Jira), Some(&Fault::Drop));
    }
}
