//! Does each value have the type of its setting? From TOML items and from plain text to figment values, by [`Shape`].
//!
//! Guarantees: what comes out has the right types; what has not is left out and reported, so that one mistake hides no
//! other.

use std::collections::BTreeSet;
use std::str::FromStr;

use figment::value::{Dict, Value};
use toml_edit::{Item, TableLike, Value as TomlValue};

use super::file::Spans;
use super::finding::{Finding, Mistake, Origin};
use super::key::KeyPath;
use super::shape::Shape;

/// Collects what is wrong while converting.
pub(super) struct Converter<'a> {
    /// Where spans are, and whether the value may be shown.
    pub(super) origin: &'a dyn Fn(&Spans, bool) -> Origin,
    /// The mistakes.
    pub(super) found: Vec<Finding>,
    /// Settings that were left out.
    pub(super) dropped: BTreeSet<KeyPath>,
}

impl<'a> Converter<'a> {
    /// Nothing found yet.
    pub(super) fn new(origin: &'a dyn Fn(&Spans, bool) -> Origin) -> Self {
        Self { origin, found: Vec::new(), dropped: BTreeSet::new() }
    }

    /// A table. `path` names its place among the settings, `shown` its place in the file when a profile is in front.
    pub(super) fn table(
        &mut self,
        table: &dyn TableLike,
        shape: &Shape,
        path: &KeyPath,
        shown: &KeyPath,
    ) -> Dict {
        let mut dict = Dict::new();
        for (name, _) in table.iter() {
            let Some((key, item)) = table.get_key_value(name) else { continue };
            let spans = Spans::of(key, item);
            let Some(shape) = shape.child(name) else {
                // What was probably meant is not missed a second time.
                self.dropped.extend(nearest(name, shape.keys()).map(|near| path.key(near)));
                self.report(unknown_key(&shown.key(name), name, shape), &shown.key(name), &spans);
                continue;
            };
            if let Some(value) = self.item(item, shape, &path.key(name), &shown.key(name), &spans) {
                dict.insert(name.to_owned(), value);
            }
        }
        dict
    }

    fn item(
        &mut self,
        item: &Item,
        shape: &Shape,
        path: &KeyPath,
        shown: &KeyPath,
        spans: &Spans,
    ) -> Option<Value> {
        match (shape, item) {
            (Shape::Table(_), item) if item.is_table_like() => {
                item.as_table_like().map(|table| self.table(table, shape, path, shown).into())
            }
            (Shape::Map, item) if item.is_table_like() => {
                item.as_table_like().map(|table| self.map(table, path, shown).into())
            }
            (Shape::List(inner), Item::ArrayOfTables(tables)) if matches!(**inner, Shape::Table(_)) => {
                let elements = tables.iter().enumerate();
                let dicts =
                    elements.map(|(i, table)| self.table(table, inner, &path.at(i), &shown.at(i)).into());
                Some(dicts.collect::<Vec<Value>>().into())
            }
            (shape, Item::Value(value)) => self.value(value, shape, path, shown, spans),
            (shape, other) => self.wrong_type(shape, other.type_name(), path, shown, spans),
        }
    }

    /// A table whose keys are the operator's own.
    fn map(&mut self, table: &dyn TableLike, path: &KeyPath, shown: &KeyPath) -> Dict {
        let mut dict = Dict::new();
        for (name, _) in table.iter() {
            let Some((key, item)) = table.get_key_value(name) else { continue };
            let spans = Spans::of(key, item);
            if let Some(value) = self.item(item, &Shape::Text, &path.key(name), &shown.key(name), &spans) {
                dict.insert(name.to_owned(), value);
            }
        }
        dict
    }

    fn value(
        &mut self,
        value: &TomlValue,
        shape: &Shape,
        path: &KeyPath,
        shown: &KeyPath,
        spans: &Spans,
    ) -> Option<Value> {
        match (shape, value) {
            (Shape::Text, TomlValue::String(text)) => Some(text.value().as_str().into()),
            (Shape::Flag, TomlValue::Boolean(flag)) => Some((*flag.value()).into()),
            (Shape::Count, TomlValue::Integer(count)) if *count.value() >= 0 => Some((*count.value()).into()),
            (Shape::Number, TomlValue::Integer(count)) if *count.value() >= 0 => {
                // What is more than this is out of every range there is.
                Some(f64::from(u32::try_from(*count.value()).unwrap_or(u32::MAX)).into())
            }
            (Shape::Number, TomlValue::Float(number)) if *number.value() >= 0.0 => {
                Some((*number.value()).into())
            }
            (Shape::Size, TomlValue::Integer(_)) => self.value(value, &Shape::Count, path, shown, spans),
            (Shape::Size, TomlValue::String(text)) => Some(text.value().as_str().into()),
            (Shape::Choice(words), TomlValue::String(text)) if words.contains(text.value()) => {
                Some(text.value().as_str().into())
            }
            (Shape::Choice(words), TomlValue::String(text)) => {
                self.dropped.insert(path.clone());
                self.report(not_a_choice(shown, text.value(), words), shown, spans);
                None
            }
            (Shape::OneOrMany(inner), TomlValue::String(_)) => self.value(value, inner, path, shown, spans),
            (Shape::List(inner) | Shape::OneOrMany(inner), TomlValue::Array(array)) => {
                let mut kept = Vec::new();
                for (index, element) in array.iter().enumerate() {
                    let spans = Spans { key: None, value: element.span(), header: false };
                    let (path, shown) = (path.at(index), shown.at(index));
                    // An element that is left out leaves a gap, or the indices after it would move.
                    let kept_or_gap = self.value(element, inner, &path, &shown, &spans);
                    kept.push(kept_or_gap.unwrap_or_else(|| gap(inner)));
                }
                Some(kept.into())
            }
            (Shape::Table(_), TomlValue::InlineTable(table)) => {
                Some(self.table(table, shape, path, shown).into())
            }
            (Shape::Map, TomlValue::InlineTable(table)) => Some(self.map(table, path, shown).into()),
            (shape, other) => self.wrong_type(shape, other.type_name(), path, shown, spans),
        }
    }

