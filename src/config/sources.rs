//! What does a configuration rest on? Its settings by key and the files that they name, as digests: enough to say what
//! has changed between two readings, and which files to look at, without holding a value.
//!
//! Guarantees: no value and no secret is kept, only SHA-256 of it; a file counts by its content, not by its date. A
//! setting whose name ends in `_file` names a file, and one in `_files` is a table of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use figment::value::Value;

use super::LoadOptions;
use super::file::ConfigFile;
use super::key::KeyPath;
use super::layers::Layers;

/// The longest file that is looked into, in bytes; beyond, only its length counts.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

type Digest = Box<[u8]>;

/// One reading.
#[derive(Debug, Default)]
pub struct Sources {
    settings: BTreeMap<String, Digest>,
    /// `None`: it is not there, or may not be read.
    files: BTreeMap<PathBuf, Option<Digest>>,
    /// Where the configuration itself is, or would be.
    itself: Vec<PathBuf>,
}

impl Sources {
    /// Reads all layers and the files that they name, valid or not. Of a configuration file that cannot be read at all,
    /// only its path is known.
    pub fn read(options: &LoadOptions) -> Self {
        let itself = ConfigFile::places(options);
        let Ok(layers) = Layers::read(options) else { return Self { itself, ..Self::default() } };
        let mut reading = Reading::default();
        if let Some(merged) = layers.merged() {
            reading.walk(&KeyPath::default(), &merged);
        }
        let files = reading.files.iter().map(|file| {
            let path = options.folder.join(file);
            let content = content(&path);
            (path, content)
        });
        Self { files: files.collect(), settings: reading.settings, itself }
    }

    /// Every file to look at: a change of any of them may change the configuration.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.itself.iter().chain(self.files.keys()).map(PathBuf::as_path)
    }

    /// What differs from another reading: settings by key, then files whose content is another.
    pub fn changed_since(&self, before: &Self) -> Vec<String> {
        let keys: BTreeSet<&String> = self.settings.keys().chain(before.settings.keys()).collect();
        let differs = |key: &&&String| self.settings.get(**key) != before.settings.get(**key);
        let settings = keys.iter().filter(differs).map(|key| (**key).clone());
        let files =
            self.files.iter().filter(|(path, now)| before.files.get(*path).is_some_and(|then| then != *now));
        settings.chain(files.map(|(path, _)| format!("content of {}", path.display()))).collect()
    }
}

#[derive(Default)]
struct Reading {
    settings: BTreeMap<String, Digest>,
    files: BTreeSet<String>,
}

impl Reading {
    fn walk(&mut self, key: &KeyPath, value: &Value) {
        match value {
            Value::Dict(_, dict) => dict.iter().for_each(|(name, value)| self.walk(&key.key(name), value)),
            // An entry that is put in front moves all others; the list is what changed.
            leaf => {
                let name = key.to_string();
                self.name_files(name.ends_with("_file") || name.contains("_files."), leaf);
                let text = serde_json::to_vec(leaf).unwrap_or_default();
                self.settings.insert(key.to_string(), of(&text));
            }
        }
    }

    fn name_files(&mut self, named: bool, value: &Value) {
        match value {
            Value::String(_, file) if named => drop(self.files.insert(file.clone())),
            Value::Array(_, entries) => entries.iter().for_each(|entry| self.name_files(named, entry)),
            Value::Dict(_, dict) => {
                let names = |name: &str| named || name.ends_with("_file") || name.ends_with("_files");
                dict.iter().for_each(|(name, value)| self.name_files(names(name), value));
            }
            _ => {}
        }
    }
}

fn content(path: &Path) -> Option<Digest> {
    let length = std::fs::metadata(path).ok()?.len();
    if length > MAX_BYTES {
        return Some(of(&length.to_be_bytes()));
    }
    std::fs::read(path).ok().map(|bytes| of(&zeroize::Zeroizing::new(bytes)))
}

fn of(bytes: &[u8]) -> Digest {
    digest(&SHA256, bytes).as_ref().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(folder: &Path, toml: &str) -> LoadOptions {
        std::fs::write(folder.join("anteroom.toml"), toml).unwrap();
        LoadOptions { config: Some("anteroom.toml".into()), folder: folder.into(), ..LoadOptions::default() }
    }

    #[test]
    fn a_change_is_named_by_its_key_and_by_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("client", "one");
        write("key", "one");
        write("collector", "one");
        let base = "[atlassian]\nclient_secret_file = \"client\"\n\
                    [ops.tracing.headers_files]\nx-key = \"collector\"\n\
                    [[proxy.upstreams]]\nca_file = \"ca\"\nheaders_files = { x-key = \"app\" }\n\
                    [session]\nsecret_file = [\"key\"]\n";
        let before = Sources::read(&options(folder.path(), base));
        let same = Sources::read(&options(folder.path(), &format!("# a remark\n{base}")));
        assert_eq!(same.changed_since(&before), [""; 0]);
        write("key", "two");
        let toml = format!(
            "{base}idle_timeout = \"1h\"\n[access]\nemails = [\"a@example.com\"]\n[[routes]]\npath = \"/\"\n"
        );
        let after = Sources::read(&options(folder.path(), &toml));
        let file = folder.path().join("key").display().to_string();
        let content = format!("content of {file}");
        assert_eq!(
            after.changed_since(&before),
            ["access.emails", "routes", "session.idle_timeout", &content]
        );
        for name in ["client", "key", "collector", "ca", "app"] {
            assert!(after.files().any(|path| path.ends_with(name)), "{name}");
        }
        assert!(!format!("{after:?}").contains("example.com"));
    }

    #[test]
    fn a_file_that_cannot_be_parsed_is_still_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources::read(&options(folder.path(), "[atlassian"));
        assert_eq!(sources.files().collect::<Vec<_>>(), [folder.path().join("anteroom.toml")]);
    }
}
