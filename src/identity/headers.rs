//! Which headers tell the upstream who is there? Strip what the client sent under any of these names, then set ours.
//!
//! Guarantees: every name that any preset uses is reserved, configured or not, in any letter case and with any other
//! punctuation for `-` (CGI, WSGI and PHP read `_` or `.` as `-`, lighttpd's CGI whatever is no letter or digit); values
//! are visible ASCII, with `%` and everything beyond ASCII percent-encoded, so CR, LF and NUL cannot pass. The shells do
//! the removing and inserting.

use std::collections::HashSet;
use std::sync::OnceLock;

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::Person;

/// One thing that is known of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// The Atlassian account ID.
    AccountId,
    /// The email address.
    Email,
    /// `true`, `false` or `unknown`.
    EmailVerified,
    /// The display name.
    Name,
    /// The URL of the avatar.
    Picture,
    /// `true` or `false`.
    NewUser,
}

/// A set of header names that some audience already understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// `X-Anteroom-*`
    Anteroom,
    /// `X-Forwarded-User`, `X-Forwarded-Email`, `X-Forwarded-Preferred-Username`
    Forwarded,
    /// `X-Auth-Request-User`, `X-Auth-Request-Email`, `X-Auth-Request-Preferred-Username`
    AuthRequest,
    /// `Remote-User`, `Remote-Email`, `Remote-Name`
    Remote,
}

impl Preset {
    const ALL: [Self; 4] = [Self::Anteroom, Self::Forwarded, Self::AuthRequest, Self::Remote];

    /// The names and what they carry. `user` is what a `…-User` header of another proxy means here.
    fn headers(self, user: Claim) -> Vec<(&'static str, Claim)> {
        match self {
            Self::Anteroom => vec![
                ("x-anteroom-account-id", Claim::AccountId),
                ("x-anteroom-email", Claim::Email),
                ("x-anteroom-email-verified", Claim::EmailVerified),
                ("x-anteroom-name", Claim::Name),
                ("x-anteroom-picture", Claim::Picture),
                ("x-anteroom-new-user", Claim::NewUser),
            ],
            Self::Forwarded => vec![
                ("x-forwarded-user", user),
                ("x-forwarded-email", Claim::Email),
                ("x-forwarded-preferred-username", Claim::Name),
            ],
            Self::AuthRequest => vec![
                ("x-auth-request-user", user),
                ("x-auth-request-email", Claim::Email),
                ("x-auth-request-preferred-username", Claim::Name),
            ],
            Self::Remote => {
                vec![("remote-user", user), ("remote-email", Claim::Email), ("remote-name", Claim::Name)]
            }
        }
    }
}

/// The header of the signed assertion.
pub static ASSERTION: HeaderName = HeaderName::from_static("x-anteroom-assertion");
/// What the upstream answers once it knows a new user; removed before the browser sees it.
pub const PROVISIONED: HeaderName = HeaderName::from_static("x-anteroom-provisioned");

/// Reserved besides the presets' own: names that speak of identity, or that would let a client rewrite the path or the
/// method behind the policy's back.
const ALSO_RESERVED: &[&str] = &[
    "x-forwarded-groups",
    "x-forwarded-access-token",
    "x-auth-request-groups",
    "x-auth-request-access-token",
    "x-auth-request-redirect",
    "remote-groups",
    "x-remote-user",
    "x-original-url",
    "x-original-uri",
    "x-original-method",
    "x-rewrite-url",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-forwarded-method",
    "x-forwarded-uri",
    "x-forwarded-prefix",
];
/// The namespace that is ours as a whole.
const NAMESPACE: &str = "x-anteroom-";

/// Which headers carry what, and which names a client may not send.
#[derive(Debug)]
pub struct Layout {
    headers: Vec<(HeaderName, Claim)>,
    /// Reserved names, dashed, by their length: a name is compared with the few that are as long.
    reserved: Vec<Vec<Box<[u8]>>>,
}

/// The identity headers of one session, ready to be put on requests or on the answer to a gateway.
#[derive(Clone, Debug, Default)]
pub struct HeaderSet {
    lines: Vec<Line>,
    /// [`Self::answer`], once somebody has asked for it.
    answer: OnceLock<HeaderMap>,
}

/// One name, and its value if there is one.
#[derive(Clone, Debug)]
struct Line {
    name: HeaderName,
    value: Option<HeaderValue>,
    /// Whether the value fits into what a gateway takes.
    fits: bool,
}

/// What stands for a value that is absent: gateways pass the client's own copy where ours is missing or empty
/// (GHSA-7r4p-vjf4-gxv4).
pub static ABSENT: HeaderValue = HeaderValue::from_static("-");

/// What a gateway takes of the headers without the assertion, in bytes: nginx answers 502 beyond a buffer of 4 KB.
const MAX_BLOCK: usize = 1300;

