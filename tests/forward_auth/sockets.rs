//! Where gateways reach the real binary: a Unix socket of its own, and sockets that systemd has opened
//! (`sd_listen_fds(3)`), played by a program that binds, hands over from descriptor 3 on, and becomes Anteroom.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::super::support::http1::Reader;
use super::super::support::process::Process;
use super::super::support::site::SECRET;
use super::rig::{Dialect, Question, SCRIPT};

const HOST: &str = "wiki.example.com";
const REMEDY: &str = "sudo apt-get install -y python3";

/// Binds one socket per argument behind the names (`tcp`, or the path of a Unix socket), says where, and becomes Anteroom.
const SYSTEMD: &str = r#"
import fcntl, os, socket, sys
program, names, *wanted = sys.argv[1:]
sockets = []
for where in wanted:
    if where == "tcp":
        s = socket.create_server(("127.0.0.1", 0))
        print("port=%d" % s.getsockname()[1], flush=True)
    else:
        s = socket.socket(socket.AF_UNIX)
        s.bind(where)
        s.listen()
    sockets.append(fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 20))
for at, fd in enumerate(sockets):
    os.dup2(fd, 3 + at)
os.environ.update(LISTEN_FDS=str(len(sockets)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=names)
os.execv(program, [program, "run"])
"#;

/// A folder with a configuration that listens there and trusts these.
fn configured(listen: &str, trusted: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let toml = format!(
        "public_url = \"https://{HOST}\"\n[atlassian]\nclient_id = \"x\"\nclient_secret = \"y\"\n\
         [forward_auth]\nlisten = \"{listen}\"\ntrusted_proxies = [\"{trusted}\"]\n\
         [session]\nsecret = \"{SECRET}\"\n[store]\nurl = \"memory:\"\n\
         [ops]\nlisten = \"127.0.0.1:0\"\nshutdown_delay = \"0s\"\n\
         [access]\nallow_any_atlassian_account = true\n[[routes]]\nprefix = \"/public\"\naccess = \"public\"\n"
    );
    std::fs::write(
        folder.path().join("anteroom.toml"),
        toml.replace("FOLDER", folder.path().to_str().unwrap()),
    )
    .unwrap();
    folder
}

fn run(folder: &TempDir, mut command: Command) -> Process {
    command.current_dir(folder.path()).env_clear();
    Process::start("anteroom", command, REMEDY)
}

fn handed_over(folder: &TempDir, names: &str, sockets: &[&str]) -> Process {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", SYSTEMD, env!("CARGO_BIN_EXE_anteroom"), names]).args(sockets);
    run(folder, command)
}

async fn listening(process: &Process) {
    process.wait_for_line(|line| line.contains("\"listening\"").then_some(())).await;
}

/// Asks twice on one connection: a public path is let through, another is not.
async fn answers(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut gateway = Reader::new(stream);
    for (target, status) in [("/public", "200"), ("/board", "401")] {
        let question = Question::to(target).headers(SCRIPT).head(Dialect::Forward, HOST);
        gateway.stream.write_all(question.as_bytes()).await.unwrap();
        let head = gateway.head().await.unwrap().expect("an answer");
        assert_eq!(head.start_line.split(' ').nth(1), Some(status), "{target}: {head:?}");
        gateway.body(head.response_framing("GET", 200)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_of_its_own() {
    let folder = configured("unix:FOLDER/gateway.sock", "unix");
    let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
    command.arg("run");
    let mut anteroom = run(&folder, command);
    listening(&anteroom).await;
    let path = folder.path().join("gateway.sock");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    answers(UnixStream::connect(&path).await.unwrap()).await;
    anteroom.signal(Signal::SIGTERM);
    assert!(anteroom.wait_for_exit().await.success(), "{}", anteroom.output());
    assert!(!path.exists(), "it goes with the process");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_that_systemd_hands_over() {
    for (listen, names, sockets, which) in [
        ("systemd", "anteroom.socket", vec!["tcp"], 0),
        ("systemd:gateway", "other:gateway", vec!["tcp", "tcp"], 1),
        ("systemd:gateway", "gateway:other", vec!["tcp", "tcp"], 0),
    ] {
        let folder = configured(listen, "127.0.0.1");
        let anteroom = handed_over(&folder, names, &sockets);
        listening(&anteroom).await;
        let output = anteroom.output();
        let mut ports = output.lines().filter_map(|line| line.strip_prefix("port=")?.parse::<u16>().ok());
        let port = ports.nth(which).unwrap();
        answers(TcpStream::connect(("127.0.0.1", port)).await.unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_of_systemd_stays_systemds() {
    let folder = configured("systemd", "unix");
    let path: PathBuf = folder.path().join("gateway.sock");
    let mut anteroom = handed_over(&folder, "anteroom.socket", &[path.to_str().unwrap()]);
    listening(&anteroom).await;
    answers(UnixStream::connect(&path).await.unwrap()).await;
    anteroom.signal(Signal::SIGTERM);
    assert!(anteroom.wait_for_exit().await.success(), "{}", anteroom.output());
    assert!(path.exists(), "whoever made it removes it");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_socket_it_does_not_start() {
    for (listen, names, sockets) in [
        ("systemd:gateway", "other", vec!["tcp"]),
        ("systemd", "", vec![]),
        ("systemd:gateway", "", vec!["tcp"]),
    ] {
        let folder = configured(listen, "127.0.0.1");
        let mut anteroom = handed_over(&folder, names, &sockets);
        assert!(!anteroom.wait_for_exit().await.success());
        anteroom
            .wait_for_line(|line| line.contains("systemd has handed over no such socket").then_some(()))
            .await;
    }
}
