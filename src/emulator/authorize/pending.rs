//! What is remembered of a consent page until it is answered?

use super::check::{Ask, Checked};
use crate::clock::Timestamp;

/// A consent page that waits for its answer.
#[derive(Clone, Debug)]
pub(in crate::emulator) struct PendingConsent {
    pub(in crate::emulator) account_id: String,
    pub(in crate::emulator) ask: Ask,
    pub(in crate::emulator) checked: Checked,
    pub(in crate::emulator) expires: Timestamp,
}
