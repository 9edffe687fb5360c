//! How is a report read? By people in 80 columns, by scripts as JSON whose fields stay.
//!
//! Guarantees: no control character from the network reaches a terminal.

use std::fmt::Write as _;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::finding::{Finding, Outcome};

/// Columns of a line.
const WIDTH: usize = 80;
/// Where the text of a finding begins.
const INDENT: usize = 13;
/// Lines of one list that people are shown; scripts get all.
const SHOWN: usize = 12;

/// What was looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Introduction {
    /// The way through the gateway.
    pub(super) gateway: Option<Way>,
    /// The pod, by its addresses.
    pub(super) pod: Option<Vec<IpAddr>>,
}

/// A way through a gateway.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// The gateway's address.
    pub(super) gateway: String,
    /// Where doctor stood in for the app.
    pub(super) echo: Option<String>,
    /// Whether the cookie's session is alive.
    pub(super) signed_in: bool,
}

/// For people.
pub(super) fn text(introduction: &Introduction, findings: &[Finding]) -> String {
    let mut page = String::new();
    let pod = introduction.pod.as_deref().map(inside);
    for line in pod.into_iter().chain(introduction.gateway.as_ref().map(through)) {
        page += &wrapped(&line, 0).join("\n");
        page.push('\n');
    }
    let mut told: Vec<&Finding> = Vec::new();
    for finding in findings {
        let same = told.iter().find(|other| !other.remedies.is_empty() && other.remedies == finding.remedies);
        page += &one(finding, same.map(|other| other.name.as_str()));
        told.push(finding);
    }
    let count = |outcome| findings.iter().filter(|finding| finding.outcome == outcome).count();
    let problems = count(Outcome::Problem);
    let _ = write!(page, "\n{} ok", count(Outcome::Ok));
    let _ = write!(page, ", {problems} problem{}", if problems == 1 { "" } else { "s" });
    let _ = writeln!(page, ", {} noted, {} not checked", count(Outcome::Note), count(Outcome::NotChecked));
    page
}

fn inside(addresses: &[IpAddr]) -> String {
    let addresses: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    let known = if addresses.is_empty() { "of unknown address".to_owned() } else { addresses.join(" and ") };
    format!("Inside of this pod, {known}")
}

fn through(way: &Way) -> String {
    let app = way.echo.as_ref().map_or_else(
        || "without a look at what the app gets (--echo)".to_owned(),
        |echo| format!("as the app on {echo}"),
    );
    let session = if way.signed_in { "signed in" } else { "without a session" };
    format!("Through {}, {app}, {session}", way.gateway)
}

/// One finding; `above` names the one that has told the remedies already.
fn one(finding: &Finding, above: Option<&str>) -> String {
    let word = match finding.outcome {
        Outcome::Ok => "ok",
        Outcome::Note => "note",
        Outcome::Problem => "PROBLEM",
        Outcome::NotChecked => "not checked",
    };
    let mut text = format!("\n{word:<INDENT$}{}\n", wrapped(&finding.name, INDENT).join("\n"));
    let mut put = |label: &str, lines: &[String]| {
        for (index, line) in lines.iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            let label = format!("{:INDENT$}{label:<9}", "");
            let _ = writeln!(text, "{label}{}", wrapped(line, INDENT + 9).join("\n"));
        }
    };
    // What was sent without harm is of interest to scripts only.
    if finding.outcome == Outcome::Problem {
        put("sent", &few(&finding.sent));
    }
    if finding.outcome != Outcome::Ok {
        put("came", &few(&finding.came));
    }
    let margin = " ".repeat(INDENT);
    let _ = writeln!(text, "{margin}{}", wrapped(&finding.meaning, INDENT).join("\n"));
    if let Some(above) = above {
        let words = format!("To close it, see \"{above}\" above.");
        let _ = writeln!(text, "{margin}{}", wrapped(&words, INDENT).join("\n"));
        return text;
    }
    for (gateway, words) in finding.remedies {
        let label = format!("{margin}{gateway:<9}");
        let _ = writeln!(text, "{label}{}", wrapped(words, INDENT + 9).join("\n"));
    }
    text
}

fn few(lines: &[String]) -> Vec<String> {
    let mut few: Vec<String> = lines.iter().take(SHOWN).cloned().collect();
    if lines.len() > SHOWN {
        few.push(format!("and {} more (--format json shows all)", lines.len() - SHOWN));
    }
    few
}

/// The words in lines, each after the first with the indent in front. A word longer than a line stays whole.
fn wrapped(text: &str, indent: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in plain(text).split(' ') {
        if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    let margin = " ".repeat(indent);
    let later = lines.iter().skip(1).map(|line| format!("{margin}{line}"));
    lines.iter().take(1).cloned().chain(later).collect()
}

/// Control characters written out.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() }).collect()
}

/// For scripts.
pub(super) fn json(introduction: &Introduction, findings: &[Finding]) -> Value {
    let sick = findings.iter().any(|finding| finding.outcome == Outcome::Problem);
    let way = introduction.gateway.as_ref();
    json!({
        "pod": introduction.pod,
        "gateway": way.map(|way| &way.gateway),
        "echo": way.and_then(|way| way.echo.as_ref()),
        "signed_in": way.map(|way| way.signed_in),
        "outcome": if sick { "problem" } else { "ok" },
        "checks": findings.iter().map(|finding| json!({
            "check": finding.check,
            "name": finding.name,
            "outcome": finding.outcome.as_str(),
            "sent": finding.sent,
            "came_through": finding.came,
            "meaning": finding.meaning,
            "remedies": finding.remedies.iter()
                .map(|(gateway, words)| (gateway.to_lowercase(), Value::from(*words)))
                .collect::<Map<String, Value>>(),
        })).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        let long = "Whoever writes this header is believed. ".repeat(4);
        vec![
            Finding::ok("a", "All is well", "Nothing came through."),
            Finding::problem("b", "Something is not", long.trim(), &[("nginx", "close it")])
                .sent(["X-A: 1"])
                .came((0..20).map(|n| format!("X-{n}: \u{1b}[2J"))),
        ]
    }

    fn introduction() -> Introduction {
        let way = Way { gateway: "https://wiki.example".into(), echo: None, signed_in: false };
        Introduction { gateway: Some(way), pod: Some(vec![IpAddr::from([10, 0, 0, 3])]) }
    }

    #[test]
    fn people_read_it_in_80_columns() {
        let text = text(&introduction(), &findings());
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(!text.contains('\u{1b}') && text.contains("X-0: \\u{1b}[2J"), "{text}");
        assert!(text.contains("PROBLEM      Something is not\n             sent     X-A: 1\n"), "{text}");
        assert!(text.contains("             nginx    close it\n"), "{text}");
        assert!(
            text.starts_with("Inside of this pod, 10.0.0.3\nThrough https://wiki.example, without"),
            "{text}"
        );
        assert!(text.contains("and 8 more") && text.ends_with("1 ok, 1 problem, 0 noted, 0 not checked\n"));
    }

    #[test]
    fn scripts_read_all_of_it() {
        let json = json(&introduction(), &findings());
        assert_eq!(json["outcome"], "problem");
        assert_eq!(json["checks"][1]["came_through"].as_array().unwrap().len(), 20);
        assert_eq!(json["checks"][1]["remedies"]["nginx"], "close it");
    }
}
