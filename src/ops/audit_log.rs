//! Who was let in, turned away or signed out? One JSON line per event, on stdout, whatever the log format.
//!
//! Names follow the Elastic Common Schema for `event.category: authentication`
//! (<https://www.elastic.co/guide/en/ecs/current/ecs-allowed-values-event-category.html>); `docs/reference/logs.md`
//! lists them. A line never holds a code, token, cookie or query: an [`AuditEvent`] has no place for them.

use std::net::IpAddr;

use serde::Serialize;

use super::line;
use super::line_writer::Lines;
use crate::auth::audit::{Audit, AuditEvent};
use crate::clock::Timestamp;

/// Writes events into a queue; give it [`super::LineWriter::reserved_lines`].
#[derive(Clone, Debug)]
pub struct AuditLog(Lines);

impl AuditLog {
    /// Into this queue.
    pub fn new(lines: Lines) -> Self {
        Self(lines)
    }
}

impl Audit for AuditLog {
    fn record(&self, at: Timestamp, client: IpAddr, request_id: &str, event: &AuditEvent<'_>) {
        let record = Record::new(at, client, request_id, event);
        line::build(|out| line::json(out, &record), |line| self.0.push(line));
    }
}

/// An event under the names of the log.
#[derive(Serialize)]
struct Record<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: line::Time,
    #[serde(rename = "event.dataset")]
    dataset: &'static str,
    #[serde(rename = "event.kind")]
    kind: &'static str,
    #[serde(rename = "event.category")]
    category: [&'static str; 1],
    #[serde(rename = "event.type")]
    types: [&'static str; 1],
    #[serde(rename = "event.action")]
    action: &'static str,
    #[serde(rename = "event.outcome")]
    outcome: &'static str,
    #[serde(rename = "event.reason", skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(rename = "http.request.id")]
    request_id: &'a str,
    #[serde(rename = "source.ip")]
    client: IpAddr,
    #[serde(rename = "user.id", skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(rename = "user.email", skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(rename = "anteroom.session.id", skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(rename = "anteroom.app", skip_serializing_if = "Option::is_none")]
    app: Option<&'a str>,
    #[serde(rename = "anteroom.rule", skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    #[serde(rename = "anteroom.new_user", skip_serializing_if = "Option::is_none")]
    new_user: Option<bool>,
}

impl<'a> Record<'a> {
    fn new(at: Timestamp, client: IpAddr, request_id: &'a str, event: &AuditEvent<'a>) -> Self {
        let nobody = Self {
            timestamp: line::timestamp(at.as_secs().saturating_mul(1000)),
            dataset: "anteroom.audit",
            kind: "event",
            category: ["authentication"],
            types: ["start"],
            action: "sign-in",
            outcome: "failure",
            reason: None,
            request_id,
            client,
            account_id: None,
            email: None,
            session: None,
            app: None,
            rule: None,
            new_user: None,
        };
        match *event {
            AuditEvent::SignedIn { account_id, email, rule, new_user, session } => Self {
                outcome: "success",
                account_id: Some(account_id),
                email,
                rule: Some(rule),
                new_user: Some(new_user),
                session: Some(session),
                ..nobody
            },
            AuditEvent::Refused { account_id, email, reason } => Self {
                action: "sign-in-refused",
                reason: Some(reason),
                account_id: Some(account_id),
                email,
                ..nobody
            },
            AuditEvent::SignInFailed { code } => {
                Self { action: "sign-in-failed", reason: Some(code), ..nobody }
            }
            AuditEvent::HandedOff { account_id, app, session } => Self {
                action: "hand-off",
                outcome: "success",
                account_id: Some(account_id),
                session: Some(session),
                app: Some(app),
                ..nobody
            },
            AuditEvent::SignedOut { account_id, session } => Self {
                types: ["end"],
                action: "sign-out",
                outcome: "success",
                account_id: Some(account_id),
                session: Some(session),
                ..nobody
            },
        }
    }
}
