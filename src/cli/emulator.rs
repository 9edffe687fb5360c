//! `anteroom emulator`: an offline Atlassian for development and tests, until Ctrl-C.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::{Exit, Terminal, serve};
use crate::emulator::{Emulator, EmulatorError, Fixture, FixtureError, Options};

/// Run an offline stand-in for auth.atlassian.com and api.atlassian.com.
#[derive(Clone, Debug, clap::Args)]
pub struct EmulatorArgs {
    /// Loopback address and port to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4190")]
    pub listen: SocketAddr,
    /// TOML file with users, sites, groups and apps; without it, those of the demo
    #[arg(long, value_name = "FILE")]
    pub fixture: Option<PathBuf>,
    /// Account ID or email of the user who is logged in and consents to everything; without it, pages ask
    #[arg(long, value_name = "SUBJECT")]
    pub approve: Option<String>,
}

/// Why the command ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum EmulatorCommandError {
    /// The fixture file cannot be read.
    #[error("cannot read the fixture {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The fixture file is wrong.
    #[error("{}: {source}", path.display())]
    Fixture {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: FixtureError,
    },
    /// The address is taken, or not loopback.
    #[error(
        "cannot listen on {address}: {source}. It takes a free port of this machine's loopback: \
         anteroom emulator --listen 127.0.0.1:0"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The reason.
        source: io::Error,
    },
    /// The emulator does not start.
    #[error(transparent)]
    Start(EmulatorError),
    /// Nobody can be told, or no signal awaited.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl EmulatorCommandError {
    /// Exit code: 2 for what the caller can correct on the command line or in the fixture, otherwise 1.
    fn exit_code(&self) -> u8 {
        if matches!(self, Self::Io(_)) { 1 } else { 2 }
    }
}

/// `anteroom emulator`
pub(super) fn emulator(args: &EmulatorArgs, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    match serve(async { Ok(run(args.clone(), terminal.out).await) })? {
        Ok(()) => Ok(Exit::Success),
        Err(error) => {
            writeln!(terminal.err, "anteroom emulator: {error}")?;
            Ok(if error.exit_code() == 2 { Exit::Usage } else { Exit::Failure })
        }
    }
}

/// Starts the emulator, says where it is, and serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// [`EmulatorCommandError`]; its text says what to change.
async fn run(args: EmulatorArgs, out: &mut (dyn Write + Send)) -> Result<(), EmulatorCommandError> {
    let fixture = args.fixture.as_deref().map_or_else(|| Ok(Fixture::demo()), read)?;
    let apps = fixture.apps.clone();
    let options = Options { listen: args.listen, fixture, approve: args.approve, ..Options::loopback() };
    let emulator = Emulator::start(options).await.map_err(|error| match error {
        EmulatorError::Listen(source) => EmulatorCommandError::Listen { address: args.listen, source },
        other => EmulatorCommandError::Start(other),
    })?;
    let origin = emulator.base_url().origin().ascii_serialization();
    writeln!(
        out,
        "Atlassian emulator on {origin}  (Ctrl-C ends it)\n\n  \
         To sign in at it: [atlassian] auth_url and api_url = \"{origin}\", and one of these apps:"
    )?;
    for app in apps {
        writeln!(
            out,
            "\n  {}\n    client_id      {}\n    client_secret  {}\n    callback URL   {}",
            app.name,
            app.client_id,
            app.client_secret,
            app.callbacks.join(", ")
        )?;
    }
    out.flush()?;
    ended().await?;
    emulator.stop().await;
    Ok(())
}

fn read(path: &Path) -> Result<Fixture, EmulatorCommandError> {
    let path = path.to_owned();
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            Fixture::from_toml(&text).map_err(|source| EmulatorCommandError::Fixture { path, source })
        }
        Err(source) => Err(EmulatorCommandError::Read { path, source }),
    }
}

async fn ended() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn mistakes_are_said_and_leave_with_2() {
        let folder = tempfile::tempdir().unwrap();
        let wrong = folder.path().join("wrong.toml");
        std::fs::write(&wrong, "colour = 1").unwrap();
        let good = EmulatorArgs { listen: "127.0.0.1:0".parse().unwrap(), fixture: None, approve: None };
        for (args, needle) in [
            (EmulatorArgs { listen: "0.0.0.0:0".parse().unwrap(), ..good.clone() }, "not a loopback address"),
            (
                EmulatorArgs { fixture: Some(folder.path().join("none")), ..good.clone() },
                "cannot read the fixture",
            ),
            (EmulatorArgs { fixture: Some(wrong), ..good.clone() }, "unknown field `colour`"),
            (EmulatorArgs { approve: Some("nobody".to_owned()), ..good }, "`nobody`"),
        ] {
            let mut out = Vec::new();
            let error = run(args, &mut out).await.unwrap_err();
            assert!(error.to_string().contains(needle), "{error}");
            assert_eq!((error.exit_code(), out.len()), (2, 0));
        }
    }
}
