//! `[[routes]]`, checked and compiled.

use http::Method;

use super::hosts::{self, For};
use super::sites::Sites;
use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::{RawRoute, RawRouteAccess};
use crate::gate::{Access, Hosts, Methods, PathPattern, Route, Routes};

const HOSTS: For = For {
    unknown: "config.route-host",
    meaning: "The route would never match, and what it was meant to guard or open stays as it is",
    empty: "config.route-empty",
};

/// The rules compiled, and as they are.
pub(super) fn check(
    raw: &[RawRoute],
    sites: Option<&Sites>,
    check: &mut Check<'_>,
) -> Option<(Routes, Vec<Route>)> {
    let key = KeyPath::of("routes");
    let routes: Vec<Option<Route>> =
        raw.iter().enumerate().map(|(index, raw)| route(raw, &key.at(index), sites, check)).collect();
    let routes: Vec<Route> = routes.into_iter().collect::<Option<_>>()?;
    // Each one compiled by itself; only their number can still be too much.
    match Routes::new(&routes) {
        Ok(compiled) => Some((compiled, routes)),
        Err(error) => check.wrong(&key, broken(&error.to_string())),
    }
}

fn route(raw: &RawRoute, key: &KeyPath, sites: Option<&Sites>, check: &mut Check<'_>) -> Option<Route> {
    let path = pattern(raw, key, check);
    let methods = methods(raw.methods.as_deref(), &key.key("methods"), check);
    let hosts = hosts::check(raw.hosts.as_deref(), &key.key("hosts"), sites, HOSTS, check);
    let access = match raw.access {
        Some(RawRouteAccess::Public) => Some(Access::Public),
        Some(RawRouteAccess::SignedIn) => Some(Access::SignedIn),
        Some(RawRouteAccess::Deny) => Some(Access::Deny),
        None => check.wrong(
            &key.key("access"),
            Mistake::new(
                "config.route-access",
                "the route does not say what it demands",
                "A route has to say who may pass",
                "add access = \"public\", \"signed-in\" or \"deny\"",
            ),
        ),
    };
    let (path, name) = path?;
    let at = key.key(name);
    let route = Route { path, methods: methods?, hosts: Hosts::Any, access: access? };
    if let Err(error) = Routes::new(std::slice::from_ref(&route)) {
        return check.wrong(&at, broken(&error.to_string()));
    }
    warnings(&route, &at, check);
    Some(Route { hosts: hosts?, ..route })
}

/// The one of `path`, `prefix` and `glob` that is set, and its name.
fn pattern(raw: &RawRoute, key: &KeyPath, check: &mut Check<'_>) -> Option<(PathPattern, &'static str)> {
    match (&raw.path, &raw.prefix, &raw.glob) {
        (Some(path), None, None) => Some((PathPattern::Exact(path.clone()), "path")),
        (None, Some(prefix), None) => Some((PathPattern::Prefix(prefix.clone()), "prefix")),
        (None, None, Some(glob)) => Some((PathPattern::Glob(glob.clone()), "glob")),
        (None, None, None) => check.wrong(
            key,
            Mistake::new(
                "config.route-path",
                "the route does not say which paths it speaks for",
                "It would speak for none",
                "add one of path = \"/x\", prefix = \"/x\", glob = \"/x/**\"",
            ),
        ),
        _ => check.wrong(
            key,
            Mistake::new(
                "config.route-path",
                "the route has more than one of path, prefix and glob",
                "Whether one or all have to match would be a guess",
                "make a route of each",
            ),
        ),
    }
}

fn methods(texts: Option<&[String]>, key: &KeyPath, check: &mut Check<'_>) -> Option<Methods> {
    let Some(texts) = texts else { return Some(Methods::Any) };
    if texts.is_empty() {
        return hosts::empty(key, HOSTS.empty, check);
    }
    let each = texts.iter().enumerate().map(|(at, text)| method(text, &key.at(at), check));
    let methods: Vec<Option<Method>> = each.collect();
    methods.into_iter().collect::<Option<_>>().map(Methods::Only)
}

fn method(text: &str, key: &KeyPath, check: &mut Check<'_>) -> Option<Method> {
    let token = Method::from_bytes(text.as_bytes()).ok();
    token.filter(|method| !method.as_str().bytes().any(|b| b.is_ascii_lowercase())).or_else(|| {
        let mistake = Mistake::new(
            "config.route-method",
            "not a method in capitals",
            "Methods are compared letter by letter: the route would never match",
            format!(
                "write for example \"{}\"",
                Some(text.to_ascii_uppercase())
                    .filter(|t| t.is_ascii() && !t.is_empty())
                    .unwrap_or("GET".into())
            ),
        );
        check.wrong(key, mistake.showing_the_value())
    })
}

fn broken(reason: &str) -> Mistake {
    let meaning = "The route would never match, and what it was meant to guard or open stays as it is";
    Mistake::new(
        "config.route-pattern",
        reason,
        meaning,
        "write a path as browsers send it, from the first slash on",
    )
    .showing_the_value()
}

fn warnings(route: &Route, key: &KeyPath, check: &mut Check<'_>) {
    let text = match &route.path {
        PathPattern::Exact(text) | PathPattern::Prefix(text) | PathPattern::Glob(text) => text.as_str(),
    };
    if text == "/_anteroom" || text.starts_with("/_anteroom/") {
        let mistake = Mistake::new(
            "config.route-own",
            "paths below /_anteroom are Anteroom's own",
            "The route never counts",
            "remove it",
        );
        check.warn(key, mistake.showing_the_value());
    }
    let everything = matches!(&route.path, PathPattern::Prefix(p) if p == "/")
        || matches!(&route.path, PathPattern::Glob(g) if g == "/**");
    if everything && route.access == Access::Public {
        let mistake = Mistake::new(
            "config.route-everything-public",
            "this route opens the whole app to everybody",
            "Anteroom still tells the app who is signed in, but stops nobody",
            "narrow the path unless the app decides by itself",
        );
        check.warn(key, mistake.showing_the_value());
    }
}
