//! What does a unit file say? Enough of `systemd.syntax(7)` for ours: sections, keys that repeat, `%d`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::support::repository;

/// A unit file of `deploy/systemd/`.
pub(super) struct Unit {
    /// `Section.Key`, and every value in order.
    values: BTreeMap<String, Vec<String>>,
}

impl Unit {
    pub(super) fn read(name: &str) -> Self {
        let text = std::fs::read_to_string(repository("deploy/systemd").join(name)).expect("a unit");
        let (mut values, mut section): (BTreeMap<String, Vec<String>>, _) = (BTreeMap::new(), "");
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                Some(name) => section = name,
                None => {
                    let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{name}: {line}"));
                    values.entry(format!("{section}.{key}")).or_default().push(value.to_owned());
                }
            }
        }
        Self { values }
    }

    /// Every value of a key, such as `Service.Environment`.
    pub(super) fn all(&self, key: &str) -> &[String] {
        self.values.get(key).map_or(&[], Vec::as_slice)
    }

    /// The only value of a key.
    pub(super) fn one(&self, key: &str) -> &str {
        match self.all(key) {
            [value] => value,
            other => panic!("{key}: {other:?}"),
        }
    }

    /// The service's command with its environment and its credentials, as systemd would start it on a machine where the
    /// program is the built one and `/etc/anteroom` is in this folder.
    pub(super) fn command(&self, folder: &Path) -> Command {
        let credentials = folder.join("credentials");
        std::fs::create_dir_all(&credentials).expect("a folder");
        for credential in self.all("Service.LoadCredential") {
            let (name, from) = credential.split_once(':').expect("ID:PATH");
            std::fs::copy(moved(folder, from), credentials.join(name)).expect("the secret");
        }
        let mut words = self.one("Service.ExecStart").split(' ');
        assert_eq!(words.next(), Some("/usr/bin/anteroom"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
        command.args(words.map(|word| moved(folder, word))).env_clear().current_dir("/");
        command.env("CREDENTIALS_DIRECTORY", &credentials);
        for assignment in self.all("Service.Environment") {
            let (name, value) = assignment.split_once('=').expect("NAME=VALUE");
            command.env(name, value.replace("%d", credentials.to_str().expect("UTF-8")));
        }
        command
    }
}

/// A path of the machine, in the folder that plays it.
pub(super) fn moved(folder: &Path, path: &str) -> String {
    match path.strip_prefix("/etc/") {
        Some(rest) => folder.join("etc").join(rest).to_str().expect("UTF-8").to_owned(),
        None => path.to_owned(),
    }
}
