//! Does the Dockerfile hold? Linted by hadolint, its start and its health check run with the built binary, its context
//! complete. No container engine is asked: the image itself is built by the workflows.

use std::process::Command;

use nix::sys::signal::Signal;

use super::machine::Machine;
use super::tools::{program, text, verdict};
use super::unit::moved;
use crate::support::process::Process;
use crate::support::repository;

/// The instructions, with continued lines joined and without comments; `NAME rest`.
fn instructions() -> Vec<(String, String)> {
    let lines: Vec<_> =
        text("deploy/Dockerfile").lines().filter(|l| !l.starts_with('#')).map(str::to_owned).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let split = joined.lines().filter_map(|line| line.trim().split_once(' '));
    split.map(|(name, rest)| (name.to_owned(), rest.trim().to_owned())).collect()
}

/// What an instruction of the last stage says; it stands there once.
fn last_stage(name: &str) -> String {
    let instructions = instructions();
    let from = instructions.iter().rposition(|(name, _)| name == "FROM").expect("a stage");
    let mut found = instructions[from..].iter().filter(|(has, _)| has == name);
    let (_, rest) = found.next().unwrap_or_else(|| panic!("no {name}"));
    assert!(found.next().is_none(), "{name} twice");
    rest.clone()
}

/// A command in exec form, as the image would run it: the built program, on this machine's files.
fn exec(machine: &Machine, words: &[String]) -> Command {
    let (program, arguments) = words.split_first().expect("a program");
    assert_eq!(program, "/usr/local/bin/anteroom");
    let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
    command
        .args(arguments.iter().map(|word| moved(machine.folder.path(), word)))
        .env_clear()
        .current_dir("/");
    command
}

fn words(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("not in exec form: {json} ({error})"))
}

#[test]
fn hadolint_finds_nothing() {
    let lint = |file: &std::path::Path| {
        verdict(program("hadolint").args(["--failure-threshold", "style"]).arg(file), "make test")
    };
    let (fine, said) = lint(&repository("deploy/Dockerfile"));
    assert!(fine && said.is_empty(), "{said}");
    // It would notice.
    let folder = tempfile::tempdir().unwrap();
    let (worse, dockerfile) = (folder.path().join("Dockerfile"), text("deploy/Dockerfile"));
    for (from, to) in [
        ("ENTRYPOINT [\"/usr/local/bin/anteroom\"]", "ENTRYPOINT /usr/local/bin/anteroom"),
        ("rust:${RUST_VERSION}-bookworm", "rust:latest"),
        ("# hadolint ignore=DL3008\n", ""),
    ] {
        assert!(dockerfile.contains(from), "{from}");
        std::fs::write(&worse, dockerfile.replace(from, to)).unwrap();
        assert!(!lint(&worse).0, "{to}");
    }
}