    /// The text of an environment variable or a flag.
    pub(super) fn text(&mut self, text: &str, shape: &Shape, path: &KeyPath) -> Option<Value> {
        let spans = Spans::default();
        let toml = |text: &str| TomlValue::from_str(text);
        match shape {
            Shape::Text => Some(text.into()),
            Shape::OneOrMany(inner) => self.text(text, inner, path),
            Shape::Choice(_) => self.value(&text.into(), shape, path, path, &spans),
            Shape::List(inner)
                if !text.trim_start().starts_with('[') && !matches!(**inner, Shape::Table(_)) =>
            {
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                self.value(&words.collect::<toml_edit::Array>().into(), shape, path, path, &spans)
            }
            Shape::Size if text.trim().parse::<i64>().is_err() => Some(text.trim().into()),
            shape => match toml(text.trim()) {
                Ok(value) => self.value(&value, shape, path, path, &spans),
                Err(_) => self.wrong_type(shape, "something else", path, path, &spans),
            },
        }
    }

    fn wrong_type(
        &mut self,
        shape: &Shape,
        got: &str,
        path: &KeyPath,
        shown: &KeyPath,
        spans: &Spans,
    ) -> Option<Value> {
        self.dropped.insert(path.clone());
        let mistake = Mistake::new(
            "config.type",
            format!("`{shown}` is {}, but {} is expected", article(got), shape.expected()),
            "The value is left unread",
            match shape {
                Shape::Text | Shape::Choice(_) => format!("write {} = \"…\"", last(shown)),
                Shape::List(_) => format!("write {} = [\"…\", \"…\"]", last(shown)),
                other => format!("write {}", other.expected()),
            },
        );
        self.report(mistake, shown, spans);
        None
    }

    fn report(&mut self, mistake: Mistake, shown: &KeyPath, spans: &Spans) {
        let origin = (self.origin)(spans, mistake.shown);
        self.found.push(mistake.at(shown, origin));
    }
}

/// What stands in a list for an element that was left out, of the same type. Nothing more is reported about it.
fn gap(shape: &Shape) -> Value {
    match shape {
        Shape::Text | Shape::OneOrMany(_) => "".into(),
        Shape::Choice(words) => words.first().map_or("", String::as_str).into(),
        Shape::Flag => false.into(),
        Shape::Count | Shape::Size => 0_u8.into(),
        Shape::Number => 0_f64.into(),
        Shape::List(_) => Vec::<Value>::new().into(),
        Shape::Table(_) | Shape::Map => Dict::new().into(),
    }
}

fn article(type_name: &str) -> String {
    match type_name.chars().next() {
        Some('a' | 'e' | 'i' | 'o' | 'u') => format!("an {type_name}"),
        _ if type_name == "something else" => type_name.to_owned(),
        _ => format!("a {type_name}"),
    }
}

fn last(path: &KeyPath) -> String {
    path.to_string().rsplit('.').next().unwrap_or_default().to_owned()
}

fn not_a_choice(path: &KeyPath, text: &str, words: &[String]) -> Mistake {
    let all = words.join(", ");
    let remedy = match nearest(text, words.iter().map(String::as_str)) {
        Some(word) => format!("did you mean `{word}`? Possible: {all}"),
        None => format!("write one of: {all}"),
    };
    let what = format!("`{path}` has a value that it cannot have");
    Mistake::new("config.choice", what, "Anteroom does not guess what was meant", remedy).showing_the_value()
}

fn unknown_key(path: &KeyPath, name: &str, shape: &Shape) -> Mistake {
    let remedy = match nearest(name, shape.keys()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("remove it, or use one of: {}", shape.keys().collect::<Vec<_>>().join(", ")),
    };
    let meaning = "Unknown settings are refused: a misspelt rule would silently not count";
    Mistake::new("config.unknown-key", format!("there is no setting `{path}`"), meaning, remedy)
}

/// For what design has a place for and this version has not.
pub(super) fn not_built(what: &str) -> Mistake {
    Mistake::new(
        "config.not-built-yet",
        format!("{what} is not built yet"),
        "This version of Anteroom would ignore it",
        "remove it; docs/reference/config.md lists what there is",
    )
}

/// A question that helps: the profile or the variable that was probably meant.
pub(super) fn did_you_mean<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    nearest(text, candidates).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default()
}

/// The candidate that is nearest to what was written, if one is near enough to be meant.
pub(super) fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_ascii_lowercase().replace('-', "_");
    let score =
        |candidate: &str| strsim::jaro_winkler(&text, &candidate.to_ascii_lowercase().replace('-', "_"));
    let best = candidates.map(|c| (score(c), c)).max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(score, _)| *score >= 0.8).map(|(_, candidate)| candidate)
}
