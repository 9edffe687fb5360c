//! How does a message meet the values it names, safely? Both are escaped; each value stands alone in `<bdi>`.
//!
//! The isolation keeps an Arabic name from reordering an English sentence and the other way round (HTML Living Standard,
//! the `bdi` element). Only this file makes [`Markup`], so what the templates print unescaped is escaped here.

use std::fmt;

use askama::filters::{Html, HtmlSafe, escape};

/// Escaped HTML, ready to be printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Markup(String);

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Markup {}

/// The message with `{app}` replaced by the app's name.
pub(super) fn markup(message: &str, app: &str) -> Markup {
    let app = format!("<bdi>{}</bdi>", escaped(app));
    Markup(escaped(message).replace(APP, &app))
}

/// The same for places without elements, such as `<title>`: Unicode isolates instead (FSI … PDI). Not escaped.
pub(super) fn plain(message: &str, app: &str) -> String {
    message.replace(APP, &format!("\u{2068}{app}\u{2069}"))
}

/// The one placeholder that messages have.
pub(super) const APP: &str = "{app}";

/// One or two letters that stand for a picture. Empty when there is no letter or digit.
pub(super) fn initials(name: &str) -> String {
    let mut letters = name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let Some(first) = letters.next() else { return String::new() };
    // Two letters side by side read well in bicameral scripts only; Arabic ones would join.
    let last = letters.next_back().filter(|c| c.is_uppercase() || c.is_lowercase());
    [Some(first), last].into_iter().flatten().flat_map(char::to_uppercase).collect()
}

fn escaped(text: &str) -> String {
    match escape(text, Html) {
        Ok(safe) => safe.to_string(),
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_and_value_are_both_escaped() {
        assert_eq!(
            markup("To {app} & <b>", "<i>\"'&{app}").to_string(),
            "To <bdi>&#60;i&#62;&#34;&#39;&#38;{app}</bdi> &#38; &#60;b&#62;"
        );
    }

    #[test]
    fn initials_of_names() {
        let table = [
            ("Mia Krystof", "MK"),
            ("mia", "M"),
            ("Ana de la Cruz", "AC"),
            ("", ""),
            ("<x> (y)", "XY"),
            ("ليلى حداد", "ل"),
        ];
        for (name, expected) in table {
            assert_eq!(initials(name), expected, "{name}");
        }
    }
}
