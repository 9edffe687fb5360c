//! Does the README hold? Its commands exist, its example loads, its links lead somewhere.

use std::path::Path;

use anteroom::config::{Config, LoadOptions};

use crate::support::repository;

fn readme() -> String {
    std::fs::read_to_string(repository("README.md")).unwrap()
}

/// The fenced blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn it_is_short() {
    assert!(readme().lines().count() <= 150);
}

#[test]
fn its_commands_exist() {
    let text = readme();
    let makefile = std::fs::read_to_string(repository("Makefile")).unwrap();
    let help = anteroom::cli::command();
    let mut seen = 0;
    for line in blocks(&text, "console").iter().flat_map(|block| block.lines()) {
        let mut words = line.trim_start_matches("$ ").split_whitespace();
        match (words.next(), words.next()) {
            (Some("make"), Some(target)) => {
                assert!(makefile.contains(&format!("\n{target}: ##")), "make {target}");
                seen += 1;
            }
            (Some("anteroom"), Some(command)) => {
                let known = help.find_subcommand(command).unwrap_or_else(|| panic!("anteroom {command}"));
                for flag in line.split_whitespace().filter_map(|word| word.strip_prefix("--")) {
                    let has = known.get_arguments().any(|a| a.get_long() == Some(flag));
                    assert!(has, "anteroom {command} --{flag}");
                }
                seen += 1;
            }
            _ => {}
        }
    }
    assert!(seen >= 4, "only {seen} commands found");
    for target in ["demo", "test"] {
        assert!(text.contains(&format!("make {target}")));
    }
}

#[test]
fn its_example_is_a_valid_configuration() {
    let text = readme();
    let examples = blocks(&text, "toml");
    assert!(examples.len() >= 2, "the example and what can be added to it");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("client-secret"), "ATOA-something-long-enough").unwrap();
    std::fs::write(at("session-secret"), "an-example-secret-0123456789-abcdefghi").unwrap();
    let toml = examples.join("\n").replace("/etc/anteroom", folder.path().to_str().unwrap());
    std::fs::write(at("anteroom.toml"), toml).unwrap();
    let options = LoadOptions { config: Some(at("anteroom.toml")), ..LoadOptions::default() };
    let (config, _) = Config::load(&options).unwrap_or_else(|errors| panic!("{errors}"));
    let callback = config.public_url.callback_url(&config.atlassian.callback_path);
    assert!(text.contains(&callback.as_str().replace("app.example.com", "<your-host>")), "{callback}");
}

#[test]
fn links_lead_somewhere() {
    let mut pages = vec![repository("README.md")];
    for folder in ["docs", "docs/reference"] {
        let entries = std::fs::read_dir(repository(folder)).unwrap();
        pages.extend(entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "md")));
    }
    pages.extend(["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(repository));
    let mut checked = 0;
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap();
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            assert!(page.parent().unwrap_or(Path::new("")).join(path).exists(), "{}: {link}", page.display());
            checked += 1;
        }
    }
    assert!(checked > 5);
}
