//! `anteroom run`: the main job, until SIGTERM or Ctrl-C.

use std::io;

use http::{HeaderName, HeaderValue};

use super::{Exit, RunArgs, Terminal, serve};
use crate::app::{App, Listeners, Notify, Seams};
use crate::config::{Config, LoadOptions, LogFormat, SOCKET_NAMES, Sources, Tracing};
use crate::ops::drain::{OsSignals, Signals as _};
use crate::ops::{Traces, TracingSettings, logging};
use crate::secret::SecretString;

/// Loads the configuration, starts, and serves.
pub(super) fn run(args: &RunArgs, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let options = args.load_options(&terminal.environment);
    // Before it is loaded: what changes from here on is a change.
    let sources = Sources::read(&options);
    let config = match terminal.load(&options)? {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    let format = match config.ops.log_format {
        LogFormat::Json => logging::LogFormat::Json,
        LogFormat::Text => logging::LogFormat::Text,
    };
    let level = config.ops.level.as_str();
    let traces = match &config.ops.tracing {
        Some(wanted) => logging::init_with_traces(format, level, &collector(wanted)).map(Some),
        None => logging::init(format, level).map(|()| None),
    };
    match traces {
        Ok(traces) => serve(start(config, (options, sources), traces, terminal)),
        Err(error) => {
            writeln!(terminal.err, "anteroom: {error}")?;
            Ok(Exit::Failure)
        }
    }
}

fn collector(wanted: &Tracing) -> TracingSettings {
    let header = |(name, value): &(HeaderName, HeaderValue)| {
        (name.to_string(), SecretString::from(value.to_str().unwrap_or_default()))
    };
    TracingSettings {
        endpoint: wanted.endpoint.to_string(),
        sample: wanted.sample,
        headers: wanted.headers.iter().map(header).collect(),
    }
}

async fn start(
    config: Config,
    load: (LoadOptions, Sources),
    traces: Option<Traces>,
    terminal: &mut Terminal<'_>,
) -> io::Result<Exit> {
    let mut signals = OsSignals::install()?;
    let callback = config.public_url.callback_url(&config.atlassian.callback_path);
    let names = terminal.environment.get(SOCKET_NAMES).unwrap_or_default();
    let systemd_names = names.split(':').map(str::to_owned).collect();
    let listeners = Listeners { systemd_names, ..Listeners::default() };
    let notify = Notify::of(&terminal.environment)?;
    let seams = Seams { listeners, traces, load: Some(load), notify, ..Seams::default() };
    let started = tokio::select! {
        biased;
        // A process that serves until now goes on, as with every other failure of a start.
        signal = signals.next() => {
            tracing::info!(signal, "told to leave before it served");
            return Ok(Exit::Success);
        }
        started = Box::pin(App::start(config, seams)) => started,
    };
    match started {
        Ok(app) => {
            let ops = app.ops_address().map(|address| address.to_string()).unwrap_or_default();
            let listen = app.address().map(|address| address.to_string()).unwrap_or_default();
            let forward_auth =
                app.forward_auth_address().map(|address| address.to_string()).unwrap_or_default();
            tracing::info!(listen, forward_auth, ops, %callback, "listening");
            app.run(signals).await;
            Ok(Exit::Success)
        }
        Err(error) => {
            writeln!(terminal.err, "anteroom does not start: {error}")?;
            Ok(Exit::Failure)
        }
    }
}
