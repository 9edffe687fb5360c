//! `listen` and `unix_mode`, checked: a TCP address, a Unix socket, or a socket that systemd hands over.
//!
//! Follows unix(7) for the length of a path and the meaning of permissions, sd_listen_fds(3) for the names of sockets.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;

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

/// `sun_path` holds 108 bytes on Linux, the last of them NUL.
const LONGEST_PATH: usize = 107;
/// systemd.socket(5): `FileDescriptorName=` is at most this long.
const LONGEST_NAME: usize = 255;

/// `listen` and `unix_mode` of a table.
pub(super) fn check(table: &str, listen: &str, unix_mode: &str, check: &mut Check<'_>) -> Option<Listen> {
    let key = format!("{table}.listen");
    let mode = mode(&format!("{table}.unix_mode"), unix_mode, check);
    match listen.split_once(':') {
        Some(("unix", path)) => Some(Listen::Unix { path: unix(&key, path, check)?, mode: mode? }),
        Some(("systemd", name)) => systemd(&key, name, check),
        None if listen == "systemd" => Some(Listen::Systemd { name: None }),
        _ => check.address(&key, listen).map(Listen::Tcp),
    }
}

/// The path of a socket to make.
pub(super) fn unix(key: &str, text: &str, check: &mut Check<'_>) -> Option<PathBuf> {
    socket(text, check).map_or_else(
        |reason| {
            let mistake = Mistake::new(
                "config.unix-socket",
                format!("the socket of `{key}` cannot be: {reason}"),
                "Nobody could connect to it",
                "write the path of a socket, for example \"/run/anteroom/anteroom.sock\"",
            );
            check.wrong(&KeyPath::of(key), mistake.showing_the_value())
        },
        Some,
    )
}

/// The path of a socket, from the working folder if relative; `Err` says why it cannot be one.
pub(super) fn socket(text: &str, check: &Check<'_>) -> Result<PathBuf, &'static str> {
    // `unix:///a/b` names the path `/a/b`, as it does elsewhere.
    let text = text.strip_prefix("//").filter(|path| path.starts_with('/')).unwrap_or(text);
    let path = check.path(text);
    if text.is_empty() || text.ends_with('/') {
        Err("it names no file")
    } else if text.starts_with('@') {
        // An abstract socket: it has no permissions, so that every program may connect.
        Err("sockets that begin with @ have no permissions to guard them")
    } else if text.contains('\0') {
        Err("it holds a NUL")
    } else if path.as_os_str().len() > LONGEST_PATH {
        Err("it is longer than the 107 bytes that a socket's path may have")
    } else {
        Ok(path)
    }
}

fn systemd(key: &str, name: &str, check: &mut Check<'_>) -> Option<Listen> {
    let fits = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name.bytes().all(|b| b.is_ascii() && !b.is_ascii_control() && b != b':');
    if fits {
        return Some(Listen::Systemd { name: Some(name.to_owned()) });
    }
    let mistake = Mistake::new(
        "config.systemd-socket",
        format!("`{key}` does not name a socket of systemd"),
        "No socket could have this name",
        "write \"systemd:\" and the FileDescriptorName= of the socket unit, or \"systemd\" if there is one socket only",
    );
    check.wrong(&KeyPath::of(key), mistake.showing_the_value())
}

fn mode(key: &str, text: &str, check: &mut Check<'_>) -> Option<u32> {
    let digits = text.len() >= 3 && text.bytes().all(|b| matches!(b, b'0'..=b'7'));
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| digits && *mode <= 0o777 && mode & 0o222 != 0);
    mode.or_else(|| {
        let mistake = Mistake::new(
            "config.unix-mode",
            format!("`{key}` is not the permissions of a socket that somebody may write to"),
            "Who may write to a socket may connect to it",
            "write three or four octal digits: \"0660\" for owner and group, \"0600\" for the owner alone",
        );
        check.wrong(&KeyPath::of(key), mistake.showing_the_value())
    })
}
