//! `[session]` and `[new_user]`, checked: keys that cannot be guessed, lifetimes that end.

use std::time::Duration;

use super::sites::Sites;
use super::{cookie_domain, secrets};
use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::{RawSession, RawUntil};
use crate::secret::{ExposeSecret, SecretString, equal};
use crate::session::Lifetimes;
use crate::session::seal::KeyRing;

/// How sessions are sealed and how long they live.
#[derive(Debug)]
pub struct Session {
    /// The first seals, all open.
    pub keys: KeyRing,
    /// Idle and absolute; idle is never the longer one.
    pub lifetimes: Lifetimes,
    /// The domain whose hosts share one cookie, in lower case and without a leading dot; `None` for a cookie per host.
    pub cookie_domain: Option<String>,
}

/// How long an account counts as new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// Until when.
    pub until: NewUserUntil,
}

/// When an account stops being new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewUserUntil {
    /// The first session's end, or the upstream's acknowledgement before it.
    SessionEnd,
    /// The upstream's acknowledgement, across sessions.
    Acknowledged,
}

impl From<RawUntil> for NewUserUntil {
    fn from(raw: RawUntil) -> Self {
        match raw {
            RawUntil::SessionEnd => Self::SessionEnd,
            RawUntil::Acknowledged => Self::Acknowledged,
        }
    }
}

/// Warns when the answer that would end newness passes Anteroom by.
pub(super) fn new_user(raw: RawUntil, gateways_only: bool, check: &mut Check<'_>) -> NewUser {
    let until = raw.into();
    if gateways_only && until == NewUserUntil::Acknowledged {
        let mistake = Mistake::new(
            "config.new-user-unseen",
            "`new_user.until` waits for an answer that Anteroom never sees",
            "The app answers through the gateway, without Anteroom in between: every account stays new for ever",
            "write until = \"session-end\", or put Anteroom in front of the app with proxy.upstream",
        );
        check.warn(&KeyPath::of("new_user.until"), mistake.showing_the_value());
    }
    NewUser { until }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SHORTEST: Duration = Duration::from_secs(10);

pub(super) fn check(raw: &RawSession, sites: Option<&Sites>, check: &mut Check<'_>) -> Option<Session> {
    let keys = key_ring(raw, check);
    let lifetimes = lifetimes(raw, check);
    let cookie_domain = cookie_domain::check(raw.cookie_domain.as_deref(), sites, check);
    Some(Session { keys: keys?, lifetimes: lifetimes?, cookie_domain: cookie_domain? })
}

fn key_ring(raw: &RawSession, check: &mut Check<'_>) -> Option<KeyRing> {
    secrets::given_once("session.secret", raw.secret.is_some(), raw.secret_file.is_some(), check)?;
    let mut ring: Vec<(KeyPath, SecretString)> = Vec::new();
    let mut all_good = true;
    let at = |name: &str, index: Option<usize>| {
        let key = KeyPath::of("session").key(name);
        index.map_or(key.clone(), |index| key.at(index))
    };
    for (index, secret) in raw.secret.iter().flat_map(|s| s.indexed()) {
        ring.push((at("secret", index), secret.0.clone()));
    }
    for (index, file) in raw.secret_file.iter().flat_map(|f| f.indexed()) {
        let key = at("secret_file", index);
        match secrets::read(&key, &check.path(file), check) {
            Some(text) => {
                let lines = text.expose_secret().lines().filter(|line| !line.is_empty());
                ring.extend(lines.map(|line| (key.clone(), SecretString::from(line))));
            }
            None => all_good = false,
        }
    }
    for (index, (key, secret)) in ring.iter().enumerate() {
        all_good &=
            secrets::one_line(key, secret.clone(), check).is_some_and(|secret| strong(key, &secret, check));
        let same = |(_, other): &(KeyPath, SecretString)| {
            equal(other.expose_secret().as_bytes(), secret.expose_secret().as_bytes())
        };
        if ring.iter().take(index).any(same) {
            let meaning = "Rotation has not happened: the old secret still seals";
            let mistake = Mistake::new(
                "config.session-secret-twice",
                "a session secret is listed twice",
                meaning,
                "remove one",
            );
            check.warn(key, mistake);
        }
    }
    if ring.is_empty() && all_good {
        return check.missing(
            "session.secret",
            "Session cookies could not be sealed",
            "run `(umask 077; anteroom keygen > session.key)` and set secret_file = \"session.key\", or set \
             session.secret to what `anteroom keygen` prints",
        );
    }
    let secrets: Vec<SecretString> = ring.into_iter().map(|(_, secret)| secret).collect();
    // Every secret was found strong by itself; the ring cannot refuse them together.
    if all_good { KeyRing::new(&secrets).ok() } else { None }
}

fn strong(key: &KeyPath, secret: &SecretString, check: &mut Check<'_>) -> bool {
    let Some(what) = secrets::weakness(secret) else { return true };
    let mistake = Mistake::new(
        "config.session-secret-weak",
        format!("a secret in `{key}` {what}"),
        "Who guesses it can sign in as anybody",
        "use what `anteroom keygen` prints",
    );
    check.wrong::<()>(key, mistake);
    false
}

fn lifetimes(raw: &RawSession, check: &mut Check<'_>) -> Option<Lifetimes> {
    let idle = check.span("session.idle_timeout", &raw.idle_timeout, 90 * DAY);
    let max = check.span("session.max_lifetime", &raw.max_lifetime, 90 * DAY);
    let (idle, max) = (idle?, max?);
    if idle < SHORTEST {
        let mistake = Mistake::new(
            "config.session-lifetime",
            "`session.idle_timeout` is shorter than ten seconds",
            "People would be signed out while they read",
            "write for example \"8h\"",
        );
        return check.wrong(&KeyPath::of("session.idle_timeout"), mistake.showing_the_value());
    }
    if max < idle {
        let mistake = Mistake::new(
            "config.session-lifetime",
            "`session.max_lifetime` is shorter than `session.idle_timeout`",
            "The idle timeout could never be reached",
            format!(
                "write a lifetime of at least {}, or a shorter idle timeout",
                humantime::format_duration(idle)
            ),
        );
        return check.wrong(&KeyPath::of("session.max_lifetime"), mistake.showing_the_value());
    }
    Some(Lifetimes { idle, max })
}
