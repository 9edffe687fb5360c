//! `anteroom doctor --gateway`: what comes through the operator's own gateway?
//!
//! | file | question |
//! |---|---|
//! | `checks` | what is tried, and what does the outcome mean? |
//! | `remedies` | how is it closed, per gateway? |
//! | `probe` | what is sent, and what became of it? |
//! | `wire`, `message` | how do bytes go out and come in as they are? |
//! | `echo` | what would the app get? |
//! | `cookie_file` | which session is used? |

mod checks;
mod cookie_file;
mod echo;
mod message;
mod probe;
mod remedies;
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use http::Method;
use url::Url;

use self::echo::Echo;
use self::probe::{Probe, Seen};
use self::wire::{Unreachable, Wire};
use super::finding::Finding;
use super::print::Way;
use crate::config::{Config, PublicUrl};
use crate::entropy::{Entropy, SystemEntropy};
use crate::gate::{Access, CanonicalPath, OriginId, Origins, PathPattern};
use crate::secret::SecretString;
use crate::session::cookie::CookieNames;

/// The flags of this part.
#[derive(Clone, Debug, Args)]
pub struct DoctorGatewayArgs {
    /// Try the gateway at this address, one of public_url and app_urls
    #[arg(long, value_name = "URL")]
    pub gateway: Option<String>,
    /// Stand in for the app here: the gateway's upstream, with the app itself stopped. Without it, what the app would get
    /// is not seen
    #[arg(long, value_name = "ADDRESS", requires = "gateway")]
    pub echo: Option<SocketAddr>,
    /// The path to ask the gateway for
    #[arg(long, value_name = "PATH", default_value = "/", requires = "gateway")]
    pub path: String,
    /// File with the Cookie line of a browser that is signed in there; never printed
    #[arg(long, value_name = "FILE", requires = "gateway")]
    pub cookie_file: Option<PathBuf>,
}

/// Why nothing was examined; for people.
#[derive(Debug)]
pub(super) enum Unable {
    /// The command line or the configuration is wrong.
    Usage(String),
    /// The gateway cannot be reached, or the echo's address not be had.
    Run(String),
}

impl From<Unreachable> for Unable {
    fn from(Unreachable(reason): Unreachable) -> Self {
        Self::Run(reason)
    }
}

/// One gateway, ready to be examined.
#[derive(Debug)]
pub(super) struct Exam<'a> {
    config: &'a Config,
    url: &'a PublicUrl,
    here: OriginId,
    base: Url,
    wire: Wire,
    echo: Option<Echo>,
    cookie: Option<SecretString>,
    cookie_names: CookieNames,
    /// A path that wants a session.
    guarded: String,
    /// A path that does not, if the configuration has one.
    public: Option<String>,
}

impl<'a> Exam<'a> {
    /// Checks the flags against the configuration, reads the cookie, takes the app's place.
    pub(super) fn prepare(
        gateway: &str,
        args: &DoctorGatewayArgs,
        config: &'a Config,
    ) -> Result<Self, Unable> {
        if config.forward_auth.is_none() {
            return Err(Unable::Usage(
                "--gateway: the configuration has no [forward_auth], so no gateway asks this Anteroom".into(),
            ));
        }
        let apps: Vec<&PublicUrl> = std::iter::once(&config.public_url).chain(&config.app_urls).collect();
        let asked = PublicUrl::parse(gateway)
            .map_err(|reason| Unable::Usage(format!("--gateway {gateway:?}: {reason}")))?;
        let Some(url) = apps.iter().copied().find(|app| app.origin() == asked.origin()) else {
            let known = apps.iter().map(|app| app.origin()).collect::<Vec<_>>().join(", ");
            return Err(Unable::Usage(format!(
                "--gateway {}: Anteroom does not know this host. The configuration has {known}; add it to app_urls, or \
                 ask for one of those",
                asked.origin()
            )));
        };
        let central = config.public_url.as_origin().clone();
        let origins =
            Origins::new(central, config.app_urls.iter().map(|app| app.as_origin().clone()).collect());
        let here = origins.of_host(url.authority()).unwrap_or(OriginId::CENTRAL);
        let (guarded, public) = paths(&args.path, config, here)?;
        let own = CookieNames::new(config.public_url.secure());
        let cookie_names = match &config.session.cookie_domain {
            Some(domain) => own.shared_by(domain),
            None => own,
        };
        let read = |path: &PathBuf| cookie_file::read(path, &cookie_names).map_err(Unable::Usage);
        let cookie = args.cookie_file.as_ref().map(read).transpose()?;
        let base = url.callback_url("/");
        let wire = Wire::to(&base).map_err(|reason| Unable::Run(format!("{}: {reason}", url.origin())))?;
        let echo = args.echo.map(|address| {
            let taken = "Stop the app that listens there, so that doctor can take its place for a moment";
            Echo::listen(address)
                .map_err(|error| Unable::Run(format!("--echo {address}: cannot listen: {error}. {taken}")))
        });
        let echo = echo.transpose()?;
        Ok(Self { config, url, here, base, wire, echo, cookie, cookie_names, guarded, public })
    }

