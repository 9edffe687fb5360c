//! Do the workflows hold? By GitHub's schema, zizmor's audits and shellcheck, and by what they refer to. They run at GitHub
//! only; there, actionlint reads them too.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::tools::{by_schema, program, text, verdict, yaml};
use crate::support::repository;

const FILES: [&str; 2] = [".github/workflows/ci.yml", ".github/workflows/release.yml"];
const SCHEMA: &str = "vendor.github-workflows";

/// Every job of both files, by file and name.
fn jobs() -> Vec<(String, Value)> {
    let of = |file: &str| yaml(&repository(file))["jobs"].as_object().unwrap().clone();
    let named =
        |file: &'static str| of(file).into_iter().map(move |(name, job)| (format!("{file}: {name}"), job));
    FILES.into_iter().flat_map(named).collect()
}

fn steps(job: &Value) -> Vec<Value> {
    job["steps"].as_array().cloned().unwrap_or_default()
}

fn strings(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .map_or_else(|| value.as_str().into_iter().collect(), |l| l.iter().flat_map(Value::as_str).collect())
}

/// A file with this in place of that.
fn changed(folder: &Path, file: &str, from: &str, to: &str) -> std::path::PathBuf {
    let (before, path) = (text(file), folder.join("changed.yml"));
    assert!(before.contains(from), "{from} in {file}");
    std::fs::write(&path, before.replace(from, to)).unwrap();
    path
}

#[test]
fn github_would_accept_them() {
    let folder = tempfile::tempdir().unwrap();
    for file in FILES {
        let (fine, said) = by_schema(SCHEMA, &repository(file));
        assert!(fine, "{said}");
        assert!(
            !by_schema(SCHEMA, &changed(folder.path(), file, "runs-on:", "run-on:")).0,
            "it would notice"
        );
    }
}

#[test]
fn zizmor_finds_no_hole() {
    let audit = |path: &Path| {
        let mut zizmor = program("zizmor");
        zizmor.args(["--offline", "--no-progress", "--color=never", "--min-severity=medium"]).arg(path);
        verdict(&mut zizmor, "make test")
    };
    let folder = tempfile::tempdir().unwrap();
    for file in FILES {
        let (fine, said) = audit(&repository(file));
        assert!(fine, "{said}");
        // It would notice: a tag that can be moved, and credentials that stay in the working directory.
        let pinned = "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683";
        assert!(!audit(&changed(folder.path(), file, pinned, "actions/checkout@v4")).0);
        assert!(!audit(&changed(folder.path(), file, "persist-credentials: false", "fetch-depth: 1")).0);
    }
}

/// What shellcheck says of a script in bash.
fn shellcheck(script: &str) -> String {
    let mut command = program("shellcheck");
    command.args(["--shell=bash", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned()
}

#[test]
fn scripts_are_sound() {
    for (name, job) in jobs() {
        for script in steps(&job).iter().filter_map(|step| step["run"].as_str()) {
            assert_eq!(shellcheck(script), "", "{name}: {script}");
            // What GitHub knows comes in by the environment, never as text of a script.
            assert!(!script.contains("${{"), "{name}: {script}");
        }
    }
    for file in ["build", "postinst", "postrm"] {
        let script = repository("deploy/debian").join(file);
        let (fine, said) = verdict(program("shellcheck").arg(script), "make test");
        assert!(fine, "{said}");
    }
    assert!(shellcheck("ls $(cat x)").contains("SC2046"), "it would notice");
}

/// The names after a prefix such as `needs.`.
fn named(text: &str, prefix: &str) -> BTreeSet<String> {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
    text.split(prefix).skip(1).filter_map(|rest| rest.split(ends).next()).map(str::to_owned).collect()
}

#[test]
fn what_they_refer_to_is_there() {
    for (name, job) in jobs() {
        let text = job.to_string();
        let needed: BTreeSet<_> = strings(&job["needs"]).into_iter().map(str::to_owned).collect();
        assert!(named(&text, "${{ needs.").is_subset(&needed), "{name} uses what it does not need");
        let ids: BTreeSet<_> =
            steps(&job).iter().filter_map(|step| Some(step["id"].as_str()?.to_owned())).collect();
        assert!(named(&text, "${{ steps.").is_subset(&ids), "{name} uses a step that it does not have");
        let file = name.split(':').next().unwrap();
        let all = jobs();
        for other in needed {
            assert!(all.iter().any(|(name, _)| *name == format!("{file}: {other}")), "{name} needs {other}");
        }
        for file in named(&text, "deploy/debian/").into_iter().filter(|name| !name.is_empty()) {
            let path = if file == "anteroom" { "anteroom.toml" } else { &file };
            assert!(repository("deploy/debian").join(path).exists(), "{name}: deploy/debian/{path}");
        }
        assert!(job["uses"].is_string() || job["timeout-minutes"].is_u64(), "{name} may run for ever");
    }
    for path in ["deploy/Dockerfile", "deploy/compose.yaml"] {
        assert!(FILES.iter().any(|file| text(file).contains(path)) && repository(path).is_file(), "{path}");
    }
}

#[test]
fn versions_agree_and_actions_are_pinned() {
    let mut pins: BTreeMap<String, String> = BTreeMap::new();
    for line in FILES.iter().flat_map(|file| text(file).lines().map(str::to_owned).collect::<Vec<_>>()) {
        let Some((_, uses)) = line.split_once("uses: ") else { continue };
        if uses.starts_with("./") {
            assert!(repository(uses.trim_start_matches("./")).is_file(), "{uses}");
            continue;
        }
        let (action, pin) = uses.split_once('@').unwrap();
        let (commit, version) = pin.split_once(" # v").unwrap_or_else(|| panic!("no version beside {uses}"));
        assert!(commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{uses}");
        assert_eq!(version.split('.').count(), 3, "{uses}");
        assert_eq!(pins.entry(action.to_owned()).or_insert_with(|| pin.to_owned()), pin);
    }
    assert!(pins.len() >= 8, "{pins:?}");
    let (dockerfile, [ci, release]) = (text("deploy/Dockerfile"), FILES.map(text));
    let rust = dockerfile.lines().find_map(|line| line.strip_prefix("ARG RUST_VERSION=")).unwrap();
    assert!(ci.contains(&format!("RUST: \"{rust}\"\n")));
    assert!(release.contains(&format!("container: rust:{rust}-bookworm\n")));
    assert!(release.contains(&format!("--version {} cargo-deb\n", super::debian::CARGO_DEB)));
}

#[test]
fn jobs_get_the_rights_that_they_need() {
    for file in FILES {
        assert_eq!(
            yaml(&repository(file))["permissions"],
            serde_json::json!({ "contents": "read" }),
            "{file}"
        );
        assert!(!text(file).contains("pull_request_target"), "{file} runs foreign code with our rights");
    }
    for (name, job) in jobs() {
        let text = job.to_string();
        let may = |right: &str| job["permissions"][right] == "write";
        assert_eq!(
            may("id-token"),
            text.contains("cosign "),
            "{name}: signing is by the workflow's identity"
        );
        assert_eq!(may("attestations"), text.contains("attest-build-provenance@"), "{name}");
        assert_eq!(may("packages"), text.contains("docker/login-action@"), "{name}");
        assert_eq!(may("contents"), text.contains("gh release create"), "{name}");
    }
}
