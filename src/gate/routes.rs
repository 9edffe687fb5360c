//! Which rule speaks for this path and method? An ordered table; the first match wins, otherwise signed-in.
//!
//! All patterns are compiled once: exact paths into a hash map, prefixes and globs into one matcher, so that a
//! thousand rules cost about as much as one. Matching sees the canonical path only, never query or fragment.

use std::collections::HashMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use http::Method;

use super::{BadTarget, CanonicalPath};

/// What a route demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// A session.
    SignedIn,
    /// Nobody.
    Deny,
}

/// The paths a route speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPattern {
    /// This path and no other.
    Exact(String),
    /// This path and everything below it; segments are whole: `/api` is not `/apis`.
    Prefix(String),
    /// `*` within a segment, `**` across segments, `?`, `[a-z]`, `{a,b}`; anchored at both ends.
    Glob(String),
}

/// The methods a route speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Methods {
    /// Every method.
    Any,
    /// These alone. `GET` does not include `HEAD`.
    Only(Vec<Method>),
}

/// The hosts a route speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// Every host.
    Any,
    /// These alone, each by its place among the site's hosts, counted from zero.
    Only(Vec<usize>),
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where.
    pub path: PathPattern,
    /// How.
    pub methods: Methods,
    /// On which hosts.
    pub hosts: Hosts,
    /// What it demands.
    pub access: Access,
}

/// A pattern that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Not a path that a request could have.
    #[error("`{0}` can never match: {1}")]
    NeverMatches(String, BadTarget),
    /// Not a glob.
    #[error("`{0}` is not a glob: {1}")]
    Glob(String, String),
}

/// All rules, compiled.
#[derive(Debug)]
pub struct Routes {
    rules: Vec<(Methods, Access)>,
    exact: HashMap<Box<str>, Vec<usize>>,
    prefixes: HashMap<Box<str>, Vec<usize>>,
    globs: GlobSet,
    glob_rules: Vec<usize>,
}

impl Routes {
    /// Compiles the table.
    pub fn new(routes: &[Route]) -> Result<Self, PatternError> {
        let (mut exact, mut prefixes) = (HashMap::<_, Vec<usize>>::new(), HashMap::<_, Vec<usize>>::new());
        let (mut globs, mut glob_rules) = (GlobSetBuilder::new(), Vec::new());
        for (index, route) in routes.iter().enumerate() {
            match &route.path {
                PathPattern::Exact(path) => exact.entry(literal(path)?).or_default().push(index),
                PathPattern::Prefix(path) => {
                    let whole = literal(path)?;
                    prefixes.entry(whole.trim_end_matches('/').into()).or_default().push(index);
                }
                PathPattern::Glob(pattern) => {
                    let glob = |e: globset::Error| PatternError::Glob(pattern.clone(), e.kind().to_string());
                    if !pattern.starts_with('/') {
                        return Err(PatternError::NeverMatches(pattern.clone(), BadTarget::NotAbsolute));
                    }
                    globs.add(GlobBuilder::new(pattern).literal_separator(true).build().map_err(glob)?);
                    glob_rules.push(index);
                }
            }
        }
        let globs = globs.build().map_err(|e| PatternError::Glob(String::new(), e.to_string()))?;
        let rules = routes.iter().map(|r| (r.methods.clone(), r.access)).collect();
        Ok(Self { rules, exact, prefixes, globs, glob_rules })
    }

    /// What the first matching rule demands. A path with a second reading that another rule speaks for is refused.
    pub fn access(&self, method: &Method, path: &CanonicalPath) -> Result<Access, BadTarget> {
        if self.rules.is_empty() {
            return Ok(Access::SignedIn);
        }
        let access = self.first(method, path.as_str());
        let agrees = |other| self.first(method, other) == access;
        if path.other_readings().all(agrees) { Ok(access) } else { Err(BadTarget::Character) }
    }

    fn first(&self, method: &Method, path: &str) -> Access {
        let mut first = usize::MAX;
        let mut consider = |indices: &[usize]| {
            let speaks = |i: &&usize| match self.rules.get(**i) {
                Some((Methods::Only(methods), _)) => methods.contains(method),
                Some((Methods::Any, _)) => true,
                None => false,
            };
            first = first.min(indices.iter().find(speaks).copied().unwrap_or(usize::MAX));
        };
        if let Some(indices) = self.exact.get(path) {
            consider(indices);
        }
        if !self.prefixes.is_empty() {
            // "/a/b/c" is below "", "/a", "/a/b" and itself.
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            for indices in ends.filter_map(|end| self.prefixes.get(path.get(..end)?)) {
                consider(indices);
            }
        }
        if !self.globs.is_empty() {
            for matched in self.globs.matches(path) {
                consider(self.glob_rules.get(matched..=matched).unwrap_or_default());
            }
        }
        self.rules.get(first).map_or(Access::SignedIn, |(_, access)| *access)
    }
}

