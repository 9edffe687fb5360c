//! What can go wrong in a sign-in, as people are told it? Each with a stable code and a status.
//!
//! Codes are a contract: people quote them and scripts search for them. The texts are in the message files. What
//! Atlassian or the browser sent is never shown.

use http::StatusCode;

/// Why a sign-in ended on the error page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// The person said no at Atlassian (`access_denied` at the callback).
    Declined,
    /// The callback came without the cookie of its flow.
    FlowLost,
    /// The flow was started too long ago.
    FlowExpired,
    /// The state is not the one this browser was given.
    StateMismatch,
    /// The state, or a hand-off's code, was used before.
    StateReplayed,
    /// The ticket or code between two hosts is not one of ours.
    HandOffRefused,
    /// The callback lacks `code` or `state`, or has them twice.
    MalformedCallback,
    /// The token endpoint answered 401 `access_denied`: client ID and secret do not fit.
    AtlassianRefusedClient,
    /// The token endpoint did not accept the code.
    AtlassianRefusedCode,
    /// The Atlassian app lacks a scope that is needed to read the profile.
    AtlassianScopeMissing,
    /// Atlassian did not answer, or answered 5xx.
    AtlassianUnavailable,
    /// Atlassian's answer could not be understood.
    AtlassianUnintelligible,
    /// Another `error=` at the callback.
    AtlassianReported,
    /// The store could not record the sign-in.
    StoreUnavailable,
    /// The browser keeps none of our cookies.
    CookiesBlocked,
    /// Too many sign-ins began at one address.
    TooManySignIns,
    /// A mistake of ours.
    Internal,
}

impl Problem {
    /// What the operator can mend, and what nobody from outside can bring about: alerts are about these.
    pub const FOR_THE_OPERATOR: [Self; 5] = [
        Self::AtlassianRefusedClient,
        Self::AtlassianScopeMissing,
        Self::AtlassianUnavailable,
        Self::AtlassianUnintelligible,
        Self::StoreUnavailable,
    ];

    /// Every problem, for tables and tests.
    pub const ALL: [Self; 17] = [
        Self::Declined,
        Self::FlowLost,
        Self::FlowExpired,
        Self::StateMismatch,
        Self::StateReplayed,
        Self::HandOffRefused,
        Self::MalformedCallback,
        Self::AtlassianRefusedClient,
        Self::AtlassianRefusedCode,
        Self::AtlassianScopeMissing,
        Self::AtlassianUnavailable,
        Self::AtlassianUnintelligible,
        Self::AtlassianReported,
        Self::StoreUnavailable,
        Self::CookiesBlocked,
        Self::TooManySignIns,
        Self::Internal,
    ];

    /// The stable code: `area.what`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Declined => "signin.declined",
            Self::FlowLost => "signin.flow_lost",
            Self::FlowExpired => "signin.flow_expired",
            Self::StateMismatch => "signin.state_mismatch",
            Self::StateReplayed => "signin.state_replayed",
            Self::HandOffRefused => "signin.hand_off_refused",
            Self::MalformedCallback => "signin.malformed_callback",
            Self::AtlassianRefusedClient => "atlassian.refused_client",
            Self::AtlassianRefusedCode => "atlassian.refused_code",
            Self::AtlassianScopeMissing => "atlassian.scope_missing",
            Self::AtlassianUnavailable => "atlassian.unavailable",
            Self::AtlassianUnintelligible => "atlassian.unintelligible",
            Self::AtlassianReported => "atlassian.reported_error",
            Self::StoreUnavailable => "store.unavailable",
            Self::CookiesBlocked => "signin.cookies_blocked",
            Self::TooManySignIns => "signin.too_many",
            Self::Internal => "internal",
        }
    }

    /// 400 where the browser's side has to change, 403 for a no, 429 for too much, 502 for a wrong answer from Atlassian (including the
    /// one that a wrong secret causes), 503 for none, 500 for us.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Declined => StatusCode::FORBIDDEN,
            Self::FlowLost
            | Self::FlowExpired
            | Self::StateMismatch
            | Self::StateReplayed
            | Self::HandOffRefused
            | Self::MalformedCallback
            | Self::AtlassianRefusedCode
            | Self::AtlassianReported
            | Self::CookiesBlocked => StatusCode::BAD_REQUEST,
            Self::AtlassianRefusedClient | Self::AtlassianScopeMissing | Self::AtlassianUnintelligible => {
                StatusCode::BAD_GATEWAY
            }
            Self::AtlassianUnavailable | Self::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooManySignIns => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Why an account that Atlassian vouches for is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotAllowedReason {
    /// No rule of `[access]` admits it.
    RuleDenied,
    /// A rule would admit the email address, but Atlassian has not verified it.
    EmailUnverified,
    /// Not a person's account (`account_type` other than `atlassian`).
    AccountType,
    /// Not an active account (`account_status` other than `active`).
    AccountStatus,
}

impl NotAllowedReason {
    /// Every reason, for tables and tests.
    pub const ALL: [Self; 4] =
        [Self::RuleDenied, Self::EmailUnverified, Self::AccountType, Self::AccountStatus];

    /// The stable code: `access.what`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::RuleDenied => "access.rule_denied",
            Self::EmailUnverified => "access.email_unverified",
            Self::AccountType => "access.account_type",
            Self::AccountStatus => "access.account_status",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_distinct_and_statuses_are_errors() {
        let codes: HashSet<_> = Problem::ALL
            .iter()
            .map(|p| p.code())
            .chain(NotAllowedReason::ALL.iter().map(|r| r.code()))
            .collect();
        assert_eq!(codes.len(), Problem::ALL.len() + NotAllowedReason::ALL.len());
        assert!(Problem::ALL.iter().all(|p| p.status().is_client_error() || p.status().is_server_error()));
    }
}
