//! `[store]`, checked: where accounts and ended sessions are kept.

use std::path::PathBuf;

use super::super::convert::not_built;
use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::RawStore;

/// Where state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// Nowhere: a restart forgets it.
    Memory,
    /// In this file.
    File(PathBuf),
}

impl std::fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

pub(super) fn check(raw: &RawStore, check: &mut Check<'_>) -> Option<StoreUrl> {
    let key = KeyPath::of("store.url");
    let (scheme, rest) = raw.url.split_once(':').unwrap_or(("", ""));
    // `file:///a/b` names the path `/a/b`; between two slashes and the third would be a host, which cannot be.
    let path = rest.strip_prefix("//").map_or(Some(rest), |path| path.starts_with('/').then_some(path));
    match (scheme, path) {
        ("memory", _) if rest.is_empty() => {
            let mistake = Mistake::new(
                "config.store-memory",
                "accounts and ended sessions are kept in memory only",
                "After a restart everybody counts as new again, and sessions that were ended come back",
                "use file:… outside of tests and demos",
            );
            check.warn(&key, mistake);
            Some(StoreUrl::Memory)
        }
        ("file", Some(path)) if !path.is_empty() && !path.ends_with('/') && !path.contains('\0') => {
            Some(StoreUrl::File(check.path(path)))
        }
        ("redis" | "rediss" | "postgres" | "postgresql", _) => {
            check.wrong(&key, not_built(&format!("`{scheme}:` as a store")))
        }
        _ => check.wrong(
            &key,
            Mistake::new(
                "config.store",
                "`store.url` names no store",
                "Accounts and ended sessions could not be kept",
                "write \"file:/var/lib/anteroom/accounts.redb\" or \"memory:\"",
            ),
        ),
    }
}
