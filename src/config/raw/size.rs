//! A number of bytes as typed, and a table of headers as typed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RawSecret;

/// Bytes: a number, or text such as `64KiB`, `10MB`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum RawSize {
    Bytes(u64),
    Text(String),
}

/// Values of headers by name; not shown, not written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct RawSecretHeaders(pub(crate) BTreeMap<String, RawSecret>);

/// Files with the values of headers, by name.
pub(crate) type RawHeaderFiles = BTreeMap<String, String>;
