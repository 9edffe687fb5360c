//! The checkers of `tests/deploy/requirements.txt`, and YAML as JSON.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{repository, venv};

/// One of those programs.
pub(super) fn program(name: &str) -> Command {
    Command::new(venv::programs_of("deploy", &repository("tests/deploy/requirements.txt")).join(name))
}

/// Whether a command is content, and what it said.
pub(super) fn verdict(command: &mut Command, remedy: &str) -> (bool, String) {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|e| panic!("{remedy} ({e})"));
    (status.success(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

/// Whether a file is good by a schema that check-jsonschema brings along, and what it said.
pub(super) fn by_schema(schema: &str, file: &Path) -> (bool, String) {
    verdict(program("check-jsonschema").args(["--builtin-schema", schema]).arg(file), "make test")
}

/// A YAML file.
pub(super) fn yaml(file: &Path) -> Value {
    let mut command = program("python");
    let output = command.arg(repository("tests/deploy/yaml_to_json.py")).arg(file).output().expect("Python");
    assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A file of the repository.
pub(super) fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
