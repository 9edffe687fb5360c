//! Which tables of the file are profiles? Those that are no settings themselves but hold settings.

use toml_edit::{Item, Table, TableLike};

use super::convert::{did_you_mean, nearest};
use super::finding::Mistake;
use super::shape::Shape;

/// The plain settings, and the profiles by name. A misspelt section stays among the settings, where it is refused.
pub(super) fn split<'a>(
    root: &'a Table,
    shape: &Shape,
    asked: Option<&str>,
) -> (Table, Vec<(String, &'a dyn TableLike)>) {
    let (mut base, mut profiles) = (root.clone(), Vec::new());
    for (name, item) in root.iter() {
        if let Some(table) = item.as_table_like()
            && is_profile(name, table, shape, asked)
        {
            base.remove(name);
            profiles.push((name.to_owned(), table));
        }
    }
    (base, profiles)
}

fn is_profile(name: &str, table: &dyn TableLike, shape: &Shape, asked: Option<&str>) -> bool {
    if shape.child(name).is_some() {
        return false;
    }
    let holds_settings = table.iter().any(|(key, _)| shape.child(key).is_some());
    let holds_tables = table.iter().any(|(_, item): (_, &Item)| item.is_table_like());
    asked == Some(name)
        || holds_settings
        || ((holds_tables || table.is_empty()) && nearest(name, shape.keys()).is_none())
}

/// A profile was asked for that is not there.
pub(super) fn missing(asked: &str, names: &[&str]) -> Mistake {
    let there = match names {
        [] => "the file has no profiles".to_owned(),
        names => format!("the file has: {}", names.join(", ")),
    };
    Mistake::new(
        "config.profile",
        format!("there is no profile `{asked}`; {there}"),
        "Without its settings another environment's would count",
        format!(
            "{}write its settings under [{asked}] or name another one with --profile or ANTEROOM_PROFILE",
            did_you_mean(asked, names.iter().copied())
        ),
    )
}
