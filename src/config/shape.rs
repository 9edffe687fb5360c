//! Which settings are there, and of which type? Read off the JSON Schema that the raw types generate, so that the
//! schema, the reference, the names of environment variables and the checks cannot disagree.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::raw::RawConfig;

/// What a setting may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number, not negative.
    Count,
    /// A number, not negative.
    Number,
    /// A whole number of bytes, or text that says so.
    Size,
    /// One of these words.
    Choice(Vec<String>),
    /// A list.
    List(Box<Shape>),
    /// A single value or a list of them.
    OneOrMany(Box<Shape>),
    /// A table with these keys.
    Table(Vec<(String, Shape)>),
    /// A table with any keys, text in each.
    Map,
}

impl Shape {
    /// The shape of the whole configuration.
    pub(super) fn of_config() -> Self {
        Self::read(&json_schema())
    }

    /// The shape of a key of a table.
    pub(super) fn child(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Table(keys) => keys.iter().find(|(name, _)| name == key).map(|(_, shape)| shape),
            _ => None,
        }
    }

    /// The keys of a table.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let keys = match self {
            Self::Table(keys) => keys.as_slice(),
            _ => &[],
        };
        keys.iter().map(|(name, _)| name.as_str())
    }

    /// What is expected, for a message.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Text => "text in quotes".into(),
            Self::Flag => "true or false".into(),
            Self::Count => "a whole number".into(),
            Self::Number => "a number".into(),
            Self::Size => "a number of bytes, or text such as \"64KiB\"".into(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::List(inner) => format!("a list, each element {}", inner.expected()),
            Self::OneOrMany(inner) => format!("{}, or a list of such", inner.expected()),
            Self::Table(_) => "a table".into(),
            Self::Map => "a table of names and texts".into(),
        }
    }

    fn read(schema: &Value) -> Self {
        let inner = |key: &str| Box::new(schema.get(key).map_or(Self::Text, Self::read));
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            return Self::Table(properties.iter().map(|(k, s)| (k.clone(), Self::read(s))).collect());
        }
        if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
            let word = |choice: &Value| choice.get("const").and_then(Value::as_str).map(str::to_owned);
            return Self::Choice(choices.iter().filter_map(word).collect());
        }
        if let Some(kinds) = schema.get("anyOf").and_then(Value::as_array) {
            let of_bytes = kinds.iter().any(|kind| kind.get("type") == Some(&json!("integer")));
            return if of_bytes { Self::Size } else { Self::OneOrMany(Box::new(Self::Text)) };
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("boolean") => Self::Flag,
            Some("integer") => Self::Count,
            Some("number") => Self::Number,
            Some("array") => Self::List(inner("items")),
            Some("object") => Self::Map,
            _ => Self::Text,
        }
    }
}

/// The JSON Schema (draft 2020-12) of the configuration file.
pub fn json_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = without_null(settings.into_generator().into_root_schema_for::<RawConfig>().into());
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".into(), json!("Anteroom configuration"));
        // A table of any other name is a profile: the same settings again, laid over the others when it is chosen.
        root.insert("additionalProperties".into(), json!({ "$ref": "#" }));
    }
    schema
}

/// TOML has no null: a setting that may be absent is of its plain type.
fn without_null(schema: Value) -> Value {
    match schema {
        Value::Object(object) => plain_object(object),
        Value::Array(items) => Value::Array(items.into_iter().map(without_null).collect()),
        other => other,
    }
}

fn plain_object(object: Map<String, Value>) -> Value {
    let mut plain = Map::new();
    for (key, value) in object {
        match (key.as_str(), value) {
            ("default", Value::Null) => {}
            ("type", Value::Array(types)) => {
                let kept = types.into_iter().find(|t| t != "null");
                plain.insert(key, kept.unwrap_or_default());
            }
            ("anyOf", Value::Array(options)) => {
                let mut kept: Vec<Value> = options
                    .into_iter()
                    .filter(|o| *o != json!({ "type": "null" }))
                    .map(without_null)
                    .collect();
                match (kept.len(), kept.pop()) {
                    // What is left of `T | null` is `T`, under the description given where it is used.
                    (1, Some(Value::Object(only))) => only.into_iter().for_each(|(k, v)| {
                        plain.entry(k).or_insert(v);
                    }),
                    (_, last) => {
                        kept.extend(last);
                        plain.insert(key, Value::Array(kept));
                    }
                }
            }
            (_, value) => drop(plain.insert(key, without_null(value))),
        }
    }
    Value::Object(plain)
}
