//! Does a real gateway do what we tell it? Programs from PyPI and Debian, started with what `anteroom config` prints.
//!
//! A gateway needs its address in its configuration, so the address is chosen first: [`free_address`], then
//! [`printed`], then `traefik::start` and so on.

pub(crate) mod caddy;
pub(crate) mod checks;
pub(crate) mod envoy;
pub(crate) mod haproxy;
pub(crate) mod nginx;
pub(crate) mod traefik;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::process::Process;
use super::raw::try_exchange;
use super::venv::programs_of;
use super::{DEADLINE, repository, secrets};

/// An address on loopback that nobody listens on, and that no other test is given: its port is below those that the system
/// hands out for port 0, each is given once per process, and processes begin at different ones.
pub(crate) fn free_address() -> SocketAddr {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let place = std::process::id().wrapping_mul(97).wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + u16::try_from(place % 20_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return SocketAddr::from(([127, 0, 0, 1], port));
        }
    }
}

/// Takes the address of a server that has just stopped, so that no other test's server appears there: connections are
/// refused for as long as this lives.
pub(crate) async fn nobody_at(address: SocketAddr) -> TcpSocket {
    let taken = async {
        loop {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            match socket.bind(address) {
                Ok(()) => return socket,
                // Still closing.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    timeout(DEADLINE, taken).await.expect("the address becomes free")
}

/// What `anteroom config` prints with these arguments for this configuration file.
pub(crate) fn printed(config: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
    command.arg("config").args(arguments).arg("--config").arg(config);
    let output = secrets::output(&mut command);
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A program that `tests/gateways/requirements.txt` installs.
pub(crate) fn program(name: &str) -> PathBuf {
    programs_of("gateways", &repository("tests/gateways/requirements.txt")).join(name)
}

/// Waits until the gateway knows this host: a gateway may listen before it has read its routes, and answers 404 until
/// then. Asks for `/` as an anonymous program would.
async fn serves(process: Process, address: SocketAddr, host: &str) -> Process {
    let question = format!("GET / HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    let ready = async {
        loop {
            let listens = TcpStream::connect(address).await.is_ok();
            if listens && try_exchange(address, &question).await.is_ok_and(|answer| answer.status != 404) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if timeout(DEADLINE, ready).await.is_err() {
        panic!("the gateway does not serve {host} at {address}. It said:\n{}", process.output());
    }
    process
}
