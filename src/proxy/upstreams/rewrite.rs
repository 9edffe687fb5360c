//! What path does the app see, when it is not the one that people see? The prefix is replaced; the rest of the path and
//! the query stay byte for byte.
//!
//! The prefix is cut off by counting segments, so that it makes no difference how a client encoded it. What comes out is
//! held to the same strictness as what came in ([`CanonicalPath`]). Answers are not rewritten: an app that is moved this
//! way must be told its public path, so that its `Location` and its cookies' `Path` name what people see.

use crate::gate::CanonicalPath;

/// Replaces a path's prefix.
#[derive(Clone, Debug)]
pub(super) struct Rewrite {
    segments: usize,
    with: String,
}

impl Rewrite {
    /// Replaces `prefix` by `with`; both begin and end with `/`.
    pub(super) fn new(prefix: &str, with: &str) -> Self {
        Self { segments: prefix.matches('/').count().saturating_sub(1), with: with.to_owned() }
    }

    /// The target (path and query) to send instead of `target`, whose path is under the prefix. `None` when that would be
    /// no plain path.
    pub(super) fn apply(&self, target: &str) -> Option<String> {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let path = match path.match_indices('/').nth(self.segments) {
            Some((at, _)) => format!("{}{}", self.with, path.get(at + 1..)?),
            // The prefix itself, without its slash at the end.
            None => match self.with.trim_end_matches('/') {
                "" => "/".to_owned(),
                with => with.to_owned(),
            },
        };
        CanonicalPath::parse(&path).ok()?;
        Some(match query {
            Some(query) => format!("{path}?{query}"),
            None => path,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (prefix, with, target, want) in [
            ("/wiki/", "/", "/wiki/a/b?c=/d", Some("/a/b?c=/d")),
            ("/wiki/", "/", "/wiki/", Some("/")),
            ("/wiki/", "/", "/wiki", Some("/")),
            ("/wiki/", "/app/", "/wiki", Some("/app")),
            ("/wiki/", "/app/", "/wiki?x", Some("/app?x")),
            ("/wiki/", "/app/v2/", "/wiki/a%20b", Some("/app/v2/a%20b")),
            ("/wiki/", "/app/", "/%77iki/a", Some("/app/a")),
            ("/a/b/", "/", "/a/b/c/", Some("/c/")),
            ("/", "/app/", "/a?", Some("/app/a?")),
            ("/", "/app/", "/", Some("/app/")),
            // Never reaches it: refused before any decision. Here it would not be sent either.
            ("/wiki/", "/", "/wiki//evil", None),
            ("/wiki/", "/", "/wiki/../x", None),
        ] {
            assert_eq!(Rewrite::new(prefix, with).apply(target).as_deref(), want, "{prefix} {with} {target}");
        }
    }
}