    /// Where it stands in for the app.
    pub(super) fn echo(&self) -> Option<SocketAddr> {
        self.echo.as_ref().map(Echo::address)
    }

    /// What was looked at.
    pub(super) fn introduction(&self) -> Way {
        Way {
            gateway: self.url.origin().to_owned(),
            echo: self.echo().map(|address| address.to_string()),
            signed_in: self.cookie.is_some(),
        }
    }

    /// Tries everything, in order.
    pub(super) fn run(&mut self) -> Result<Vec<Finding>, Unable> {
        checks::all(self).map_err(|Unreachable(reason)| {
            Unable::Run(format!("{} cannot be reached: {reason}", self.url.origin()))
        })
    }

    /// Sends one request and sees what becomes of it.
    fn ask(&self, probe: &Probe<'_>) -> Result<Seen, Unreachable> {
        let id = fresh_id();
        self.ask_as(probe, id)
    }

    /// The same with an ID from [`fresh_id`], for a probe that carries it in other places as well.
    fn ask_as(&self, probe: &Probe<'_>, id: String) -> Result<Seen, Unreachable> {
        let answer = self.wire.exchange(probe.bytes(self.url.authority(), &id).as_bytes())?;
        let at_app = self.echo.as_ref().and_then(|echo| echo.saw(&id));
        Ok(Seen { id, answer, at_app, asked: self.base.clone() })
    }

    /// What the configuration demands for a `GET` of this path, in all readings; `None` for one that has several.
    fn access(&self, path: &str) -> Option<Access> {
        access(self.config, self.here, path)
    }
}

/// A name for one probe; forged values carry it too.
fn fresh_id() -> String {
    let bytes: [u8; 6] = (&SystemEntropy as &dyn Entropy).bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn access(config: &Config, here: OriginId, path: &str) -> Option<Access> {
    let path = CanonicalPath::parse(path).ok()?;
    config.routes.access(&Method::GET, Some(here), &path).ok()
}

/// A path that wants a session, and one that does not, if there is one: the one asked for is one of the two.
fn paths(asked: &str, config: &Config, here: OriginId) -> Result<(String, Option<String>), Unable> {
    let access = |path: &str| access(config, here, path);
    let wrong = |reason: &str| Err(Unable::Usage(format!("--path {asked:?}: {reason}")));
    let invented = ["/", "/anteroom-doctor", "/anteroom-doctor/guarded"];
    let guarded = || invented.iter().find(|path| access(path) == Some(Access::SignedIn));
    match access(asked) {
        None => wrong("this is no path that Anteroom lets through in one reading; leave the query away"),
        Some(Access::Deny) => wrong("a route of the configuration closes this path to everyone"),
        Some(Access::Public) => match guarded() {
            Some(path) => Ok(((*path).to_owned(), Some(asked.to_owned()))),
            None => wrong("no path of this host wants a session; name one that does"),
        },
        Some(Access::SignedIn) => {
            let named = config.route_table.iter().filter_map(|route| match &route.path {
                PathPattern::Exact(path) | PathPattern::Prefix(path) => Some(path),
                PathPattern::Glob(_) => None,
            });
            let public = named.into_iter().find(|path| access(path) == Some(Access::Public));
            Ok((asked.to_owned(), public.cloned()))
        }
    }
}
