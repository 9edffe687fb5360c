//! May this file be used, and how does it come to be? Locking, creation, damage, and the version of its layout.
//!
//! Guarantees: one process at a time; a file exists only once it is complete (made under another name, then renamed);
//! what cannot be read is reported and left alone, never emptied or made anew; only the owner can read it, since it
//! holds names and addresses.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageError, TableError};

use super::tables::{self, META, SCHEMA, SCHEMA_KEY};

/// Pages kept in memory. The tables are read at sign-in only, so more would buy nothing.
const CACHE: usize = 8 << 20;

/// Up to this size (some 350,000 accounts) every checksum is verified at every start; beyond, that would delay it.
const CHECKED_UP_TO: u64 = 64 << 20;

/// Why the store cannot be used. Every message names the file and the way out.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the lock.
    #[error(
        "the store {} is in use by another process: this file serves one Anteroom at a time; stop the other one, or \
         give each its own file",
        .0.display()
    )]
    InUse(PathBuf),
    /// The operating system says no.
    #[error("the store {} cannot be opened: {cause}; see that its folder exists and belongs to this user", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's words.
        cause: io::Error,
    },
    /// Not readable as a store.
    #[error(
        "the store {} is damaged or is not a store ({cause}); it was left as it is: restore it from a backup, or move \
         it away to begin an empty one, in which every account is new again and ended sessions are forgotten",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// Written by a later program.
    #[error(
        "the store {} has layout {found}, and this version of Anteroom knows {SCHEMA} and earlier ones: run the version \
         that wrote it, or restore a backup from before the upgrade",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its layout.
        found: u64,
    },
}

/// Exclusive use of a store's path, until dropped or until the process ends in any way.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes the lock beside `path` (`<path>.lock`), making the folder if it is missing. The lock is a file of its
    /// own because the store's file does not exist yet while it is being made.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io_error(folder))?;
        }
        let beside = with_suffix(path, ".lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&beside).map_err(io_error(&beside))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.into(), _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.into())),
            Err(TryLockError::Error(cause)) => Err(OpenError::Io { path: beside, cause }),
        }
    }

    /// The store's path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file, or makes it when there is none.
    pub(super) fn open(&self) -> Result<Database, OpenError> {
        let path = &self.path;
        match std::fs::metadata(path) {
            // redb would take an empty file for one it may begin anew.
            Ok(file) if file.len() == 0 => {
                Err(OpenError::Damaged { path: path.clone(), cause: "the file is empty".into() })
            }
            Ok(_) => open_existing(path),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => create(path),
            Err(cause) => Err(OpenError::Io { path: path.clone(), cause }),
        }
    }

    /// Opens the file again after a failure: a file that has gone meanwhile is not made anew.
    pub(super) fn reopen(&self) -> Result<Database, OpenError> {
        open_existing(&self.path)
    }
}

fn open_existing(path: &Path) -> Result<Database, OpenError> {
    let size = std::fs::metadata(path).map_err(io_error(path))?.len();
    // redb always checks what a crash can do to a file; on one that was altered by other hands it may panic.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE).set_check_integrity_on_open(size <= CHECKED_UP_TO);
        let db = builder.open(path).map_err(database_error(path))?;
        check_schema(&db, path)?;
        Ok(db)
    }));
    opened.unwrap_or_else(|_| {
        Err(OpenError::Damaged { path: path.into(), cause: "its pages contradict each other".into() })
    })
}

fn check_schema(db: &Database, path: &Path) -> Result<(), OpenError> {
    let damaged = |cause: &dyn ToString| OpenError::Damaged { path: path.into(), cause: cause.to_string() };
    let txn = db.begin_read().map_err(|e| damaged(&e))?;
    let meta = txn.open_table(META).map_err(|error| match error {
        TableError::Storage(e) => damaged(&e),
        _ => damaged(&"it belongs to another program"),
    })?;
    match meta.get(SCHEMA_KEY).map_err(|e| damaged(&e))?.map(|found| found.value()) {
        Some(SCHEMA) => Ok(()),
        Some(found) if found > SCHEMA => Err(OpenError::Newer { path: path.into(), found }),
        _ => Err(damaged(&"it has no layout version")),
    }
}

