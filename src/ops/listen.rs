//! Where are we reached? A TCP address, a Unix socket, or a socket that systemd has opened.
//!
//! A Unix socket appears with its mode already set: it is bound under another name and renamed. systemd's sockets are
//! those of `sd_listen_fds(3)`, by name if one is given.

use std::fs::Permissions;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address; port 0 picks a free one.
    Tcp(SocketAddr),
    /// A Unix socket and its mode.
    Unix {
        /// Its file.
        path: PathBuf,
        /// For example `0o660`.
        mode: u32,
    },
    /// A socket that systemd hands over.
    Systemd {
        /// The place of the socket among those handed over.
        index: usize,
    },
}

/// A bound listener.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket; the file of one that is ours goes with it.
    Unix(UnixListener, Option<SocketFile>),
}

/// The file of a Unix socket, removed when it is no longer listened on by the process that it belongs to.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    ours: bool,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.ours {
            // Whoever removed it before us did the same.
            let _gone = std::fs::remove_file(&self.path);
        }
    }
}

/// A connection, and who is on the other end.
#[derive(Debug)]
pub enum Accepted {
    /// Over TCP, from this address.
    Tcp(TcpStream, IpAddr),
    /// On the Unix socket, where nobody has an address.
    Unix(UnixStream),
}

impl Listener {
    /// Binds. Errors when the address is taken, the folder is not ours to write, or systemd has handed over no socket.
    pub async fn bind(listen: &Listen) -> io::Result<Self> {
        match listen {
            Listen::Tcp(address) => TcpListener::bind(address).await.map(Self::Tcp),
            Listen::Unix { path, mode } => bind_unix(path, *mode),
            Listen::Systemd { index } => from_systemd(*index),
        }
    }

    /// An address that is bound already.
    pub fn adopt(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener).map(Self::Tcp)
    }

    /// A socket that another process has opened for `listen` and handed over. The file of a Unix socket stays that
    /// process's until [`Listener::own_file`]; if it is gone, so that nobody can connect, the socket is bound anew.
    ///
    /// # Errors
    /// It is no socket that can be listened on; those of [`Listener::bind`].
    pub fn take_over(descriptor: OwnedFd, listen: &Listen) -> io::Result<Self> {
        let tcp = std::net::TcpListener::from(descriptor);
        if tcp.local_addr().is_ok() {
            return Self::adopt(tcp);
        }
        let unix = std::os::unix::net::UnixListener::from(OwnedFd::from(tcp));
        unix.set_nonblocking(true)?;
        let file = match listen {
            Listen::Unix { path, mode } if !path.try_exists()? => return bind_unix(path, *mode),
            Listen::Unix { path, .. } => Some(SocketFile { path: path.clone(), ours: false }),
            Listen::Tcp(_) | Listen::Systemd { .. } => None,
        };
        Ok(Self::Unix(UnixListener::from_std(unix)?, file))
    }

    /// The same socket once more, to be handed over. It stays open as long as either is.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.as_fd().try_clone_to_owned()
    }

    /// The file of a Unix socket belongs to another process from now on.
    pub fn keep_file(&mut self) {
        self.file_is_ours(false);
    }

    /// The process that has handed the socket over leaves: its file goes with this listener from now on.
    pub fn own_file(&mut self) {
        self.file_is_ours(true);
    }

    fn file_is_ours(&mut self, is: bool) {
        if let Self::Unix(_, Some(file)) = self {
            file.ours = is;
        }
    }

    /// Where it listens, if that is an address.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    /// The next connection. Errors are of the moment (no file descriptor left, mostly): ask again.
    pub async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                // Slower, but no reason to refuse a connection.
                let _slower = stream.set_nodelay(true);
                Ok(Accepted::Tcp(stream, from.ip()))
            }
            Self::Unix(listener, _) => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }
}

/// For handing it over to another process.
impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener, _) => listener.as_fd(),
        }
    }
}

fn bind_unix(path: &Path, mode: u32) -> io::Result<Listener> {
    make_room(path)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let unfinished = path.with_file_name(name);
    let listener = bind_file(&unfinished)?;
    let finished = std::fs::set_permissions(&unfinished, Permissions::from_mode(mode))
        .and_then(|()| std::fs::rename(&unfinished, path));
    match finished {
        Ok(()) => Ok(Listener::Unix(listener, Some(SocketFile { path: path.to_owned(), ours: true }))),
        Err(error) => {
            drop(SocketFile { path: unfinished, ours: true });
            Err(error)
        }
    }
}

/// Binds a Unix socket at a path that is nobody else's. What a killed process has left there is removed.
///
/// # Errors
/// Somebody listens there, it is another kind of file, or the folder is not ours to write.
pub fn bind_file(path: &Path) -> io::Result<UnixListener> {
    make_room(path)?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _gone => UnixListener::bind(path),
    }
}

/// Only a socket that nobody listens on any more gives way: what a killed process left behind.
fn make_room(path: &Path) -> io::Result<()> {
    if !is_socket(path)? {
        return Ok(());
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens on this socket")),
        Err(_) => Ok(()),
    }
}

/// Whether there is a socket at a path, rather than nothing.
///
/// # Errors
/// There is a file of another kind, or nobody can tell.
pub fn is_socket(path: &Path) -> io::Result<bool> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
        Ok(file) if file.file_type().is_socket() => Ok(true),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file here that is no socket")),
    }
}

fn from_systemd(index: usize) -> io::Result<Listener> {
    let mut handed_over = ListenFd::from_env();
    if let Ok(Some(tcp)) = handed_over.take_tcp_listener(index) {
        return Listener::adopt(tcp);
    }
    match handed_over.take_unix_listener(index)? {
        Some(unix) => {
            unix.set_nonblocking(true)?;
            Ok(Listener::Unix(UnixListener::from_std(unix)?, None))
        }
        None => Err(io::Error::new(
            io::ErrorKind::NotFound,
            "systemd has handed over no such socket; start Anteroom through its .socket unit",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of a process that was killed comes again, in a container always.
    #[tokio::test]
    async fn what_a_killed_process_left_behind_does_not_stop_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let listener = bind_file(&path).expect("nobody listens there");
        assert!(bind_file(&path).is_err(), "somebody listens there");
        drop(listener);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "a file").unwrap();
        assert!(bind_file(&path).is_err(), "no socket");
        assert_eq!(std::fs::read(&path).unwrap(), b"a file");
    }

    #[tokio::test]
    async fn a_unix_socket_has_its_mode_and_goes_with_the_listener() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("anteroom.sock");
        let listen = Listen::Unix { path: path.clone(), mode: 0o620 };
        let listener = Listener::bind(&listen).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o620);
        assert_eq!(Listener::bind(&listen).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_left_behind_gives_way_and_a_file_does_not() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("anteroom.sock");
        let listen = Listen::Unix { path: path.clone(), mode: 0o660 };
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "as a killed process leaves it");
        assert!(Listener::bind(&listen).await.is_ok());
        std::fs::write(&path, "precious").unwrap();
        assert_eq!(Listener::bind(&listen).await.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
