//! What does each operation do to the tables? Plain functions over one transaction; whoever holds it commits.
//!
//! Every function reads and decodes before it writes, so a [`Fault::Record`] leaves the transaction as it was.

use redb::{Database, ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use super::record::{self, Unreadable};
use crate::clock::Timestamp;
use crate::identity::{AccountId, Person};
use crate::session::SessionId;
use crate::store::{Account, Ended, Novelty, Seen};

/// The layout that this program writes.
pub(super) const SCHEMA: u64 = 1;
/// Where the layout's version is.
pub(super) const SCHEMA_KEY: &str = "schema";
/// About the file itself.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

// The end comes first in the keys of what ends, so that a sweep touches only what has expired.
type Ending = (u64, [u8; 16]);
const ACCOUNTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("accounts");
const ENDED: TableDefinition<'_, Ending, ()> = TableDefinition::new("ended_sessions");
const ACTIVITY: TableDefinition<'_, Ending, &[u8]> = TableDefinition::new("activity");

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// One record; the rest of the store is fine.
    #[error(transparent)]
    Record(#[from] Unreadable),
    /// The file as a whole.
    #[error(transparent)]
    Storage(Box<redb::Error>),
}

impl<E: Into<redb::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Storage(Box::new(error.into()))
    }
}

/// Makes the tables of an empty database.
pub(super) fn lay_out(db: &Database) -> Result<(), redb::Error> {
    let txn = db.begin_write()?;
    txn.open_table(META)?.insert(SCHEMA_KEY, SCHEMA)?;
    txn.open_table(ACCOUNTS)?;
    txn.open_table(ENDED)?;
    txn.open_table(ACTIVITY)?;
    Ok(txn.commit()?)
}

pub(super) fn record_sign_in(
    txn: &WriteTransaction,
    person: &Person,
    now: Timestamp,
) -> Result<Novelty, Fault> {
    let mut accounts = txn.open_table(ACCOUNTS)?;
    let key = person.account_id.as_str();
    let known = accounts.get(key)?.map(|bytes| record::decode(key, bytes.value())).transpose()?;
    let novelty = known.as_ref().map_or(Novelty::New, |a| Novelty::Known { acknowledged: a.acknowledged });
    let account = Account {
        person: person.clone(),
        first_seen: known.as_ref().map_or(now, |a| a.first_seen),
        last_sign_in: now,
        acknowledged: known.is_some_and(|a| a.acknowledged),
    };
    accounts.insert(key, record::encode(&account)?.as_slice())?;
    Ok(novelty)
}

pub(super) fn acknowledge(txn: &WriteTransaction, account: &AccountId) -> Result<(), Fault> {
    let mut accounts = txn.open_table(ACCOUNTS)?;
    let key = account.as_str();
    let known = accounts.get(key)?.map(|bytes| record::decode(key, bytes.value())).transpose()?;
    if let Some(account) = known.filter(|a| !a.acknowledged) {
        let account = Account { acknowledged: true, ..account };
        accounts.insert(key, record::encode(&account)?.as_slice())?;
    }
    Ok(())
}

pub(super) fn account(txn: &ReadTransaction, account: &AccountId) -> Result<Option<Account>, Fault> {
    let key = account.as_str();
    let found = txn.open_table(ACCOUNTS)?.get(key)?;
    Ok(found.map(|bytes| record::decode(key, bytes.value())).transpose()?)
}

pub(super) fn end_session(txn: &WriteTransaction, ended: Ended) -> Result<(), Fault> {
    txn.open_table(ENDED)?.insert(key(ended.until, ended.id), ())?;
    Ok(())
}

pub(super) fn ended_sessions(txn: &ReadTransaction, now: Timestamp) -> Result<Vec<Ended>, Fault> {
    let mut found = Vec::new();
    for entry in txn.open_table(ENDED)?.range(first_after(now)..)? {
        let (until, id) = entry?.0.value();
        found.push(Ended { id: SessionId::from_bytes(id), until: Timestamp::from_secs(until) });
    }
    Ok(found)
}

pub(super) fn save_activity(txn: &WriteTransaction, seen: &[Seen]) -> Result<(), Fault> {
    let mut activity = txn.open_table(ACTIVITY)?;
    for seen in seen {
        let key = key(seen.until, seen.id);
        // A time that cannot be read is worth less than the one at hand.
        let saved = activity.get(key)?.and_then(|bytes| record::decode_seen(bytes.value()).ok());
        if saved.is_none_or(|at| at < seen.at) {
            activity.insert(key, record::encode_seen(seen.at)?.as_slice())?;
        }
    }
    Ok(())
}

pub(super) fn activity(txn: &ReadTransaction, now: Timestamp) -> Result<Vec<Seen>, Fault> {
    let mut found = Vec::new();
    for entry in txn.open_table(ACTIVITY)?.range(first_after(now)..)? {
        let (key, at) = entry?;
        let (until, id) = key.value();
        let at = record::decode_seen(at.value())?;
        found.push(Seen { id: SessionId::from_bytes(id), at, until: Timestamp::from_secs(until) });
    }
    Ok(found)
}

pub(super) fn sweep(txn: &WriteTransaction, now: Timestamp) -> Result<(), Fault> {
    txn.open_table(ENDED)?.retain_in(..first_after(now), |_, ()| false)?;
    txn.open_table(ACTIVITY)?.retain_in(..first_after(now), |_, _| false)?;
    Ok(())
}

fn key(until: Timestamp, id: SessionId) -> Ending {
    (until.as_secs(), *id.as_bytes())
}

/// The lowest key of what ends after `now`.
fn first_after(now: Timestamp) -> Ending {
    (now.as_secs().saturating_add(1), [0; 16])
}

/// Whether the file answers.
pub(super) fn probe(txn: &ReadTransaction) -> Result<(), Fault> {
    txn.open_table(META)?.get(SCHEMA_KEY)?;
    Ok(())
}

/// Puts bytes where an account's record belongs.
#[cfg(test)]
pub(super) fn put_raw(txn: &WriteTransaction, account: &str, bytes: &[u8]) -> Result<(), Fault> {
    txn.open_table(ACCOUNTS)?.insert(account, bytes)?;
    Ok(())
}
