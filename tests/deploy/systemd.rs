//! Do the units hold? Checked and scored by systemd itself, and the service started with exactly what its unit says, by a
//! service manager that listens.

use std::process::{Command, Output};

use nix::sys::signal::Signal;

use super::machine::Machine;
use super::unit::Unit;
use crate::support::process::Process;
use crate::support::raw::try_exchange;
use crate::support::repository;

const REMEDY: &str = "sudo apt-get install -y systemd";
/// The highest exposure that `systemd-analyze security` may find, in tenths.
const EXPOSURE: &str = "15";

fn analyze(arguments: &[&str], unit: &str) -> (bool, String) {
    let mut command = Command::new("systemd-analyze");
    let output = command.args(arguments).arg(unit).env("SYSTEMD_COLORS", "0").output();
    let Output { status, stdout, stderr } = output.unwrap_or_else(|error| panic!("{REMEDY} ({error})"));
    (status.success(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

/// The unit with this in place of that, and the built program in place of the installed one.
fn changed(folder: &std::path::Path, name: &str, from: &str, to: &str) -> String {
    let text = std::fs::read_to_string(repository("deploy/systemd").join(name)).unwrap();
    assert!(text.contains(from), "{from} in {name}");
    let text = text.replace(from, to).replace("/usr/bin/anteroom", env!("CARGO_BIN_EXE_anteroom"));
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let folder = tempfile::tempdir().unwrap();
    let verify = ["verify", "--man=no", "--recursive-errors=no"];
    changed(folder.path(), "anteroom.service", "", "");
    for unit in ["anteroom.service", "anteroom.socket"] {
        let (fine, said) = analyze(&verify, &changed(folder.path(), unit, "", ""));
        assert!(fine && said.is_empty(), "{unit}: {said}");
    }
    // It would notice.
    let wrong = changed(folder.path(), "anteroom.service", "ProtectSystem=strict", "ProtectSystems=strict");
    let (_, said) = analyze(&verify, &wrong);
    assert!(said.contains("ProtectSystems"), "{said}");
}

#[test]
fn the_service_is_confined() {
    let folder = tempfile::tempdir().unwrap();
    let threshold = format!("--threshold={EXPOSURE}");
    let score = ["security", "--offline=true", "--no-pager", &threshold];
    let (fine, said) = analyze(&score, &changed(folder.path(), "anteroom.service", "", ""));
    assert!(fine, "{said}");
    println!("{}", said.lines().last().unwrap_or_default());
    // It would notice: a unit with nothing of it, and one without single lines.
    let bare = folder.path().join("bare.service");
    std::fs::write(&bare, "[Service]\nExecStart=/bin/true\n").unwrap();
    assert!(!analyze(&score, bare.to_str().unwrap()).0);
    for line in ["PrivateUsers=yes\n", "CapabilityBoundingSet=\n", "SystemCallFilter=@system-service\n"] {
        let (_, less) = analyze(&score, &changed(folder.path(), "anteroom.service", line, ""));
        assert!(exposure(&less) > exposure(&said), "without {line}");
    }
}

fn exposure(said: &str) -> f64 {
    let after = said.split("exposure level for").nth(1).unwrap_or_else(|| panic!("no score in {said}"));
    after.split_whitespace().nth(1).and_then(|score| score.parse().ok()).expect("a score")
}

#[tokio::test]
async fn the_service_says_how_things_stand() {
    let (unit, machine) = (Unit::read("anteroom.service"), Machine::new("").await);
    assert_eq!((unit.one("Service.Type"), unit.one("Service.NotifyAccess")), ("notify", "main"));
    assert!(unit.one("Service.WatchdogSec").parse::<u32>().unwrap() > 0);
    let mut command = unit.command(machine.folder.path());
    // A watchdog of 0.2 s instead of WatchdogSec.
    command.env("NOTIFY_SOCKET", machine.notify()).env("WATCHDOG_USEC", "200000");
    let mut process = Process::start("anteroom", command, "cargo build");
    machine.told("READY=1", &process);
    assert_eq!(machine.sign_in().await.text(), "the app", "ready means that it serves");
    for _ in 0..3 {
        machine.told("WATCHDOG=1", &process);
    }

    assert_eq!(unit.one("Service.ExecReload"), "/bin/kill -HUP $MAINPID");
    process.signal(Signal::SIGHUP);
    let reloading = machine.told("RELOADING=1", &process);
    let since_boot: u64 =
        reloading.split("MONOTONIC_USEC=").nth(1).and_then(|t| t.trim().parse().ok()).unwrap();
    assert!(since_boot > 0);
    assert!(machine.told("READY=1", &process).ends_with("STATUS=Serving"));

    machine.configure(&machine.toml.replace("[access]", "[acess]"));
    process.signal(Signal::SIGHUP);
    machine.told("RELOADING=1", &process);
    let still = machine.told("READY=1", &process);
    assert!(still.contains("the configuration on disk has mistakes"), "{still}");
    assert_eq!(machine.sign_in().await.status, 200, "what was in force stays so");

    process.signal(Signal::SIGTERM);
    let stopping = machine.told("STOPPING=1", &process);
    let allowed: u64 =
        stopping.split("EXTEND_TIMEOUT_USEC=").nth(1).and_then(|t| t.trim().parse().ok()).unwrap();
    // The drain of 20 seconds, and the last work.
    assert_eq!(allowed, 30_000_000);
    assert!(unit.one("Service.TimeoutStopSec").parse::<u64>().unwrap() * 1_000_000 >= allowed + 5_000_000);
    assert_eq!(process.wait_for_exit().await.code(), Some(0), "{}", process.output());
}

#[tokio::test]
async fn a_configuration_that_is_wrong_is_not_started_again() {
    let (unit, machine) = (Unit::read("anteroom.service"), Machine::new("").await);
    // As it is installed: nothing is filled in.
    machine.configure(&super::machine::packaged());
    let mut process = Process::start("anteroom", unit.command(machine.folder.path()), "cargo build");
    let status = process.wait_for_exit().await.code().expect("a status");
    let mut kept_down = unit.one("Service.RestartPreventExitStatus").split(' ');
    assert!(kept_down.any(|code| code == status.to_string()), "{status}");
    for missing in ["public_url", "client_id", "upstream", "access"] {
        process.wait_for_line(|line| line.contains(missing).then_some(())).await;
    }
}

#[tokio::test]
async fn systemd_opens_the_socket() {
    let (service, socket) = (Unit::read("anteroom.service"), Unit::read("anteroom.socket"));
    let name = socket.one("Socket.FileDescriptorName");
    let machine = Machine::new(&format!("systemd:{name}")).await;
    let wanted = service.command(machine.folder.path());
    let mut command = Command::new("systemd-socket-activate");
    command
        .env("PATH", "/usr/bin:/bin")
        .arg(format!("--listen={}", machine.proxy))
        .arg(format!("--fdname={name}"));
    for (name, value) in wanted.get_envs() {
        let value = value.expect("set").to_str().expect("UTF-8");
        command.arg(format!("--setenv={}={value}", name.to_str().expect("UTF-8")));
    }
    command.arg(format!("--setenv=NOTIFY_SOCKET={}", machine.notify()));
    command.arg(wanted.get_program()).args(wanted.get_args());
    let mut process = Process::start("anteroom", command, REMEDY);
    process.wait_for_line(|line| line.contains("Listening on").then_some(())).await;
    // The connection waits in the socket while the program starts; systemd-socket-activate becomes it.
    let request =
        format!("GET / HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n", machine.proxy.port());
    assert_eq!(try_exchange(machine.proxy, &request).await.expect("an answer").status, 401);
    machine.told("READY=1", &process);
    assert_eq!(machine.sign_in().await.text(), "the app");
    assert_eq!(machine.ops("/readyz").await.status, 200);
    process.signal(Signal::SIGTERM);
    machine.told("STOPPING=1", &process);
    assert_eq!(process.wait_for_exit().await.code(), Some(0), "{}", process.output());
}
