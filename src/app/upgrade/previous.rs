//! The process that serves: gives way to the next one, and takes everything back when that one fails.

use std::fs::Permissions;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::super::in_force::InForce;
use super::wire::Wire;
use super::{BACK, HELLO, LEAVING, PREPARED, READY, SERVING, Socket, WORD, WORK, YOURS};
use crate::auth::departure::Shut;
use crate::ops::listen::{bind_file, is_socket};
use crate::store::Store;

/// Waits for a next process.
pub(crate) struct Previous {
    file: SocketFile,
    listener: UnixListener,
    sockets: Vec<Socket>,
    in_force: Arc<InForce>,
    store: Arc<dyn Store>,
}

/// The file of the socket: under a name of its own until the process before is gone, then under the configured one.
/// Removed when dropped, if it is still ours.
struct SocketFile {
    now: Option<PathBuf>,
    finally: PathBuf,
    inode: u64,
}

impl SocketFile {
    fn bind(path: &Path) -> io::Result<(Self, UnixListener)> {
        let _its_place_is_taken_later = is_socket(path)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}", std::process::id()));
        let out_of_sight = path.with_file_name(name);
        let listener = bind_file(&out_of_sight)?;
        let inode = std::fs::symlink_metadata(&out_of_sight)?.ino();
        let file = Self { now: Some(out_of_sight.clone()), finally: path.to_owned(), inode };
        std::fs::set_permissions(&out_of_sight, Permissions::from_mode(0o600))?;
        Ok((file, listener))
    }

    fn appear(&mut self) -> io::Result<()> {
        if let Some(now) = &self.now {
            std::fs::rename(now, &self.finally)?;
            self.now = Some(self.finally.clone());
        }
        Ok(())
    }

    /// Whether the configured path still leads here.
    fn is_there(&self) -> bool {
        self.is_at(&self.finally)
    }

    fn is_at(&self, path: &Path) -> bool {
        std::fs::symlink_metadata(path).is_ok_and(|file| file.ino() == self.inode)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A next process may have put its own in this place.
        if let Some(path) = self.now.as_ref().filter(|path| self.is_at(path)) {
            let _gone = std::fs::remove_file(path);
        }
    }
}

impl Previous {
    /// Listens, out of sight until [`Previous::appear`]. Only this user may connect.
    pub(crate) fn listen(
        path: &Path,
        sockets: Vec<Socket>,
        in_force: Arc<InForce>,
        store: Arc<dyn Store>,
    ) -> io::Result<Self> {
        let (file, listener) = SocketFile::bind(path)?;
        Ok(Self { file, listener, sockets, in_force, store })
    }

    /// Takes the place of whoever listened there before.
    pub(crate) fn appear(&mut self) {
        let shown = self.file.appear();
        self.lost_sight(shown);
    }

    fn lost_sight(&self, shown: io::Result<()>) {
        if let Err(error) = shown {
            let path = self.file.finally.display();
            tracing::error!(%error, %path, "no next process will find this one; a restart is needed for the next upgrade");
        }
    }

    /// Where a next process that died had its own socket already, ours is found again.
    fn reappear(&mut self) {
        if self.file.is_there() {
            return;
        }
        let again = SocketFile::bind(&self.file.finally).and_then(|(mut file, listener)| {
            file.appear()?;
            Ok((file, listener))
        });
        let shown = again.map(|(file, listener)| {
            // The file at the old path is the new one's by now.
            self.file.now = None;
            (self.file, self.listener) = (file, listener);
        });
        self.lost_sight(shown);
    }

    /// Waits for a next process and gives way to it. Gives whether one serves in our place; `false` only once this process
    /// leaves anyhow. A next process that is about to have the store is not left alone with half of it then: that is
    /// brought to its end first.
    pub(crate) async fn give_way(&mut self, mut leaving: watch::Receiver<bool>) -> bool {
        loop {
            let stream = tokio::select! {
                biased;
                _ = leaving.wait_for(|now| *now) => return false,
                stream = self.accept() => stream,
            };
            match self.talk(stream, &mut leaving).await {
                Ok(()) => {
                    // It is the next one's now.
                    self.file.now = None;
                    return true;
                }
                Err(error) if *leaving.borrow() => {
                    tracing::warn!(%error, "the next process does not take over, and this one leaves");
                    return false;
                }
                Err(error) => {
                    tracing::error!(%error, "the next process does not take over; this one goes on serving");
                    self.reappear();
                }
            }
        }
    }

