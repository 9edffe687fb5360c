//! What does the demo say about who came and went? One plain line per sign-in, refusal and sign-out, where `run` writes
//! the audit log.
//!
//! Must not: print a control character. Names and addresses come from a fixture, but the demo's terminal is a person's.

use std::io::{self, Write};
use std::net::IpAddr;

use crate::auth::audit::{Audit, AuditEvent};
use crate::clock::Timestamp;

/// Tells a person at a terminal.
pub(super) struct Narrator;

impl Audit for Narrator {
    fn record(&self, _at: Timestamp, _client: IpAddr, _request_id: &str, event: &AuditEvent<'_>) {
        // Nobody is there to be told.
        let _ = writeln!(io::stderr().lock(), "  {}", sentence(event));
    }
}

fn sentence(event: &AuditEvent<'_>) -> String {
    let who = |account_id: &str, email: Option<&str>| email.unwrap_or(account_id).escape_debug().to_string();
    match event {
        AuditEvent::SignedIn { account_id, email, new_user, .. } => {
            let new = if *new_user { ", new here" } else { "" };
            format!("signed in: {}{new}", who(account_id, *email))
        }
        AuditEvent::Refused { account_id, email, reason } => {
            format!("not let in: {} ({reason})", who(account_id, *email))
        }
        AuditEvent::SignInFailed { code } => format!("a sign-in came to nothing: {code}"),
        AuditEvent::HandedOff { account_id, app, .. } => {
            format!("handed over to {app}: {}", who(account_id, None))
        }
        AuditEvent::SignedOut { account_id, .. } => format!("signed out: {}", who(account_id, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_each_and_no_control_characters() {
        let (account_id, session) = ("557058:ada", "s");
        let signed_in = |email, new_user| AuditEvent::SignedIn {
            account_id,
            email,
            rule: "allow_any_atlassian_account",
            new_user,
            session,
        };
        for (event, want) in [
            (signed_in(Some("ada@example.com"), true), "signed in: ada@example.com, new here"),
            (signed_in(None, false), "signed in: 557058:ada"),
            (signed_in(Some("a\r\n\u{1b}[2J"), false), r"signed in: a\r\n\u{1b}[2J"),
            (
                AuditEvent::Refused { account_id, email: None, reason: "account_type" },
                "not let in: 557058:ada (account_type)",
            ),
            (
                AuditEvent::SignInFailed { code: "signin.declined" },
                "a sign-in came to nothing: signin.declined",
            ),
            (
                AuditEvent::HandedOff { account_id, app: "https://wiki.example.com", session },
                "handed over to https://wiki.example.com: 557058:ada",
            ),
            (AuditEvent::SignedOut { account_id, session }, "signed out: 557058:ada"),
        ] {
            assert_eq!(sentence(&event), want);
        }
    }
}
