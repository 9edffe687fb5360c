//! Clients that other people wrote for Atlassian, from npm and PyPI, unchanged but for the two base URLs.
//!
//! They are installed once, from pinned manifests, into a cache under `target/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anteroom::emulator::{Emulator, Options};
use serde_json::Value;

use super::support::{ADA, CALLBACK, CLIENT, SECRET};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// Runs a program; the test fails with the remedy when it is not there, and with its output when it fails.
fn run(command: &mut Command, remedy: &str) -> Output {
    let shown = format!("{command:?}");
    let output = command.output().unwrap_or_else(|error| panic!("{shown}: {error}. Install it: {remedy}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{shown} failed; if a tool is missing: {remedy}\n{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}

/// A folder that holds the sources, installed by `install` unless an earlier run has done it for the same manifests.
fn installed(name: &str, manifests: &[&str], install: impl FnOnce(&Path)) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let wanted: String = manifests
        .iter()
        .map(|file| std::fs::read_to_string(Path::new(SOURCES).join(file)).unwrap())
        .collect();
    let stamp = folder.join(".installed");
    for entry in std::fs::read_dir(SOURCES).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    if std::fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        install(&folder);
        std::fs::write(stamp, wanted).unwrap();
    }
    folder
}

/// Signs Ada in through each client against an emulator in which she consents to everything.
async fn sign_in(
    (program, remedy): (&'static str, &'static str),
    scripts: &'static [&'static str],
    prepare: fn() -> PathBuf,
) {
    let options = Options { approve: Some(ADA.to_owned()), ..Options::loopback() };
    let emulator = Emulator::start(options).await.unwrap();
    let base = emulator.base_url().to_string();
    let answers = tokio::task::spawn_blocking(move || {
        let folder = prepare();
        let one = |script: &'static str| {
            let mut process = Command::new(program);
            process.arg(script).current_dir(&folder).env("PYTHONPATH", folder.join("packages"));
            process.env("BASE_URL", &base).env("CALLBACK", CALLBACK);
            process.env("CLIENT_ID", CLIENT).env("CLIENT_SECRET", SECRET);
            let output = run(&mut process, remedy);
            (script, serde_json::from_slice::<Value>(&output.stdout).unwrap())
        };
        scripts.iter().copied().map(one).collect::<Vec<_>>()
    });
    for (script, answer) in answers.await.unwrap() {
        assert_eq!(answer["account_id"], ADA, "{script}: {answer}");
    }
    let granted =
        emulator.journal().iter().filter(|entry| entry.outcome.as_deref() == Some("granted")).count();
    assert!(granted >= scripts.len(), "every client exchanged a code: {granted}");
}

#[tokio::test]
async fn arctic_better_auth_and_passport_from_npm() {
    const REMEDY: &str = "apt-get install nodejs npm";
    sign_in(("node", REMEDY), &["arctic.mjs", "better-auth.mjs", "passport.mjs"], || {
        installed("node", &["package.json", "package-lock.json"], |folder| {
            let ci = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"];
            run(Command::new("npm").args(ci).current_dir(folder), REMEDY);
        })
    })
    .await;
}

#[tokio::test]
async fn requests_oauthlib_and_atlassian_python_api_from_pypi() {
    const REMEDY: &str = "apt-get install python3 python3-pip";
    sign_in(("python3", REMEDY), &["requests_oauthlib_client.py"], || {
        installed("python", &["requirements.txt"], |folder| {
            let pip = ["-m", "pip", "install", "--quiet", "--upgrade", "--target", "packages"];
            let pip = pip.into_iter().chain(["-r", "requirements.txt"]);
            run(Command::new("python3").args(pip).current_dir(folder), REMEDY);
        })
    })
    .await;
}
