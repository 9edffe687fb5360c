//! Does `docs/sign-in-fails.md` tell the truth? Each situation of its column "see it" is entered at the offline Atlassian, and
//! somebody signs in: what they then see must be what the row says.

use anteroom::emulator::Scenario;

use crate::support::person::Person;
use crate::support::repository;
use crate::support::site::{Plan, Site};

/// A row: what is seen, and the scenario that shows it.
struct Row {
    seen: String,
    scenario: Scenario,
}

/// Rows with a scenario, of the table below this heading.
fn rows(heading: &str) -> Vec<Row> {
    let page = std::fs::read_to_string(repository("docs/sign-in-fails.md")).unwrap();
    let section = page.split_once(&format!("\n## {heading}\n")).expect("the heading").1;
    let table = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let rows = table.take_while(|line| line.starts_with('|')).filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{line}");
        let scenario = cells[3].trim_matches('`');
        let scenario =
            (!scenario.is_empty()).then(|| scenario.parse().unwrap_or_else(|e| panic!("{e}: {line}")));
        Some(Row { seen: cells[0].to_owned(), scenario: scenario? })
    });
    rows.collect()
}

/// The page on which a sign-in ends in this situation, and whether it is Atlassian's. Each time with an Atlassian of its own: a
/// consent that was given is remembered.
async fn ends(scenario: Scenario) -> (String, bool) {
    let site = Site::with(Plan::ada().config("[access]\nemail_domains = [\"example.com\"]")).await;
    site.emulator.enter(scenario);
    let mut ada = Person::new();
    let page = ada.visit(&site.url("/_anteroom/start?return_to=%2F")).await;
    let at_atlassian = page.url.port() == site.emulator.base_url().port();
    let said = page.url.query_pairs().find(|(name, _)| at_atlassian && name == "error_description");
    (said.map_or(page.body, |(_, text)| text.into_owned()), at_atlassian)
}

#[tokio::test(flavor = "multi_thread")]
async fn atlassian_shows_what_the_page_says() {
    let rows = rows("Pages that only Atlassian shows");
    assert!(rows.len() >= 5, "{}", rows.len());
    for Row { seen, scenario } in rows {
        let (page, at_atlassian) = ends(scenario).await;
        assert!(at_atlassian, "{scenario} comes back: {page}");
        // Of the texts between quotes one is there, all of its parts.
        let texts = seen.split('"').skip(1).step_by(2);
        let there = texts.filter(|text| text.split('…').all(|part| page.contains(part.trim())));
        assert!(there.count() > 0, "{scenario}: {page}\nis not one of {seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anteroom_shows_the_code_that_the_page_says() {
    let rows = rows("Pages that Anteroom shows");
    assert!(rows.len() >= 6, "{}", rows.len());
    for Row { seen, scenario } in rows {
        let (page, at_atlassian) = ends(scenario).await;
        assert!(!at_atlassian, "{scenario} does not come back");
        let code = seen.trim_matches('`');
        assert!(page.contains(code), "{scenario}: {code} is not on\n{page}");
    }
}

/// What it says of all codes holds: each is one of ours.
#[test]
fn the_codes_are_known() {
    let known = std::fs::read_to_string(repository("docs/reference/errors.md")).unwrap();
    let page = std::fs::read_to_string(repository("docs/sign-in-fails.md")).unwrap();
    let codes = page.split('`').skip(1).step_by(2);
    let ours = ["signin.", "access.", "store.", "atlassian."];
    let mut seen = 0;
    for code in codes.filter(|code| ours.iter().any(|family| code.starts_with(family))) {
        let setting = code.starts_with("atlassian.") && ["scopes", "callback_path"].contains(&&code[10..]);
        let setting = setting || code.starts_with("access.allow");
        if !setting {
            assert!(known.contains(&format!("`{code}`")), "{code}");
            seen += 1;
        }
    }
    assert!(seen >= 10);
}
