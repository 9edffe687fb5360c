//! Are the workflows of GitHub ones, and do they ask for no more than they need? They run nowhere here.

use std::fs;
use std::process::Command;

use super::tools::{by_schema, text, yaml};
use crate::support::{repository, venv};

fn files() -> Vec<String> {
    let folder = fs::read_dir(repository(".github/workflows")).expect("workflows");
    folder
        .map(|entry| format!(".github/workflows/{}", entry.unwrap().file_name().into_string().unwrap()))
        .collect()
}

#[test]
fn they_follow_githubs_schema_and_end_in_time() {
    assert!(files().len() >= 2);
    let good = |schema: &str, file: &str| {
        let (good, said) = by_schema(schema, &repository(file));
        assert!(good, "{file}: {said}");
    };
    for file in files() {
        for schema in ["vendor.github-workflows", "custom.github-workflows-require-timeout"] {
            good(schema, &file);
        }
    }
    good("vendor.dependabot", ".github/dependabot.yml");
}

/// What may write is said job by job, no job leaves its token behind, and what outsiders write reaches no shell.
#[test]
fn they_ask_for_no_more_than_they_need() {
    for file in files() {
        let text = text(&file);
        assert!(text.contains("\npermissions:\n  contents: read\n"), "{file}");
        let checkouts = text.matches("uses: actions/checkout@").count();
        assert_eq!(checkouts, text.matches("persist-credentials: false").count(), "{file}");
        assert!(!text.contains("pull_request_target"), "{file}");
    }
}

/// Each `run:` is a script that a shell reads, and holds no expression: those go through the environment.
#[test]
fn their_scripts_are_scripts() {
    let mut found = 0;
    for file in files() {
        let workflow = yaml(&repository(&file));
        let jobs = workflow["jobs"].as_object().expect("jobs").values();
        for step in jobs.flat_map(|job| job["steps"].as_array().expect("steps")) {
            let Some(script) = step["run"].as_str() else { continue };
            // One of a list that stands in the same file.
            let script = script.replace("${{ matrix.target }}", "test");
            assert!(!script.contains("${{"), "{file}: {script}");
            let mut check = Command::new("bash");
            check.args(["-n", "-c", &script]);
            venv::run(&mut check, &format!("{file} has a script that is none"));
            found += 1;
        }
    }
    assert!(found >= 8, "{found}");
}

/// The test of a change is the one that people run.
#[test]
fn ci_runs_what_people_run() {
    assert!(text(".github/workflows/ci.yml").contains("- run: .ci/run\n"));
    assert!(text(".github/workflows/release.yml").contains("- run: .ci/run\n"));
    let makefile = text("Makefile");
    for target in ["test-peers", "test-cluster", "audit"] {
        assert!(makefile.contains(&format!("\n{target}: ##")), "{target}");
    }
}
