//! Which environment variables are settings? `ANTEROOM_`, then the path in capitals, `__` between its steps:
//! `ANTEROOM_ATLASSIAN__CLIENT_ID` is `atlassian.client_id`.
//!
//! Guarantees: a misspelt variable is refused, as a misspelt key is; the ones that Kubernetes sets for a service named
//! `anteroom` are left alone (<https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>).

use super::convert::did_you_mean;
use super::environment::{Environment, PREFIX};
use super::finding::{Finding, Mistake, Origin};
use super::key::{KeyPath, Step};
use super::shape::Shape;

/// Names that other products use for the same settings.
const ALIASES: [(&str, &str); 3] = [
    ("PROVIDER_ATLASSIAN_CLIENT_ID", "atlassian.client_id"),
    ("PROVIDER_ATLASSIAN_CLIENT_SECRET", "atlassian.client_secret"),
    ("PROVIDER_ATLASSIAN_CLIENT_SECRET_FILE", "atlassian.client_secret_file"),
];

/// Read before the file is, not as settings.
const NOT_SETTINGS: [&str; 2] = ["ANTEROOM_CONFIG", "ANTEROOM_PROFILE"];

/// One variable that sets something.
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) key: KeyPath,
    pub(super) value: String,
}

/// The variables of one layer.
pub(super) struct Variables {
    pub(super) layer: &'static str,
    pub(super) set: Vec<Variable>,
}

/// The aliases, then Anteroom's own names, which win.
pub(super) fn read(environment: &Environment, shape: &Shape, found: &mut Vec<Finding>) -> [Variables; 2] {
    for name in environment.not_unicode() {
        found.push(not_unicode(name).at(&KeyPath::default(), Origin::Variable(name.clone())));
    }
    let alias = |(name, key): (&str, &str)| {
        let value = one_line(environment.get(name)?);
        Some(Variable { name: name.to_owned(), key: KeyPath::of(key), value })
    };
    let aliases = Variables { layer: "aliases", set: ALIASES.into_iter().filter_map(alias).collect() };
    let mut own = Variables { layer: "environment", set: Vec::new() };
    for (name, value) in environment.iter() {
        let Some(rest) = name.strip_prefix(PREFIX).filter(|_| !NOT_SETTINGS.contains(&name)) else {
            continue;
        };
        let key = KeyPath::of(&rest.to_ascii_lowercase().replace("__", "."));
        match shape_at(shape, &key) {
            Some(shape) if !matches!(shape, Shape::Table(_)) => {
                own.set.push(Variable { name: name.to_owned(), key, value: one_line(value) });
            }
            _ if of_kubernetes(rest) => {}
            _ => found.push(unknown(name, shape).at(&key, Origin::Variable(name.to_owned()))),
        }
    }
    [aliases, own]
}

/// The shape of a setting.
pub(super) fn shape_at<'a>(shape: &'a Shape, key: &KeyPath) -> Option<&'a Shape> {
    key.steps().iter().try_fold(shape, |shape, step| match step {
        Step::Key(key) => shape.child(key),
        Step::Index(_) => None,
    })
}

/// The variable of a setting.
pub(super) fn name_of(dotted: &str) -> String {
    format!("{PREFIX}{}", dotted.to_ascii_uppercase().replace('.', "__"))
}

/// The paths of all settings that are not tables.
pub(super) fn leaves(shape: &Shape, prefix: &str) -> Vec<String> {
    let below = |key: &str| {
        let path = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
        match shape.child(key) {
            Some(table @ Shape::Table(_)) => leaves(table, &path),
            _ => vec![path],
        }
    };
    shape.keys().flat_map(below).collect()
}

/// Files and shells leave a newline at the end; it is never meant.
fn one_line(value: &str) -> String {
    let value = value.strip_suffix('\n').unwrap_or(value);
    value.strip_suffix('\r').unwrap_or(value).to_owned()
}

fn of_kubernetes(rest: &str) -> bool {
    rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_")
}

fn unknown(name: &str, shape: &Shape) -> Mistake {
    let names: Vec<String> = leaves(shape, "").iter().map(|path| name_of(path)).collect();
    Mistake::new(
        "config.unknown-variable",
        format!("there is no setting for the environment variable {name}"),
        "Unknown settings are refused: a misspelt rule would silently not count",
        format!(
            "{}Steps are joined with two underscores: ANTEROOM_ATLASSIAN__CLIENT_ID is atlassian.client_id",
            did_you_mean(name, names.iter().map(String::as_str))
        ),
    )
}

fn not_unicode(name: &str) -> Mistake {
    Mistake::new(
        "config.encoding",
        format!("the environment variable {name} is not UTF-8"),
        "Its value cannot be read",
        "set it to UTF-8 text",
    )
}
