//! One value of a document: a scalar in the words it was written in, a list, a mapping, or an alias.
//!
//! Reading through aliases and merge keys would need their expansion; asking for a key where they could hide it is refused
//! instead.

use std::collections::HashSet;

use super::super::Refusal;

/// A value with its anchor.
#[derive(Clone, Debug)]
pub(in crate::kube) struct Node {
    pub(in crate::kube) value: Value,
    /// The name behind `&`.
    pub(super) anchor: Option<Box<str>>,
    pub(super) tagged: bool,
    /// Counts from 1; 0 for what Anteroom has made.
    pub(in crate::kube) line: usize,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::kube) enum Value {
    /// Its text, after escapes and folding; whether it was written without quotes, so that it may be a number or a boolean.
    Scalar {
        /// The text.
        text: Box<str>,
        /// Without quotes.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// Keys and values, in order.
    Map(Vec<(Node, Node)>),
    /// The name behind `*`.
    Alias(Box<str>),
}

impl Eq for Node {}

/// Where it stands does not count.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.anchor == other.anchor && self.tagged == other.tagged && self.value == other.value
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        Self { value, anchor: None, tagged: false, line: 0 }
    }
}

/// Anteroom's own words, quoted where they could be read as something else.
impl From<&str> for Node {
    fn from(text: &str) -> Self {
        let plain_start = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
        let plain = plain_start
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "_./-".contains(c))
            && !["y", "n", "yes", "no", "on", "off", "true", "false", "null"]
                .contains(&text.to_ascii_lowercase().as_str());
        Value::Scalar { text: text.into(), plain }.into()
    }
}

impl From<u64> for Node {
    fn from(number: u64) -> Self {
        Value::Scalar { text: number.to_string().into(), plain: true }.into()
    }
}

impl From<bool> for Node {
    fn from(yes: bool) -> Self {
        Value::Scalar { text: yes.to_string().into(), plain: true }.into()
    }
}

impl From<Vec<Self>> for Node {
    fn from(items: Vec<Self>) -> Self {
        Value::List(items).into()
    }
}

impl<const N: usize> From<[(&str, Self); N]> for Node {
    fn from(entries: [(&str, Self); N]) -> Self {
        Value::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect()).into()
    }
}

impl Node {
    /// Whether it has keys.
    pub(in crate::kube) fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    /// The text of a scalar.
    pub(in crate::kube) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// A whole number that is written as one.
    pub(in crate::kube) fn number(&self) -> Option<u64> {
        match &self.value {
            // 010 is eight to Kubernetes (YAML 1.1), and so is nothing that begins like it read here.
            Value::Scalar { text, plain: true } if &**text == "0" || !text.starts_with(['0', '+']) => {
                text.parse().ok()
            }
            _ => None,
        }
    }

    /// Whether a reader of YAML 1.1 may take it for a number that [`Node::number`] does not read: `0x1f90`, `8_080`, `017620`,
    /// `8080.0`, `2:14:40`.
    pub(in crate::kube) fn may_be_a_number(&self) -> bool {
        match &self.value {
            Value::Scalar { text, plain: true } if self.number().is_none() => {
                let digits = text.trim_start_matches(['+', '-', '.']);
                digits.starts_with(|c: char| c.is_ascii_digit())
                    && digits.chars().all(|c| c.is_ascii_hexdigit() || "xXoO_,.:+-".contains(c))
            }
            _ => false,
        }
    }

