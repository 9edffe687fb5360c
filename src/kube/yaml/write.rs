//! From a document to text: block style, two columns per level, lists at the column of their key, as `kubectl` writes.

use std::fmt::Write as _;

use super::{Node, Value};

/// A whole document, with a line feed at its end.
pub(super) fn root(out: &mut String, node: &Node) {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() && node.anchor.is_none() => map(out, entries, 0),
        Value::List(items) if !items.is_empty() && node.anchor.is_none() => list(out, items, 0),
        _ => {
            // With an anchor it begins in its own line.
            let mut text = String::new();
            behind(&mut text, node, 0, 0);
            out.push_str(text.strip_prefix(' ').unwrap_or(&text));
        }
    }
}

fn map(out: &mut String, entries: &[(Node, Node)], column: usize) {
    for (at, (key, value)) in entries.iter().enumerate() {
        if at > 0 {
            pad(out, column);
        }
        if let Some(anchor) = &key.anchor {
            let _ = write!(out, "&{anchor} ");
        }
        match &key.value {
            Value::Scalar { text, plain: true } => out.push_str(text),
            Value::Scalar { text, plain: false } => quoted(out, text),
            // Refused before anything is written.
            Value::Alias(_) | Value::List(_) | Value::Map(_) => {}
        }
        out.push(':');
        behind(out, value, column + 2, column);
    }
}

fn list(out: &mut String, items: &[Node], column: usize) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            pad(out, column);
        }
        out.push('-');
        match &item.value {
            Value::Map(entries) if !entries.is_empty() && item.anchor.is_none() => {
                out.push(' ');
                map(out, entries, column + 2);
            }
            Value::List(items) if !items.is_empty() && item.anchor.is_none() => {
                out.push(' ');
                list(out, items, column + 2);
            }
            _ => behind(out, item, column + 2, column + 2),
        }
    }
}

/// A value behind its key or dash, and the end of its last line.
fn behind(out: &mut String, node: &Node, map_column: usize, list_column: usize) {
    if let Some(anchor) = &node.anchor {
        let _ = write!(out, " &{anchor}");
    }
    match &node.value {
        Value::Scalar { text, .. } if text.is_empty() && node.is_null() => out.push('\n'),
        Value::Scalar { text, plain: true } => {
            let _ = writeln!(out, " {text}");
        }
        Value::Scalar { text, plain: false } => {
            out.push(' ');
            match lines(text) {
                Some(sign) => block(out, text, sign, map_column.max(2)),
                None => {
                    quoted(out, text);
                    out.push('\n');
                }
            }
        }
        Value::Alias(name) => {
            let _ = writeln!(out, " *{name}");
        }
        Value::List(items) if items.is_empty() => out.push_str(" []\n"),
        Value::Map(entries) if entries.is_empty() => out.push_str(" {}\n"),
        Value::List(items) => {
            out.push('\n');
            pad(out, list_column);
            list(out, items, list_column);
        }
        Value::Map(entries) => {
            out.push('\n');
            pad(out, map_column);
            map(out, entries, map_column);
        }
    }
}

fn pad(out: &mut String, column: usize) {
    out.extend(std::iter::repeat_n(' ', column));
}

/// How a text of several lines begins as a literal block, if it can be one: nothing but printable characters, no space where
/// the column would be guessed from or where nobody sees it, and at most one line feed at the end.
fn lines(text: &str) -> Option<&'static str> {
    let (body, sign) = match text.strip_suffix('\n') {
        Some(body) => (body, "|"),
        None => (text, "|-"),
    };
    let seen = |c: char| c == '\n' || (!c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}'));
    let fits = body.contains('\n')
        && !body.ends_with('\n')
        && !body.starts_with(['\n', ' '])
        && body.chars().all(seen)
        && !body.split('\n').any(|line| line.ends_with(' '));
    fits.then_some(sign)
}

fn block(out: &mut String, text: &str, sign: &str, column: usize) {
    out.push_str(sign);
    out.push('\n');
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if !line.is_empty() {
            pad(out, column);
            out.push_str(line);
        }
        out.push('\n');
    }
}

/// YAML 1.2.2 §5.7.
fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
