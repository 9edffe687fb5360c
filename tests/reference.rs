//! Do the reference pages say what the code does? Codes and header names, compared in both directions.

use std::collections::BTreeSet;
use std::path::Path;

use anteroom::identity::headers::{ASSERTION, Claim, Layout, PROVISIONED, Preset};
use anteroom::identity::{AccountId, Email, EmailVerified, Person};
use anteroom::pages::samples::{Cast, every_page};
use http::HeaderName;

use crate::support::repository;

/// The first cell, in backticks, of every table row between two headings.
fn rows(page: &str, from: &str, to: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(repository(page)).unwrap();
    let part = text.split_once(from).unwrap_or_else(|| panic!("no {from:?} in {page}")).1;
    let part = part.split_once(to).map_or(part, |(part, _)| part);
    part.lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(cell, _)| cell.to_owned())
        .collect()
}

/// Every string of this shape in the sources below a folder.
fn in_sources(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            in_sources(&path, prefix, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let quoted = code.split('"').filter(|s| s.starts_with(prefix));
            found.extend(
                quoted
                    .filter(|s| s.bytes().all(|b| b.is_ascii_lowercase() || b".-".contains(&b)))
                    .map(str::to_owned),
            );
        }
    }
}

#[test]
fn every_code_of_a_page_is_listed_with_its_status() {
    let cast = Cast::EXAMPLE;
    let text = std::fs::read_to_string(repository("docs/reference/errors.md")).unwrap();
    let mut shown = BTreeSet::new();
    for (name, page) in every_page(&cast) {
        let Some(code) = page.code() else { continue };
        // The store and Atlassian being down have a page of their own beside the sign-in's.
        let row = format!("| `{code}` | {} |", page.status().as_u16());
        assert!(text.contains(&row), "{name}: no row {row}");
        shown.insert(code.to_owned());
    }
    assert_eq!(rows("docs/reference/errors.md", "## On pages", "## In JSON"), shown);
}

#[test]
fn every_configuration_code_is_listed() {
    let mut used = BTreeSet::new();
    in_sources(&repository("src/config"), "config.", &mut used);
    assert_eq!(rows("docs/reference/errors.md", "## In the configuration", "\n## "), used);
}

#[test]
fn every_json_error_is_listed() {
    let listed = rows("docs/reference/errors.md", "## In JSON", "## In the configuration");
    let sources =
        ["src/auth/visible.rs", "src/auth/start.rs"].map(|p| std::fs::read_to_string(repository(p)).unwrap());
    for error in &listed {
        assert!(sources.iter().any(|s| s.contains(&format!("\"{error}\""))), "{error} is never sent");
    }
    assert_eq!(listed.len(), 5);
}

#[test]
fn every_identity_header_is_listed() {
    let presets = [Preset::Anteroom, Preset::Forwarded, Preset::AuthRequest, Preset::Remote];
    let layout = Layout::new(&presets, &[], Claim::AccountId);
    let person = Person {
        account_id: AccountId::parse("557058:ada").unwrap(),
        email: Some(Email::parse("ada@example.com").unwrap()),
        email_verified: EmailVerified::True,
        name: Some("Ada".into()),
        picture: Some("https://avatar.example/ada.png".into()),
    };
    let set: BTreeSet<String> =
        layout.render(&person, true).iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(rows("docs/reference/headers.md", "## Identity", "## Signed assertion"), set);
    let reserved = |name: &String| layout.reserved(&HeaderName::from_bytes(name.as_bytes()).unwrap());
    let refused = rows("docs/reference/headers.md", "## What clients may not say", "## What the upstream");
    assert!(!refused.is_empty() && refused.iter().all(reserved), "{refused:?}");
    assert!(set.iter().all(reserved));
    let text = std::fs::read_to_string(repository("docs/reference/headers.md")).unwrap();
    assert!(text.contains(ASSERTION.as_str()) && text.contains(PROVISIONED.as_str()));
}
