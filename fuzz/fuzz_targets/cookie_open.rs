//! Does a session cookie open for anything but what was sealed?
//!
//! Claims: what opens is, byte for byte, what sealing gives; one changed byte closes it; nothing opens under another name
//! or purpose; whatever the plaintext is, decoding it does not panic, and a session survives the round trip.
#![no_main]

use std::sync::LazyLock;

use anteroom::clock::Timestamp;
use anteroom::identity::{AccountId, Email, EmailVerified, Person};
use anteroom::secret::SecretString;
use anteroom::session::cookie::{self, CookieNames};
use anteroom::session::seal::{KeyRing, Purpose, Sealer};
use anteroom::session::{Session, SessionId};
use libfuzzer_sys::fuzz_target;

const NONCE: [u8; 12] = [7; 12];

struct Fixture {
    names: CookieNames,
    sealer: Sealer,
    other: Sealer,
    ada: String,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let ring = KeyRing::new(&[SecretString::from("a-session-secret-0123456789-abcdefgh")]).expect("strong");
    let (names, sealer) = (CookieNames::new(true), ring.sealer(Purpose::Session));
    let ada = Session {
        id: SessionId::from_bytes([7; 16]),
        person: Person {
            account_id: AccountId::parse("557058:ada").expect("valid"),
            email: Email::parse("ada@example.com").ok(),
            email_verified: EmailVerified::True,
            name: Some("Ada Lovelace".into()),
            picture: None,
        },
        started: Timestamp::from_secs(1_800_000_000),
        expires: Timestamp::from_secs(1_800_086_400),
        new_user: true,
    };
    let ada = cookie::seal(&ada, &names, &sealer, NONCE).expect("small enough");
    Fixture { names, sealer, other: ring.sealer(Purpose::Flow), ada }
});

fuzz_target!(|data: &[u8]| {
    let Fixture { names, sealer, other, ada } = &*FIXTURE;

    if let Some(session) = cookie::open(data, names, sealer) {
        assert_eq!(cookie::seal(&session, names, sealer, NONCE).map(String::into_bytes).as_deref(), Some(data));
    }

    // Two bytes say where and how the real cookie is damaged, the rest is put in its place.
    if let [at, how, rest @ ..] = data {
        let mut broken = ada.clone().into_bytes();
        let at = usize::from(*at) % broken.len();
        match how % 4 {
            0 => broken[at] ^= how | 1,
            1 => broken.truncate(at),
            2 => drop(broken.splice(at.., rest.iter().copied())),
            _ => drop(broken.splice(at..at, rest.iter().copied())),
        }
        let intact = broken == ada.as_bytes();
        assert_eq!(cookie::open(&broken, names, sealer).is_some(), intact);
    }

    let sealed = sealer.seal(names.session(), data, NONCE).expect("a key seals");
    assert_eq!(sealer.open(names.session(), sealed.as_bytes()).as_deref(), Some(data));
    assert!(sealer.open(names.loop_guard(), sealed.as_bytes()).is_none());
    assert!(other.open(names.session(), sealed.as_bytes()).is_none());

    if let Some(session) = cookie::open(sealed.as_bytes(), names, sealer) {
        let again = cookie::seal(&session, names, sealer, NONCE).expect("it was small enough before");
        assert_eq!(cookie::open(again.as_bytes(), names, sealer), Some(session));
    }
});
