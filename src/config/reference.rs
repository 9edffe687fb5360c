//! Which settings are there, for people? `docs/reference/config.md`, written from the JSON Schema.

use std::fmt::Write as _;

use serde_json::Value;

use super::shape::json_schema;
use super::variables;

const HEAD: &str = "# Configuration

Anteroom reads TOML from the file named by `--config` or `ANTEROOM_CONFIG`, else `anteroom.toml` in the working folder,
else `/etc/anteroom/anteroom.toml`. Later layers win: defaults, file, profile, environment, flags. `anteroom check` says
what is wrong, all at once. [`examples/anteroom.toml`](../../examples/anteroom.toml) shows every setting in place;
`anteroom schema` prints the JSON Schema for your editor.

**Environment.** Every setting has a variable: `ANTEROOM_`, then its path in capitals with `__` between the steps. Lists
of words are separated by commas; tables and lists of tables are written as TOML. A variable that is set to nothing counts
as not set. `PROVIDER_ATLASSIAN_CLIENT_ID`, `PROVIDER_ATLASSIAN_CLIENT_SECRET` and `PROVIDER_ATLASSIAN_CLIENT_SECRET_FILE`
are read too; Anteroom's own names win over them.

**Secrets.** Each can be given inline or, with `_file` behind its name, as a file: systemd credentials, Docker secrets and
Kubernetes volumes are files. Both at once is an error. Either form replaces both forms of lower layers.

**Profiles.** A table that is not listed below is a profile: `[production.atlassian]` holds what `[atlassian]` holds, and
lies over it when `--profile production` or `ANTEROOM_PROFILE=production` chooses it.

**Spans of time** are a number and a unit: `500ms`, `30s`, `5m`, `8h`, `7d`. **Bytes** are a whole number, alone or in quotes
with a unit: `65536`, `\"64KiB\"`, `\"10MB\"`.
";

/// The reference as Markdown.
pub fn reference() -> String {
    let schema = json_schema();
    let mut text = format!("<!-- Generated from the source: UPDATE=1 cargo test config -->\n{HEAD}");
    let plain: Vec<(&String, &Value)> = properties(&schema).filter(|(_, s)| !is_table(s)).collect();
    section(&mut text, "Top level", "", &plain);
    tables(&mut text, &schema, "", None);
    text
}

/// `list`: the list of tables that these are in, which the environment can only set as a whole.
fn tables(text: &mut String, schema: &Value, prefix: &str, list: Option<&str>) {
    for (name, schema) in properties(schema) {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let (title, inner) = match items(schema) {
            Some(items) => (format!("`[[{path}]]`"), items),
            None => (format!("`[{path}]`"), schema),
        };
        if inner.get("properties").is_none() {
            continue;
        }
        let rows: Vec<_> = properties(inner).filter(|(_, s)| !is_table(s)).collect();
        section(text, &title, describe(schema), &rows);
        let list = list.or(items(schema).map(|_| path.as_str()));
        let _ = match list {
            None => writeln!(text, "\nEnvironment: `{}__…`, the key in capitals.", variables::name_of(&path)),
            Some(list) => {
                writeln!(text, "\nEnvironment: `{}`, the whole list as TOML.", variables::name_of(list))
            }
        };
        tables(text, inner, &path, list);
    }
}

/// Whether it has a section of its own.
fn is_table(schema: &Value) -> bool {
    schema.get("properties").is_some() || items(schema).is_some()
}

fn section(text: &mut String, title: &str, description: &str, rows: &[(&String, &Value)]) {
    let _ = write!(text, "\n## {title}\n\n");
    if !description.is_empty() {
        let _ = write!(text, "{description}\n\n");
    }
    let _ = writeln!(text, "| key | type | default | |\n|---|---|---|---|");
    for (key, schema) in rows {
        let default = schema.get("default").map_or("–".to_owned(), |value| format!("`{value}`"));
        let _ = writeln!(text, "| `{key}` | {} | {default} | {} |", kind(schema), explained(schema));
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

/// The schema of the tables in a list of tables.
fn items(schema: &Value) -> Option<&Value> {
    schema.get("items").filter(|items| items.get("properties").is_some())
}

fn describe(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}

/// The description on one line, with those of the words to choose from.
fn explained(schema: &Value) -> String {
    let words: Vec<String> = choices(schema).map(|(word, why)| format!("`{word}`: {why}")).collect();
    let text = [vec![describe(schema).to_owned()], words].concat().join(" ");
    text.replace('\n', " ").replace('|', "\\|")
}

fn choices(schema: &Value) -> impl Iterator<Item = (&str, &str)> {
    let list = schema.get("oneOf").or_else(|| schema.get("items").and_then(|items| items.get("oneOf")));
    list.and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|choice| Some((choice.get("const")?.as_str()?, describe(choice))))
}

fn kind(schema: &Value) -> String {
    let secret = if schema.get("writeOnly").is_some() { ", secret" } else { "" };
    let kind = match schema.get("type").and_then(Value::as_str) {
        Some("array") => format!("list of {}", schema.get("items").map_or("text".into(), kind)),
        Some("boolean") => "true or false".into(),
        Some("integer" | "number") => "number".into(),
        Some("object") => "table of text".into(),
        _ if schema.get("anyOf").is_some_and(|kinds| kinds.to_string().contains("\"integer\"")) => {
            "bytes".into()
        }
        _ if schema.get("oneOf").is_some() => "word".into(),
        _ if schema.get("anyOf").is_some() => "text or list of text".into(),
        _ => "text".into(),
    };
    format!("{kind}{secret}")
}
