//! Which file is read, and where in it does a setting stand? The text with the byte spans of its keys and values.
//!
//! Guarantees: a snippet shows a key, and its value only when it may be shown; never the rest of the line, in which
//! another value may be secret. Format: TOML 1.1 (<https://toml.io>).

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, Key, Table, TableLike};

use super::finding::{Finding, Mistake, Origin, Snippet};
use super::key::{KeyPath, Step};
use super::{LoadOptions, SYSTEM_FILE};

/// The longest configuration that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// A parsed configuration file.
#[derive(Debug)]
pub(super) struct ConfigFile {
    path: String,
    document: Document<String>,
}

/// Where a setting stands: its key, and its value.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans {
    pub(super) key: Option<Range<usize>>,
    pub(super) value: Option<Range<usize>>,
    /// Whether `value` is the header of a table in brackets, which holds no value.
    pub(super) header: bool,
}

impl Spans {
    /// Of an entry of a table.
    pub(super) fn of(key: &Key, item: &Item) -> Self {
        Self { key: key.span(), value: item.span(), header: item.is_table() }
    }
}

impl ConfigFile {
    /// The file that was asked for, else the one in the working folder, else the system's, else none.
    pub(super) fn find(options: &LoadOptions) -> Result<Option<Self>, Box<Finding>> {
        let asked =
            options.config.clone().or_else(|| options.environment.get("ANTEROOM_CONFIG").map(PathBuf::from));
        if let Some(path) = asked {
            return Self::read(&options.folder, &path).map(Some);
        }
        let usual = [Path::new("anteroom.toml"), Path::new(SYSTEM_FILE)];
        match usual.into_iter().find(|path| options.folder.join(path).is_file()) {
            Some(path) => Self::read(&options.folder, path).map(Some),
            None => Ok(None),
        }
    }

    /// Where the file is, or would be found if it were there.
    pub(super) fn places(options: &LoadOptions) -> Vec<PathBuf> {
        let asked =
            options.config.clone().or_else(|| options.environment.get("ANTEROOM_CONFIG").map(PathBuf::from));
        let usual = || vec![PathBuf::from("anteroom.toml"), PathBuf::from(SYSTEM_FILE)];
        asked.map_or_else(usual, |path| vec![path]).iter().map(|path| options.folder.join(path)).collect()
    }

    fn read(folder: &Path, path: &Path) -> Result<Self, Box<Finding>> {
        let shown = path.display().to_string();
        let whole = |what: String, remedy: &str| {
            let origin = Origin::File { path: shown.clone(), line: 0, column: 0, snippet: None };
            Mistake::new("config.file", what, "Without it Anteroom does not know what to do", remedy)
                .boxed(&KeyPath::default(), origin)
        };
        let full = folder.join(path);
        let size = std::fs::metadata(&full).map_or(0, |m| m.len());
        if size > MAX_BYTES {
            return Err(whole(format!("{shown} is larger than 1 MB"), "name the right file with --config"));
        }
        let text = std::fs::read_to_string(&full).map_err(|error| {
            whole(
                format!("cannot read {shown}: {error}"),
                "check the path given with --config and who may read it",
            )
        })?;
        Self::parse(shown, &text)
    }

    /// Parses the text of a file.
    pub(super) fn parse(path: String, text: &str) -> Result<Self, Box<Finding>> {
        match Document::parse(text.to_owned()) {
            Ok(document) => Ok(Self { path, document }),
            Err(error) => {
                let span = error.span().unwrap_or_default();
                let (line, column) = place(text, span.start);
                // The line itself stays unsaid: half-written, it may hold a secret without its quotes.
                let origin = Origin::File { path, line, column, snippet: None };
                let mistake = Mistake::new(
                    "config.syntax",
                    format!("not TOML: {}", error.message()),
                    "The file cannot be read beyond this point",
                    "correct the line; see https://toml.io for the notation",
                );
                Err(mistake.boxed(&KeyPath::default(), origin))
            }
        }
    }

    /// The top of the file.
    pub(super) fn root(&self) -> &Table {
        self.document.as_table()
    }

    /// The file as a whole, as an origin.
    pub(super) fn whole(&self) -> Origin {
        Origin::File { path: self.path.clone(), line: 0, column: 0, snippet: None }
    }

