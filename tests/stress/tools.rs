//! Where do the measuring tools come from? Debian's, and h2spec built from its Go module, pinned by a checked-in lock.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::support::{repository, target};

/// Runs a program of Debian's to its end; without it, the test fails with the command that installs it.
pub(super) async fn run(program: &str, arguments: &[&str]) -> Output {
    let output = tokio::process::Command::new(program).args(arguments).kill_on_drop(true).output().await;
    output.unwrap_or_else(|error| {
        panic!("{program} does not run ({error}). To install it: sudo apt-get install -y {program}")
    })
}

/// h2spec, built once. Its versions after 2.2.1 are not what the Go module system takes for versions.
pub(super) fn h2spec() -> PathBuf {
    let program = target("stress-tools/h2spec");
    if !program.exists() {
        std::fs::create_dir_all(target("stress-tools")).expect("a folder in target/");
        let build = Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg("github.com/summerwind/h2spec/cmd/h2spec")
            .current_dir(repository("tests/stress/h2spec"))
            .output()
            .unwrap_or_else(|error| panic!("h2spec is built with Go ({error}): https://go.dev/dl/"));
        assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    }
    program
}
