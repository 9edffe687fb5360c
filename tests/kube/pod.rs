//! What is injected, as a cluster takes it: the manifests against the schemas of Kubernetes, and the configuration that the
//! notes ask for against the files that the pod would have.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{repository, secrets, venv};

use super::inject::run;

#[test]
fn kubernetes_accepts_what_comes_out() {
    let python = venv::programs_of("kube", &repository("tests/kube/requirements.txt")).join("python");
    let mut check = Command::new(python);
    check.arg(repository("tests/kube/manifests.py")).arg(repository("tests/kube/golden"));
    venv::run(&mut check, "the manifests in tests/kube/golden are not as they should be");
}

/// The lines that the notes ask for, and the rest of a configuration with its secrets where the container has them.
fn configuration(notes: &str) -> String {
    let (_, asked) = notes.split_once("in the ConfigMap needs:\n").unwrap();
    let asked: String =
        asked.lines().take_while(|line| line.starts_with("  ")).flat_map(|l| [l.trim(), "\n"]).collect();
    format!(
        "public_url = \"https://wiki.example.com\"\n[atlassian]\nclient_id = \"0123456789abcdefghijABCDEFGHIJ01\"\n\
         client_secret_file = \"secrets/client-secret\"\n[access]\nemail_domains = [\"example.com\"]\n\
         [session]\nsecret_file = \"secrets/session-keys\"\n{asked}"
    )
}

/// With the mode of the volume, and nothing is said about it; with one more bit, something is.
#[test]
fn the_configuration_of_the_notes_and_the_mode_of_the_volume_give_no_warning() {
    let manifest = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: wiki}\nspec:\n  template:\n    metadata: {labels: \
                    {app: wiki}}\n    spec:\n      containers:\n      - name: wiki\n        image: wiki\n        ports: \
                    [{containerPort: 8080}]\n        livenessProbe: {httpGet: {path: /healthz, port: 8080}}\n";
    let output = run(&["k8s", "inject"], manifest.as_bytes());
    let (yaml, notes) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let mode = yaml.lines().find_map(|line| line.trim().strip_prefix("defaultMode: ")).unwrap();
    let mode: u32 = mode.parse().unwrap();
    assert!(yaml.contains("fsGroup: 65532"), "somebody has to be able to read them: {yaml}");

    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("anteroom.toml"), configuration(&notes)).unwrap();
    std::fs::create_dir(folder.path().join("secrets")).unwrap();
    for (more, warned) in [(0, false), (0o004, true)] {
        for (name, text) in
            [("client-secret", "ATOA-pod"), ("session-keys", "pod-secret-0123456789-abcdefghijk")]
        {
            let path = folder.path().join("secrets").join(name);
            let _not_yet = std::fs::remove_file(&path);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode | more)).unwrap();
        }
        let mut check = Command::new(env!("CARGO_BIN_EXE_anteroom"));
        let output = secrets::output(check.arg("check").current_dir(folder.path()).env_clear());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert_eq!(said.contains("warning["), warned, "{mode:o} {said}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("0.0.0.0:4183: /healthz"), "{notes}");
    }
}
