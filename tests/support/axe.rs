//! Can everybody use this page? axe-core, the accessibility checker, run inside the real browser.
//!
//! It comes from npm into `target/axe/`, once, at a pinned version, and is injected through WebDriver, which the
//! page's Content-Security-Policy does not stop.

use std::fs::{self, File};
use std::process::Command;

use serde::Deserialize;

use super::target;
use super::venv::run;

const PACKAGE: &str = "axe-core@4.14.1";

/// One rule that the page breaks.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Violation {
    /// The rule, `color-contrast` for one.
    pub(crate) id: String,
    /// `minor`, `moderate`, `serious` or `critical`.
    pub(crate) impact: Option<String>,
    /// What it demands.
    pub(crate) help: String,
    /// The HTML of each element that breaks it.
    pub(crate) elements: Vec<String>,
}

/// The script of the checker; installed first when it is missing. Blocks meanwhile.
pub(crate) fn source() -> String {
    let folder = target("axe");
    fs::create_dir_all(&folder).expect("a folder in target/");
    let lock = File::create(folder.join("lock")).expect("a lock file in target/");
    lock.lock().expect("a lock");
    let (installed, script) = (folder.join("installed"), folder.join("node_modules/axe-core/axe.min.js"));
    if fs::read_to_string(&installed).ok().as_deref() != Some(PACKAGE) {
        let mut npm = Command::new("npm");
        npm.args([
            "install",
            "--silent",
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
        ]);
        let remedy =
            format!("{PACKAGE} could not be installed; without npm: sudo apt-get install -y nodejs npm");
        run(npm.arg(&folder).arg(PACKAGE), &remedy);
        // Written last: an interrupted installation starts again.
        fs::write(installed, PACKAGE).expect("a note in target/");
    }
    fs::read_to_string(script).expect("axe.min.js")
}

/// Runs after [`source`]; calls back with a list that reads as [`Violation`]s.
pub(crate) const RUN: &str = "
const done = arguments[arguments.length - 1];
axe.run(document, { resultTypes: ['violations'] }).then(
  result => done({ ok: result.violations.map(v => (
    { id: v.id, impact: v.impact, help: v.help, elements: v.nodes.map(n => n.html) })) }),
  error => done({ error: String(error) }));";
