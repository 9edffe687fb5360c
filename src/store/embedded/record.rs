//! What does a record look like on disk? One version byte, then postcard (<https://postcard.jamesmunns.com/wire-format>).
//!
//! The shapes here are the file format: they change only by adding a version. They are separate from the domain types,
//! so a new field there cannot make yesterday's files unreadable.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::identity::{AccountId, Email, EmailVerified, Person};
use crate::store::Account;

/// The version that is written.
const VERSION: u8 = 1;

/// A record that this program cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// Written by a later program.
    #[error("a record has the unknown version {0}")]
    Version(u8),
    /// Not what its version says.
    #[error("a record is damaged")]
    Damaged,
}

#[derive(Serialize, Deserialize)]
struct AccountV1<'a> {
    email: Option<&'a str>,
    email_verified: Option<bool>,
    name: Option<&'a str>,
    picture: Option<&'a str>,
    first_seen: u64,
    last_sign_in: u64,
    acknowledged: bool,
}

/// The bytes of an account's record; its ID is the key.
pub(super) fn encode(account: &Account) -> Result<Vec<u8>, Unreadable> {
    let person = &account.person;
    let record = AccountV1 {
        email: person.email.as_ref().map(Email::as_str),
        email_verified: match person.email_verified {
            EmailVerified::True => Some(true),
            EmailVerified::False => Some(false),
            EmailVerified::Unknown => None,
        },
        name: person.name.as_deref(),
        picture: person.picture.as_deref(),
        first_seen: account.first_seen.as_secs(),
        last_sign_in: account.last_sign_in.as_secs(),
        acknowledged: account.acknowledged,
    };
    postcard::to_extend(&record, vec![VERSION]).map_err(|_| Unreadable::Damaged)
}

/// The account whose ID is `key`.
pub(super) fn decode(key: &str, bytes: &[u8]) -> Result<Account, Unreadable> {
    let record: AccountV1<'_> = match bytes.split_first() {
        Some((&VERSION, rest)) => match postcard::take_from_bytes(rest) {
            Ok((record, [])) => record,
            _ => return Err(Unreadable::Damaged),
        },
        Some((&version, _)) => return Err(Unreadable::Version(version)),
        None => return Err(Unreadable::Damaged),
    };
    let email = record.email.map(Email::parse).transpose().map_err(|_| Unreadable::Damaged)?;
    Ok(Account {
        person: Person {
            account_id: AccountId::parse(key).map_err(|_| Unreadable::Damaged)?,
            email,
            email_verified: match record.email_verified {
                Some(true) => EmailVerified::True,
                Some(false) => EmailVerified::False,
                None => EmailVerified::Unknown,
            },
            name: record.name.map(Into::into),
            picture: record.picture.map(Into::into),
        },
        first_seen: Timestamp::from_secs(record.first_seen),
        last_sign_in: Timestamp::from_secs(record.last_sign_in),
        acknowledged: record.acknowledged,
    })
}

/// The bytes of the time a session was last used; its end and its ID are the key.
pub(super) fn encode_seen(at: Timestamp) -> Result<Vec<u8>, Unreadable> {
    postcard::to_extend(&at.as_secs(), vec![VERSION]).map_err(|_| Unreadable::Damaged)
}

/// When a session was last used.
pub(super) fn decode_seen(bytes: &[u8]) -> Result<Timestamp, Unreadable> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => match postcard::take_from_bytes::<u64>(rest) {
            Ok((at, [])) => Ok(Timestamp::from_secs(at)),
            _ => Err(Unreadable::Damaged),
        },
        Some((&version, _)) => Err(Unreadable::Version(version)),
        None => Err(Unreadable::Damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Account {
        Account {
            person: Person {
                account_id: AccountId::parse("557058:ada").unwrap(),
                email: Some(Email::parse("a@ex.org").unwrap()),
                email_verified: EmailVerified::False,
                name: Some("Ada".into()),
                picture: None,
            },
            first_seen: Timestamp::from_secs(1),
            last_sign_in: Timestamp::from_secs(300),
            acknowledged: true,
        }
    }

    #[test]
    fn the_format_on_disk_does_not_change() {
        let golden = b"\x01\x01\x08a@ex.org\x01\x00\x01\x03Ada\x00\x01\xac\x02\x01";
        assert_eq!(encode(&ada()).unwrap(), golden, "people's files hold these bytes: add a version instead");
        assert_eq!(decode("557058:ada", golden).unwrap(), ada());
        assert_eq!(encode_seen(Timestamp::from_secs(300)).unwrap(), b"\x01\xac\x02");
        assert_eq!(decode_seen(b"\x01\xac\x02").unwrap(), Timestamp::from_secs(300));
    }

    #[test]
    fn what_is_not_a_record_is_refused() {
        let good = encode(&ada()).unwrap();
        let longer = [&good[..], b"\0"].concat();
        let newer = [&[2], &good[1..]].concat();
        for (bytes, want) in [
            (&b""[..], Unreadable::Damaged),
            (&good[..good.len() - 1], Unreadable::Damaged),
            (&longer[..], Unreadable::Damaged),
            (&newer[..], Unreadable::Version(2)),
        ] {
            assert_eq!(decode("557058:ada", bytes), Err(want), "{bytes:?}");
            assert!(decode_seen(&bytes[..bytes.len().min(1)]).is_err());
        }
        assert_eq!(decode("not an id", &good), Err(Unreadable::Damaged));
    }
}
