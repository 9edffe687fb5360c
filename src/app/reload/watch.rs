//! Has a file changed? Asked of the file system every now and then, by looking at what a path leads to.
//!
//! Looking, not being told: notifications do not cross every mount (overlays, network and FUSE file systems), name the
//! link and not the file, and need a dependency. A handful of `stat` calls every two seconds costs nothing and sees
//! every kind of change alike: written in place, replaced by rename, and the swap of a symbolic link somewhere above,
//! which is how Kubernetes updates a mounted secret
//! (<https://kubernetes.io/docs/concepts/configuration/secret/#mounted-secrets-are-updated-automatically>).

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Which file it is, and when its content or anything else about it last changed. `None`: there is none.
type Stamp = Option<(u64, u64, u64, (i64, i64), (i64, i64))>;

/// A few paths, and what they led to at the latest look.
#[derive(Debug)]
pub(super) struct Watch {
    /// As of the latest attempt.
    known: BTreeMap<PathBuf, Stamp>,
    /// As of the latest look, when that was something else.
    moving: Option<BTreeMap<PathBuf, Stamp>>,
}

impl Watch {
    /// From how they are now.
    pub(super) fn over<'a>(paths: impl Iterator<Item = &'a Path>) -> Self {
        Self { known: paths.map(|path| (path.to_owned(), stamp(path))).collect(), moving: None }
    }

    /// Whether something has changed, and has stayed so since the look before.
    pub(super) fn settled(&mut self) -> bool {
        let now = self.stamps();
        if now == self.known {
            self.moving = None;
            return false;
        }
        let settled = self.moving.as_ref() == Some(&now);
        self.moving = Some(now);
        settled
    }

    /// What is there now is known from here on.
    pub(super) fn look(&mut self) {
        (self.known, self.moving) = (self.stamps(), None);
    }

    /// Looks at these as well, and at what a wrong configuration named before: the remedy may be in any of them.
    pub(super) fn follow<'a>(&mut self, paths: impl Iterator<Item = &'a Path>) {
        for path in paths {
            self.known.entry(path.to_owned()).or_insert_with(|| stamp(path));
        }
    }

    fn stamps(&self) -> BTreeMap<PathBuf, Stamp> {
        self.known.keys().map(|path| (path.clone(), stamp(path))).collect()
    }
}

fn stamp(path: &Path) -> Stamp {
    let about = std::fs::metadata(path).ok()?;
    let (content, anything) = ((about.mtime(), about.mtime_nsec()), (about.ctime(), about.ctime_nsec()));
    Some((about.dev(), about.ino(), about.len(), content, anything))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_kind_of_change_is_seen_once_it_has_settled() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
        // As a mounted secret: secret → ..data/secret, ..data → ..1
        std::fs::create_dir_all(path("..1")).unwrap();
        std::fs::create_dir_all(path("..2")).unwrap();
        write("..1/secret", "one");
        write("..2/secret", "two");
        symlink("..1", path("..data")).unwrap();
        symlink("..data/secret", path("secret")).unwrap();
        write("file", "one");
        let paths = [path("secret"), path("file"), path("later")];
        let mut watch = Watch::over(paths.iter().map(PathBuf::as_path));
        assert!(!watch.settled() && !watch.settled());
        let changes: [(&str, &dyn Fn()); 4] = [
            ("in place", &|| write("file", "longer")),
            ("replaced", &|| {
                write("new", "shorte");
                std::fs::rename(path("new"), path("file")).unwrap();
            }),
            ("swapped", &|| {
                symlink("..2", path("..data_tmp")).unwrap();
                std::fs::rename(path("..data_tmp"), path("..data")).unwrap();
            }),
            ("made", &|| write("later", "here")),
        ];
        for (name, change) in changes {
            change();
            assert!(!watch.settled(), "{name}: may not be over yet");
            assert!(watch.settled(), "{name}");
            watch.look();
            assert!(!watch.settled() && !watch.settled(), "{name}: once");
        }
        write("file", "again");
        assert!(!watch.settled());
        write("file", "and again");
        assert!(!watch.settled(), "still moving");
        assert!(watch.settled());
    }
}
