//! How is state kept secret and unforgeable in a browser? AES-256-GCM-SIV (RFC 8452) under a ring of keys.
//!
//! Guarantees: the first key seals, every key opens; each [`Purpose`] has its own key (HKDF-SHA256, RFC 5869), so one
//! kind of token can never be presented as another; the name a value travels under is authenticated with it.
//! Layout, then base64url without padding: version (1) ‖ key ID (4) ‖ nonce (12) ‖ ciphertext ‖ tag (16).

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::secret::{ExposeSecret, SecretString};

const VERSION: u8 = 1;
const HEAD: usize = 1 + 4 + 12;
/// The shortest secret that may seal anything, in bytes of text (`anteroom keygen` prints 43).
pub const MIN_SECRET: usize = 32;

/// What a sealed value is for. Each purpose has keys of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The session cookie.
    Session,
    /// The cookie of one sign-in flow.
    Flow,
    /// The OAuth `state` parameter.
    State,
    /// Recent sign-ins of this browser, for the loop breaker.
    Loop,
    /// The cookie of one hand-off, at an app's host.
    Awaiting,
    /// A hand-off on its way to the central host.
    Ticket,
    /// A session on its way to an app's host.
    Code,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Session => b"anteroom session v1",
            Self::Flow => b"anteroom flow v1",
            Self::State => b"anteroom state v1",
            Self::Loop => b"anteroom loop v1",
            Self::Awaiting => b"anteroom awaiting v1",
            Self::Ticket => b"anteroom ticket v1",
            Self::Code => b"anteroom code v1",
        }
    }
}

/// Why a secret may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// No secret at all.
    #[error("no session secret is set")]
    Missing,
    /// Too short.
    #[error("a session secret is shorter than 32 characters")]
    Short,
    /// Long, but with fewer than ten different characters: a placeholder, not a key.
    #[error("a session secret repeats too few characters to be random")]
    Repetitive,
}

/// The session secrets, newest first. Only [`Sealer`]s and the CSRF key are ever taken out.
pub struct KeyRing {
    roots: Vec<hkdf::Prk>,
}

