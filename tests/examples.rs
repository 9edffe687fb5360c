//! Do the examples that are no gateways hold? Those are in `tests/gateways/examples.rs`.

mod pages;
mod sign_in_fails;
mod standalone;

use std::process::Command;

use crate::support::{repository, venv};

/// Renders the parent chart with Helm's engine, asks Kubernetes' schemas, and runs its pod's containers.
#[test]
fn a_chart_takes_anteroom_into_its_pod() {
    let python = venv::programs_of("chart", &repository("tests/chart/requirements.txt")).join("python");
    let mut tests = Command::new(python);
    tests.args(["-m", "unittest", "test_sidecar"]).current_dir(repository("tests/examples"));
    tests.env("ANTEROOM", env!("CARGO_BIN_EXE_anteroom")).env("PYTHONDONTWRITEBYTECODE", "1");
    tests.env("PYTHONPATH", repository("tests/chart"));
    venv::run(&mut tests, "tests/examples/test_sidecar.py failed");
}