    /// The place of these spans.
    pub(super) fn origin(&self, spans: &Spans, shown: bool) -> Origin {
        let text = self.document.raw();
        let at = match (&spans.key, &spans.value) {
            (_, Some(value)) if shown || spans.header => value.start,
            (Some(key), _) => key.start,
            (None, Some(value)) => value.start,
            (None, None) => return self.whole(),
        };
        let (line, column) = place(text, at);
        Origin::File { path: self.path.clone(), line, column, snippet: snippet(text, spans, shown) }
    }

    /// Where a setting stands, in the tables of a profile if one is given.
    pub(super) fn spans(&self, profile: Option<&str>, key: &KeyPath) -> Option<Spans> {
        let root: &dyn TableLike = self.root();
        let table = match profile {
            Some(name) => root.get(name)?.as_table_like()?,
            None => root,
        };
        let mut steps = key.steps().iter();
        let Some(Step::Key(first)) = steps.next() else { return None };
        let (name, mut item) = table.get_key_value(first)?;
        let mut spans = Spans::of(name, item);
        while let Some(step) = steps.next() {
            match step {
                Step::Key(key) => {
                    let (name, next) = item.as_table_like()?.get_key_value(key)?;
                    spans = Spans::of(name, next);
                    item = next;
                }
                Step::Index(index) => {
                    if let Some(tables) = item.as_array_of_tables() {
                        return inside(tables.get(*index)?, steps.as_slice());
                    }
                    let Item::Value(value) = item else { return None };
                    return within(value, *index, steps.as_slice());
                }
            }
        }
        Some(spans)
    }
}

/// Inside one table of a list: the key asked for, else the table itself.
fn inside(table: &Table, rest: &[Step]) -> Option<Spans> {
    let own = Spans { key: None, value: table.span(), header: true };
    let Some((Step::Key(key), rest)) = rest.split_first() else { return Some(own) };
    let (name, item) = table.get_key_value(key)?;
    let spans = Spans::of(name, item);
    match (rest.first(), item) {
        (Some(Step::Index(index)), Item::Value(value)) => within(value, *index, &[]).or(Some(spans)),
        _ => Some(spans),
    }
}

/// Inside one element of a list of values.
fn within(list: &toml_edit::Value, index: usize, rest: &[Step]) -> Option<Spans> {
    // A lone value stands for a list of one.
    let element = list.as_array().map_or(Some(list), |array| array.get(index))?;
    let own = Spans { key: None, value: element.span(), header: false };
    let Some((Step::Key(key), rest)) = rest.split_first() else { return Some(own) };
    let (name, item) = element.as_inline_table()?.get_key_value(key)?;
    let spans = Spans::of(name, item);
    match (rest.first(), item) {
        (Some(Step::Index(index)), Item::Value(value)) => within(value, *index, &[]).or(Some(spans)),
        _ => Some(spans),
    }
}

/// Line and column of a byte offset, counted from one, the column in characters.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count();
    (before.matches('\n').count() + 1, column + 1)
}

fn snippet(text: &str, spans: &Spans, shown: bool) -> Option<Snippet> {
    let first_line =
        |range: &Range<usize>| text.get(range.clone()).and_then(|t| t.lines().next()).unwrap_or("");
    let value = spans.value.as_ref().filter(|_| shown || spans.header).map(first_line);
    // What Atlassian's client secrets begin with: one may stand under any key by mistake.
    let value = value.filter(|v| !v.contains("ATOA"));
    let value = value.map(|v| v.chars().take(80).collect::<String>());
    if spans.header {
        return value.map(|text| Snippet { start: 0, length: text.chars().count(), text });
    }
    match (&spans.key, value) {
        (Some(key), Some(value)) => {
            let key = first_line(key);
            let (start, length) = (key.chars().count() + 3, value.chars().count());
            Some(Snippet { text: format!("{key} = {value}"), start, length })
        }
        (Some(key), None) => {
            let key = first_line(key);
            Some(Snippet { text: format!("{key} = …"), start: 0, length: key.chars().count() })
        }
        (None, Some(value)) => Some(Snippet { start: 0, length: value.chars().count(), text: value }),
        (None, None) => None,
    }
}