impl KeyRing {
    /// From the configured secrets: the first seals, all open.
    pub fn new(secrets: &[SecretString]) -> Result<Self, WeakSecret> {
        if secrets.is_empty() {
            return Err(WeakSecret::Missing);
        }
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"anteroom key ring v1");
        let root = |secret: &SecretString| {
            let bytes = secret.expose_secret().as_bytes();
            if bytes.len() < MIN_SECRET {
                return Err(WeakSecret::Short);
            }
            let distinct: std::collections::BTreeSet<_> = bytes.iter().collect();
            if distinct.len() < 10 {
                return Err(WeakSecret::Repetitive);
            }
            Ok(salt.extract(bytes))
        };
        Ok(Self { roots: secrets.iter().map(root).collect::<Result<_, _>>()? })
    }

    /// The keys of one purpose.
    pub fn sealer(&self, purpose: Purpose) -> Sealer {
        let key = |root: &hkdf::Prk| -> Option<SealKey> {
            let wide: [u8; 36] = expand(root, purpose.label())?;
            let (id, key) = wide.split_first_chunk::<4>()?;
            Some(SealKey { id: *id, key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, key).ok()?) })
        };
        Sealer { keys: self.roots.iter().filter_map(key).collect() }
    }

    /// What the assertion's signing keys are derived from, newest first.
    pub fn assertion_seeds(&self) -> Vec<[u8; 32]> {
        self.roots.iter().filter_map(|root| expand(root, b"anteroom assertion v1")).collect()
    }

    /// The keys that make and check CSRF tokens: the first makes, all check.
    pub fn csrf_keys(&self) -> Vec<hmac::Key> {
        let key = |root: &hkdf::Prk| {
            expand::<32>(root, b"anteroom csrf v1").map(|k| hmac::Key::new(hmac::HMAC_SHA256, &k))
        };
        self.roots.iter().filter_map(key).collect()
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyRing({} keys)", self.roots.len())
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(root: &hkdf::Prk, label: &[u8]) -> Option<[u8; N]> {
    let mut out = [0; N];
    root.expand(&[label], Length(N)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

struct SealKey {
    id: [u8; 4],
    key: LessSafeKey,
}

/// Seals and opens values of one purpose.
pub struct Sealer {
    keys: Vec<SealKey>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({} keys)", self.keys.len())
    }
}

impl Sealer {
    /// Seals `plaintext` for the name it will travel under. `nonce` must be fresh random bytes.
    pub fn seal(&self, name: &str, plaintext: &[u8], nonce: [u8; 12]) -> Option<String> {
        let first = self.keys.first()?;
        let mut body = plaintext.to_vec();
        let sealing = Nonce::assume_unique_for_key(nonce);
        first.key.seal_in_place_append_tag(sealing, Aad::from(name.as_bytes()), &mut body).ok()?;
        let mut bytes = Vec::with_capacity(HEAD + body.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&first.id);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&body);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Opens a sealed value; `None` for anything that was not sealed under this ring, purpose and name.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (&version, rest) = bytes.split_first()?;
        let (id, rest) = rest.split_first_chunk::<4>()?;
        let (nonce, body) = rest.split_first_chunk::<12>()?;
        if version != VERSION {
            return None;
        }
        // Key IDs are 32 bits: should two keys share one, each is tried.
        self.keys.iter().filter(|key| key.id == *id).find_map(|key| {
            let mut body = body.to_vec();
            let opening = Nonce::assume_unique_for_key(*nonce);
            let plain = key.key.open_in_place(opening, Aad::from(name.as_bytes()), &mut body).ok()?.len();
            body.truncate(plain);
            Some(body)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(secrets: &[&str]) -> KeyRing {
        KeyRing::new(&secrets.iter().map(|s| SecretString::from(*s)).collect::<Vec<_>>()).unwrap()
    }

    const A: &str = "first-secret-0123456789-abcdefghijklmnop";
    const B: &str = "second-secret-9876543210-ponmlkjihgfedcba";

    #[test]
    fn opens_what_it_sealed_and_nothing_else() {
        let sealer = ring(&[A]).sealer(Purpose::Session);
        let sealed = sealer.seal("name", b"hello", [9; 12]).unwrap();
        assert_eq!(sealer.open("name", sealed.as_bytes()).unwrap(), b"hello");
        assert_eq!(sealer.open("other", sealed.as_bytes()), None, "the name is authenticated");
        assert_eq!(
            ring(&[A]).sealer(Purpose::Flow).open("name", sealed.as_bytes()),
            None,
            "purposes do not mix"
        );
        assert_eq!(ring(&[B]).sealer(Purpose::Session).open("name", sealed.as_bytes()), None);
        for i in 0..sealed.len() {
            let mut broken = sealed.clone().into_bytes();
            broken[i] = if broken[i] == b'A' { b'B' } else { b'A' };
            assert_eq!(sealer.open("name", &broken), None, "byte {i} flipped");
            assert_eq!(sealer.open("name", &sealed.as_bytes()[..i]), None, "cut at {i}");
        }
    }

    #[test]
    fn what_is_sealed_for_one_purpose_opens_for_no_other() {
        use Purpose::{Awaiting, Code, Flow, Loop, Session, State, Ticket};
        let (ring, all) = (ring(&[A]), [Session, Flow, State, Loop, Awaiting, Ticket, Code]);
        for (sealed, opened) in all.iter().flat_map(|one| all.iter().map(move |other| (*one, *other))) {
            let value = ring.sealer(sealed).seal("name", b"hello", [9; 12]).unwrap();
            let found = ring.sealer(opened).open("name", value.as_bytes());
            assert_eq!(found.is_some(), sealed == opened, "{sealed:?} as {opened:?}");
        }
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let old = ring(&[A]).sealer(Purpose::Session).seal("n", b"x", [1; 12]).unwrap();
        let rotated = ring(&[B, A]).sealer(Purpose::Session);
        assert!(rotated.open("n", old.as_bytes()).is_some());
        let new = rotated.seal("n", b"x", [1; 12]).unwrap();
        assert!(ring(&[A]).sealer(Purpose::Session).open("n", new.as_bytes()).is_none());
        assert!(ring(&[B]).sealer(Purpose::Session).open("n", new.as_bytes()).is_some());
    }

    #[test]
    fn weak_secrets_are_refused() {
        let refused = |s: &[&str]| {
            KeyRing::new(&s.iter().map(|s| SecretString::from(*s)).collect::<Vec<_>>()).unwrap_err()
        };
        assert_eq!(refused(&[]), WeakSecret::Missing);
        assert_eq!(refused(&["short"]), WeakSecret::Short);
        assert_eq!(refused(&[&"XXXXXXXX".repeat(8)]), WeakSecret::Repetitive);
        assert_eq!(refused(&[A, "short"]), WeakSecret::Short, "every key of the ring counts");
    }
}
