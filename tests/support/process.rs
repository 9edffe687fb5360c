//! How does a test run another program and never leave it behind? In a process group of its own, killed on drop.
//!
//! Output is read all the time, so that a full pipe cannot stall the program, and kept to be shown when a wait fails.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::sync::watch;
use tokio::time::timeout;

use super::{DEADLINE, secrets};

/// A running program.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    changed: watch::Receiver<()>,
}

impl Process {
    /// Starts the command. When there is no such program, the test fails with `remedy`: the command that installs it.
    pub(crate) fn start(name: &str, mut command: Command, remedy: &str) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| match error.kind() {
            ErrorKind::NotFound => panic!("{name} is not installed. To install it: {remedy}"),
            _ => panic!("{name} does not start: {error}"),
        });
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (notify, changed) = watch::channel(());
        let notify = Arc::new(notify);
        let (out, err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let from = ours(name, &command).then(|| name.to_owned());
        collect(out, Arc::clone(&lines), Arc::clone(&notify), from.clone());
        collect(err, Arc::clone(&lines), notify, from);
        Self { name: name.to_owned(), child, lines, changed }
    }

    /// Waits for the first line of output (either stream, past lines too) that the function takes something from.
    pub(crate) async fn wait_for_line<T>(&self, take: impl Fn(&str) -> Option<T>) -> T {
        let mut changed = self.changed.clone();
        let wait = async {
            loop {
                let ended = changed.has_changed().is_err();
                if let Some(found) = self.lines.lock().unwrap().iter().find_map(|line| take(line)) {
                    return Some(found);
                }
                if ended || changed.changed().await.is_err() && changed.has_changed().is_err() {
                    // One look more: the last line and the end may have come together.
                    return self.lines.lock().unwrap().iter().find_map(|line| take(line));
                }
            }
        };
        match timeout(DEADLINE, wait).await {
            Ok(Some(found)) => found,
            Ok(None) => panic!("{} ended without the line awaited. It said:\n{}", self.name, self.output()),
            Err(_) => panic!("{} did not say the line awaited. It said:\n{}", self.name, self.output()),
        }
    }

    /// Everything it said so far, both streams together.
    pub(crate) fn output(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal; it alone, not its children.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(pid(&self.child), signal).expect("running");
    }

    /// Waits until it has ended.
    pub(crate) async fn wait_for_exit(&mut self) -> ExitStatus {
        let wait = async {
            loop {
                if let Some(status) = self.child.try_wait().expect("our child") {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let ended = timeout(DEADLINE, wait).await;
        ended.unwrap_or_else(|_| panic!("{} does not end. It said:\n{}", self.name, self.output()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The group: what it started must not outlive it either.
        let _already_gone = killpg(pid(&self.child), Signal::SIGKILL);
        let _reaped = self.child.wait();
        secrets::verify();
    }
}

/// Whether it is an Anteroom; what gateways and browsers say is theirs.
fn ours(name: &str, command: &Command) -> bool {
    name == "anteroom" || command.get_program() == env!("CARGO_BIN_EXE_anteroom")
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().expect("a process id"))
}

fn collect(
    stream: impl Read + Send + 'static,
    lines: Arc<Mutex<Vec<String>>>,
    notify: Arc<watch::Sender<()>>,
    ours: Option<String>,
) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if let Some(name) = &ours {
                secrets::check(name, &line);
            }
            lines.lock().unwrap().push(line);
            let _seen_by_nobody = notify.send(());
        }
    });
}

mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start("sh", command, "")
    }

    #[tokio::test]
    async fn lines_of_both_streams_are_found_before_and_after_the_end() {
        let mut process = shell("echo port=7; echo trouble >&2; exit 3");
        let port: u16 = process.wait_for_line(|line| line.strip_prefix("port=")?.parse().ok()).await;
        assert_eq!(port, 7);
        assert_eq!(process.wait_for_exit().await.code(), Some(3));
        process.wait_for_line(|line| (line == "trouble").then_some(())).await;
    }

    #[tokio::test]
    #[should_panic(expected = "ended without the line awaited. It said:\nonly this")]
    async fn a_line_that_never_comes_fails_with_what_was_said() {
        shell("echo only this").wait_for_line(|line| (line == "that").then_some(())).await;
    }

    #[tokio::test]
    async fn dropping_kills_the_children_too() {
        let process = shell("sleep 600 & echo $!; wait");
        let grandchild: i32 = process.wait_for_line(|line| line.parse().ok()).await;
        assert!(kill(Pid::from_raw(grandchild), None).is_ok());
        drop(process);
        let gone = async {
            // Killed at once; reaped by init a moment later.
            while is_running(grandchild) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, gone).await.expect("the grandchild to end");
    }

    /// Zombies do not run.
    fn is_running(pid: i32) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        status.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
    }

    #[tokio::test]
    #[should_panic(expected = "is not installed. To install it: apt-get install it")]
    async fn a_missing_program_names_its_remedy() {
        Process::start("it", Command::new("no-such-program-anywhere"), "apt-get install it");
    }
}
