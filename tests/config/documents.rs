//! The generated documents say what the program does. `UPDATE=1` writes them anew.

use std::path::Path;

use anteroom::config::{Environment, json_schema, reference};
use serde_json::Value;

use super::Case;

fn example() -> String {
    std::fs::read_to_string(root().join("examples/anteroom.toml")).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn same(path: &str, want: &str) {
    let path = root().join(path);
    #[allow(clippy::disallowed_methods, reason = "a switch for whoever runs the test")]
    if std::env::var("UPDATE").is_ok() {
        std::fs::write(&path, want).unwrap();
    }
    let is = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(is == want, "{} is out of date: UPDATE=1 cargo test config", path.display());
}

#[test]
fn the_references_are_up_to_date() {
    same("docs/reference/config.md", &reference());
    same("docs/reference/cli.md", &anteroom::cli::reference());
}

#[test]
fn the_example_fits_the_schema_and_misfits_do_not() {
    let schema = json_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let as_json =
        |toml: &str| -> Value { serde_json::to_value(toml::from_str::<toml::Table>(toml).unwrap()).unwrap() };
    let problems: Vec<String> = validator.iter_errors(&as_json(&example())).map(|e| e.to_string()).collect();
    assert_eq!(problems, Vec::<String>::new());
    for bad in [
        "public_url = 5",
        "[atlasian]\nclient_id = \"x\"",
        "[atlassian]\nclientid = \"x\"",
        "[production.atlassian]\nclientid = \"x\"",
        "[[routes]]\naccess = \"open\"",
        "[access]\nemails = \"a@b.c\"",
        "[proxy.limits]\nbody_bytes = true",
        "[proxy.limits]\nbody_bytes = -1",
        "[[proxy.upstreams]]\nserver = [\"http://a\"]",
        "[[proxy.upstreams]]\nheaders = { a = 1 }",
        "[proxy.tls]\nmin_version = \"1.1\"",
        "[ops.tracing]\nsample = \"all\"",
    ] {
        assert!(!validator.is_valid(&as_json(bad)), "{bad}");
    }
}

#[test]
fn the_example_is_valid_and_whole() {
    let toml = example().replace("/run/secrets/", "");
    let case = Case::new(&toml)
        .file("atlassian_client_secret", "ATOA-x")
        .file("atlassian_client_secret_staging", "ATOA-y")
        .file("anteroom_session", "example-session-secret-0123456789-abcd");
    case.good();
    assert_eq!(case.profile("staging").good().public_url.origin(), "https://staging.example.com");
    // Every setting stands in it, if only as a comment.
    for line in reference().lines().filter_map(|line| line.strip_prefix("| `")) {
        let key = line.split('`').next().unwrap();
        assert!(toml.contains(&format!("{key} =")), "{key} is missing from the example");
    }
}

#[test]
fn the_environment_does_not_show_its_values() {
    let environment = Environment::from_iter([("ANTEROOM_SESSION__SECRET", "hunter2")]);
    assert!(!format!("{environment:?}").contains("hunter2"));
}
