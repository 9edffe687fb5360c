//! Which requests came in, and how did each end? The evidence that tests read.
//!
//! Guarantees: an entry exists from the moment the request has been read, so a client that gave up shows too (its
//! `status` stays empty). Secrets are kept as sent, since this is a test double. The emulator's own `/_emulator`
//! paths are not recorded. The oldest entries go once there are [`CAPACITY`].

use std::collections::VecDeque;

use serde::Serialize;

use crate::clock::Timestamp;

/// Entries kept.
pub const CAPACITY: usize = 10_000;

/// One request and its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JournalEntry {
    /// Counts from 1 since the emulator's start.
    pub id: u64,
    /// The emulator's clock.
    pub at: Timestamp,
    /// `GET`, `POST`, …
    pub method: String,
    /// As sent, without query.
    pub path: String,
    /// Decoded query, in order.
    pub query: Vec<(String, String)>,
    /// `form`, `json` or `none`.
    pub body_kind: &'static str,
    /// Decoded form fields or top-level JSON fields, in order.
    pub body: Vec<(String, String)>,
    /// `Authorization`, as sent.
    pub authorization: Option<String>,
    /// `User-Agent`, as sent.
    pub user_agent: Option<String>,
    /// Status of the answer; none when the connection was dropped or the client left.
    pub status: Option<u16>,
    /// `Location` of the answer.
    pub location: Option<String>,
    /// What the emulator decided, in words: `granted`, `code already used`, `fault drop`, …
    pub outcome: Option<String>,
}

impl JournalEntry {
    /// First query parameter of this name.
    pub fn query(&self, name: &str) -> Option<&str> {
        first(&self.query, name)
    }

    /// First body field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        first(&self.body, name)
    }
}

fn first<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The entries, oldest first.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: VecDeque<JournalEntry>,
    last_id: u64,
}

impl Journal {
    /// Adds an entry without an end; the id given back finds it again.
    pub(super) fn open(&mut self, mut entry: JournalEntry) -> u64 {
        self.last_id = self.last_id.saturating_add(1);
        entry.id = self.last_id;
        if self.entries.len() >= CAPACITY {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
        self.last_id
    }

    /// Writes how it ended. An entry cleared meanwhile stays gone.
    pub(super) fn close(
        &mut self,
        id: u64,
        status: Option<u16>,
        location: Option<String>,
        outcome: Option<String>,
    ) {
        if let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.id == id) {
            entry.status = status;
            entry.location = location;
            entry.outcome = outcome;
        }
    }

    /// A copy of all entries.
    pub(super) fn all(&self) -> Vec<JournalEntry> {
        self.entries.iter().cloned().collect()
    }

    /// Forgets all entries.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}
