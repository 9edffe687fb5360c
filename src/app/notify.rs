//! How does systemd learn how things stand? From datagrams on the socket that it names in the environment, as
//! `sd_notify(3)` and `sd_watchdog_enabled(3)` say: ready, reloading, stopping, alive.
//!
//! Guarantees: where nobody wants to know, nothing is sent; a message that is lost stops nothing. Signs of life come from
//! the runtime that serves, so that one that hangs gives none.
//! Must not: wait for anybody, nor say what is configured.

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::config::{Environment, NOTIFY_SOCKET, WATCHDOG_INTERVAL, WATCHDOG_PROCESS};

/// Beyond the drain's own deadlines, until the process is gone: the store is saved, the last traces are sent.
const LAST_WORK: Duration = Duration::from_secs(10);

/// The service manager, if there is one that wants to be told.
#[derive(Debug, Default)]
pub struct Notify {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// The longest silence that it bears.
    patience: Option<Duration>,
}

impl Notify {
    /// Whoever the environment names.
    ///
    /// # Errors
    /// `NOTIFY_SOCKET` names no Unix socket, or none can be made to send from.
    pub fn of(environment: &Environment) -> io::Result<Self> {
        let Some(place) = environment.get(NOTIFY_SOCKET) else { return Ok(Self::default()) };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        let ours = environment.get(WATCHDOG_PROCESS).is_none_or(|id| id == std::process::id().to_string());
        let patience = environment.get(WATCHDOG_INTERVAL).filter(|_| ours);
        let patience = patience.and_then(|text| text.parse().ok()).filter(|micros| *micros > 0);
        Ok(Self { to: Some((socket, address(place)?)), patience: patience.map(Duration::from_micros) })
    }

    /// Connections are answered from now on.
    pub(super) fn ready(&self) {
        self.say("READY=1\nSTATUS=Serving");
    }

    /// The configuration is being read anew.
    pub(super) fn reloading(&self) {
        // `Type=notify-reload` tells an older message from a newer one by this.
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// It is in force, or what was in force stays so.
    pub(super) fn reloaded(&self, in_force: bool) {
        self.say(if in_force {
            "READY=1\nSTATUS=Serving"
        } else {
            "READY=1\nSTATUS=Serving; the configuration on disk has mistakes and is not in force: see the log"
        });
    }

    /// On the way out, for at most as long as the drain may take.
    pub(super) fn stopping(&self, drain: Duration) {
        let micros = (drain + LAST_WORK).as_micros();
        self.say(&format!("STOPPING=1\nSTATUS=Finishing what has begun\nEXTEND_TIMEOUT_USEC={micros}"));
    }

    /// Signs of life, twice as often as they are wanted, until it is dropped.
    pub(super) async fn stay_alive(self: Arc<Self>) {
        let Some(patience) = self.patience else { return };
        let mut beats = interval(patience / 2);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            self.say("WATCHDOG=1");
        }
    }

    fn say(&self, what: &str) {
        let Some((socket, to)) = &self.to else { return };
        if let Err(error) = socket.send_to_addr(what.as_bytes(), to) {
            let first = what.lines().next().unwrap_or_default();
            tracing::warn!(%error, message = first, "the service manager could not be told; it may end this process");
        }
    }
}

/// A path, or a name in the abstract namespace, which begins with `@`.
fn address(place: &str) -> io::Result<SocketAddr> {
    match place.strip_prefix('@') {
        #[cfg(target_os = "linux")]
        Some(name) => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name),
        _ if place.starts_with('/') => SocketAddr::from_pathname(OsStr::new(place)),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "NOTIFY_SOCKET names no Unix socket: a path, or a name that begins with @",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_path_or_an_abstract_name() {
        assert!(address("/run/systemd/notify").unwrap().as_pathname().is_some());
        #[cfg(target_os = "linux")]
        assert!(!address("@/org/freedesktop/systemd1/notify").unwrap().is_unnamed());
        for wrong in ["vsock:2:1234", "notify.sock", ""] {
            assert!(address(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn signs_of_life_are_given_only_where_this_process_is_asked_for_them() {
        let us = std::process::id().to_string();
        let (any, other) = ("1000000", "1");
        for (variables, wanted) in [
            (vec![(NOTIFY_SOCKET, "/x"), (WATCHDOG_INTERVAL, any)], Some(Duration::from_secs(1))),
            (
                vec![(NOTIFY_SOCKET, "/x"), (WATCHDOG_INTERVAL, any), (WATCHDOG_PROCESS, &us)],
                Some(Duration::from_secs(1)),
            ),
            (vec![(NOTIFY_SOCKET, "/x"), (WATCHDOG_INTERVAL, any), (WATCHDOG_PROCESS, other)], None),
            (vec![(NOTIFY_SOCKET, "/x"), (WATCHDOG_INTERVAL, "0")], None),
            (vec![(NOTIFY_SOCKET, "/x"), (WATCHDOG_INTERVAL, "soon")], None),
            (vec![(NOTIFY_SOCKET, "/x")], None),
            (vec![(WATCHDOG_INTERVAL, any)], None),
        ] {
            let notify = Notify::of(&variables.iter().copied().collect()).unwrap();
            assert_eq!(notify.patience, wanted, "{variables:?}");
        }
    }
}
