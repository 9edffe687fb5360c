//! Do Anteroom's own pages reach Anteroom, without a question first, and with the host that the browser named?

use crate::cli::doctor::finding::{Finding, Remedies};
use crate::cli::doctor::gateway::Exam;
use crate::cli::doctor::gateway::probe::{Probe, Seen};
use crate::cli::doctor::gateway::remedies;
use crate::cli::doctor::gateway::wire::Unreachable;
use crate::gate::OriginId;

const NAME: &str = "Anteroom's own pages (/_anteroom/)";
const ME: &str = "/_anteroom/me";

pub(super) fn check(exam: &Exam<'_>) -> Result<Vec<Finding>, Unreachable> {
    let mut findings = vec![own(exam)?];
    if exam.here == OriginId::CENTRAL {
        findings.push(callback(exam)?);
    }
    Ok(findings)
}

fn own(exam: &Exam<'_>) -> Result<Finding, Unreachable> {
    let seen = exam.ask(&Probe::script(ME))?;
    let problem = |meaning: &str, remedies: Remedies| {
        Finding::problem("own-paths", NAME, meaning, remedies)
            .sent([format!("GET {ME}")])
            .came([seen.described()])
    };
    if let Some(url) = said_by_anteroom(&seen) {
        let here = url.starts_with(&format!("{}/", exam.url.origin()));
        return Ok(if here {
            Finding::ok("own-paths", NAME, "Anteroom itself answers there, for the host that was asked.")
                .sent([format!("GET {ME}")])
        } else {
            problem(
                "Anteroom answers, but for another host than the browser asked for: the gateway does not pass Host on as \
                 it came.",
                remedies::HOST,
            )
        });
    }
    Ok(match turned_away(&seen) {
        Some(finding) if seen.at_app.is_none() => problem(finding.0, finding.1),
        _ if seen.at_app.is_some() => problem(
            "The app got a request that is Anteroom's: the gateway does not route /_anteroom/ to Anteroom, so nobody can \
             sign in.",
            remedies::OWN_PATHS,
        ),
        _ if seen.status() == 403 => problem(
            "The gateway routes /_anteroom/ through forward-auth: it asks Anteroom about Anteroom's own pages, and is told \
             no. Nobody can sign in.",
            remedies::OWN_PATHS,
        ),
        _ if seen.status() == 0 || seen.status() >= 500 => problem(
            "The gateway does not get an answer from Anteroom. While that is so nobody can sign in, and nothing must come \
             through to the app either.",
            remedies::REACH_ANTEROOM,
        ),
        _ => problem(
            "Something else than Anteroom answers there, the app most likely: the gateway does not route /_anteroom/ to \
             Anteroom.",
            remedies::OWN_PATHS,
        ),
    })
}

/// The sign-in's address as Anteroom itself tells scripts.
fn said_by_anteroom(seen: &Seen) -> Option<String> {
    let said = seen.json().filter(|_| seen.status() == 401 && seen.at_app.is_none())?;
    said.get("request_id")?;
    said.get("sign_in_url")?.as_str().map(str::to_owned)
}

/// What Anteroom says to a gateway that it does not listen to.
pub(super) fn turned_away(seen: &Seen) -> Option<(&'static str, Remedies)> {
    if seen.says("not_a_trusted_gateway") {
        return Some((
            "Anteroom does not listen to this gateway: its address is not among forward_auth.trusted_proxies, or the key is \
             missing or wrong.",
            remedies::REACH_ANTEROOM,
        ));
    }
    seen.says("unknown_host").then_some((
        "Anteroom is asked about a host that it does not know: the gateway does not pass Host on as it came, or Anteroom \
         runs with another configuration than this one.",
        remedies::HOST,
    ))
}

/// Where Atlassian sends people back to. Without parameters Anteroom explains itself, whatever the status.
fn callback(exam: &Exam<'_>) -> Result<Finding, Unreachable> {
    const NAME: &str = "The way back from Atlassian";
    let path = &exam.config.atlassian.callback_path;
    let seen = exam.ask(&Probe::navigation(path))?;
    let own = seen.at_app.is_none() && (seen.says("/_anteroom/assets/") || seen.sign_in().is_some());
    let sent = format!("GET {path}");
    Ok(if own {
        Finding::ok("callback", NAME, "Anteroom itself answers there.").sent([sent])
    } else {
        let meaning = "People come back from Atlassian to this path. Something else than Anteroom answers there, or the \
                       gateway asks about it first: a sign-in cannot be completed.";
        Finding::problem("callback", NAME, meaning, remedies::OWN_PATHS).sent([sent]).came([seen.described()])
    })
}
