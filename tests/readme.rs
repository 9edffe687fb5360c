//! Do the README and the other pages hold? Their commands exist, their examples load, their links lead somewhere.

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

/// Every command of the blocks for a shell and of the code in running text.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, part) in text.split("```").enumerate() {
        match part.split_once('\n').filter(|_| index % 2 == 1) {
            Some(("console", block)) => found.extend(block.lines().map(|line| line.trim_start_matches("$ "))),
            Some(_) => {}
            None => found.extend(part.split('`').skip(1).step_by(2)),
        }
    }
    let code = found.into_iter().filter_map(|line| line.split(" #").next());
    code.flat_map(|line| line.split([';', '(', ')', '&', '|'])).map(|one| one.trim().to_owned()).collect()
}

/// How many commands of ours a page shows; each must exist, with its flags.
fn check_commands(page: &str, text: &str) -> usize {
    let makefile = std::fs::read_to_string(repository("Makefile")).unwrap();
    let help = anteroom::cli::command();
    let mut seen = 0;
    for line in commands(text) {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("make"), Some(target)) => {
                assert!(makefile.contains(&format!("\n{target}: ##")), "{page}: make {target}");
            }
            (Some("anteroom"), Some(command)) => {
                let mut known =
                    help.find_subcommand(command).unwrap_or_else(|| panic!("{page}: anteroom {command}"));
                // Some have commands of their own, which come next.
                if known.has_subcommands() {
                    let next = words.next().unwrap_or("…");
                    if next != "…" {
                        known = known.find_subcommand(next).unwrap_or_else(|| panic!("{page}: {line}"));
                    }
                }
                for flag in line.split_whitespace().filter_map(|word| word.strip_prefix("--")) {
                    let has = known.get_arguments().any(|a| a.get_long() == Some(flag));
                    assert!(has, "{page}: anteroom {command} --{flag}");
                }
            }
            (Some("examples/run"), Some(example)) => {
                assert!(repository("examples").join(example).is_dir(), "{page}: {line}");
            }
            _ => continue,
        }
        seen += 1;
    }
    seen
}

/// README, the pages of `docs/` and the other pages people read.
fn pages() -> Vec<std::path::PathBuf> {
    let mut pages = vec![repository("README.md")];
    let examples = std::fs::read_dir(repository("examples")).unwrap().flatten().map(|entry| entry.path());
    let folders = ["docs", "docs/install", "docs/reference", "charts/anteroom"].map(repository);
    for folder in folders.into_iter().chain(examples.filter(|path| path.is_dir())) {
        let entries = std::fs::read_dir(folder).unwrap();
        pages.extend(entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "md")));
    }
    pages.extend(["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(repository));
    pages
}

#[test]
fn the_commands_of_every_page_exist() {
    let seen = check_commands("README.md", &readme());
    assert!(seen >= 7, "only {seen} commands found in the README");
    for target in ["demo", "test"] {
        assert!(readme().contains(&format!("make {target}")));
    }
    for page in pages() {
        check_commands(&page.display().to_string(), &std::fs::read_to_string(&page).unwrap());
    }
}

#[test]
fn the_configuration_on_every_page_is_known() {
    let schema = anteroom::config::json_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for block in blocks(&text, "toml") {
            let table: toml::Table =
                toml::from_str(block).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
            let value = serde_json::to_value(table).unwrap();
            let problems: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
            assert!(problems.is_empty(), "{}: {problems:?}", page.display());
        }
    }
}

#[test]
fn what_is_said_of_the_emulator_is_what_it_has() {
    let text = std::fs::read_to_string(repository("docs/atlassian-setup.md")).unwrap();
    let fixture = anteroom::emulator::Fixture::demo();
    let app = fixture.apps.first().unwrap();
    let block = blocks(&text, "toml").into_iter().find(|block| block.contains("public_url")).unwrap();
    let table: toml::Table = toml::from_str(block).unwrap();
    let at = |key: &str| table["atlassian"][key].as_str().unwrap();
    assert_eq!((at("client_id"), at("client_secret")), (app.client_id.as_str(), app.client_secret.as_str()));
    let origin = table["public_url"].as_str().unwrap();
    assert!(app.callbacks.contains(&format!("{origin}/api/auth/callback/atlassian")));
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

/// The anchor that a heading gets where Markdown is shown.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut checked = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() {
                page.clone()
            } else {
                page.parent().unwrap_or(Path::new("")).join(path)
            };
            assert!(target.exists(), "{}: {link}", page.display());
            if !fragment.is_empty() {
                let there = std::fs::read_to_string(&target).unwrap();
                let mut headings = there.lines().filter(|line| line.starts_with('#'));
                let found = headings.any(|line| anchor(line.trim_start_matches('#')) == fragment);
                assert!(found, "{}: {link}", page.display());
            }
            checked += 1;
        }
    }
    assert!(checked > 5);
}

#[test]
fn the_screenshots_are_pictures_that_load_fast() {
    for name in ["sign-in", "demo"] {
        let picture = std::fs::read(repository(&format!("docs/images/{name}.png"))).unwrap();
        assert!(picture.starts_with(b"\x89PNG\r\n") && picture.len() < 150_000, "{name}: {}", picture.len());
    }
}