    async fn accept(&self) -> UnixStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(error) => {
                    tracing::error!(%error, "a next process could not be heard");
                    tokio::time::sleep(WORD).await;
                }
            }
        }
    }

    /// Up to where the next process wants the store.
    async fn introduce(&self, stream: UnixStream) -> io::Result<Wire> {
        let wire = Wire::new(stream)?;
        expect(&wire, HELLO, WORD).await?;
        let places: Vec<_> = self.sockets.iter().map(|socket| (socket.name, &socket.place)).collect();
        let list = serde_json::to_string(&places).map_err(io::Error::other)?;
        let descriptors: Vec<_> = self.sockets.iter().map(|socket| socket.descriptor.as_fd()).collect();
        wire.send(&format!("sockets {list}"), &descriptors).await?;
        expect(&wire, PREPARED, WORK).await?;
        Ok(wire)
    }

    async fn talk(&self, stream: UnixStream, leaving: &mut watch::Receiver<bool>) -> io::Result<()> {
        let wire = tokio::select! {
            biased;
            wire = self.introduce(stream) => wire?,
            _ = leaving.wait_for(|now| *now) => return Err(io::Error::other("it was not prepared in time")),
        };
        let began = Instant::now();
        let auth = self.in_force.auth();
        let shut = timeout(WORK, auth.shut()).await;
        let shut = shut.map_err(|_| io::Error::other("requests that use the store do not come to an end"))?;
        let given = self.give(&wire, &shut).await;
        if given.is_err() {
            // Should it come to itself again, it must not serve.
            let _heard = wire.send(BACK, &[]).await;
            // Whoever waits at the gate needs the store next.
            if let Err(error) = self.store.take_back().await {
                tracing::error!(%error, "the store is opened again with the next request that needs it");
            }
            return given;
        }
        self.in_force.hand_over();
        shut.for_good();
        let waited = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            waited_ms = waited,
            "another process has taken over; only sign-ins and sign-outs have waited"
        );
        Ok(())
    }

    async fn give(&self, wire: &Wire, shut: &Shut) -> io::Result<()> {
        self.in_force.auth().save(shut).await.map_err(io::Error::other)?;
        self.store.release().await.map_err(io::Error::other)?;
        wire.send(YOURS, &[]).await?;
        expect(wire, READY, WORK).await?;
        wire.send(LEAVING, &[]).await?;
        // From here on it serves, and has the store, unless it dies.
        match wire.receive(WORD).await {
            Ok(None) => Err(io::Error::other(format!("it is gone before it said `{SERVING}`"))),
            Ok(Some(_)) => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::TimedOut => Err(error),
            Err(error) => {
                tracing::warn!(%error, "the next process should serve and does not say so");
                Ok(())
            }
        }
    }
}

async fn expect(wire: &Wire, word: &str, patience: std::time::Duration) -> io::Result<()> {
    match wire.receive(patience).await? {
        Some((line, _)) if line == word => Ok(()),
        Some((line, _)) => Err(io::Error::other(format!("it says `{line}` instead of `{word}`"))),
        None => Err(io::Error::other(format!("it is gone before it said `{word}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_of_this_name_that_nobody_listens_on_gives_way_and_another_ones_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("upgrade.sock");
        // As a process with our number leaves it that was killed.
        let (killed, listener) = SocketFile::bind(&path).unwrap();
        std::mem::forget(killed);
        drop(listener);
        let (mut file, _listener) = SocketFile::bind(&path).unwrap();
        assert!(!path.exists(), "out of sight");
        file.appear().unwrap();
        let (mut next, _listener) = SocketFile::bind(&path).unwrap();
        next.appear().unwrap();
        drop(file);
        assert!(next.is_there());
        drop(next);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "and one's own goes");
        std::fs::write(&path, "precious").unwrap();
        assert_eq!(SocketFile::bind(&path).err().unwrap().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }
}
