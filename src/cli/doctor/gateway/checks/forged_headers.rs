//! Does a client's own word about who it is reach the app? Every identity header, in every spelling that an app could read
//! as one (CGI, WSGI and PHP read `_` and `.` as `-`), doubled, and named in `Connection` so that a hop drops it.

use std::collections::BTreeSet;

use super::app::Way;
use crate::cli::doctor::finding::Finding;
use crate::cli::doctor::gateway::message::Head;
use crate::cli::doctor::gateway::probe::Probe;
use crate::cli::doctor::gateway::wire::Unreachable;
use crate::cli::doctor::gateway::{Exam, fresh_id, remedies};
use crate::identity::headers::Layout;

const CHECK: &str = "forged-headers";
const NAME: &str = "Forged identity headers";

/// How a name is disguised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disguise {
    None,
    LowerCase,
    Underscores,
    OneUnderscore,
    Dots,
    Doubled,
    InConnection,
}

const DISGUISES: [Disguise; 7] = [
    Disguise::None,
    Disguise::LowerCase,
    Disguise::Underscores,
    Disguise::OneUnderscore,
    Disguise::Dots,
    Disguise::Doubled,
    Disguise::InConnection,
];

impl Disguise {
    fn spell(self, name: &str) -> String {
        match self {
            Self::None | Self::Doubled | Self::InConnection => name.to_owned(),
            Self::LowerCase => name.to_ascii_lowercase(),
            Self::Underscores => name.replace('-', "_"),
            Self::OneUnderscore => match name.rsplit_once('-') {
                Some((front, back)) => format!("{front}_{back}"),
                None => name.to_owned(),
            },
            Self::Dots => name.replace('-', "."),
        }
    }

    /// For people: the first of the names, and how many more.
    fn described(self, names: &[String]) -> Option<String> {
        let shown = self.spell(names.first()?);
        let how = match self {
            Self::Doubled => ", twice",
            Self::InConnection => ", named in Connection",
            _ => "",
        };
        Some(format!("{shown}: forged{how} (and {} names more)", names.len() - 1))
    }

    /// Forged lines for these names.
    fn dress<'a>(self, probe: Probe<'a>, names: &[String], id: &str) -> Probe<'a> {
        let mut probe = probe;
        for name in names {
            let spelled = self.spell(name);
            probe = probe.line(&spelled, format!("forged-{id}"));
            if self == Self::Doubled {
                probe = probe.line(&spelled, format!("forged-{id}-again"));
            }
        }
        if self == Self::InConnection { probe.in_connection(names.to_vec()) } else { probe }
    }
}

/// What came of all spellings of one group of names.
#[derive(Default)]
struct Outcome {
    sent: Vec<String>,
    came: BTreeSet<String>,
    lost: BTreeSet<String>,
    refused: usize,
}

impl Outcome {
    /// What a request that reached the app shows: forged values in it, and names that an honest one has and it has not.
    fn compare(&mut self, head: &Head, known: &BTreeSet<String>, honest: &BTreeSet<String>, id: &str) {
        let forged =
            head.lines.iter().filter(|(name, value)| known.contains(&dashed(name)) && value.contains(id));
        self.came.extend(forged.map(|(name, _)| format!("{name}: forged")));
        let now = present(head, known);
        self.lost.extend(honest.difference(&now).map(|name| titled(name)));
    }
}

pub(super) fn check(exam: &Exam<'_>, ways: &[Way]) -> Result<Vec<Finding>, Unreachable> {
    let layout = &exam.config.headers.layout;
    let ours: Vec<String> = layout.names().map(|name| titled(name.as_str())).collect();
    let others = others(layout);
    let mut findings = Vec::new();
    for way in ways {
        findings.push(arrives(way, &ours));
        let outcome = try_all(exam, way, &ours)?;
        findings.push(forged(way, &outcome));
        findings.extend(lost(way, &outcome));
        findings.push(reserved(way, &try_all(exam, way, &others)?));
    }
    findings.extend(missing(exam, ways));
    Ok(findings)
}

/// Names that Anteroom does not set here, and that no client may send either.
fn others(layout: &Layout) -> Vec<String> {
    let set: BTreeSet<String> = layout.names().map(|name| dashed(name.as_str())).collect();
    let names: BTreeSet<&str> = layout.reserved_names().filter(|name| !set.contains(*name)).collect();
    names.into_iter().map(titled).collect()
}

fn try_all(exam: &Exam<'_>, way: &Way, names: &[String]) -> Result<Outcome, Unreachable> {
    let mut outcome = Outcome::default();
    let known: BTreeSet<String> = names.iter().map(|name| dashed(name)).collect();
    let honest = present(&way.honest, &known);
    for disguise in DISGUISES {
        outcome.sent.extend(disguise.described(names));
        // All names at once; where that is refused, halves, down to the names that are refused themselves.
        let mut groups = vec![names];
        while let Some(group) = groups.pop() {
            let id = fresh_id();
            let probe = disguise.dress(way.probe(exam), group, &id);
            let seen = exam.ask_as(&probe, id)?;
            match &seen.at_app {
                Some(head) => outcome.compare(head, &known, &honest, &seen.id),
                None if group.len() > 1 => {
                    let (some, rest) = group.split_at(group.len() / 2);
                    groups.extend([some, rest]);
                }
                None => outcome.refused += 1,
            }
        }
    }
    Ok(outcome)
}

/// Which of these names a request carries, spelled as they should be.
fn present(head: &Head, names: &BTreeSet<String>) -> BTreeSet<String> {
    let spelled = head.lines.iter().map(|(name, _)| name.to_ascii_lowercase());
    spelled.filter(|name| names.contains(name)).collect()
}

