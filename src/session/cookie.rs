//! Which cookies are ours? Names, `Set-Cookie` lines, a scan of the request's cookies, and their removal.
//!
//! Guarantees: what is not ours passes byte for byte; two different copies of the session cookie count as none, since
//! nobody can say which the browser meant (a sibling domain may have planted one). RFC 6265bis (`__Host-`).

use http::HeaderMap;
use http::header::COOKIE;

use super::Session;
use super::seal::Sealer;

/// The longest session cookie value, in bytes. Beyond it the picture, then the name, are left out.
pub const MAX_VALUE: usize = 1000;

/// The names of our cookies, and whether they need `https`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieNames {
    session: String,
    flow_prefix: String,
    loop_guard: String,
    secure: bool,
    domain: Option<Box<str>>,
}

impl CookieNames {
    /// `secure` gives `__Host-` names and `Secure`; without it (http on loopback) the plain names.
    pub fn new(secure: bool) -> Self {
        let prefix = if secure { "__Host-" } else { "" };
        Self {
            session: format!("{prefix}anteroom"),
            flow_prefix: format!("{prefix}anteroom-flow-"),
            loop_guard: format!("{prefix}anteroom-loop"),
            secure,
            domain: None,
        }
    }

    /// With a session cookie that all hosts of `domain` get: it cannot carry the `__Host-` prefix then.
    #[must_use]
    pub fn shared_by(mut self, domain: &str) -> Self {
        self.session = if self.secure { "__Secure-anteroom".into() } else { "anteroom".into() };
        self.domain = Some(domain.into());
        self
    }

    /// The domain whose hosts share the session cookie, if they do.
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    /// The session cookie.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// The cookie of the flow with this tag (eight hex digits).
    pub fn flow(&self, tag: &str) -> String {
        format!("{}{tag}", self.flow_prefix)
    }

    /// The loop breaker's cookie.
    pub fn loop_guard(&self) -> &str {
        &self.loop_guard
    }

    /// Whether a cookie of this name is one of ours.
    pub fn is_ours(&self, name: &[u8]) -> bool {
        // Plain and prefixed twins alike: the upstream has no business with any.
        let prefixes = [b"__Host-".as_slice(), b"__Secure-"];
        let bare = prefixes.iter().find_map(|prefix| name.strip_prefix(*prefix)).unwrap_or(name);
        bare == b"anteroom" || bare == b"anteroom-loop" || bare.starts_with(b"anteroom-flow-")
    }

    /// See [`strip`].
    pub fn strip<'a>(&self, line: &'a [u8]) -> Option<std::borrow::Cow<'a, [u8]>> {
        strip(line, self)
    }

    /// A `Set-Cookie` line. `max_age` in seconds; zero deletes, with the same attributes that set it.
    pub fn set(&self, name: &str, value: &str, max_age: u64) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        let shared = self.domain.as_deref().filter(|_| name == self.session);
        let domain = shared.map(|domain| format!("; Domain={domain}")).unwrap_or_default();
        format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}{domain}")
    }

    /// A `Set-Cookie` line that deletes.
    pub fn delete(&self, name: &str) -> String {
        self.set(name, "", 0)
    }
}

/// Our cookies in one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct OwnCookies<'a> {
    /// The session cookie's value, if there is exactly one reading of it.
    pub session: Option<&'a [u8]>,
    /// Whether different session cookies were sent side by side.
    pub conflicting: bool,
    /// Flow cookies: full name and value, at most [`MAX_FLOWS_READ`].
    pub flows: Vec<(&'a str, &'a [u8])>,
    /// The loop breaker's cookie.
    pub loop_guard: Option<&'a [u8]>,
}

/// How many flow cookies of one request are looked at.
pub const MAX_FLOWS_READ: usize = 32;

