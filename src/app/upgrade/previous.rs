//! The process that serves: gives way to the next one, and takes everything back when that one fails.

use std::fs::Permissions;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Instant, timeout};

use super::super::in_force::InForce;
use super::wire::Wire;
use super::{BACK, HELLO, LEAVING, PREPARED, READY, SERVING, Socket, WORD, WORK, YOURS};
use crate::auth::departure::Shut;
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
/// Removed when dropped.
struct SocketFile {
    now: Option<PathBuf>,
    finally: PathBuf,
    inode: u64,
}

impl SocketFile {
    fn bind(path: &Path) -> io::Result<(Self, UnixListener)> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}", std::process::id()));
        let out_of_sight = path.with_file_name(name);
        let listener = UnixListener::bind(&out_of_sight)?;
        let mut file = Self { now: Some(out_of_sight.clone()), finally: path.to_owned(), inode: 0 };
        std::fs::set_permissions(&out_of_sight, Permissions::from_mode(0o600))?;
        file.inode = std::fs::metadata(&out_of_sight)?.ino();
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
        std::fs::metadata(&self.finally).is_ok_and(|file| file.ino() == self.inode)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Some(path) = &self.now {
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

    /// Returns once another process serves in our place.
    pub(crate) async fn give_way(mut self) {
        loop {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::error!(%error, "a next process could not be heard");
                    tokio::time::sleep(WORD).await;
                    continue;
                }
            };
            match self.talk(stream).await {
                Ok(()) => {
                    // It is the next one's now.
                    self.file.now = None;
                    return;
                }
                Err(error) => {
                    tracing::error!(%error, "the next process does not take over; this one goes on serving");
                    self.reappear();
                }
            }
        }
    }

    async fn talk(&self, stream: UnixStream) -> io::Result<()> {
        let wire = Wire::new(stream)?;
        expect(&wire, HELLO, WORD).await?;
        let places: Vec<_> = self.sockets.iter().map(|socket| (socket.name, &socket.place)).collect();
        let list = serde_json::to_string(&places).map_err(io::Error::other)?;
        let descriptors: Vec<_> = self.sockets.iter().map(|socket| socket.descriptor.as_fd()).collect();
        wire.send(&format!("sockets {list}"), &descriptors).await?;
        expect(&wire, PREPARED, WORK).await?;
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
