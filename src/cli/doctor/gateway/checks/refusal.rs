//! What does a browser, what does a script get without a session? The way in, or 401; never the app's answer.

use super::own_paths::turned_away;
use crate::cli::doctor::finding::Finding;
use crate::cli::doctor::gateway::Exam;
use crate::cli::doctor::gateway::probe::{Probe, Seen};
use crate::cli::doctor::gateway::remedies;
use crate::cli::doctor::gateway::wire::Unreachable;

const BROWSER: &str = "A browser without a session";
const SCRIPT: &str = "A script without a session";
const LINK: &str = "Deep links through the sign-in";

pub(super) fn check(exam: &Exam<'_>) -> Result<Vec<Finding>, Unreachable> {
    Ok(vec![browser(exam)?, script(exam)?, deep_link(exam)?])
}

fn browser(exam: &Exam<'_>) -> Result<Finding, Unreachable> {
    let seen = exam.ask(&Probe::navigation(&exam.guarded))?;
    if !seen.let_through() && seen.sign_in().is_some() {
        return Ok(Finding::ok("sign-in", BROWSER, "It is sent to the sign-in.")
            .sent([format!("GET {}", exam.guarded)])
            .came([seen.described()]));
    }
    let finding = if let Some(opened) = opened("sign-in", BROWSER, &seen) {
        opened
    } else if let Some((meaning, remedies)) = turned_away(&seen) {
        Finding::problem("sign-in", BROWSER, meaning, remedies)
    } else {
        let meaning = match seen.status() {
            500 => {
                "The gateway answers 500. nginx does so when the answer to auth_request is a redirect, which is what the \
                 dialect of the others gives, and when Anteroom does not answer at all."
            }
            502..=504 => {
                "The gateway does not get an answer from Anteroom. It fails closed, which is right; nobody gets in."
            }
            401 => "The browser is told 401 and stays there: people see an error instead of the sign-in.",
            403 => {
                "The gateway answers 403. Anteroom was asked in a way it does not understand, or it does not listen to this \
                 gateway; its log says which."
            }
            _ => "People see this instead of the sign-in.",
        };
        let remedies = if matches!(seen.status(), 403 | 502..=504) {
            remedies::REACH_ANTEROOM
        } else {
            remedies::SIGN_IN
        };
        Finding::problem("sign-in", BROWSER, meaning, remedies)
    };
    Ok(finding.sent([format!("GET {} as a browser", exam.guarded)]).came([seen.described()]))
}

fn script(exam: &Exam<'_>) -> Result<Finding, Unreachable> {
    let seen = exam.ask(&Probe::script(&exam.guarded))?;
    let finding = match opened("script", SCRIPT, &seen) {
        Some(opened) => opened,
        None if seen.status() == 401 => {
            Finding::ok("script", SCRIPT, "It is told 401 and can tell that it has to sign in.")
        }
        None if seen.sign_in().is_some() => Finding::problem(
            "script",
            SCRIPT,
            "A script is sent to the sign-in page, where it can do nothing; every script of an open page starts a sign-in \
             of its own once the session has ended. The gateway does not pass Sec-Fetch-Mode and Accept on to Anteroom, or \
             turns 401 into a redirect by itself.",
            remedies::SIGN_IN,
        ),
        None => {
            Finding::problem("script", SCRIPT, "It cannot tell that it has to sign in.", remedies::SIGN_IN)
        }
    };
    Ok(finding.sent([format!("GET {} as a script", exam.guarded)]).came([seen.described()]))
}

/// The worst that can be: the app is open.
fn opened(check: &'static str, name: &str, seen: &Seen) -> Option<Finding> {
    const MEANING: &str = "The app, or what stands in for it, answered without a session: the gateway does not ask Anteroom \
                           here, or lets requests through when Anteroom does not answer. Anybody can use the app.";
    seen.let_through().then(|| Finding::problem(check, name, MEANING, remedies::ASK_FIRST))
}

fn deep_link(exam: &Exam<'_>) -> Result<Finding, Unreachable> {
    let target = format!("{}?board=7&filter=a%26b%3Dc&next=%2Fx%3Fy%3D1&done=100%25", exam.guarded);
    let seen = exam.ask(&Probe::navigation(&target))?;
    let sent = format!("GET {target}");
    let Some(url) = seen.sign_in() else {
        let why = "There was no redirect to the sign-in to be read.";
        return Ok(Finding::not_checked("deep-link", LINK, why).sent([sent]).came([seen.described()]));
    };
    let back = seen.return_to().unwrap_or_default();
    Ok(if back == target && url.origin().ascii_serialization() == exam.url.origin() {
        Finding::ok("deep-link", LINK, "The redirect leads back to exactly the address that was asked for.")
            .sent([sent])
    } else {
        let meaning = "Whoever opens such a link ends up somewhere else after signing in: the gateway tells Anteroom less \
                       than the whole address, or builds the redirect itself without encoding it.";
        let came = format!("return_to {back} at {}", url.origin().ascii_serialization());
        Finding::problem("deep-link", LINK, meaning, remedies::DEEP_LINK).sent([sent]).came([came])
    })
}