/// The session cookie alone: what the hot path needs. `Err` for different copies side by side.
pub fn session<'a>(headers: &'a HeaderMap, names: &CookieNames) -> Result<Option<&'a [u8]>, Conflict> {
    let mut found: Option<&[u8]> = None;
    for line in headers.get_all(COOKIE) {
        for (name, value) in pairs(line.as_bytes()) {
            if name == names.session.as_bytes() {
                match found {
                    Some(first) if first != value => return Err(Conflict),
                    _ => found = Some(value),
                }
            }
        }
    }
    Ok(found)
}

/// Different session cookies side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict;

/// All of our cookies: what the sign-in endpoints need.
pub fn scan<'a>(headers: &'a HeaderMap, names: &CookieNames) -> OwnCookies<'a> {
    let mut own = OwnCookies::default();
    match session(headers, names) {
        Ok(value) => own.session = value,
        Err(Conflict) => own.conflicting = true,
    }
    for (name, value) in headers.get_all(COOKIE).iter().flat_map(|line| pairs(line.as_bytes())) {
        let Ok(name) = std::str::from_utf8(name) else { continue };
        if name.starts_with(&names.flow_prefix) && own.flows.len() < MAX_FLOWS_READ {
            own.flows.push((name, value));
        } else if name == names.loop_guard {
            own.loop_guard = Some(value);
        }
    }
    own
}

/// One `Cookie` line without ours; `None` when nothing else was in it, the line itself when none of ours was.
pub fn strip<'a>(line: &'a [u8], names: &CookieNames) -> Option<std::borrow::Cow<'a, [u8]>> {
    let ours = |segment: &&[u8]| names.is_ours(name_of(segment).0);
    if !segments(line).any(|s| ours(&s)) {
        return Some(line.into());
    }
    let mut kept = segments(line).filter(|s| !ours(s));
    let mut rest = Vec::with_capacity(line.len());
    rest.extend_from_slice(kept.next()?.trim_ascii_start());
    for segment in kept {
        rest.push(b';');
        rest.extend_from_slice(segment);
    }
    (!rest.is_empty()).then(|| rest.into())
}

fn pairs(line: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    segments(line).map(name_of)
}

/// What stands between semicolons. As `split`, but skips through long values many bytes at a time.
fn segments(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let Some((segment, after)) = memchr::memchr(b';', text).and_then(|at| text.split_at_checked(at))
        else {
            return Some(text);
        };
        rest = after.get(1..);
        Some(segment)
    })
}

/// Name and value of one `name=value` segment; a segment without `=` is a name without a value.
fn name_of(segment: &[u8]) -> (&[u8], &[u8]) {
    let mut halves = segment.splitn(2, |b| *b == b'=');
    let name = halves.next().unwrap_or_default().trim_ascii();
    (name, halves.next().unwrap_or_default().trim_ascii())
}

/// The sealed form of a session, at most [`MAX_VALUE`] bytes: a long picture URL, then a long name, is left out.
/// It opens again for the same `audience` only: the host it is set on, or the domain that hosts share.
pub fn seal(
    session: &Session,
    names: &CookieNames,
    audience: &str,
    sealer: &Sealer,
    nonce: [u8; 12],
) -> Option<String> {
    let mut session = session.clone();
    for attempt in 0..3 {
        match attempt {
            1 => session.person.picture = None,
            2 => session.person.name = None,
            _ => {}
        }
        let value =
            sealer.seal(&sealed_as(names, audience), &postcard::to_allocvec(&session).ok()?, nonce)?;
        if value.len() <= MAX_VALUE {
            return Some(value);
        }
    }
    None
}

/// Opens a session cookie that was sealed for `audience`.
pub fn open(value: &[u8], names: &CookieNames, audience: &str, sealer: &Sealer) -> Option<Session> {
    if value.len() > MAX_VALUE {
        return None;
    }
    let plain = sealer.open(&sealed_as(names, audience), value)?;
    postcard::from_bytes(&plain).ok()
}

