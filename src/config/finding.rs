//! What is wrong with a configuration, and how is it said? One [`Finding`] per mistake, all of them in [`ConfigErrors`].
//!
//! Guarantees: a finding says what, where, what it means and what to do next; it never holds a secret: values are left
//! out unless the check that made it says that they may be shown.

use std::fmt;

use serde::{Serialize, Serializer};

use super::key::KeyPath;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is not set.
    Unset,
    /// A file, with line and column counted from one (line 0: the file as a whole).
    File {
        /// As given on the command line, or as found.
        path: String,
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
        /// What to show of the line.
        snippet: Option<Snippet>,
    },
    /// An environment variable.
    Variable(String),
    /// A command-line flag.
    Flag(String),
}

/// The part of a line that may be shown, and the part of it to point at (in characters).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    pub(super) text: String,
    pub(super) start: usize,
    pub(super) length: usize,
}

/// One mistake, or one thing worth a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A stable name, such as `config.unknown-key`.
    pub code: &'static str,
    /// The path of the setting; empty when it is about none.
    pub key: String,
    /// Where it came from.
    pub origin: Origin,
    /// What is wrong.
    pub what: String,
    /// What that means.
    pub meaning: String,
    /// What to do next.
    pub remedy: String,
}

/// Something that is allowed and may not be meant.
pub type Warning = Finding;

/// All mistakes of a configuration, in the order of the file, then of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    findings: Vec<Finding>,
    warnings: Vec<Warning>,
}

impl ConfigErrors {
    pub(super) fn new(mut findings: Vec<Finding>, mut warnings: Vec<Warning>) -> Self {
        findings.sort_by_key(Finding::rank);
        warnings.sort_by_key(Finding::rank);
        Self { findings, warnings }
    }

    /// The mistakes; at least one.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What was worth a warning besides.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

impl Finding {
    /// For a check that gave neither a value nor a reason: refusing without one is better than starting.
    pub(super) fn unexplained() -> Self {
        let mistake = Mistake::new(
            "config.unexplained",
            "the configuration was refused without a reason",
            "This is a mistake in Anteroom",
            "please report it with the configuration, secrets left out",
        );
        mistake.at(&KeyPath::default(), Origin::Unset)
    }

    fn rank(&self) -> (u8, usize, usize) {
        match &self.origin {
            // What is missing from the file as a whole comes after what stands in it.
            Origin::File { line: 0, .. } => (0, usize::MAX, 0),
            Origin::File { line, column, .. } => (0, *line, *column),
            Origin::Variable(_) => (1, 0, 0),
            Origin::Flag(_) => (2, 0, 0),
            Origin::Unset => (3, 0, 0),
        }
    }

    /// As text for a terminal, headed by `error` or `warning`.
    pub fn render(&self, severity: &str) -> String {
        let mut lines = vec![format!("{severity}[{}]: {}", self.code, self.what)];
        let gutter = match &self.origin {
            Origin::File { line, .. } => line.to_string().len(),
            _ => 1,
        };
        let pad = " ".repeat(gutter);
        match &self.origin {
            Origin::Unset => {}
            origin => lines.push(format!("{pad}--> {origin}")),
        }
        if let Origin::File { line, snippet: Some(snippet), .. } = &self.origin {
            let (space, carets) = (" ".repeat(snippet.start), "^".repeat(snippet.length.max(1)));
            lines.push(format!("{pad} |"));
            lines.push(format!("{line} | {}", snippet.text));
            lines.push(format!("{pad} | {space}{carets}"));
        }
        lines.push(format!("{pad} = {}", self.meaning));
        lines.push(format!("{pad} = help: {}", self.remedy));
        lines.join("\n")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => f.write_str("not set"),
            Self::File { path, line: 0, .. } => f.write_str(path),
            Self::File { path, line, column, .. } => write!(f, "{path}:{line}:{column}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}). {}. {}", self.what, self.origin, self.meaning, self.remedy)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rendered: Vec<String> = self.findings.iter().map(|m| m.render("error")).collect();
        f.write_str(&rendered.join("\n\n"))
    }
}

impl std::error::Error for ConfigErrors {}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", self.code)?;
        map.serialize_entry("key", &self.key)?;
        map.serialize_entry("source", &self.origin.to_string())?;
        if let Origin::File { path, line, column, .. } = &self.origin {
            map.serialize_entry("file", path)?;
            map.serialize_entry("line", line)?;
            map.serialize_entry("column", column)?;
        }
        map.serialize_entry("what", &self.what)?;
        map.serialize_entry("meaning", &self.meaning)?;
        map.serialize_entry("remedy", &self.remedy)?;
        map.end()
    }
}

/// A mistake whose place is not looked up yet.
#[derive(Clone, Debug)]
pub(super) struct Mistake {
    pub(super) code: &'static str,
    pub(super) what: String,
    pub(super) meaning: String,
    pub(super) remedy: String,
    pub(super) shown: bool,
}

impl Mistake {
    /// What is wrong, what it means, what to do next. The value is not shown.
    pub(super) fn new(
        code: &'static str,
        what: impl Into<String>,
        meaning: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { code, what: what.into(), meaning: meaning.into(), remedy: remedy.into(), shown: false }
    }

    /// The value may be shown: it is no secret and holds none.
    pub(super) fn showing_the_value(mut self) -> Self {
        self.shown = true;
        self
    }

    /// The value may be shown unless it could hold a user name and a password, or a token.
    pub(super) fn showing_the_url(mut self, url: &str) -> Self {
        self.shown = !url.contains(['@', '%', '?', '#']);
        self
    }

    /// With its place, on the heap.
    pub(super) fn boxed(self, key: &KeyPath, origin: Origin) -> Box<Finding> {
        Box::new(self.at(key, origin))
    }

    /// With its place.
    pub(super) fn at(self, key: &KeyPath, origin: Origin) -> Finding {
        let Self { code, what, meaning, remedy, .. } = self;
        Finding { code, key: key.to_string(), origin, what, meaning, remedy }
    }
}
