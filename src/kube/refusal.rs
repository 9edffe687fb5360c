//! Why is a manifest left as it is? What was found, where, and what to do about it.

use std::fmt;

/// Nothing was changed, for this reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    what: String,
    /// Counts from 1; 0 where there is no one line.
    line: usize,
    remedy: String,
}

impl Refusal {
    /// Without a line.
    pub(super) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), line: 0, remedy: remedy.into() }
    }

    /// In this line of the input.
    pub(super) fn at(mut self, line: usize) -> Self {
        self.line = line;
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names in it come from a manifest; a terminal must not obey them.
        let plain = |text: &str| text.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'");
        f.write_str(&plain(&self.what))?;
        if self.line > 0 {
            write!(f, " (line {})", self.line)?;
        }
        write!(f, ". {}", plain(&self.remedy))
    }
}

impl std::error::Error for Refusal {}