fn create(path: &Path) -> Result<Database, OpenError> {
    let unfinished = with_suffix(path, ".new");
    // What a crash left behind while it was being made; nobody else is here, we hold the lock.
    match std::fs::remove_file(&unfinished) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            return Err(OpenError::Io { path: unfinished, cause });
        }
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    let file = options.open(&unfinished).map_err(io_error(&unfinished))?;
    let backend = FileBackend::new(file).map_err(database_error(path))?;
    let db =
        Builder::new().set_cache_size(CACHE).create_with_backend(backend).map_err(database_error(path))?;
    tables::lay_out(&db).map_err(|e| io_error(path)(io::Error::other(e)))?;
    std::fs::rename(&unfinished, path).map_err(io_error(path))?;
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|f| f.sync_all()).map_err(io_error(folder))?;
    Ok(db)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> OpenError {
    move |cause| OpenError::Io { path: path.into(), cause }
}

fn database_error(path: &Path) -> impl Fn(DatabaseError) -> OpenError {
    move |error| {
        let path = path.to_path_buf();
        match error {
            DatabaseError::DatabaseAlreadyOpen => OpenError::InUse(path),
            // redb reports a wrong magic number as invalid data.
            DatabaseError::Storage(StorageError::Io(cause)) if cause.kind() != io::ErrorKind::InvalidData => {
                OpenError::Io { path, cause }
            }
            other => OpenError::Damaged { path, cause: other.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn open(path: &Path) -> Result<(), OpenError> {
        Lock::take(path)?.open().map(drop)
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_store_belongs_to_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("var/anteroom/store.redb");
        open(&path).unwrap();
        assert_eq!((mode(path.parent().unwrap()), mode(&path)), (0o700, 0o600));
        open(&path).unwrap();
    }

    #[test]
    fn two_processes_do_not_share_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let lock = Lock::take(&path).unwrap();
        let error = open(&path).unwrap_err();
        assert!(matches!(error, OpenError::InUse(_)));
        assert!(error.to_string().contains("store.redb is in use by another process"), "{error}");
        // redb's own lock stands behind ours.
        let _db = lock.open().unwrap();
        assert!(matches!(open_existing(&path), Err(OpenError::InUse(_))));
    }

    #[test]
    fn what_is_not_a_store_is_reported_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let good = folder.path().join("good.redb");
        open(&good).unwrap();
        let good = std::fs::read(&good).unwrap();
        let mut garbled = good.clone();
        garbled[64..4096].fill(0x5a);
        for (name, bytes) in [
            ("empty", &b""[..]),
            ("text", b"[store]\nurl = \"file:store.redb\"\n"),
            ("zeros", &[0; 8192]),
            ("header only", &good[..512]),
            ("half", &good[..good.len() / 2]),
            ("garbled", &garbled),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let error = open(&path).unwrap_err();
            assert!(matches!(error, OpenError::Damaged { .. }), "{name}: {error:?}");
            assert!(error.to_string().contains("restore it from a backup"), "{error}");
            assert_eq!(std::fs::read(&path).unwrap(), bytes, "{name} was changed");
        }
    }

    #[test]
    fn another_layout_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, change: &dyn Fn(&Database)| {
            let path = folder.path().join(name);
            change(&Builder::new().create(&path).unwrap());
            open(&path).unwrap_err()
        };
        let newer = write("newer", &|db| {
            let txn = db.begin_write().unwrap();
            txn.open_table(META).unwrap().insert(SCHEMA_KEY, SCHEMA + 1).unwrap();
            txn.commit().unwrap();
        });
        assert!(matches!(newer, OpenError::Newer { found: 2, .. }), "{newer:?}");
        let foreign = write("foreign", &|_| ());
        assert!(matches!(foreign, OpenError::Damaged { .. }), "{foreign:?}");
    }

    #[test]
    fn a_crash_while_making_the_file_leaves_no_half_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        std::fs::write(folder.path().join("store.redb.new"), b"half").unwrap();
        open(&path).unwrap();
        assert!(!folder.path().join("store.redb.new").exists());
    }

    #[test]
    fn a_file_that_vanished_is_not_made_anew_by_a_running_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let lock = Lock::take(&path).unwrap();
        drop(lock.open().unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(lock.reopen(), Err(OpenError::Io { .. })));
        assert!(!path.exists());
    }
}