    /// Nothing: `null`, `~` or no word at all.
    pub(in crate::kube) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true }
            if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }

    /// A boolean that is false in every reading of YAML.
    pub(in crate::kube) fn is_false(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true }
            if matches!(&**text, "false" | "False" | "FALSE"))
    }

    /// The value of a key; `None` where there is none or it is null. `name`: what this mapping is, for people.
    ///
    /// # Errors
    /// This is no mapping, or an alias or a merge key stands where the answer could be.
    pub(in crate::kube) fn get(&self, key: &str, name: &str) -> Result<Option<&Self>, Refusal> {
        let found = self.entries(name)?.iter().find(|(k, _)| k.text() == Some(key));
        found.map(|(_, value)| value.seen(key)).transpose().map(|value| value.filter(|v| !v.is_null()))
    }

    /// The same, made as an empty mapping or list where there is none, to be changed.
    ///
    /// # Errors
    /// As above, and where something else refers to it by an anchor: it would be changed there as well.
    pub(in crate::kube) fn get_or_make(
        &mut self,
        key: &str,
        name: &str,
        empty: Value,
    ) -> Result<&mut Self, Refusal> {
        self.own(name)?;
        if self.get(key, name)?.is_none() {
            self.set(key, name, empty.into())?;
        }
        let entries = self.entries_mut(name)?;
        let found = entries.iter_mut().find(|(k, _)| k.text() == Some(key)).map(|(_, value)| value);
        let found = found.ok_or_else(|| not_a(name, "a mapping", 0))?;
        found.own(key)?;
        Ok(found)
    }

    /// Sets a key, in its place if it is there already.
    ///
    /// # Errors
    /// As above.
    pub(in crate::kube) fn set(&mut self, key: &str, name: &str, value: Self) -> Result<(), Refusal> {
        self.get(key, name)?.map_or(Ok(()), |old| old.own(key))?;
        self.own(name)?;
        let entries = self.entries_mut(name)?;
        match entries.iter_mut().find(|(k, _)| k.text() == Some(key)) {
            Some((_, old)) => *old = value,
            None => entries.push((key.into(), value)),
        }
        Ok(())
    }

    /// The items of a list, to be read.
    ///
    /// # Errors
    /// This is no list, or one of them is an alias.
    pub(in crate::kube) fn items(&self, name: &str) -> Result<&[Self], Refusal> {
        let Value::List(items) = &self.value else { return Err(not_a(name, "a list", self.line)) };
        items.iter().try_for_each(|item| item.seen(name).map(drop))?;
        Ok(items)
    }

    /// The items of a list, to be changed.
    ///
    /// # Errors
    /// As above, and where an anchor makes it stand elsewhere as well.
    pub(in crate::kube) fn items_mut(&mut self, name: &str) -> Result<&mut Vec<Self>, Refusal> {
        self.own(name)?;
        self.items(name)?;
        let line = self.line;
        match &mut self.value {
            Value::List(items) => Ok(items),
            _ => Err(not_a(name, "a list", line)),
        }
    }

    /// Keys and values.
    ///
    /// # Errors
    /// This is no mapping, or one with a merge key.
    pub(in crate::kube) fn entries(&self, name: &str) -> Result<&[(Self, Self)], Refusal> {
        let Value::Map(entries) = &self.value else { return Err(not_a(name, "a mapping", self.line)) };
        if let Some((merge, _)) = entries.iter().find(|(key, _)| key.text() == Some("<<")) {
            return Err(hidden(&format!("`{name}` has a merge key (<<)"), merge.line));
        }
        if let Some((key, _)) = entries.iter().find(|(key, _)| matches!(key.value, Value::Alias(_))) {
            return Err(hidden(&format!("a key of `{name}` is a YAML alias"), key.line));
        }
        let mut seen = HashSet::new();
        match entries.iter().find(|(key, _)| key.text().is_some_and(|text| !seen.insert(text))) {
            Some((key, _)) => Err(twice(key)),
            None => Ok(entries),
        }
    }

    fn entries_mut(&mut self, name: &str) -> Result<&mut Vec<(Self, Self)>, Refusal> {
        let line = self.line;
        match &mut self.value {
            Value::Map(entries) => Ok(entries),
            _ => Err(not_a(name, "a mapping", line)),
        }
    }

    pub(in crate::kube) fn seen(&self, name: &str) -> Result<&Self, Refusal> {
        match &self.value {
            Value::Alias(to) => Err(hidden(&format!("`{name}` is a YAML alias (*{to})"), self.line)),
            _ => Ok(self),
        }
    }

    pub(super) fn own(&self, name: &str) -> Result<(), Refusal> {
        match &self.anchor {
            Some(anchor) => Err(hidden(
                &format!(
                    "`{name}` has a YAML anchor (&{anchor}): what is changed here changes elsewhere too"
                ),
                self.line,
            )),
            None => Ok(()),
        }
    }

    /// Whether all of it can be written back.
    pub(super) fn can_be_written(&self) -> Result<(), Refusal> {
        if self.tagged {
            let remedy = "Remove it: Kubernetes knows the type of every field";
            return Err(Refusal::new("a value has a YAML tag (!)", remedy).at(self.line));
        }
        match &self.value {
            Value::Scalar { .. } | Value::Alias(_) => Ok(()),
            Value::List(items) => items.iter().try_for_each(Self::can_be_written),
            Value::Map(entries) => {
                let mut seen = HashSet::new();
                entries.iter().try_for_each(|(key, value)| {
                    // The text alone: `1` and "1" are two keys to YAML and one to JSON, as which Kubernetes takes it.
                    let Some(text) = key.text().filter(|text| !text.is_empty() && text.len() < 1000) else {
                        let remedy = "Kubernetes takes nothing but words as keys: correct the manifest";
                        return Err(Refusal::new("a key is no single word", remedy).at(key.line));
                    };
                    if !seen.insert(text) && text != "<<" {
                        return Err(twice(key));
                    }
                    key.can_be_written()?;
                    value.can_be_written()
                })
            }
        }
    }
}

fn not_a(name: &str, kind: &str, line: usize) -> Refusal {
    Refusal::new(format!("`{name}` is not {kind}"), "Correct the manifest").at(line)
}

fn twice(key: &Node) -> Refusal {
    let what = format!("the key `{}` is there twice", key.text().unwrap_or_default());
    Refusal::new(what, "Which one counts depends on who reads it: remove one").at(key.line)
}

fn hidden(what: &str, line: usize) -> Refusal {
    let remedy = "Write it out first, for example with: yq 'explode(.)' FILE";
    Refusal::new(what, remedy).at(line)
}
