//! What can be typed? The command tree, where output goes, and the exit codes that scripts rely on.
//!
//! Exit codes: 0 it worked; 2 the command line or the configuration is wrong; 3 `doctor` found problems; 1 anything else.
//! What was asked for goes to standard output, everything else to standard error.

mod check;
mod completions;
mod config;
mod demo;
mod doctor;
mod emulator;
mod healthcheck;
mod k8s;
mod keygen;
mod man;
mod narrator;
mod reference;
mod run;
mod schema;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::config::{Config, ConfigErrors, Environment, Flag, LoadOptions, Warning};

pub use check::CheckArgs;
pub use completions::CompletionsArgs;
pub use config::{Gateway, GatewayArgs};
pub use demo::DemoArgs;
pub use doctor::DoctorArgs;
pub use emulator::EmulatorArgs;
pub use healthcheck::HealthcheckArgs;
pub use k8s::K8sArgs;
pub use reference::reference;

/// Puts Sign in with Atlassian in front of any HTTP app.
///
/// Without a command, `anteroom` does what `anteroom run` does.
#[derive(Debug, Parser)]
#[command(name = "anteroom", version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do; without it, run.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The arguments of `run`, when it is not named.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Stand in front of the app (also what a bare `anteroom` does)
    Run(RunArgs),
    /// Try it with nothing to set up: an emulated Atlassian, a sample app and Anteroom, on this machine only
    Demo(DemoArgs),
    /// Stand in for auth.atlassian.com and api.atlassian.com, offline, for development and tests
    Emulator(EmulatorArgs),
    /// Say whether the configuration is valid: every mistake at once, with its place and its remedy; no network
    Check(CheckArgs),
    /// Say whether it works from here: sends forged headers through your own gateway and says what came through
    Doctor(DoctorArgs),
    /// Print what the gateway in front of the app has to be told, complete for this configuration
    Config(GatewayArgs),
    /// Put Anteroom beside an app in Kubernetes: print its container, or add it to a manifest
    K8s(K8sArgs),
    /// Print the JSON Schema of the configuration file
    Schema,
    /// Print a fresh session secret
    Keygen,
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
    /// Ask a running Anteroom on this machine whether it is ready
    Healthcheck(HealthcheckArgs),
}

/// Where the configuration is.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigArgs {
    /// The file; without it ANTEROOM_CONFIG, ./anteroom.toml, /etc/anteroom/anteroom.toml
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The tables to lay over the others: [NAME.atlassian] and so on; without it ANTEROOM_PROFILE
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
}

/// `anteroom run`
#[derive(Clone, Debug, Default, Args)]
pub struct RunArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Address and port to listen on (proxy.listen)
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// The app (proxy.upstream)
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
    /// The address that people type (public_url)
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For scripts.
    Json,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It worked.
    Success,
    /// Anything that has no code of its own.
    Failure,
    /// The command line or the configuration is wrong.
    Usage,
    /// `doctor` found problems.
    Findings,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Findings => 3,
        })
    }
}

/// Where a command reads its surroundings and writes its output.
pub struct Terminal<'a> {
    /// The environment.
    pub environment: Environment,
    /// What was asked for.
    pub out: &'a mut (dyn Write + Send),
    /// Everything else.
    pub err: &'a mut (dyn Write + Send),
}

/// Parses the command line of this process and does what it says.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are answers, not mistakes; clap knows which is which.
        Err(error) => {
            let wrong = error.use_stderr() || error.print().is_err();
            if wrong {
                let _ = error.print();
            }
            return if wrong { Exit::Usage } else { Exit::Success }.into();
        }
    };
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let mut terminal = Terminal { environment: Environment::of_the_process(), out: &mut out, err: &mut err };
    execute(cli, &mut terminal).into()
}

/// Does what a parsed command line says.
pub fn execute(cli: Cli, terminal: &mut Terminal<'_>) -> Exit {
    let done = match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Run(args) => run::run(&args, terminal),
        Command::Demo(args) => demo::demo(&args, terminal),
        Command::Emulator(args) => emulator::emulator(&args, terminal),
        Command::Check(args) => check::check(&args, terminal),
        Command::Doctor(args) => doctor::doctor(&args, terminal),
        Command::Config(args) => config::config(&args, terminal),
        Command::K8s(args) => k8s::k8s(&args, terminal),
        Command::Schema => schema::schema(terminal),
        Command::Keygen => keygen::keygen(terminal),
        Command::Completions(args) => completions::completions(&args, terminal),
        Command::Man => man::man(terminal),
        Command::Healthcheck(args) => healthcheck::healthcheck(&args, terminal),
    };
    // A reader that has seen enough (`anteroom man | head`) is no failure.
    done.unwrap_or_else(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Exit::Success,
        _ => Exit::Failure,
    })
}

/// The whole command tree.
pub fn command() -> clap::Command {
    Cli::command()
}

impl ConfigArgs {
    /// Where to look, in this environment.
    pub fn load_options(&self, environment: &Environment) -> LoadOptions {
        LoadOptions {
            config: self.config.clone(),
            profile: self.profile.clone(),
            environment: environment.clone(),
            ..LoadOptions::default()
        }
    }
}

impl RunArgs {
    /// The same, with the flags that set something.
    pub fn load_options(&self, environment: &Environment) -> LoadOptions {
        let flag = |name, key, value: &Option<String>| value.clone().map(|value| Flag { name, key, value });
        let flags = [
            flag("--listen", "proxy.listen", &self.listen),
            flag("--upstream", "proxy.upstream", &self.upstream),
            flag("--public-url", "public_url", &self.public_url),
        ];
        LoadOptions { flags: flags.into_iter().flatten().collect(), ..self.config.load_options(environment) }
    }
}

/// Runs a command that serves, on the one runtime of the process.
fn serve<T>(command: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}

impl Terminal<'_> {
    /// Loads the configuration; what is wrong or doubtful goes to standard error.
    pub fn load(&mut self, options: &LoadOptions) -> io::Result<Result<Config, Exit>> {
        match Config::load(options) {
            Ok((config, warnings)) => self.warn(&warnings).map(|()| Ok(config)),
            Err(errors) => self.refuse(&errors).map(Err),
        }
    }

    fn warn(&mut self, warnings: &[Warning]) -> io::Result<()> {
        warnings.iter().try_for_each(|warning| writeln!(self.err, "{}\n", warning.render("warning")))
    }

    fn refuse(&mut self, errors: &ConfigErrors) -> io::Result<Exit> {
        self.warn(errors.warnings())?;
        let count = match errors.findings().len() {
            1 => "1 mistake".to_owned(),
            many => format!("{many} mistakes"),
        };
        writeln!(self.err, "{errors}\n\nThe configuration has {count}.")?;
        Ok(Exit::Usage)
    }
}