impl Layout {
    /// The headers of these presets and these names of the operator's own.
    pub fn new(presets: &[Preset], custom: &[(HeaderName, Claim)], user: Claim) -> Self {
        let named = |preset: &Preset| preset.headers(user);
        let mut headers: Vec<(HeaderName, Claim)> = presets
            .iter()
            .flat_map(named)
            .map(|(name, claim)| (HeaderName::from_static(name), claim))
            .chain(custom.iter().cloned())
            .collect();
        let mut seen = HashSet::new();
        headers.retain(|pair| seen.insert(pair.clone()));

        let presets_all = Preset::ALL.iter().flat_map(named).map(|(name, _)| name);
        let custom_names = custom.iter().map(|(name, _)| name.as_str());
        let names = presets_all.chain(ALSO_RESERVED.iter().copied()).chain(custom_names);
        Self { headers, reserved: by_length(names) }
    }

    /// Whether clients may not send a header of this name.
    pub fn reserved(&self, name: &HeaderName) -> bool {
        let name = name.as_str().as_bytes();
        let begins_with = |text: &[u8]| name.iter().zip(text).all(|(byte, want)| dashed(*byte) == *want);
        let as_long = self.reserved.get(name.len()).map(Vec::as_slice).unwrap_or_default();
        as_long.iter().any(|reserved| begins_with(reserved))
            || (name.len() > NAMESPACE.len() && begins_with(NAMESPACE.as_bytes()))
    }

    /// The names in a request that must be removed from it.
    pub fn reserved_in<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a HeaderName> {
        headers.keys().filter(|name| self.reserved(name))
    }

    /// The headers for a person.
    pub fn render(&self, person: &Person, new_user: bool) -> HeaderSet {
        self.set(|claim| value(claim, person, new_user))
    }

    /// The headers for nobody: all names, no values.
    pub fn nobody(&self) -> HeaderSet {
        self.set(|_| None)
    }

    /// The names of all headers that are ever set, the assertion's last.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.headers.iter().map(|(name, _)| name).chain([&ASSERTION])
    }

    /// The names that clients may not send besides all of `X-Anteroom-*`, in lower case with `-`.
    pub fn reserved_names(&self) -> impl Iterator<Item = &str> {
        self.reserved.iter().flatten().filter_map(|name| std::str::from_utf8(name).ok())
    }

    fn set(&self, value: impl Fn(Claim) -> Option<HeaderValue>) -> HeaderSet {
        let line = |(name, claim): &(HeaderName, Claim)| {
            let line = Line { name: name.clone(), value: value(*claim), fits: true };
            (line, *claim)
        };
        let mut lines: Vec<(Line, Claim)> = self.headers.iter().map(line).collect();
        for shed in [Claim::Picture, Claim::Name] {
            let size: usize = lines.iter().map(|(line, _)| line.size()).sum();
            if size > MAX_BLOCK {
                lines.iter_mut().filter(|(_, c)| *c == shed).for_each(|(line, _)| line.fits = false);
            }
        }
        HeaderSet { lines: lines.into_iter().map(|(line, _)| line).collect(), answer: OnceLock::new() }
    }
}

impl Line {
    /// Bytes on the wire in the answer to a gateway.
    fn size(&self) -> usize {
        let value = self.value.as_ref().filter(|_| self.fits).map_or(1, HeaderValue::len);
        self.name.as_str().len() + value + 4
    }
}

impl HeaderSet {
    /// The headers for a request, in order. What is not known is left out: the client's copy is removed all the same.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.lines.iter().filter_map(|line| Some((&line.name, line.value.as_ref()?)))
    }

    /// The headers for the answer to a gateway: every name, none empty. A picture, then a name, that would make the
    /// block too long for a gateway's buffer counts as absent.
    pub fn complete(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let bare = !self.lines.last().is_some_and(|line| line.name == ASSERTION);
        let lines = self.lines.iter().map(|line| {
            let value = line.value.as_ref().filter(|_| line.fits);
            (&line.name, value.unwrap_or(&ABSENT))
        });
        lines.chain(bare.then_some((&ASSERTION, &ABSENT)))
    }

    /// The headers of a yes to a gateway: [`Self::complete`], and that nobody may keep it. Made once: a copy costs no
    /// hashing.
    pub fn answer(&self) -> &HeaderMap {
        self.answer.get_or_init(|| {
            let identity = self.complete().map(|(name, value)| (name.clone(), value.clone()));
            [(CACHE_CONTROL, HeaderValue::from_static("no-store"))].into_iter().chain(identity).collect()
        })
    }

    /// Adds the signed assertion.
    #[must_use]
    pub fn with_assertion(mut self, token: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(token) {
            self.lines.push(Line { name: ASSERTION.clone(), value: Some(value), fits: true });
        }
        self
    }
}

fn value(claim: Claim, person: &Person, new_user: bool) -> Option<HeaderValue> {
    let flag = |b: bool| if b { "true" } else { "false" };
    let text = match claim {
        Claim::AccountId => person.account_id.as_str(),
        Claim::Email => person.email.as_ref()?.as_str(),
        Claim::EmailVerified => person.email_verified.as_str(),
        Claim::Name => person.name.as_deref()?,
        Claim::Picture => person.picture.as_deref()?,
        Claim::NewUser => flag(new_user),
    };
    HeaderValue::from_str(&encoded(text)).ok()
}

