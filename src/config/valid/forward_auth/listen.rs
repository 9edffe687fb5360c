//! `forward_auth.listen` and `unix_mode`, checked: a TCP address, a Unix socket, or a socket that systemd hands over.
//!
//! Follows unix(7) for the length of a path and the meaning of permissions, sd_listen_fds(3) for the names of sockets.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::RawForwardAuth;

/// Where a listener is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address and port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix {
        /// Its place in the file system; at most 107 bytes.
        path: PathBuf,
        /// Its permissions, such as `0o660`.
        mode: u32,
    },
    /// A socket that systemd opened.
    Systemd {
        /// Its `FileDescriptorName=`; without one it is the only socket there is.
        name: Option<String>,
    },
}

impl Listen {
    /// The address, where there is one.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix { .. } | Self::Systemd { .. } => None,
        }
    }
}

/// As it is configured.
impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
            Self::Systemd { name: Some(name) } => write!(f, "systemd:{name}"),
            Self::Systemd { name: None } => f.write_str("systemd"),
        }
    }
}

const KEY: &str = "forward_auth.listen";
/// `sun_path` holds 108 bytes on Linux, the last of them NUL.
const LONGEST_PATH: usize = 107;
/// systemd.socket(5): `FileDescriptorName=` is at most this long.
const LONGEST_NAME: usize = 255;

pub(super) fn check(raw: &RawForwardAuth, check: &mut Check<'_>) -> Option<Listen> {
    let mode = mode(&raw.unix_mode, check);
    match raw.listen.split_once(':') {
        Some(("unix", path)) => Some(Listen::Unix { path: unix(path, check)?, mode: mode? }),
        Some(("systemd", name)) => systemd(name, check),
        None if raw.listen == "systemd" => Some(Listen::Systemd { name: None }),
        _ => check.address(KEY, &raw.listen).map(Listen::Tcp),
    }
}

fn unix(text: &str, check: &mut Check<'_>) -> Option<PathBuf> {
    // `unix:///a/b` names the path `/a/b`, as it does elsewhere.
    let text = text.strip_prefix("//").filter(|path| path.starts_with('/')).unwrap_or(text);
    let path = check.path(text);
    let reason = if text.is_empty() || text.ends_with('/') {
        "it names no file"
    } else if text.starts_with('@') {
        // An abstract socket: it has no permissions, so that every program may connect.
        "sockets that begin with @ have no permissions to guard them"
    } else if text.contains('\0') {
        "it holds a NUL"
    } else if path.as_os_str().len() > LONGEST_PATH {
        "it is longer than the 107 bytes that a socket's path may have"
    } else {
        return Some(path);
    };
    let mistake = Mistake::new(
        "config.unix-socket",
        format!("the socket of `{KEY}` cannot be: {reason}"),
        "The gateway could not reach Anteroom",
        "write for example \"unix:/run/anteroom/forward-auth.sock\"",
    );
    check.wrong(&KeyPath::of(KEY), mistake.showing_the_value())
}

fn systemd(name: &str, check: &mut Check<'_>) -> Option<Listen> {
    let fits = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name.bytes().all(|b| b.is_ascii() && !b.is_ascii_control() && b != b':');
    if fits {
        return Some(Listen::Systemd { name: Some(name.to_owned()) });
    }
    let mistake = Mistake::new(
        "config.systemd-socket",
        format!("`{KEY}` does not name a socket of systemd"),
        "No socket could have this name",
        "write \"systemd:\" and the FileDescriptorName= of the socket unit, or \"systemd\" if there is one socket only",
    );
    check.wrong(&KeyPath::of(KEY), mistake.showing_the_value())
}

fn mode(text: &str, check: &mut Check<'_>) -> Option<u32> {
    let digits = text.len() >= 3 && text.bytes().all(|b| matches!(b, b'0'..=b'7'));
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| digits && *mode <= 0o777 && mode & 0o222 != 0);
    mode.or_else(|| {
        let mistake = Mistake::new(
            "config.unix-mode",
            "`forward_auth.unix_mode` is not the permissions of a socket that somebody may write to",
            "Who may write to a socket may connect to it",
            "write three or four octal digits: \"0660\" for owner and group, \"0600\" for the owner alone",
        );
        check.wrong(&KeyPath::of("forward_auth.unix_mode"), mistake.showing_the_value())
    })
}
