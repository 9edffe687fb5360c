//! `health` and `ejection` of an upstream, checked: questions that have an answer before the next one.

use std::time::Duration;

use super::limits;
use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::{RawEjection, RawHealth};

/// A question asked of every server from time to time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// Path and query.
    pub path: String,
    /// How often.
    pub interval: Duration,
    /// How long the answer may take; at most `interval`.
    pub timeout: Duration,
    /// So many good answers in a row bring a server back.
    pub healthy_after: u32,
    /// So many bad ones in a row take it out.
    pub unhealthy_after: u32,
}

/// When a server that fails is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// After so many failures in a row; never, when 0.
    pub failures: u32,
    /// For so long.
    pub duration: Duration,
}

const HOUR: Duration = Duration::from_secs(60 * 60);

pub(super) fn check(
    raw: Option<&RawHealth>,
    table: &KeyPath,
    check: &mut Check<'_>,
) -> Option<Option<HealthCheck>> {
    let Some(raw) = raw else { return Some(None) };
    let key = |name: &str| table.key(name);
    let interval = check.span_at(&key("interval"), &raw.interval, HOUR);
    let timeout = check.span_at(&key("timeout"), &raw.timeout, HOUR);
    let healthy_after = limits::number(&key("healthy_after"), raw.healthy_after, 1, 100, check);
    let unhealthy_after = limits::number(&key("unhealthy_after"), raw.unhealthy_after, 1, 100, check);
    let path = raw
        .path
        .clone()
        .filter(|path| path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic() && b != b'#'));
    if path.is_none() {
        let mistake = Mistake::new(
            "config.upstream-health",
            format!("`{table}` does not say which path to ask"),
            "Whether a server is well would be a guess",
            "add path = \"/healthz\", with the path at which the app says so",
        );
        let at = if raw.path.is_some() { key("path") } else { table.clone() };
        check.wrong::<()>(&at, mistake.showing_the_value());
    }
    let (interval, timeout) = (interval?, timeout?);
    if timeout > interval {
        let mistake = Mistake::new(
            "config.upstream-health",
            format!("`{table}.timeout` is longer than `{table}.interval`"),
            "The next question would be due before the answer",
            "write a shorter timeout, or a longer interval",
        );
        return check.wrong(&key("timeout"), mistake.showing_the_value());
    }
    let (healthy_after, unhealthy_after) = (healthy_after?, unhealthy_after?);
    Some(Some(HealthCheck { path: path?, interval, timeout, healthy_after, unhealthy_after }))
}

pub(super) fn ejection(raw: &RawEjection, table: &KeyPath, check: &mut Check<'_>) -> Option<Ejection> {
    let failures = limits::number(&table.key("failures"), raw.failures, 0, 1_000, check);
    let duration = check.span_at(&table.key("duration"), &raw.duration, HOUR);
    Some(Ejection { failures: failures?, duration: duration? })
}
