//! Configuration: what is read, which layer wins, what is refused and how it is said.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod commands;
mod documents;
mod forward_auth;
mod layers;
mod messages;
mod mistakes;
mod proxy;

use std::path::Path;

use anteroom::config::{Config, ConfigErrors, Environment, LoadOptions, Warning};

/// Nothing secret in it but this: no message may repeat any of the three.
const SECRETS: [&str; 3] =
    ["ATOA-hunter2-client-secret", "hunter2-session-secret-0123456789-abcdef", "hunter2-password"];

/// A valid configuration to break.
const GOOD: &str = r#"public_url = "https://app.example.com"
[atlassian]
client_id = "0123456789abcdefghijABCDEFGHIJ01"
client_secret = "ATOA-hunter2-client-secret"
[proxy]
upstream = "http://127.0.0.1:8080"
[access]
email_domains = ["example.com"]
[session]
secret = "hunter2-session-secret-0123456789-abcdef"
"#;

struct Case {
    folder: tempfile::TempDir,
    options: LoadOptions,
}

impl Case {
    fn new(toml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let case =
            Self { options: LoadOptions { folder: folder.path().into(), ..Default::default() }, folder };
        case.file("anteroom.toml", toml)
    }

    fn file(self, name: impl AsRef<Path>, text: &str) -> Self {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn env(mut self, pairs: &[(&str, &str)]) -> Self {
        self.options.environment = Environment::from_iter(pairs.iter().copied());
        self
    }

    fn profile(mut self, name: &str) -> Self {
        self.options.profile = Some(name.into());
        self
    }

    fn load(&self) -> Result<(Config, Vec<Warning>), ConfigErrors> {
        let loaded = Config::load(&self.options);
        let said = match &loaded {
            Ok((config, warnings)) => format!("{config:?}{warnings:?}"),
            Err(errors) => format!("{errors}{errors:?}{}", serde_json::to_string(errors.findings()).unwrap()),
        };
        for secret in SECRETS {
            assert!(!said.contains(secret), "a message holds a secret: {said}");
        }
        loaded
    }

    fn good(&self) -> Config {
        self.load().unwrap_or_else(|errors| panic!("{errors}")).0
    }

    /// Every mistake as `code key @place`.
    fn mistakes(&self) -> Vec<String> {
        let errors = self.load().map(|_| ()).expect_err("the configuration is refused");
        errors.findings().iter().map(|f| format!("{} {} @{}", f.code, f.key, f.origin)).collect()
    }
}

/// `GOOD` with one line replaced, or one added at the end when `line` is empty.
fn broken(line: &str, with: &str) -> String {
    if line.is_empty() {
        return format!("{GOOD}{with}\n");
    }
    let at = GOOD.lines().position(|l| l.starts_with(line)).unwrap_or_else(|| panic!("no line {line}"));
    GOOD.lines()
        .enumerate()
        .map(|(i, l)| if i == at { format!("{with}\n") } else { format!("{l}\n") })
        .collect()
}
