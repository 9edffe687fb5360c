//! What was found? One check's result: what was done, what came of it, what that means and how to set it right.

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Outcome {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing to be set right, or nothing that every gateway could.
    Note,
    /// To be set right.
    Problem,
    /// Could not be found out; the meaning says why.
    NotChecked,
}

impl Outcome {
    /// For scripts.
    pub(in crate::cli) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
            Self::NotChecked => "not_checked",
        }
    }
}

/// How to close a hole, per gateway: its name and the words.
pub(in crate::cli) type Remedies = &'static [(&'static str, &'static str)];

/// One result.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Finding {
    /// Names the check to scripts: `forged-headers`.
    pub(in crate::cli) check: &'static str,
    /// Names it to people.
    pub(in crate::cli) name: String,
    /// How it came out.
    pub(in crate::cli) outcome: Outcome,
    /// What was sent. Never a secret.
    pub(in crate::cli) sent: Vec<String>,
    /// What came through, or came back. Never a secret.
    pub(in crate::cli) came: Vec<String>,
    /// What it means, in full sentences.
    pub(in crate::cli) meaning: String,
    /// How to set it right.
    pub(in crate::cli) remedies: Remedies,
}

impl Finding {
    fn new(check: &'static str, name: &str, outcome: Outcome, meaning: impl Into<String>) -> Self {
        let (name, meaning) = (name.to_owned(), meaning.into());
        Self { check, name, outcome, sent: Vec::new(), came: Vec::new(), meaning, remedies: &[] }
    }

    /// As it should be.
    pub(in crate::cli) fn ok(check: &'static str, name: &str, meaning: impl Into<String>) -> Self {
        Self::new(check, name, Outcome::Ok, meaning)
    }

    /// Worth knowing.
    pub(in crate::cli) fn note(check: &'static str, name: &str, meaning: impl Into<String>) -> Self {
        Self::new(check, name, Outcome::Note, meaning)
    }

    /// To be set right, like this.
    pub(in crate::cli) fn problem(
        check: &'static str,
        name: &str,
        meaning: impl Into<String>,
        remedies: Remedies,
    ) -> Self {
        Self { remedies, ..Self::new(check, name, Outcome::Problem, meaning) }
    }

    /// Could not be found out, because of this.
    pub(in crate::cli) fn not_checked(check: &'static str, name: &str, why: impl Into<String>) -> Self {
        Self::new(check, name, Outcome::NotChecked, why)
    }

    /// What was sent.
    #[must_use]
    pub(in crate::cli) fn sent(mut self, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.sent.extend(lines.into_iter().map(Into::into));
        self
    }

    /// What came of it.
    #[must_use]
    pub(in crate::cli) fn came(mut self, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.came.extend(lines.into_iter().map(Into::into));
        self
    }
}
