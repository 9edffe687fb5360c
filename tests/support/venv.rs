//! Where do the Python apps come from? From PyPI, each into a virtual environment under `target/`, once.
//!
//! Versions are pinned, so a run tomorrow tests what a run today did. Nothing is fetched when all is there.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::target;

/// The Python interpreter of the environment `target/<name>-venv` that holds exactly `requirement` (`name==version`);
/// made when it is missing or holds something else.
///
/// Blocks while it installs: seconds, the first time. Two test runs at once wait for each other.
pub(crate) fn python_with(name: &str, requirement: &str) -> PathBuf {
    environment(name, requirement, &[OsStr::new(requirement)]).join("python")
}

/// The same for all lines of a requirements file: the folder with the programs that they install.
pub(crate) fn programs_of(name: &str, requirements: &Path) -> PathBuf {
    let wanted = fs::read_to_string(requirements).expect("a requirements file");
    environment(name, &wanted, &[OsStr::new("-r"), requirements.as_os_str()])
}

/// The `bin` folder of an environment for which pip was given these arguments.
fn environment(name: &str, wanted: &str, arguments: &[&OsStr]) -> PathBuf {
    let folder = target(&format!("{name}-venv"));
    let (bin, installed) = (folder.join("bin"), folder.join("installed"));
    let python = bin.join("python");
    let lock = File::create(target(&format!("{name}-venv.lock"))).expect("a lock file in target/");
    lock.lock().expect("a lock");
    if fs::read_to_string(&installed).is_ok_and(|what| what == wanted) && python.exists() {
        return bin;
    }
    run(
        Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder),
        "python3 with its venv module is missing: sudo apt-get install -y python3 python3-venv",
    );
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(arguments);
    run(&mut pip, &format!("{wanted} could not be installed from PyPI; is the network up?"));
    // Written last: an interrupted installation starts again.
    fs::write(installed, wanted).expect("a note in target/");
    bin
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
