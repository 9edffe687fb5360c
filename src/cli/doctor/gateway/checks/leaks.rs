//! What of Anteroom's reaches the app, and which gateway is it? Cookies that are none of the app's business, and the one
//! program whose version matters.

use super::app::Way;
use crate::cli::doctor::finding::Finding;
use crate::cli::doctor::gateway::Exam;
use crate::cli::doctor::gateway::probe::Probe;
use crate::cli::doctor::gateway::remedies;
use crate::cli::doctor::gateway::wire::Unreachable;

const COOKIES: &str = "Anteroom's cookies at the app";

/// Gateways that name themselves and can take one cookie away.
const STRIPS: [&str; 3] = ["nginx", "caddy", "envoy"];

pub(super) fn check(exam: &Exam<'_>, ways: &[Way]) -> Result<Vec<Finding>, Unreachable> {
    let software = software(exam)?;
    let mut findings = vec![cookies(exam, ways, &software)?];
    findings.extend(caddy(&software));
    Ok(findings)
}

/// What the gateway says of itself in `Server` and `Via`.
fn software(exam: &Exam<'_>) -> Result<String, Unreachable> {
    let asked = exam.public.as_deref().unwrap_or(&exam.guarded);
    let seen = exam.ask(&Probe::navigation(asked))?;
    let Some(answer) = &seen.answer else { return Ok(String::new()) };
    let said = answer.head.all("server").chain(answer.head.all("via"));
    Ok(said.collect::<Vec<_>>().join(", "))
}

/// One cookie of the app between Anteroom's: the one has to arrive, the others need not.
fn cookies(exam: &Exam<'_>, ways: &[Way], software: &str) -> Result<Finding, Unreachable> {
    const CHECK: &str = "cookies";
    let Some(way) = ways.first() else {
        let why = "Only the app sees its cookies, and no request reached doctor in its place.";
        return Ok(Finding::not_checked(CHECK, COOKIES, why));
    };
    let names = &exam.cookie_names;
    let forged = format!(
        "doctor-before=1; {}=forged; {}=forged; doctor-between=1; {}=forged; doctor-after=1",
        names.session(),
        names.flow("00000000"),
        names.loop_guard()
    );
    // Never with the session: a second copy of its cookie would end it for this request.
    let probe = match (way.signed_in, &exam.cookie) {
        (true, Some(_)) => way.probe(exam),
        _ => way.probe(exam).line("Cookie", &forged),
    };
    let seen = exam.ask(&probe)?;
    let Some(head) = &seen.at_app else {
        let why = "A request with cookies did not reach doctor in the app's place.";
        return Ok(Finding::not_checked(CHECK, COOKIES, why).came([seen.described()]));
    };
    let arrived = || head.all("cookie").flat_map(|line| line.split(';'));
    let arrived: Vec<&str> =
        arrived().map(|pair| pair.split('=').next().unwrap_or_default().trim()).collect();
    let came: Vec<String> =
        arrived.iter().filter(|name| names.is_ours(name.as_bytes())).map(ToString::to_string).collect();
    let lost = !way.signed_in
        && ["doctor-before", "doctor-between", "doctor-after"].iter().any(|c| !arrived.contains(c));
    // Values stay unsaid: one of them may be a session.
    let sent = if way.signed_in {
        "the cookies of --cookie-file"
    } else {
        "cookies of Anteroom's and three of the app's"
    };
    let finding = if lost {
        let meaning = "The gateway takes away more than Anteroom's cookies: the app's own were lost as well.";
        Finding::problem(CHECK, COOKIES, meaning, remedies::COOKIES)
    } else if came.is_empty() {
        Finding::ok(CHECK, COOKIES, "They are taken away, and the app's own arrive.")
    } else if STRIPS.iter().any(|gateway| software.to_ascii_lowercase().contains(gateway)) {
        let meaning = "The app gets the session's cookie, and whoever reads the app's logs or memory can use it. This gateway \
                       can take it away.";
        Finding::problem(CHECK, COOKIES, meaning, remedies::COOKIES)
    } else {
        let meaning = "The app gets the session's cookie, and whoever reads the app's logs or memory can use it. Not every \
                       gateway can take it away; where the app is trusted with it, nothing has to be done.";
        Finding { remedies: remedies::COOKIES, ..Finding::note(CHECK, COOKIES, meaning) }
    };
    Ok(finding.sent([sent]).came(came))
}

/// Caddy 2.10.0 to 2.11.1 leave the client's header where the answer has none (GHSA-7r4p-vjf4-gxv4).
fn caddy(software: &str) -> Option<Finding> {
    const CHECK: &str = "software";
    const NAME: &str = "The gateway's version";
    let at = software.to_ascii_lowercase().find("caddy")?;
    let version = software.get(at..)?.split_once('/').map(|(_, version)| version);
    let said = format!("the gateway calls itself {software}");
    let Some(version) = version.and_then(numbers) else {
        let meaning = "It is Caddy and does not say which. 2.10.0 to 2.11.1 let the client's header pass where Anteroom's is \
                       missing (GHSA-7r4p-vjf4-gxv4): see that `caddy version` says 2.11.2 or later. Anteroom always sends \
                       every header, which closes this for those in copy_headers.";
        return Some(Finding::note(CHECK, NAME, meaning).came([said]));
    };
    Some(if ((2, 10, 0)..(2, 11, 2)).contains(&version) {
        let meaning =
            "This Caddy lets the client's header pass where Anteroom's is missing (GHSA-7r4p-vjf4-gxv4).";
        Finding::problem(CHECK, NAME, meaning, remedies::CADDY).came([said])
    } else {
        Finding::ok(CHECK, NAME, "It is outside 2.10.0 to 2.11.1 (GHSA-7r4p-vjf4-gxv4).").came([said])
    })
}

fn numbers(text: &str) -> Option<(u32, u32, u32)> {
    let text = text.trim_start_matches('v').split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    let mut parts = text.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Outcome;

    #[test]
    fn caddy_by_its_version() {
        for (said, want) in [
            ("nginx/1.22.1", None),
            ("", None),
            ("Caddy, 1.1 Caddy", Some(Outcome::Note)),
            ("Caddy/2.9.1", Some(Outcome::Ok)),
            ("Caddy/2.10.0", Some(Outcome::Problem)),
            ("Caddy/v2.11.1 (Debian)", Some(Outcome::Problem)),
            ("Caddy/2.11.2", Some(Outcome::Ok)),
        ] {
            assert_eq!(caddy(said).map(|finding| finding.outcome), want, "{said}");
        }
    }
}
