//! `[forward_auth]`, checked: a listener that somebody can reach, and gateways who are written out.
//!
//! Guarantees: somebody is trusted, and nobody by accident; a key is long enough that nobody guesses it.

use super::listen::{self, Listen};
use super::{peers, secrets};
use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::{RawForwardAuth, RawOauth2Proxy};
use crate::net::TrustedProxies;
use crate::secret::{ExposeSecret, SecretString};

/// The listener that gateways ask.
#[derive(Debug)]
pub struct ForwardAuth {
    /// Where to listen.
    pub listen: Listen,
    /// The gateways whose word counts; never nobody.
    pub trusted: TrustedProxies,
    /// What gateways have to send as `X-Anteroom-Gateway-Key` besides, if anything; visible ASCII.
    pub key: Option<SecretString>,
    /// How `/oauth2/auth` is asked; `None` when there is no `/oauth2/*`.
    pub oauth2_proxy: Option<Dialect>,
}

/// How a gateway says which request it asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `X-Original-URL` and `X-Original-Method`.
    Nginx,
    /// `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri`.
    Forward,
}

impl Dialect {
    /// As it is configured.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Forward => "forward",
        }
    }
}

const TRUSTED: &str = "forward_auth.trusted_proxies";

/// `Some(None)` when there is no such table.
pub(super) fn check(raw: Option<&RawForwardAuth>, check: &mut Check<'_>) -> Option<Option<ForwardAuth>> {
    let Some(raw) = raw else { return Some(None) };
    let key = key(raw, check);
    let listen = listen::check("forward_auth", &raw.listen, &raw.unix_mode, check);
    let trusted = trusted(&raw.trusted_proxies, check);
    if let (Some(listen), Some(trusted)) = (&listen, &trusted) {
        somebody_can_ask(listen, trusted, check)?;
        socket_is_guarded(listen, raw, check);
    }
    let oauth2_proxy = match raw.oauth2_proxy {
        RawOauth2Proxy::Off => None,
        RawOauth2Proxy::Nginx => Some(Dialect::Nginx),
        RawOauth2Proxy::Forward => Some(Dialect::Forward),
    };
    Some(Some(ForwardAuth { listen: listen?, trusted: trusted?, key: key?, oauth2_proxy }))
}

fn trusted(entries: &[String], check: &mut Check<'_>) -> Option<TrustedProxies> {
    if entries.is_empty() {
        return check.missing(
            TRUSTED,
            "Whoever is trusted says for which address and for whom a request is; nobody is by default",
            "write the addresses from which your gateway connects, for example trusted_proxies = [\"10.0.0.0/8\"]",
        );
    }
    let meaning = "Whoever is trusted can ask in the name of every address and every client";
    peers::check(TRUSTED, entries, meaning, check)
}

/// Refuses a listener that no trusted peer can reach; warns of trust that can never count.
fn somebody_can_ask(listen: &Listen, trusted: &TrustedProxies, check: &mut Check<'_>) -> Option<()> {
    let (reason, remedy) = match listen {
        Listen::Unix { .. } if !trusted.unix() => (
            "it is reached through a Unix socket, and \"unix\" is not listed",
            "add \"unix\" to trusted_proxies",
        ),
        Listen::Tcp(_) if trusted.networks().is_empty() => (
            "it is reached over TCP, and no address is listed",
            "add the address from which the gateway connects, or listen on \"unix:/path/of.sock\"",
        ),
        Listen::Tcp(_) if trusted.unix() => {
            let mistake = Mistake::new(
                "config.trusted-unix",
                format!("`{TRUSTED}` names \"unix\", and `forward_auth.listen` is a TCP address"),
                "Nobody comes through a Unix socket: the entry never counts",
                "remove it, or listen on \"unix:/path/of.sock\"",
            );
            check.warn(&KeyPath::of(TRUSTED), mistake.showing_the_value());
            return Some(());
        }
        _ => return Some(()),
    };
    let mistake = Mistake::new(
        "config.trusted-nobody",
        format!("nobody could ask at `forward_auth.listen`: {reason}"),
        "Every question would be refused",
        remedy,
    );
    check.wrong(&KeyPath::of(TRUSTED), mistake.showing_the_value())
}

/// Warns of a socket that every program of this machine may ask.
fn socket_is_guarded(listen: &Listen, raw: &RawForwardAuth, check: &mut Check<'_>) {
    let Listen::Unix { mode, .. } = listen else { return };
    if mode & 0o002 != 0 && raw.key.is_none() && raw.key_file.is_none() {
        let mistake = Mistake::new(
            "config.socket-open",
            "every user of this machine can write to the socket of `forward_auth.listen`",
            "All of them are trusted as the gateway is",
            "put Anteroom and the gateway into one group and write unix_mode = \"0660\", or set a key",
        );
        check.warn(&KeyPath::of("forward_auth.unix_mode"), mistake.showing_the_value());
    }
}

fn key(raw: &RawForwardAuth, check: &mut Check<'_>) -> Option<Option<SecretString>> {
    secrets::given_once("forward_auth.key", raw.key.is_some(), raw.key_file.is_some(), check)?;
    let (at, secret) = match (&raw.key, &raw.key_file) {
        (Some(secret), _) => (KeyPath::of("forward_auth.key"), secret.0.clone()),
        (None, Some(file)) => {
            let at = KeyPath::of("forward_auth.key_file");
            let secret = secrets::read(&at, &check.path(file), check)?;
            (at, secret)
        }
        (None, None) => return Some(None),
    };
    let secret = secrets::one_line(&at, secret, check)?;
    let plain = secret.expose_secret().bytes().all(|b| b.is_ascii_graphic());
    let weakness = secrets::weakness(&secret);
    let Some(what) = weakness.or((!plain).then_some("holds more than letters, digits and signs")) else {
        return Some(Some(secret));
    };
    let mistake = Mistake::new(
        "config.gateway-key",
        format!("the key in `{at}` {what}"),
        "It is sent as a header, and who guesses it passes for the gateway",
        "use what `anteroom keygen` prints, here and in the gateway",
    );
    check.wrong(&at, mistake)
}