/// A cookie that an app has seen must be worth nothing at another app.
fn sealed_as(names: &CookieNames, audience: &str) -> String {
    format!("{}@{audience}", names.session())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretString;
    use crate::session::seal::{KeyRing, Purpose};
    use crate::session::tests::ada;

    fn sealer() -> Sealer {
        KeyRing::new(&[SecretString::from("a-session-secret-0123456789-abcdefgh")])
            .unwrap()
            .sealer(Purpose::Session)
    }

    fn cookies(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|l| (COOKIE, l.parse().unwrap())).collect()
    }

    #[test]
    fn strip_keeps_the_rest_byte_for_byte() {
        let names = CookieNames::new(true);
        for (line, want) in [
            ("a=1; b=2", Some("a=1; b=2")),
            ("a=1; __Host-anteroom=x; b=2", Some("a=1; b=2")),
            ("__Host-anteroom=x; a=1", Some("a=1")),
            ("a=1;__Host-anteroom=x", Some("a=1")),
            ("__Host-anteroom=x", None),
            ("__Host-anteroom=x; anteroom-flow-1=y; __Host-anteroom-loop=z", None),
            (";", Some(";")),
            ("=", Some("=")),
            ("a; ;b", Some("a; ;b")),
            ("a=\"q; r\";  c=d==;", Some("a=\"q; r\";  c=d==;")),
            ("anteroomish=1; xanteroom=2", Some("anteroomish=1; xanteroom=2")),
            ("__Host-anteroom =x; a=1", Some("a=1")),
        ] {
            let got = strip(line.as_bytes(), &names).map(|c| String::from_utf8(c.into_owned()).unwrap());
            assert_eq!(got.as_deref(), want, "{line:?}");
        }
    }

    #[test]
    fn copies_must_agree() {
        let names = CookieNames::new(true);
        let read = |lines: &[&str]| session(&cookies(lines), &names).map(|v| v.map(<[u8]>::to_vec));
        assert_eq!(read(&["a=1", "__Host-anteroom=x; b=2"]), Ok(Some(b"x".to_vec())));
        assert_eq!(read(&["__Host-anteroom=x; __Host-anteroom=x"]), Ok(Some(b"x".to_vec())));
        assert_eq!(read(&["__Host-anteroom=x", "__Host-anteroom=y"]), Err(Conflict));
        assert_eq!(read(&["anteroom=x"]), Ok(None), "the plain name counts only without TLS");
    }

    #[test]
    fn seal_round_trips_and_sheds_weight() {
        let (names, sealer) = (CookieNames::new(true), sealer());
        let mut session = ada(10);
        let value = seal(&session, &names, "app.example", &sealer, [1; 12]).unwrap();
        assert_eq!(open(value.as_bytes(), &names, "app.example", &sealer).unwrap(), session);
        assert_eq!(open(value.as_bytes(), &names, "other.example", &sealer), None);
        session.person.picture = Some("p".repeat(2000).into());
        let value = seal(&session, &names, "app.example", &sealer, [1; 12]).unwrap();
        let opened = open(value.as_bytes(), &names, "app.example", &sealer).unwrap();
        assert!(value.len() <= MAX_VALUE && opened.person.picture.is_none() && opened.person.name.is_some());
        session.person.name = Some("n".repeat(2000).into());
        assert!(
            open(
                seal(&session, &names, "app.example", &sealer, [1; 12]).unwrap().as_bytes(),
                &names,
                "app.example",
                &sealer
            )
            .is_some()
        );
    }

    #[test]
    fn deletion_repeats_every_attribute() {
        let names = CookieNames::new(true);
        assert_eq!(
            names.delete(names.session()),
            "__Host-anteroom=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
        );
        let shared = names.shared_by("example.com");
        assert_eq!(
            shared.delete(shared.session()),
            "__Secure-anteroom=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure; Domain=example.com"
        );
        assert!(!shared.delete(&shared.flow("1")).contains("Domain"), "flows stay with their host");
        assert!(shared.is_ours(b"__Secure-anteroom") && shared.is_ours(b"__Host-anteroom-loop"));
    }
}
