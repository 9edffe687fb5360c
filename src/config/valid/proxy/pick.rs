//! Which upstream is a request for? Host and path of each, checked by itself and against the others.
//!
//! Guarantees: no two are for the same host and path, so that the order in the file decides nothing: the one that names
//! the host counts, then the longest path.

use super::upstream::Upstream;
use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::valid::public_url::PublicUrl;
use crate::config::valid::sites::Sites;
use crate::gate::{CanonicalPath, Hosts};

/// A path as upstreams have it: with `/` at both ends.
pub(super) fn path(text: &str, key: &KeyPath, own: bool, check: &mut Check<'_>) -> Option<String> {
    let closed = if text.ends_with('/') { text.to_owned() } else { format!("{text}/") };
    // What encodings and parameters mean differs from server to server; a prefix has to mean one thing.
    let plain = text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'%' | b';' | b'?' | b'#' | b'*'));
    let reason = match CanonicalPath::parse(&closed) {
        Err(error) => error.to_string(),
        Ok(_) if !plain => "it has a character that is not plain in a path, such as %, ; or *".into(),
        Ok(_) if own && closed.starts_with("/_anteroom/") => {
            "paths below /_anteroom are Anteroom's own".into()
        }
        Ok(_) => return Some(closed),
    };
    let mistake = Mistake::new(
        "config.upstream-path",
        format!("`{key}` cannot be: {reason}"),
        "Requests could go to another app than the one that was meant",
        "write a plain path, for example \"/api/\"",
    );
    check.wrong(key, mistake.showing_the_value())
}

/// A name for one that has none: `wiki.example.com-api`, or `app` for what is for everything.
pub(super) fn name_of(hosts: &Hosts, path: &str, sites: Option<&Sites>) -> String {
    let host = match (hosts, sites) {
        (Hosts::Only(places), Some(sites)) => places.first().and_then(|place| sites.iter().nth(*place)),
        _ => None,
    };
    let host = host.map(|site| site.authority().replace([':', '[', ']'], "-"));
    let segments = path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned);
    let parts: Vec<String> = host.into_iter().chain(segments).collect();
    let text = if parts.is_empty() { "app".to_owned() } else { parts.join("-") };
    text.chars().map(|c| if fits(c) { c } else { '-' }).take(LONGEST_NAME).collect()
}

const LONGEST_NAME: usize = 64;

fn fits(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Refuses names that logs and metrics could not carry.
pub(super) fn name(text: &str, key: &KeyPath, check: &mut Check<'_>) -> Option<String> {
    if !text.is_empty() && text.len() <= LONGEST_NAME && text.chars().all(fits) {
        return Some(text.to_owned());
    }
    let mistake = Mistake::new(
        "config.upstream-name",
        format!("`{key}` is not a name"),
        "Logs and metrics name the upstream by it",
        format!("write up to {LONGEST_NAME} letters, digits, dots, hyphens and underscores"),
    );
    check.wrong(key, mistake.showing_the_value())
}

/// Whether two are for the same requests: one of their hosts, and the same path. One that names a host goes before one for
/// all hosts.
fn same_requests(one: &Upstream, other: &Upstream) -> bool {
    let hosts = match (&one.hosts, &other.hosts) {
        (Hosts::Any, Hosts::Any) => true,
        (Hosts::Only(these), Hosts::Only(those)) => these.iter().any(|place| those.contains(place)),
        _ => false,
    };
    hosts && one.path == other.path
}

/// Refuses two for the same requests, or of the same name.
pub(super) fn apart(upstreams: &[(KeyPath, Upstream)], check: &mut Check<'_>) {
    for (index, (key, upstream)) in upstreams.iter().enumerate() {
        let mut before = upstreams.iter().take(index);
        if let Some((_, other)) = before.clone().find(|(_, other)| same_requests(upstream, other)) {
            let mistake = Mistake::new(
                "config.upstream-twice",
                format!(
                    "the upstreams `{}` and `{}` are for the same host and path ({})",
                    other.name, upstream.name, upstream.path
                ),
                "Which of the two a request goes to would be a guess",
                "give them different hosts or paths, or make one upstream with the servers of both",
            );
            check.wrong::<()>(key, mistake);
        } else if before.any(|(_, other)| other.name == upstream.name) {
            let mistake = Mistake::new(
                "config.upstream-name",
                format!("two upstreams are named `{}`", upstream.name),
                "Logs and metrics could not tell them apart",
                "give one of them another name",
            );
            check.wrong::<()>(key, mistake);
        }
    }
}

/// Warns of requests that no upstream is for.
pub(super) fn gaps(upstreams: &[(KeyPath, Upstream)], sites: &Sites, check: &mut Check<'_>) {
    let covered = |place: usize, upstream: &Upstream| match &upstream.hosts {
        Hosts::Any => true,
        Hosts::Only(places) => places.contains(&place),
    };
    let mut said = Vec::new();
    for (place, site) in sites.iter().enumerate() {
        let paths: Vec<&str> = upstreams
            .iter()
            .filter(|(_, upstream)| covered(place, upstream))
            .map(|(_, upstream)| upstream.path.as_str())
            .collect();
        if paths.is_empty() {
            said.push(format!("everything on {}", site.authority()));
        } else if !paths.contains(&"/") {
            said.push(format!("everything on {} but {}", site.authority(), paths.join(", ")));
        }
    }
    if !said.is_empty() {
        let mistake = Mistake::new(
            "config.upstream-gap",
            format!("no upstream is for {}", said.join("; ")),
            "Anteroom answers 404 there",
            "add an upstream without hosts and path, unless that is meant",
        );
        check.warn(&KeyPath::of("proxy.upstreams"), mistake);
    }
}

/// Warns of an upstream that is never chosen: it names no host, and on every host another one that names it has all of its
/// paths. Among those that name hosts the longer path counts, so none of them can be hidden.
pub(super) fn shadowed(upstreams: &[(KeyPath, Upstream)], sites: &Sites, check: &mut Check<'_>) {
    for (key, upstream) in upstreams.iter().filter(|(_, upstream)| upstream.hosts == Hosts::Any) {
        let before = |place: usize| {
            let mut others = upstreams.iter().map(|(_, other)| other);
            others.find(|other| match &other.hosts {
                Hosts::Any => false,
                Hosts::Only(places) => places.contains(&place) && upstream.path.starts_with(&other.path),
            })
        };
        let on = |(place, site): (usize, &PublicUrl)| {
            before(place).map(|other| format!("on {} `{}`", site.authority(), other.name))
        };
        if let Some(others) = sites.iter().enumerate().map(on).collect::<Option<Vec<_>>>() {
            let mistake = Mistake::new(
                "config.upstream-shadowed",
                format!(
                    "the upstream `{}` ({}) gets no requests: {} takes them",
                    upstream.name,
                    upstream.path,
                    others.join(", ")
                ),
                "An upstream that names the host of a request comes before one that names none, however long its path is",
                "add hosts = [\"…\"] to it, or remove hosts from the others",
            );
            check.warn(key, mistake);
        }
    }
}
