//! `anteroom keygen`: a session secret that nobody can guess.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Exit, Terminal};
use crate::entropy::{Entropy, SystemEntropy};

/// Prints 256 random bits as 43 letters, digits, `-` and `_`.
pub(super) fn keygen(terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let entropy: &dyn Entropy = &SystemEntropy;
    writeln!(terminal.out, "{}", URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()))?;
    Ok(Exit::Success)
}
