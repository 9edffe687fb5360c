//! `anteroom k8s inject` and `container` as the real binary gives them out, compared with files in `golden/`. `UPDATE=1` writes
//! those anew; read the difference.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::support::repository;

/// Runs the binary with this on standard input.
pub(super) fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
    command.args(arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // One that refuses early does not read to the end.
    let _refused = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The version stands in every output and changes with every release.
fn steady(text: &str) -> String {
    text.replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

#[allow(clippy::disallowed_methods)]
fn compare(name: &str, got: &str) {
    let path = repository("tests/kube/golden").join(name);
    let got = steady(got);
    if std::env::var("UPDATE").is_ok() {
        std::fs::write(&path, &got).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(got, want, "{name}: UPDATE=1 writes it anew");
}

fn given(name: &str) -> Vec<u8> {
    std::fs::read(repository("tests/kube/golden").join(name)).unwrap()
}

#[test]
fn manifests_come_out_as_they_did() {
    for (given_name, want, flags) in [
        (
            "rendered.yaml",
            "rendered.out.yaml",
            &["--workload", "deployment/wiki", "--container", "wiki", "--service", "wiki"][..],
        ),
        (
            "rendered.yaml",
            "rendered.native.yaml",
            &[
                "--workload",
                "wiki",
                "--app-port",
                "8080",
                "--native",
                "--image",
                "r.example/anteroom@sha256:0",
            ],
        ),
        ("list.json", "list.out.yaml", &["--app-port", "9000", "--app-pause", "0"]),
    ] {
        let mut arguments = vec!["k8s", "inject"];
        arguments.extend(flags);
        let output = run(&arguments, &given(given_name));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        compare(want, &text(&output.stdout));
        compare(&format!("{want}.notes"), &text(&output.stderr));
        let again = run(&arguments, &output.stdout);
        assert_eq!(text(&again.stdout), text(&output.stdout), "{want}: once more changes nothing");
    }
}

#[test]
fn the_container_and_its_volumes_come_out_as_they_did() {
    for (flags, want) in [
        (&[][..], "container.yaml"),
        (&["--native", "--probes"], "container.native.yaml"),
        (&["--volumes", "--config-map", "a", "--secret", "on"], "volumes.yaml"),
    ] {
        let mut arguments = vec!["k8s", "container"];
        arguments.extend(flags);
        let output = run(&arguments, b"");
        assert_eq!(output.status.code(), Some(0));
        compare(want, &text(&output.stdout));
    }
}

#[test]
fn a_refusal_writes_nothing_and_says_what_to_do() {
    for (input, want) in [
        (&b"kind: [\n"[..], "is no YAML"),
        (b"kind: Deployment\n\tname: x\n", "is no YAML"),
        (b"apiVersion: batch/v1\nkind: Job\n", "but Job (batch/v1). Give the manifest"),
        (b"apiVersion: v1\napiVersion: v1\nkind: Pod\n", "is there twice"),
        (b"<<: {kind: Pod}\n", "merge key"),
    ] {
        let output = run(&["k8s", "inject"], input);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(want), "{want}: {}", text(&output.stderr));
    }
    let output = run(&["k8s", "inject", "-f", "/nowhere/at.yaml"], b"");
    assert_eq!(output.status.code(), Some(1));
    let output = run(&["k8s", "inject"], b"\xff\xfe");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
}

/// Helm 4 takes a post-renderer as a plugin: its file has to name this command and this version.
#[test]
fn the_plugin_for_helm_runs_this_command() {
    let plugin = std::fs::read_to_string(repository("deploy/helm-plugin/plugin.yaml")).unwrap();
    for line in [
        "apiVersion: v1",
        "type: postrenderer/v1",
        "name: anteroom",
        "runtime: subprocess",
        &format!("version: {}", env!("CARGO_PKG_VERSION")),
        "  - command: anteroom",
        "    args: [k8s, inject]",
    ] {
        assert!(plugin.lines().any(|has| has == line), "{line}\n{plugin}");
    }
}
