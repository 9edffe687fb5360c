//! `[headers]`, checked: names that may carry an identity, each for one fact only.

use std::collections::BTreeSet;

use http::HeaderName;

use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::{RawHeaders, RawPreset, RawUser};
use crate::identity::headers::{Claim, Layout, Preset};
use crate::identity::{AccountId, Email, EmailVerified, Person};

/// What the upstream is told.
#[derive(Debug)]
pub struct Headers {
    /// The header names and what they carry.
    pub layout: Layout,
    /// For whom the signed assertion is; `None` when none is sent.
    pub assertion: Option<Audience>,
}

/// The `aud` of the assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The origin of the app that the request is for.
    OfTheApp,
    /// This, whichever app it is.
    Fixed(String),
}

/// Names with a meaning of their own in HTTP (RFC 9110, RFC 9112), in a login or behind a proxy.
const TAKEN: [&str; 30] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "referer",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
];

/// `as_oauth2_proxy` adds the names that apps behind oauth2-proxy read.
pub(super) fn check(raw: &RawHeaders, as_oauth2_proxy: bool, check: &mut Check<'_>) -> Option<Headers> {
    let mut presets: Vec<Preset> = raw.presets.iter().map(|p| preset(*p)).collect();
    if as_oauth2_proxy && !presets.contains(&Preset::AuthRequest) {
        presets.push(Preset::AuthRequest);
    }
    let user = match raw.user {
        RawUser::AccountId => Claim::AccountId,
        RawUser::Email => Claim::Email,
    };
    let custom = custom(raw, &presets, user, check);
    if let Some(custom) = &custom
        && presets.is_empty()
        && custom.is_empty()
        && !raw.assertion
    {
        let mistake = Mistake::new(
            "config.headers-none",
            "the app is told nothing about who is signed in",
            "It cannot tell one person from another",
            "add presets = [\"anteroom\"], unless that is meant",
        );
        check.warn(&KeyPath::of("headers.presets"), mistake);
    }
    let assertion = match (raw.assertion, &raw.audience) {
        (false, _) => None,
        (true, Some(audience)) if audience.trim().is_empty() => {
            let mistake = Mistake::new(
                "config.assertion-audience",
                "`headers.audience` is empty",
                "An app could not tell its own assertion from another's",
                "remove it to use the app's own origin",
            );
            return check.wrong(&KeyPath::of("headers.audience"), mistake);
        }
        (true, Some(audience)) => Some(Audience::Fixed(audience.clone())),
        (true, None) => Some(Audience::OfTheApp),
    };
    Some(Headers { layout: Layout::new(&presets, &custom?, user), assertion })
}

fn preset(raw: RawPreset) -> Preset {
    match raw {
        RawPreset::Anteroom => Preset::Anteroom,
        RawPreset::Forwarded => Preset::Forwarded,
        RawPreset::AuthRequest => Preset::AuthRequest,
        RawPreset::Remote => Preset::Remote,
    }
}

fn custom(
    raw: &RawHeaders,
    presets: &[Preset],
    user: Claim,
    check: &mut Check<'_>,
) -> Option<Vec<(HeaderName, Claim)>> {
    let names = &raw.names;
    let lists = [
        ("account_id", &names.account_id, Claim::AccountId),
        ("email", &names.email, Claim::Email),
        ("email_verified", &names.email_verified, Claim::EmailVerified),
        ("name", &names.name, Claim::Name),
        ("picture", &names.picture, Claim::Picture),
        ("new_user", &names.new_user, Claim::NewUser),
    ];
    let mut carried = names_of(presets, user);
    let (mut custom, mut all_good) = (Vec::new(), true);
    for (fact, list, claim) in lists {
        for (index, text) in list.iter().enumerate() {
            match header_name(text, &mut carried) {
                Ok(name) => custom.push((name, claim)),
                Err(reason) => {
                    all_good = false;
                    let mistake = Mistake::new(
                        "config.header-name",
                        format!("this header cannot carry an identity: {reason}"),
                        "Servers would read it as something else, or as two things",
                        "choose another name, for example \"X-WebAuth-User\"",
                    );
                    let key = KeyPath::of("headers.names").key(fact).at(index);
                    check.wrong::<()>(&key, mistake.showing_the_value());
                }
            }
        }
    }
    all_good.then_some(custom)
}

/// Parses a name that is free and notes it as taken. CGI, WSGI and PHP read `_` and `-` as one.
fn header_name(text: &str, carried: &mut BTreeSet<String>) -> Result<HeaderName, String> {
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| "it is not a header name".to_owned())?;
    let dashed = dashed(name.as_str());
    if TAKEN.contains(&dashed.as_str()) || dashed.starts_with("sec-") || dashed.starts_with("access-control-")
    {
        return Err("it has a meaning of its own".into());
    }
    if dashed.starts_with("x-anteroom-") {
        return Err("names that begin with X-Anteroom- are Anteroom's own".into());
    }
    if carried.insert(dashed) { Ok(name) } else { Err("it already carries something".into()) }
}

/// The names that the presets set.
fn names_of(presets: &[Preset], user: Claim) -> BTreeSet<String> {
    let (Ok(account_id), email) = (AccountId::parse("x"), Email::parse("x@example.com").ok()) else {
        return BTreeSet::new();
    };
    let text = || Some("x".into());
    let anybody =
        Person { account_id, email, email_verified: EmailVerified::True, name: text(), picture: text() };
    let set = Layout::new(presets, &[], user).render(&anybody, true);
    set.iter().map(|(name, _)| dashed(name.as_str())).collect()
}

fn dashed(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}
