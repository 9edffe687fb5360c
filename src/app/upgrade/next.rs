//! The process that comes: asks the one that serves, step by step. Dropped before [`Next::serving`] it leaves
//! everything to the other.

use std::io;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

use super::wire::Wire;
use super::{HELLO, LEAVING, NAMES, PREPARED, READY, SERVING, Socket, WORD, WORK, YOURS};

/// A conversation with the process that serves.
#[derive(Debug)]
pub(crate) struct Next {
    wire: Wire,
    path: PathBuf,
}

/// The other process did not give way: it goes on serving, or was told to leave as well.
#[derive(Debug, thiserror::Error)]
#[error(
    "the process that listens on {} does not give way ({cause}). Its log says why, and whether it goes on serving; if it \
     leaves, start this one again. `ops.upgrade_socket` names the socket",
    path.display()
)]
pub struct UpgradeError {
    path: PathBuf,
    cause: io::Error,
}

impl Next {
    /// Asks whoever listens there. `Ok(None)`: nobody does.
    pub(crate) async fn ask(path: &Path) -> Result<Option<(Self, Vec<Socket>)>, UpgradeError> {
        let failed = |cause| UpgradeError { path: path.to_owned(), cause };
        let stream = match UnixStream::connect(path).await {
            Ok(stream) => stream,
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        let wire = Wire::new(stream).map_err(failed)?;
        let sockets = sockets(&wire).await.map_err(failed)?;
        tracing::info!(sockets = sockets.len(), "taking over from a process that serves");
        Ok(Some((Self { wire, path: path.to_owned() }, sockets)))
    }

    /// Everything is prepared; returns when the store is free.
    pub(crate) async fn prepared(&self) -> Result<(), UpgradeError> {
        self.say(PREPARED, YOURS).await.map_err(|cause| self.failed(cause))
    }

    /// Ready to accept; returns when it is our turn to. The other goes on until [`Next::serving`].
    pub(crate) async fn ready(&self) -> Result<(), UpgradeError> {
        match self.say(READY, LEAVING).await {
            // It died having let go of everything: there is nobody else.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            other => other.map_err(|cause| self.failed(cause)),
        }
    }

    /// Accepts: the other may go.
    pub(crate) async fn serving(self) {
        // Whether it hears that or is gone, there is nothing else to do.
        let _heard = self.wire.send(SERVING, &[]).await;
    }

    async fn say(&self, word: &str, wanted: &str) -> io::Result<()> {
        // Whether it hears that or has closed its end, its last word counts.
        let _heard = self.wire.send(word, &[]).await;
        match self.wire.receive(WORK).await? {
            Some((line, _)) if line == wanted => Ok(()),
            Some((line, _)) => Err(io::Error::other(format!("it says `{line}`"))),
            None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has hung up")),
        }
    }

    fn failed(&self, cause: io::Error) -> UpgradeError {
        UpgradeError { path: self.path.clone(), cause }
    }
}

async fn sockets(wire: &Wire) -> io::Result<Vec<Socket>> {
    wire.send(HELLO, &[]).await?;
    let answer = wire.receive(WORD).await?;
    let (line, descriptors) = answer.ok_or_else(|| io::Error::other("it has hung up"))?;
    let listed: Vec<(String, String)> = line
        .strip_prefix("sockets ")
        .and_then(|list| serde_json::from_str(list).ok())
        .ok_or_else(|| io::Error::other(format!("it says `{line}`")))?;
    let known = |(name, place): (String, String), descriptor| {
        let name = NAMES.into_iter().find(|known| **known == name)?;
        Some(Socket { name, place, descriptor })
    };
    // What this version does not know stays with the other, which closes it in its time.
    Ok(listed
        .into_iter()
        .zip(descriptors)
        .filter_map(|(listed, descriptor)| known(listed, descriptor))
        .collect())
}
