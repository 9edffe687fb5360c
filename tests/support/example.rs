//! How does a test run an example whole? By its one command, `examples/run NAME`, on ports of its own.
//!
//! When the test ends early, the example's programs end too, although they have process groups of their own.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::gateway::program;
use super::process::Process;
use super::repository;

/// A running example.
pub(crate) struct Example {
    name: String,
    process: Process,
}

impl Example {
    /// Starts it, with Ada signing in at its Atlassian.
    pub(crate) fn start(name: &str) -> Self {
        let mut command = Command::new(repository("examples/run"));
        command
            .args([name, "--approve", "ada@example.com"])
            .env("ANTEROOM", env!("CARGO_BIN_EXE_anteroom"))
            .env("PORT_BASE", free_ports().to_string());
        if matches!(name, "traefik" | "caddy" | "envoy") {
            command.env(name.to_uppercase(), program(name));
        }
        Self {
            name: name.to_owned(),
            process: Process::start("examples/run", command, "sudo apt-get install -y bash"),
        }
    }

    /// Waits until it says where to go, and gives that: `http://localhost:PORT`.
    pub(crate) async fn ready(&self) -> String {
        let home = self.process.wait_for_line(|line| {
            let line = line.trim();
            line.starts_with("http://localhost:").then(|| line.to_owned())
        });
        home.await
    }

    /// How many programs it runs.
    pub(crate) fn programs(&self) -> usize {
        descendants(self.process.id()).len()
    }

    /// Ends it as Ctrl-C does; it must leave nothing behind.
    pub(crate) async fn stop(mut self) {
        let programs = descendants(self.process.id());
        // Not SIGINT: where the tests run in the background of a script, a shell may not trap it (POSIX, `trap`).
        self.process.signal(Signal::SIGTERM);
        let status = self.process.wait_for_exit().await;
        assert!(status.success(), "{status}: {}", self.process.output());
        let left: Vec<u32> = programs.into_iter().filter(|id| parent(*id).is_some()).collect();
        assert!(left.is_empty(), "{} leaves {left:?} behind", self.name);
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        for id in descendants(self.process.id()) {
            let _already_gone = kill(Pid::from_raw(id.try_into().expect("a process id")), Signal::SIGKILL);
        }
    }
}

/// The first of four ports in a row that nobody listens on just now, below those that systems hand out by themselves.
fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let somewhere = u16::try_from(std::process::id() % 4000).unwrap() * 4;
    loop {
        let base = 12_000 + (somewhere + NEXT.fetch_add(4, Ordering::Relaxed)) % 16_000;
        if (base..base + 4).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return base;
        }
    }
}

/// Children of a process, their children, and so on.
fn descendants(id: u32) -> BTreeSet<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parents: Vec<(u32, u32)> = ids.filter_map(|id: u32| Some((id, parent(id)?))).collect();
    let mut found = BTreeSet::from([id]);
    loop {
        let more: Vec<u32> = parents
            .iter()
            .filter(|(child, parent)| found.contains(parent) && !found.contains(child))
            .map(|(child, _)| *child)
            .collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    found.remove(&id);
    found
}

/// The parent of a process that has not ended.
fn parent(id: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // pid (name) state parent …; the name may hold anything.
    let mut fields = status.rsplit(") ").next()?.split(' ');
    let state = fields.next()?;
    (state != "Z").then_some(())?;
    fields.next()?.parse().ok()
}
