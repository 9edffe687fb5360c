//! `anteroom demo`: the main job with nothing to set up, on loopback: an offline Atlassian, a sample app, and Anteroom
//! in front of it.
//!
//! Says on every page that it is a demo; refuses any address but loopback; keeps nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::narrator::Narrator;
use super::{Exit, Terminal, serve};
use crate::app::{App, Listeners, Seams};
use crate::config::{Config, Environment, LoadOptions};
use crate::emulator::{Emulator, EmulatorError, Options, SampleApp, SampleAppError};
use crate::entropy::{Entropy, SystemEntropy};
use crate::ops::drain::OsSignals;
use crate::ops::logging;

/// Try Anteroom with a made-up Atlassian and a sample app, on this computer only.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// Loopback address and port that you open in the browser
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4180")]
    pub listen: SocketAddr,
    /// Your own app instead of the sample one
    #[arg(long, value_name = "URL")]
    pub upstream: Option<url::Url>,
    /// Do not open the browser
    #[arg(long)]
    pub no_browser: bool,
}

/// Why the demo does not come up.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error(
        "the demo lets anybody in, so it listens on loopback only; {0} is not. Use 127.0.0.1, or `anteroom run`"
    )]
    NotLoopback(IpAddr),
    #[error(
        "cannot listen on {0}: {1}. Is another demo running? Choose another port: anteroom demo --listen 127.0.0.1:0"
    )]
    Listen(SocketAddr, io::Error),
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    #[error(transparent)]
    Sample(#[from] SampleAppError),
    #[error("the demo's own configuration is wrong; please report this:\n{0}")]
    Config(String),
    #[error(transparent)]
    Start(#[from] crate::app::StartError),
}

/// Everything that runs, in the order in which it must be kept.
struct Demo {
    app: App,
    url: String,
    _emulator: Emulator,
    _sample: Option<SampleApp>,
}

/// Runs the demo until Ctrl-C.
pub(super) fn demo(args: &DemoArgs, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    if let Err(error) = logging::init(logging::LogFormat::Text, "warn") {
        writeln!(terminal.err, "anteroom demo: {error}")?;
    }
    serve(run(args, terminal))
}

async fn run(args: &DemoArgs, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let signals = OsSignals::install()?;
    let demo = match start(args).await {
        Ok(demo) => demo,
        Err(error) => {
            writeln!(terminal.err, "anteroom demo: {error}")?;
            let usage = matches!(error, DemoError::NotLoopback(_));
            return Ok(if usage { Exit::Usage } else { Exit::Failure });
        }
    };
    writeln!(
        terminal.out,
        "\n  Anteroom's demo is ready. Open this in your browser:\n\n      {}\n\n  \
         It signs you in at a made-up Atlassian: pick Ada or another account, press Accept. The accounts marked\n  \
         customer and closed show how somebody is turned away. Nothing leaves this computer.\n  \
         Stop it with Ctrl-C.\n",
        demo.url
    )?;
    terminal.out.flush()?;
    if !args.no_browser {
        open_browser(&demo.url);
    }
    demo.app.run(signals).await;
    Ok(Exit::Success)
}

async fn start(args: &DemoArgs) -> Result<Demo, DemoError> {
    let wanted = args.listen;
    if !wanted.ip().is_loopback() {
        return Err(DemoError::NotLoopback(wanted.ip()));
    }
    let taken = |error| DemoError::Listen(wanted, error);
    let listener = std::net::TcpListener::bind(wanted).map_err(taken)?;
    let port = listener.local_addr().map_err(taken)?.port();
    let url = format!("http://localhost:{port}");
    let sample = match args.upstream {
        Some(_) => None,
        None => Some(SampleApp::start((Ipv4Addr::LOCALHOST, 0).into()).await?),
    };
    let upstream = args.upstream.clone().or_else(|| sample.as_ref().map(SampleApp::url));
    let mut options = Options::loopback();
    for app in &mut options.fixture.apps {
        app.callbacks = vec![format!("{url}/api/auth/callback/atlassian")];
    }
    let credentials =
        options.fixture.apps.first().map(|app| (app.client_id.clone(), app.client_secret.clone()));
    let emulator = Emulator::start(options).await?;
    let config = config(&url, upstream, credentials.unwrap_or_default(), &emulator)?;
    let seams = Seams {
        listeners: Listeners { proxy: Some(listener), ..Listeners::default() },
        audit: Some(Arc::new(Narrator)),
        demo: true,
        ..Seams::default()
    };
    let app = App::start(config, seams).await?;
    Ok(Demo { app, url, _emulator: emulator, _sample: sample })
}

/// The same configuration file that a real site would have, with a secret that lives as long as the demo.
fn config(
    url: &str,
    upstream: Option<url::Url>,
    (client_id, client_secret): (String, String),
    emulator: &Emulator,
) -> Result<Config, DemoError> {
    let entropy: Box<dyn Entropy> = Box::new(SystemEntropy);
    let secret = URL_SAFE_NO_PAD.encode(entropy.bytes::<32>());
    let origin = |url: url::Url| url.origin().ascii_serialization();
    let (atlassian, upstream) = (origin(emulator.base_url()), upstream.map(origin).unwrap_or_default());
    let keys = [
        ("ANTEROOM_PUBLIC_URL", url),
        ("ANTEROOM_ATLASSIAN__CLIENT_ID", &client_id),
        ("ANTEROOM_ATLASSIAN__CLIENT_SECRET", &client_secret),
        ("ANTEROOM_ATLASSIAN__AUTH_URL", &atlassian),
        ("ANTEROOM_ATLASSIAN__API_URL", &atlassian),
        ("ANTEROOM_PROXY__UPSTREAM", &upstream),
        ("ANTEROOM_ACCESS__ALLOW_ANY_ATLASSIAN_ACCOUNT", "true"),
        ("ANTEROOM_SESSION__SECRET", &secret),
        ("ANTEROOM_STORE__URL", "memory:"),
        ("ANTEROOM_OPS__LISTEN", "127.0.0.1:0"),
        ("ANTEROOM_OPS__SHUTDOWN_DELAY", "0s"),
        ("ANTEROOM_OPS__ACCESS_LOG", "false"),
        ("ANTEROOM_PAGES__BRANDING__NAME", "Anteroom demo"),
    ];
    // Not a file of the operator's: the demo is the same wherever it runs.
    let options = LoadOptions {
        config: Some("/dev/null".into()),
        environment: Environment::from_iter(keys),
        ..LoadOptions::default()
    };
    Config::load(&options).map(|(config, _)| config).map_err(|errors| DemoError::Config(errors.to_string()))
}

/// Best effort: the address is on the screen in any case.
fn open_browser(url: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let silent = || Stdio::null();
    let _child = Command::new(opener).arg(url).stdin(silent()).stdout(silent()).stderr(silent()).spawn();
}