/// Does Anteroom's own word arrive, when nothing is forged?
fn arrives(way: &Way, ours: &[String]) -> Finding {
    const NAME: &str = "Identity that the app is told";
    let name = format!("{NAME} ({})", way.name());
    let absent: Vec<String> = ours.iter().filter(|name| way.honest.value(name).is_none()).cloned().collect();
    let somebody =
        |name: &&String| way.honest.value(name).is_some_and(|value| !value.is_empty() && value != "-");
    let told = ours.iter().find(somebody);
    let sent = [format!("GET {}", way.path)];
    if absent.len() == ours.len() || (way.signed_in && told.is_none()) {
        let meaning = "The app is not told who is there: the gateway does not copy these headers from Anteroom's answer.";
        return Finding::problem("identity", &name, meaning, remedies::COPY_HEADERS).sent(sent).came(absent);
    }
    if !way.signed_in && told.is_some() {
        let meaning =
            "Without a session the app is told a name. Something in front of it makes up an identity.";
        return Finding::problem("identity", &name, meaning, remedies::FORGED_HEADERS).sent(sent);
    }
    if !absent.is_empty() {
        let meaning = "These are not copied from Anteroom's answer. That is fine where the app has no use for them, as long \
                       as a client cannot send them either.";
        return Finding::note("identity", &name, meaning).sent(sent).came(absent);
    }
    Finding::ok("identity", &name, "Each of them arrives.").sent(sent)
}

fn forged(way: &Way, outcome: &Outcome) -> Finding {
    let name = format!("{NAME} ({})", way.name());
    let finding = if outcome.came.is_empty() {
        Finding::ok(CHECK, &name, harmless(outcome))
    } else {
        let meaning = "Whoever writes such a header is whoever they say, for an app that reads it. An app that takes _ or . \
                       for - reads the aliases as well.";
        Finding::problem(CHECK, &name, meaning, remedies::FORGED_HEADERS)
    };
    finding.sent(outcome.sent.clone()).came(outcome.came.clone())
}

fn lost(way: &Way, outcome: &Outcome) -> Option<Finding> {
    let name = format!("Identity headers taken away ({})", way.name());
    let meaning = "With a forged header beside it, or named in Connection, Anteroom's own word did not arrive: a client can \
                   appear as nobody, where the app expects somebody.";
    (!outcome.lost.is_empty()).then(|| {
        Finding::problem("lost-headers", &name, meaning, remedies::COPY_HEADERS)
            .sent(outcome.sent.clone())
            .came(outcome.lost.iter().map(|name| format!("no {name}")))
    })
}

/// The names of other proxies' presets, and those that rewrite address or method.
fn reserved(way: &Way, outcome: &Outcome) -> Finding {
    let name = format!("Other reserved headers, forged ({})", way.name());
    let finding = if outcome.came.is_empty() {
        Finding::ok("reserved-headers", &name, harmless(outcome))
    } else {
        let meaning = "Anteroom does not set these here, and other proxies do: an app that was set up for one of them, or a \
                       framework that lets them rewrite address or method, believes the client.";
        Finding::problem("reserved-headers", &name, meaning, remedies::FORGED_HEADERS)
    };
    finding.sent(outcome.sent.clone()).came(outcome.came.clone())
}

fn harmless(outcome: &Outcome) -> String {
    match outcome.refused {
        0 => "Nothing forged came through, in no spelling.".into(),
        n => {
            format!("Nothing forged came through; {n} of {} requests were refused outright.", DISGUISES.len())
        }
    }
}

/// What could not be tried, and why.
fn missing(exam: &Exam<'_>, ways: &[Way]) -> Vec<Finding> {
    let not = |name: &str, why: &str| Finding::not_checked(CHECK, &format!("{NAME} ({name})"), why);
    if exam.echo.is_none() {
        return vec![not("any", "Only the app sees what arrives. Stop it and give its address as --echo.")];
    }
    let mut findings = Vec::new();
    if !ways.iter().any(|way| way.signed_in) {
        let why = if exam.cookie.is_some() {
            "The request of somebody signed in did not reach doctor."
        } else {
            "There is no session: give --cookie-file, a file with the Cookie line of a browser that is signed in."
        };
        findings.push(not("signed in", why));
    }
    if !ways.iter().any(|way| !way.signed_in) {
        let why = if exam.public.is_some() {
            "The request for the public path did not reach doctor."
        } else {
            "The configuration has no public path on this host that could be asked for; every request needs a session."
        };
        findings.push(not("without a session", why));
    }
    findings
}

fn dashed(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// `x-anteroom-email` as people write it: `X-Anteroom-Email`.
fn titled(name: &str) -> String {
    let word = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => word.to_owned(),
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_disguise_reads_as_the_name() {
        for disguise in DISGUISES {
            assert_eq!(dashed(&disguise.spell("X-Anteroom-Email")), "x-anteroom-email", "{disguise:?}");
        }
        assert_eq!(Disguise::OneUnderscore.spell("X-Anteroom-Email"), "X-Anteroom_Email");
        assert_eq!(titled("x-anteroom-new-user"), "X-Anteroom-New-User");
    }

    #[test]
    fn connection_names_what_is_forged() {
        let probe = Disguise::InConnection.dress(Probe::script("/"), &["X-A".into(), "X-B".into()], "1f");
        let bytes = probe.bytes("wiki.example", "1f");
        assert!(
            bytes.contains("\r\nX-A: forged-1f\r\n")
                && bytes.ends_with("Connection: close, X-A, X-B\r\n\r\n")
        );
    }
}