/// A literal pattern must be a path that a request can have, in its canonical reading.
fn literal(path: &str) -> Result<Box<str>, PatternError> {
    let canonical = CanonicalPath::parse(path).map_err(|e| PatternError::NeverMatches(path.into(), e))?;
    Ok(canonical.as_str().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: PathPattern, methods: &[Method], access: Access) -> Route {
        let methods = if methods.is_empty() { Methods::Any } else { Methods::Only(methods.to_vec()) };
        Route { path, methods, hosts: Hosts::Any, access }
    }

    fn exact(path: &str) -> PathPattern {
        PathPattern::Exact(path.into())
    }

    fn prefix(path: &str) -> PathPattern {
        PathPattern::Prefix(path.into())
    }

    fn glob(path: &str) -> PathPattern {
        PathPattern::Glob(path.into())
    }

    fn ask(routes: &Routes, method: &Method, path: &str) -> Result<Access, BadTarget> {
        routes.access(method, &CanonicalPath::parse(path)?)
    }

    #[test]
    fn nothing_is_public_by_itself() {
        assert_eq!(ask(&Routes::new(&[]).unwrap(), &Method::GET, "/"), Ok(Access::SignedIn));
    }

    #[test]
    fn table() {
        let routes = Routes::new(&[
            route(exact("/health"), &[Method::GET], Access::Public),
            route(prefix("/public/secret"), &[], Access::Deny),
            route(prefix("/public/"), &[], Access::Public),
            route(glob("/api/*/status"), &[], Access::Public),
            route(glob("/assets/**"), &[Method::GET, Method::HEAD], Access::Public),
            route(exact("/api/a/status"), &[], Access::Deny),
            route(exact("/c%C3%A9"), &[], Access::Public),
        ])
        .unwrap();
        for (method, path, want) in [
            (Method::GET, "/health", Ok(Access::Public)),
            (Method::HEAD, "/health", Ok(Access::SignedIn)),
            (Method::POST, "/health", Ok(Access::SignedIn)),
            (Method::GET, "/health/", Ok(Access::SignedIn)),
            (Method::GET, "/healthX", Ok(Access::SignedIn)),
            (Method::GET, "/%68ealth", Ok(Access::Public)),
            (Method::GET, "/health;x=1", Err(BadTarget::Character)),
            (Method::GET, "/public", Ok(Access::Public)),
            (Method::GET, "/public/", Ok(Access::Public)),
            (Method::GET, "/public/a;b/c", Ok(Access::Public)),
            (Method::GET, "/publicity", Ok(Access::SignedIn)),
            (Method::GET, "/public/secret/x", Ok(Access::Deny)),
            (Method::GET, "/public/secret;x/y", Err(BadTarget::Character)),
            (Method::GET, "/api/v1/status", Ok(Access::Public)),
            (Method::GET, "/api/v1/x/status", Ok(Access::SignedIn)),
            (Method::GET, "/api/a/status", Ok(Access::Public)),
            (Method::GET, "/assets/a/b.css", Ok(Access::Public)),
            (Method::PUT, "/assets/a/b.css", Ok(Access::SignedIn)),
            (Method::GET, "/c%c3%a9", Ok(Access::Public)),
            (Method::GET, "/Public/x", Ok(Access::SignedIn)),
        ] {
            assert_eq!(ask(&routes, &method, path), want, "{method} {path}");
        }
    }

    #[test]
    fn patterns_that_can_never_match_are_refused() {
        for path in ["api", "/a//b", "/a/../b", "/a?b", "/a#b", "/%2e"] {
            let routes = Routes::new(&[route(exact(path), &[], Access::Public)]);
            assert!(matches!(routes, Err(PatternError::NeverMatches(..))), "{path}");
        }
        assert!(matches!(
            Routes::new(&[route(glob("/a[b"), &[], Access::Deny)]),
            Err(PatternError::Glob(..))
        ));
        assert!(matches!(
            Routes::new(&[route(glob("a*"), &[], Access::Deny)]),
            Err(PatternError::NeverMatches(..))
        ));
    }

    #[test]
    fn the_whole_site_as_a_prefix() {
        let routes = Routes::new(&[route(prefix("/"), &[], Access::Public)]).unwrap();
        assert_eq!(ask(&routes, &Method::GET, "/any/thing"), Ok(Access::Public));
        assert_eq!(ask(&routes, &Method::GET, "/"), Ok(Access::Public));
    }
}
