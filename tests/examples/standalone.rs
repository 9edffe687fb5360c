//! Does the example of an old app under systemd hold? Run by its one command, and its units asked of systemd.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::example::Example;
use crate::support::person::Person;
use crate::support::repository;

fn file(name: &str) -> String {
    std::fs::read_to_string(repository("examples/standalone").join(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_one_command_to_the_app() {
    let example = Example::start("standalone");
    let home = example.ready().await;
    assert!(example.programs() >= 3, "Atlassian, the app and Anteroom");

    // Somebody who says a name and has no session.
    let mut eve = Person::new();
    eve.headers.push(("remote-user", "grace@example.com".into()));
    let page = eve.visit(&format!("{home}/")).await;
    assert_eq!(page.url.path(), "/_anteroom/sign-in", "{}", page.body);

    let mut ada = Person::new();
    ada.headers.push(("remote-user", "grace@example.com".into()));
    ada.visit(&format!("{home}/_anteroom/start?return_to=%2F")).await;
    let page = ada.visit(&format!("{home}/")).await;
    assert!(page.body.contains("You are ada@example.com."), "{}", page.body);
    ada.post(&format!("{home}/"), &[("title", "The lift is slow")]).await;
    let page = ada.visit(&format!("{home}/")).await;
    assert!(page.body.contains("The lift is slow <small>by ada@example.com"), "{}", page.body);
    example.stop().await;
}

/// As the packaged unit starts it: the secrets are files that the environment names, everything else is in the file.
#[test]
fn the_configuration_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let secret = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, "ATOAtests-only-secret-qX7vK2mLp9aB3cD4eF5gH6iJ7kL8m").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    };
    let mut check = Command::new(env!("CARGO_BIN_EXE_anteroom"));
    check.args(["check", "--config"]).arg(repository("examples/standalone/anteroom.toml")).env_clear();
    check.env("ANTEROOM_ATLASSIAN__CLIENT_SECRET_FILE", secret("client-secret"));
    check.env("ANTEROOM_SESSION__SECRET_FILE", secret("session-keys"));
    let said = check.output().unwrap();
    let warned = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && warned.is_empty(), "{warned}");
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let verify = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let unit = folder.path().join("tickets.service");
        std::fs::write(&unit, text).unwrap();
        let mut analyze = Command::new("systemd-analyze");
        analyze.args(["verify", "--man=no", "--recursive-errors=no"]).arg(&unit);
        let said = analyze.output().expect("sudo apt-get install -y systemd");
        String::from_utf8_lossy(&said.stderr).into_owned()
    };
    let unit = file("tickets.service");
    assert_eq!(verify(&unit), "");
    assert!(
        verify(&unit.replace("IPAddressDeny", "IPAddresDeny")).contains("IPAddresDeny"),
        "it would notice"
    );
}

/// The app, its unit, Anteroom's configuration and the drop-in speak of the same place.
#[test]
fn the_files_fit_together() {
    let unit = file("tickets.service");
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let (program, address) = command.rsplit_once(' ').unwrap();
    assert_eq!(program, "/usr/bin/python3 /opt/tickets/tickets.py");
    assert!(address.starts_with("127.0.0.1:"), "{address}: only this machine may reach the app");
    assert!(file("anteroom.toml").contains(&format!("upstream = \"http://{address}\"")));
    for wanted in ["IPAddressDeny=any", "IPAddressAllow=localhost"] {
        assert!(unit.lines().any(|line| line == wanted), "{wanted}");
    }
    let drop_in = file("anteroom.service.d/tickets.conf");
    for wanted in ["Wants=tickets.service", "After=tickets.service"] {
        assert!(drop_in.lines().any(|line| line == wanted), "{wanted}");
    }
}
