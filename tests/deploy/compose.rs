//! Does the compose file hold? By the schema of the Compose specification, by what it refers to, and its configuration
//! read by the program. Docker is not asked.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::tools::{by_schema, text, verdict, yaml};
use crate::support::repository;

const FILE: &str = "deploy/compose.yaml";
const SCHEMA: &str = "vendor.compose-spec";

fn names(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(map) => map.keys().cloned().collect(),
        Value::Array(list) => list.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        _ => BTreeSet::new(),
    }
}

#[test]
fn it_is_a_compose_file() {
    let (fine, said) = by_schema(SCHEMA, &repository(FILE));
    assert!(fine, "{said}");
    // It would notice.
    let folder = tempfile::tempdir().unwrap();
    let worse = folder.path().join("compose.yaml");
    for (from, to) in [("read_only: true\n    cap_drop", "readonly: true\n    cap_drop"), ("[ALL]", "ALL")] {
        std::fs::write(&worse, text(FILE).replace(from, to)).unwrap();
        assert!(!by_schema(SCHEMA, &worse).0, "{to}");
    }
}

#[test]
fn only_anteroom_is_reached_and_nothing_is_more_than_it_must() {
    let compose = yaml(&repository(FILE));
    let services = compose["services"].as_object().unwrap();
    for (name, service) in services {
        assert_eq!(service.get("ports").is_some(), name == "anteroom", "{name}");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], serde_json::json!(["no-new-privileges:true"]), "{name}");
        assert!(names(&service["networks"]).is_subset(&names(&compose["networks"])), "{name}");
        assert!(names(&service["depends_on"]).is_subset(&names(&compose["services"])), "{name}");
    }
    let anteroom = &services["anteroom"];
    let image = format!("ghcr.io/anteroom-dev/anteroom:{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(anteroom["image"], image.as_str());
    // The app is in a network that leads nowhere, and Anteroom in that and in one that leads out.
    assert_eq!(names(&services["app"]["networks"]), BTreeSet::from(["apps".to_owned()]));
    assert_eq!(compose["networks"]["apps"]["internal"], true);
    assert_eq!(names(&anteroom["networks"]), names(&compose["networks"]));
    assert_eq!(names(&anteroom["environment"]), BTreeSet::new(), "no secret in the environment");
    for mount in anteroom["volumes"].as_array().unwrap() {
        let source = mount["source"].as_str().unwrap();
        match mount["type"].as_str().unwrap() {
            "bind" => {
                assert!(repository("deploy").join(source).is_dir() && mount["read_only"] == true, "{mount}")
            }
            _ => assert!(names(&compose["volumes"]).contains(source), "{mount}"),
        }
    }
    // Longer than the delay and the drain, whose defaults it runs with.
    let grace = anteroom["stop_grace_period"].as_str().unwrap().trim_end_matches('s').parse::<u64>().unwrap();
    assert!(grace >= 5 + 20 + 5);
}

#[test]
fn its_configuration_loads_once_it_is_filled_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    std::fs::create_dir_all(folder.path().join("etc/anteroom/secrets")).unwrap();
    std::fs::create_dir_all(folder.path().join("var/lib/anteroom")).unwrap();
    for (name, secret) in [
        ("client-secret", "ATOA-tests-only-client-secret-0123456789"),
        ("session-keys", "tests-only-secret-0123456789-abcdefghij"),
    ] {
        std::fs::write(folder.path().join("etc/anteroom/secrets").join(name), secret).unwrap();
    }
    let file = folder.path().join("etc/anteroom/anteroom.toml");
    let template = text("deploy/compose/anteroom.toml");
    let template =
        template.replace("/etc/", &format!("{path}/etc/")).replace("/var/", &format!("{path}/var/"));
    let check = |toml: &str| {
        std::fs::write(&file, toml).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
        verdict(command.env_clear().args(["check", "--config"]).arg(&file), "cargo build")
    };
    let (fine, said) = check(&template);
    assert!(!fine, "as it comes it must not run");
    for missing in ["public_url", "client_id", "access"] {
        assert!(said.contains(missing), "{missing} in {said}");
    }
    let filled = ["#public_url", "#client_id", "#email_domains"]
        .iter()
        .fold(template, |toml, line| toml.replacen(line, line.trim_start_matches('#'), 1));
    let (fine, said) = check(&filled);
    assert!(fine, "{said}");
}
