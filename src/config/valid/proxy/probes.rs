//! `[proxy.probes]`, checked: paths that have one reading and belong to an app.

use std::net::SocketAddr;

use super::upstream::Upstream;
use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::RawProbes;
use crate::gate::Hosts;
use crate::net;

/// Which questions about the app are handed on without a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probes {
    /// Where they arrive.
    pub listen: SocketAddr,
    /// For which paths, exactly; at least one.
    pub paths: Vec<String>,
}

const TABLE: &str = "proxy.probes";

pub(super) fn check(raw: Option<&RawProbes>, check: &mut Check<'_>) -> Option<Option<Probes>> {
    let Some(raw) = raw else { return Some(None) };
    let listen = check.address("proxy.probes.listen", &raw.listen);
    let key = KeyPath::of(TABLE).key("paths");
    if raw.paths.is_empty() {
        let mistake = Mistake::new(
            "config.probe-path",
            format!("`{TABLE}` has no paths"),
            "Nothing would be handed on",
            "add for example paths = [\"/healthz\"], or remove the table",
        );
        return check.wrong(&key, mistake);
    }
    let mut good = true;
    for (at, path) in raw.paths.iter().enumerate() {
        if !net::plain_path(path) {
            let mistake = Mistake::new(
                "config.probe-path",
                format!("`{}` is not a plain path", key.at(at)),
                "It is compared byte by byte, without a query, and has to have one reading",
                "write for example \"/healthz\": from the first slash on, no ?, #, % or ;, no empty segment and no dots alone",
            );
            good = check.wrong(&key.at(at), mistake.showing_the_value()).unwrap_or(false);
        }
    }
    let listen = listen?;
    good.then(|| Some(Probes { listen, paths: raw.paths.clone() }))
}

/// Refuses paths that belong to no app: a probe names no host of the site.
pub(super) fn somebody_answers(probes: &Probes, upstreams: &[Upstream], check: &mut Check<'_>) {
    let key = KeyPath::of(TABLE).key("paths");
    for (at, path) in probes.paths.iter().enumerate() {
        let under = |upstream: &&Upstream| {
            let rest = path.strip_prefix(upstream.path.trim_end_matches('/'));
            upstream.hosts == Hosts::Any && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if upstreams.iter().find(under).is_none() {
            let mistake = Mistake::new(
                "config.probe-path",
                format!("`{}` belongs to no upstream", key.at(at)),
                "Probes name no host, so only upstreams without `hosts` are asked",
                "remove it, or add an upstream without `hosts` whose `path` it is under",
            );
            check.wrong::<()>(&key.at(at), mistake.showing_the_value());
        }
    }
}