#[test]
fn the_image_is_what_charts_and_people_rely_on() {
    assert_eq!(last_stage("USER"), "65532:65532");
    assert_eq!(last_stage("STOPSIGNAL"), "SIGTERM");
    assert_eq!(last_stage("ENTRYPOINT"), r#"["/usr/local/bin/anteroom"]"#);
    assert_eq!(last_stage("CMD"), r#"["run", "--config", "/etc/anteroom/anteroom.toml"]"#);
    assert_eq!(last_stage("EXPOSE"), "4180 4181 4182 4183");
    let labels = last_stage("LABEL");
    for label in ["title", "description", "source", "licenses", "version", "revision", "url", "documentation"]
    {
        assert!(labels.contains(&format!("org.opencontainers.image.{label}=")), "{label}");
    }
    // What is run has to be what was built: one binary, one folder, and both of the same Debian.
    let copies: Vec<_> = instructions().into_iter().filter(|(name, _)| name == "COPY").collect();
    let from_build = copies.iter().filter(|(_, rest)| rest.starts_with("--from=build"));
    assert_eq!(from_build.count(), 2, "{copies:?}");
    let stages: Vec<_> = instructions().into_iter().filter(|(name, _)| name == "FROM").collect();
    assert!(stages[0].1.contains("-bookworm") && stages[1].1.contains("debian12:nonroot"), "{stages:?}");
}

#[test]
fn versions_are_those_of_the_crate() {
    let (manifest, dockerfile) = (text("Cargo.toml"), text("deploy/Dockerfile"));
    let value = |key: &str| {
        let line = manifest.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")).unwrap();
        line.trim_end_matches('"').to_owned()
    };
    assert!(dockerfile.contains(&format!("ARG VERSION={}\n", value("version"))));
    let compiler = dockerfile.lines().find_map(|line| line.strip_prefix("ARG RUST_VERSION=")).unwrap();
    let minor =
        |version: &str| version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok()).unwrap();
    assert!(minor(compiler) >= minor(&value("rust-version")), "{compiler}");
}

/// Whether a path is sent to the builder: the last pattern that names it or a folder above it counts.
fn sent(path: &str) -> bool {
    let ignore = text("deploy/Dockerfile.dockerignore");
    let patterns = ignore.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    patterns.fold(true, |sent, line| {
        let pattern = line.trim_start_matches('!');
        let names = pattern == "*" || path == pattern || path.starts_with(&format!("{pattern}/"));
        if names { line.starts_with('!') } else { sent }
    })
}

#[test]
fn the_builder_gets_what_the_build_needs_and_no_more() {
    let mut needed =
        vec!["Cargo.toml".to_owned(), "Cargo.lock".into(), "askama.toml".into(), "templates".into()];
    needed.extend(
        text("Cargo.toml")
            .lines()
            .filter_map(|l| l.strip_prefix("path = \"")?.strip_suffix('"').map(str::to_owned)),
    );
    let mut folders = vec![repository("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let included = std::fs::read_to_string(&entry).unwrap();
            for call in ["include_str!(\"", "include_bytes!(\""] {
                for path in included.split(call).skip(1).filter_map(|rest| rest.split('"').next()) {
                    let path = folder.join(path).canonicalize().unwrap();
                    needed.push(path.strip_prefix(repository("")).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
    }
    assert!(
        needed.contains(&"examples/emulator.toml".to_owned()) && needed.contains(&"src/main.rs".to_owned())
    );
    for path in &needed {
        assert!(sent(path), "{path} does not reach the builder");
    }
    for path in
        [".git/config", "target/debug/anteroom", "deploy/compose/secrets/client-secret", "docs/proxy.md"]
    {
        assert!(!sent(path), "{path} is sent to the builder");
    }
}

#[tokio::test]
async fn the_image_starts_is_healthy_and_stops() {
    let machine = Machine::new("").await;
    // Of the unit, nothing but the files: the container's configuration names its secrets.
    let secrets = machine.folder.path().join("etc/anteroom/secrets");
    let named = format!("client_secret_file = \"{}\"\nclient_id", secrets.join("client-secret").display());
    let keys = format!("[session]\nsecret_file = \"{}\"\n[store]", secrets.join("session-keys").display());
    machine.configure(&machine.toml.replacen("client_id", &named, 1).replacen("[store]", &keys, 1));
    let mut start = words(&last_stage("ENTRYPOINT"));
    start.extend(words(&last_stage("CMD")));
    let health = last_stage("HEALTHCHECK");
    let (_, health) = health.split_once("CMD ").expect("a command");
    let health = words(health.trim());
    let healthy = || exec(&machine, &health).output().unwrap().status.code();

    assert_eq!(healthy(), Some(1), "not before it runs");
    let mut process = Process::start("anteroom", exec(&machine, &start), "cargo build");
    process.wait_for_line(|line| line.contains("\"listening\"").then_some(())).await;
    assert_eq!(healthy(), Some(0), "{}", process.output());
    assert_eq!(machine.sign_in().await.text(), "the app");
    let signal = last_stage("STOPSIGNAL");
    process.signal(signal.parse::<Signal>().expect("a signal"));
    assert_eq!(process.wait_for_exit().await.code(), Some(0), "{}", process.output());
    assert_eq!(healthy(), Some(1), "not afterwards");
}
