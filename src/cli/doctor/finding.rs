//! What was found? One check's result: what was done, what came of it, what that means and how to set it right.

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
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
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
            Self::NotChecked => "not_checked",
        }
    }
}

/// How to close a hole, per gateway: its name and the words.
pub(super) type Remedies = &'static [(&'static str, &'static str)];

/// One result.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// Names the check to scripts: `forged-headers`.
    pub(super) check: &'static str,
    /// Names it to people.
    pub(super) name: String,
    /// How it came out.
    pub(super) outcome: Outcome,
    /// What was sent. Never a secret.
    pub(super) sent: Vec<String>,
    /// What came through, or came back. Never a secret.
    pub(super) came: Vec<String>,
    /// What it means, in full sentences.
    pub(super) meaning: String,
    /// How to set it right.
    pub(super) remedies: Remedies,
}

impl Finding {
    fn new(check: &'static str, name: &str, outcome: Outcome, meaning: impl Into<String>) -> Self {
        let (name, meaning) = (name.to_owned(), meaning.into());
        Self { check, name, outcome, sent: Vec::new(), came: Vec::new(), meaning, remedies: &[] }
    }

    /// As it should be.
    pub(super) fn ok(check: &'static str, name: &str, meaning: impl Into<String>) -> Self {
        Self::new(check, name, Outcome::Ok, meaning)
    }

    /// Worth knowing.
    pub(super) fn note(check: &'static str, name: &str, meaning: impl Into<String>) -> Self {
        Self::new(check, name, Outcome::Note, meaning)
    }

    /// To be set right, like this.
    pub(super) fn problem(
        check: &'static str,
        name: &str,
        meaning: impl Into<String>,
        remedies: Remedies,
    ) -> Self {
        Self { remedies, ..Self::new(check, name, Outcome::Problem, meaning) }
    }

    /// Could not be found out, because of this.
    pub(super) fn not_checked(check: &'static str, name: &str, why: impl Into<String>) -> Self {
        Self::new(check, name, Outcome::NotChecked, why)
    }

    /// What was sent.
    #[must_use]
    pub(super) fn sent(mut self, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.sent.extend(lines.into_iter().map(Into::into));
        self
    }

    /// What came of it.
    #[must_use]
    pub(super) fn came(mut self, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.came.extend(lines.into_iter().map(Into::into));
        self
    }
}