/// Controls, `%` and everything beyond ASCII.
const UNSAFE: &AsciiSet = &CONTROLS.add(b'%');

/// Percent-encodes what a header value cannot carry; plain ASCII stays readable.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNSAFE).to_string()
}

const fn dashed(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

fn by_length<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Vec<Box<[u8]>>> {
    let mut groups: Vec<Vec<Box<[u8]>>> = Vec::new();
    for name in names {
        let name: Box<[u8]> = name.bytes().map(dashed).collect();
        groups.resize_with(groups.len().max(name.len() + 1), Vec::new);
        if let Some(group) = groups.get_mut(name.len()) {
            group.push(name);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::ada;
    use proptest::prelude::*;

    fn layout() -> Layout {
        let own = HeaderName::from_static("x-webauth-user");
        Layout::new(&[Preset::Anteroom, Preset::Remote], &[(own, Claim::Email)], Claim::Email)
    }

    fn name(text: &str) -> HeaderName {
        HeaderName::from_bytes(text.as_bytes()).unwrap()
    }

    #[test]
    fn sets_what_is_configured() {
        let set = layout().render(&ada(0).person, true);
        let lines: Vec<String> = set.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        assert_eq!(
            lines,
            [
                "x-anteroom-account-id: 557058:ada",
                "x-anteroom-email: ada@example.com",
                "x-anteroom-email-verified: true",
                "x-anteroom-name: Ada Lovelace",
                "x-anteroom-new-user: true",
                "remote-user: ada@example.com",
                "remote-email: ada@example.com",
                "remote-name: Ada Lovelace",
                "x-webauth-user: ada@example.com",
            ]
        );
    }

    fn block(set: &HeaderSet) -> Vec<String> {
        set.complete().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect()
    }

    #[test]
    fn a_gateway_gets_every_name_and_no_empty_value() {
        let names: Vec<String> = layout().names().map(ToString::to_string).collect();
        let nobody = block(&layout().nobody());
        assert_eq!(nobody, names.iter().map(|n| format!("{n}: -")).collect::<Vec<_>>());
        assert_eq!(nobody.last().unwrap(), "x-anteroom-assertion: -");
        let ada = block(&layout().render(&ada(0).person, true).with_assertion("a.b.c"));
        assert_eq!(ada.len(), names.len());
        assert!(ada.contains(&"x-anteroom-picture: -".to_owned()), "{ada:?}");
        assert_eq!(ada.last().unwrap(), "x-anteroom-assertion: a.b.c");
    }

    #[test]
    fn a_block_for_a_gateway_stays_small() {
        let mut person = ada(0).person;
        person.picture = Some("p".repeat(900).into());
        person.name = Some("é".repeat(100).into());
        for picture in [900, 9000] {
            person.picture = Some("p".repeat(picture).into());
            let set = layout().render(&person, true);
            let size: usize = block(&set).iter().map(|line| line.len() + 2).sum();
            assert!(size <= MAX_BLOCK, "{size}");
            assert!(set.iter().any(|(_, v)| v.len() == picture), "the proxy still passes all");
        }
    }

    #[test]
    fn every_name_that_is_ever_set_is_reserved_with_its_twins() {
        let layout = layout();
        let presets = Preset::ALL.iter().flat_map(|p| p.headers(Claim::Email)).map(|(n, _)| n);
        let also = ["x-webauth-user", "x-anteroom-assertion", "x-anteroom-anything", "x-forwarded-groups"];
        for canonical in presets.chain(also) {
            for twin in [
                canonical.to_owned(),
                canonical.to_uppercase(),
                canonical.replace('-', "_"),
                canonical.replace('-', "."),
                canonical.replacen('-', "_", 1),
                canonical.replacen('-', ".", 1).to_uppercase(),
                canonical.replace('-', "!"),
                canonical.replacen('-', "'", 1),
            ] {
                assert!(layout.reserved(&name(&twin)), "{twin}");
            }
        }
    }

    #[test]
    fn other_names_pass() {
        for free in [
            "accept",
            "cookie",
            "authorization",
            "x-request-id",
            "x-anteroomish",
            "x-forwarded-for",
            "remote",
        ] {
            assert!(!layout().reserved(&name(free)), "{free}");
        }
    }

    proptest! {
        #[test]
        fn values_are_visible_ascii_and_decode_to_the_text(text in "\\PC{0,24}|[\\x00-\\x7f]{0,24}") {
            let line = encoded(&text);
            prop_assert!(line.bytes().all(|b| (b' '..0x7f).contains(&b)));
            prop_assert_eq!(percent_encoding::percent_decode_str(&line).decode_utf8().unwrap(), text);
        }

        #[test]
        fn no_spelling_of_a_reserved_name_survives(text in "[xX][-_.!~|][aA]nte[rR]oom[-_.+'][a-zA-Z_.$^-]{1,12}") {
            prop_assert!(layout().reserved(&name(&text)));
        }
    }
}
