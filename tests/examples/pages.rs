//! Is every example one command and at most ten lines of page, and does what the pages of `docs/install` show hold?

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::{repository, venv};

/// The folders of `examples/`.
fn examples() -> Vec<String> {
    let entries = std::fs::read_dir(repository("examples")).unwrap().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[test]
fn each_example_is_one_command_and_ten_lines() {
    let examples = examples();
    assert!(examples.len() >= 7, "{examples:?}");
    for name in examples {
        let page = std::fs::read_to_string(repository("examples").join(&name).join("README.md")).unwrap();
        assert!(page.lines().count() <= 10, "{name}: {}", page.lines().count());
        let first = page.lines().find_map(|line| line.strip_prefix("$ ")).unwrap_or_else(|| panic!("{name}"));
        let command = first.split(" #").next().unwrap().trim();
        let wanted = match name.as_str() {
            "sidecar" => "helm template grafana examples/sidecar --dependency-update".to_owned(),
            _ => format!("examples/run {name}"),
        };
        assert_eq!(command, wanted);
    }
}

/// The first block of TOML on a page of `docs/install`.
fn configuration(page: &str) -> toml::Table {
    let text = std::fs::read_to_string(repository(&format!("docs/install/{page}.md"))).unwrap();
    let block =
        text.split("```toml\n").nth(1).unwrap_or_else(|| panic!("{page}")).split("```").next().unwrap();
    toml::from_str(block).unwrap_or_else(|e| panic!("{page}: {e}"))
}

/// The configuration of Docker's page is complete, and so are the others, which say what is different.
#[test]
fn the_configurations_on_the_pages_are_valid() {
    let docker = configuration("docker");
    let laid_over = |page: &str, without: &str| {
        let mut table = docker.clone();
        table.remove(without);
        table.extend(configuration(page));
        table
    };
    let mut standalone = configuration("standalone");
    // What the unit says in the environment.
    standalone.insert("session".into(), docker["session"].clone());
    let secret = docker["atlassian"]["client_secret_file"].clone();
    standalone["atlassian"].as_table_mut().unwrap().insert("client_secret_file".into(), secret);

    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().to_str().unwrap();
    std::fs::create_dir(folder.path().join("secrets")).unwrap();
    for name in ["client-secret", "session-keys"] {
        let path = folder.path().join("secrets").join(name);
        std::fs::write(&path, "ATOAtests-only-secret-qX7vK2mLp9aB3cD4eF5gH6iJ7kL8m").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    for (page, table) in [
        ("docker", docker.clone()),
        ("standalone", standalone),
        ("forward-auth", laid_over("forward-auth", "proxy")),
        ("sidecar", laid_over("sidecar", "proxy")),
    ] {
        let text = toml::to_string(&table).unwrap().replace("/etc/anteroom", here);
        let text = text.replace("YOUR-CLIENT-ID", "0123456789abcdefghijABCDEFGHIJ01");
        let file = folder.path().join("anteroom.toml");
        std::fs::write(&file, text).unwrap();
        let mut check = Command::new(env!("CARGO_BIN_EXE_anteroom"));
        let said = check.args(["check", "--config"]).arg(&file).env_clear().output().unwrap();
        let complaints = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success() && complaints.is_empty(), "{page}: {complaints}");
    }
}

/// Values on a page are rendered with the chart that they are for, by Helm's own engine.
#[test]
fn the_values_on_the_pages_render() {
    let python = venv::programs_of("chart", &repository("tests/chart/requirements.txt")).join("python");
    let mut tests = Command::new(python);
    tests.args(["-m", "unittest", "test_pages"]).current_dir(repository("tests/examples"));
    tests.env("PYTHONPATH", repository("tests/chart")).env("PYTHONDONTWRITEBYTECODE", "1");
    venv::run(&mut tests, "tests/examples/test_pages.py failed");
}

/// Each page of `docs/install` is short, and reachable from the README.
#[test]
fn there_is_a_page_for_every_way_of_running() {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    for way in ["docker", "forward-auth", "kubernetes", "sidecar", "standalone"] {
        let path = format!("docs/install/{way}.md");
        let page = std::fs::read_to_string(repository(&path)).unwrap();
        assert!(page.lines().count() <= 80, "{path}: {}", page.lines().count());
        assert!(readme.contains(&format!("]({path})")), "{path} is not linked");
        assert!(page.contains("../sign-in-fails.md"), "{path}: and when it fails?");
    }
    for page in ["docs/upgrading.md", "docs/sign-in-fails.md"] {
        assert!(readme.contains(&format!("]({page})")), "{page} is not linked");
    }
}
