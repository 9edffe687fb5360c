//! What is written down about people? One event per sign-in, refusal, failure, hand-off and sign-out.
//!
//! Events hold who and why, never a code, token, cookie or query. Writing is the shell's business.

use std::net::IpAddr;

use crate::clock::Timestamp;

/// Something that an operator may have to account for later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditEvent<'a> {
    /// Somebody was let in.
    SignedIn {
        /// Atlassian account ID.
        account_id: &'a str,
        /// Email address, if any.
        email: Option<&'a str>,
        /// The access rule that let them in (its configuration key).
        rule: &'static str,
        /// Whether the account counts as new.
        new_user: bool,
        /// The session's ID: not a credential.
        session: &'a str,
    },
    /// Atlassian vouched for somebody who may not come in.
    Refused {
        /// Atlassian account ID.
        account_id: &'a str,
        /// Email address, if any.
        email: Option<&'a str>,
        /// `policy::DenyReason::as_str`.
        reason: &'static str,
    },
    /// A sign-in came to nothing before anybody was identified.
    SignInFailed {
        /// `pages::Problem::code`.
        code: &'static str,
    },
    /// A session got a cookie at an app's host.
    HandedOff {
        /// Atlassian account ID.
        account_id: &'a str,
        /// The app's origin.
        app: &'a str,
        /// The session's ID.
        session: &'a str,
    },
    /// Somebody ended their session.
    SignedOut {
        /// Atlassian account ID.
        account_id: &'a str,
        /// The session's ID.
        session: &'a str,
    },
}

/// Where events go. Must not block: a full queue drops and counts.
pub trait Audit: Send + Sync + 'static {
    /// Writes one event down.
    fn record(&self, at: Timestamp, client: IpAddr, request_id: &str, event: &AuditEvent<'_>);
}
