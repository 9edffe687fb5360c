//! Are the workflows of GitHub ones, and do they ask for no more than they need? They run nowhere here.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use super::tools::{by_schema, program, text, verdict, yaml};
use crate::support::repository;

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

/// Every job of a file, by name.
fn jobs(file: &str) -> Vec<(String, Value)> {
    yaml(&repository(file))["jobs"].as_object().expect("jobs").clone().into_iter().collect()
}

fn steps(job: &Value) -> &[Value] {
    job["steps"].as_array().expect("steps")
}

/// What shellcheck says of a script of a workflow.
fn shellcheck(script: &str) -> String {
    let mut command = program("shellcheck");
    command.args(["--shell=bash", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned()
}

/// Each `run:` is a script that shellcheck finds nothing in, and holds no expression: those go through the environment.
#[test]
fn their_scripts_are_sound() {
    let mut found = 0;
    for file in files() {
        for (_, job) in jobs(&file) {
            for script in steps(&job).iter().filter_map(|step| step["run"].as_str()) {
                // One of a list that stands in the same file.
                let script = script.replace("${{ matrix.target }}", "test");
                assert!(!script.contains("${{"), "{file}: {script}");
                assert_eq!(shellcheck(&script), "", "{file}: {script}");
                found += 1;
            }
        }
    }
    assert!(found >= 8, "{found}");
    for name in ["build", "postinst", "postrm"] {
        let script = repository("deploy/debian").join(name);
        let (fine, said) = verdict(program("shellcheck").arg(script), "make test");
        assert!(fine, "{said}");
    }
    assert!(shellcheck("ls $(cat x)").contains("SC2046"), "it would notice");
}

/// A file with this in place of that.
fn changed(folder: &Path, file: &str, from: &str, to: &str) -> PathBuf {
    let (before, path) = (text(file), folder.join("changed.yml"));
    assert!(before.contains(from), "{from} in {file}");
    fs::write(&path, before.replace(from, to)).unwrap();
    path
}

#[test]
fn zizmor_finds_no_hole() {
    let audit = |path: &Path| {
        let mut zizmor = program("zizmor");
        zizmor.args(["--offline", "--no-progress", "--color=never", "--min-severity=medium"]).arg(path);
        verdict(&mut zizmor, "make test")
    };
    let folder = tempfile::tempdir().unwrap();
    for file in files() {
        let (fine, said) = audit(&repository(&file));
        assert!(fine, "{said}");
        // It would notice: credentials that stay in the working directory.
        assert!(!audit(&changed(folder.path(), &file, "persist-credentials: false", "fetch-depth: 1")).0);
    }
}

/// A tag can be moved to another commit by whoever takes over an action's repository.
#[test]
fn actions_are_pinned_by_commit() {
    let mut pins = BTreeSet::new();
    for file in files() {
        for line in text(&file).lines() {
            let Some((_, uses)) = line.split_once("uses: ") else { continue };
            let (action, pin) = uses.split_once('@').unwrap();
            let (commit, version) =
                pin.split_once(" # v").unwrap_or_else(|| panic!("no version beside {uses}"));
            assert!(commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{uses}");
            assert_eq!(version.split('.').count(), 3, "{uses}");
            pins.insert((action.to_owned(), pin.to_owned()));
        }
    }
    let actions: BTreeSet<_> = pins.iter().map(|(action, _)| action).collect();
    assert!(actions.len() >= 8 && actions.len() == pins.len(), "one version of each: {pins:?}");
}

/// The names after a prefix such as `needs.`.
fn named(text: &str, prefix: &str) -> BTreeSet<String> {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
    text.split(prefix).skip(1).filter_map(|rest| rest.split(ends).next()).map(str::to_owned).collect()
}

/// An expression about a job or a step that is not there is empty, and nothing says so.
#[test]
fn what_they_refer_to_is_there() {
    for file in files() {
        let jobs = jobs(&file);
        let names: BTreeSet<_> = jobs.iter().map(|(name, _)| name.clone()).collect();
        for (name, job) in &jobs {
            let needs = &job["needs"];
            let needs = needs.as_array().cloned().unwrap_or_else(|| vec![needs.clone()]);
            let needs: BTreeSet<_> = needs.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            assert!(needs.is_subset(&names), "{file}: {name} needs {needs:?}");
            let text = job.to_string();
            assert!(
                named(&text, "${{ needs.").is_subset(&needs),
                "{file}: {name} uses what it does not need"
            );
            let ids = steps(job).iter().filter_map(|step| Some(step["id"].as_str()?.to_owned())).collect();
            assert!(named(&text, "${{ steps.").is_subset(&ids), "{file}: {name} lacks a step that it uses");
        }
    }
    let (release, dockerfile) = (text(".github/workflows/release.yml"), text("deploy/Dockerfile"));
    for path in ["deploy/Dockerfile", "deploy/debian/build", "charts/anteroom"] {
        assert!(release.contains(path) && repository(path).exists(), "{path}");
    }
    // Packages and image are built by one compiler, and packages by the cargo-deb that the tests use.
    let rust = dockerfile.lines().find_map(|line| line.strip_prefix("ARG RUST_VERSION=")).unwrap();
    assert!(release.contains(&format!("/rust:{rust}.")), "{rust}");
    assert!(release.contains(&format!("--version {} cargo-deb\n", super::debian::CARGO_DEB)));
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
