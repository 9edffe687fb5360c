//! Which paths does a Rust file name? Enough of a reader to tell code from comments, literals and tests.
//!
//! It knows tokens, not grammar: a path is words joined by `::`, with `use` groups taken apart.

use std::collections::BTreeSet;

/// The text without each item under `#[cfg(test)]`, so without the test module too. Braces in strings and comments
/// do not count; the lines of what stays are kept as they are.
pub(super) fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = attribute(rest) {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[item_end(rest)..];
    }
    kept + rest
}

/// Where the next `#[cfg(test)]` starts a line.
fn attribute(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("#[cfg(test)]") {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// Where the item at the start of `text` ends: at its closing brace, or at a semicolon before any brace.
fn item_end(text: &str) -> usize {
    let blank = blanked(text);
    let mut depth = 0;
    for (at, byte) in blank.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The same text, byte for byte as long, with comments and the insides of literals turned into spaces.
fn blanked(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = vec![b' '; bytes.len()];
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment_end(text, at);
        if end > at {
            for i in at..end {
                if bytes[i] == b'\n' {
                    out[i] = b'\n';
                }
            }
            at = end;
        } else {
            out[at] = if bytes[at].is_ascii() { bytes[at] } else { b' ' };
            at += 1;
        }
    }
    String::from_utf8(out).expect("ASCII")
}

/// Where the comment or literal that starts at `at` ends; `at` itself when none starts there.
fn literal_or_comment_end(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let rest = &bytes[at..];
    let to = |needle: &[u8], from: usize| {
        rest[from..].windows(needle.len()).position(|w| w == needle).map_or(bytes.len(), |p| at + from + p)
    };
    if rest.starts_with(b"//") {
        return to(b"\n", 0);
    }
    if rest.starts_with(b"/*") {
        return (to(b"*/", 2) + 2).min(bytes.len());
    }
    let in_a_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    if !in_a_word {
        let prefix = ["br", "cr", "r"].into_iter().find(|prefix| rest.starts_with(prefix.as_bytes()));
        if let Some(prefix) = prefix {
            let hashes = rest[prefix.len()..].iter().take_while(|b| **b == b'#').count();
            let open = prefix.len() + hashes;
            if rest.get(open) == Some(&b'"') {
                let close = [b"\"", "#".repeat(hashes).as_bytes()].concat();
                return (to(&close, open + 1) + close.len()).min(bytes.len());
            }
        }
    }
    match rest[0] {
        b'"' => after_quote(bytes, at, b'"'),
        // A character, or else a lifetime.
        b'\'' if rest.get(1) == Some(&b'\\') => after_quote(bytes, at, b'\''),
        b'\'' => {
            let width = text[at + 1..].chars().next().map_or(0, char::len_utf8);
            if width > 0 && rest.get(1 + width) == Some(&b'\'') { at + width + 2 } else { at }
        }
        _ => at,
    }
}

fn after_quote(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// Words, `::` and every other character by itself.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let blank = blanked(text);
    let mut out = Vec::<String>::new();
    let mut in_word = false;
    let mut chars = blank.chars().peekable();
    while let Some(c) = chars.next() {
        let word = c.is_ascii_alphanumeric() || c == '_';
        match (word, in_word, c) {
            (true, true, _) => out.last_mut().expect("a word").push(c),
            (true, false, _) => out.push(c.into()),
            (_, _, ':') if chars.next_if_eq(&':').is_some() => out.push("::".into()),
            _ if !c.is_whitespace() => out.push(c.into()),
            _ => {}
        }
        in_word = word;
    }
    out
}

pub(super) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// Every path in full, `use` groups taken apart: `a::{b, c::d}` is `a::b` and `a::c::d`.
pub(super) fn all_paths(tokens: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_word(&tokens[at]) {
            let mut paths = Vec::new();
            at = path(tokens, at, "", &mut paths);
            found.extend(paths);
        } else {
            at += 1;
        }
    }
    found
}

/// Words after which `::` starts a path of its own.
const KEYWORDS: &[&str] =
    &["use", "pub", "in", "as", "return", "impl", "dyn", "mut", "for", "where", "if", "match"];

/// Reads the path that starts at `at`, with `prefix` before it; gives the place after it.
fn path(tokens: &[String], mut at: usize, prefix: &str, found: &mut Vec<String>) -> usize {
    let mut whole = prefix.to_owned();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") if whole.ends_with("::") => {
                at += 1;
                while tokens.get(at).is_some_and(|t| t != "}") {
                    let group = is_word(&tokens[at]) || tokens[at] == "{";
                    at = if group { path(tokens, at, &whole, found) } else { at + 1 };
                }
                return at + 1;
            }
            Some(word) if is_word(word) && (whole.is_empty() || whole.ends_with("::")) => {
                whole.push_str(word);
                at += 1;
            }
            Some("::") if !whole.ends_with("::") && !KEYWORDS.contains(&whole.as_str()) => {
                whole.push_str("::");
                at += 1;
            }
            _ => break,
        }
    }
    found.push(whole.trim_end_matches("::").to_owned());
    at
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
}

/// The top-level modules of our own that a file at `module` names.
pub(super) fn own_paths(tokens: &[String], module: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for whole in all_paths(tokens) {
        let mut parts = whole.split("::").peekable();
        let mut here = module.to_vec();
        match parts.peek().copied() {
            Some("crate" | "anteroom") => {
                parts.next();
                here.clear();
            }
            Some("super") => {
                while parts.next_if_eq(&"super").is_some() {
                    here.pop();
                }
            }
            _ => continue,
        }
        here.extend(parts);
        found.extend(here.first().map(|top| (*top).to_owned()));
    }
    found
}

/// The first part of every path with more than one part, and every lone name after `use`: crates are among them.
pub(super) fn outside_names(tokens: &[String]) -> BTreeSet<String> {
    let alone = tokens.windows(3).filter(|w| w[0] == "use" && (w[2] == ";" || w[2] == "as"));
    let alone: Vec<String> = alone.map(|w| w[1].clone()).collect();
    let paths = all_paths(tokens).into_iter().filter(|path| path.contains("::"));
    paths.map(|path| path.split("::").next().unwrap_or_default().to_owned()).chain(alone).collect()
}
