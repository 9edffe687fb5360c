//! Is the app's place ours, and is the session alive? What follows can only be seen where a request gets through.

use crate::cli::doctor::finding::Finding;
use crate::cli::doctor::gateway::Exam;
use crate::cli::doctor::gateway::message::Head;
use crate::cli::doctor::gateway::probe::Probe;
use crate::cli::doctor::gateway::remedies;
use crate::cli::doctor::gateway::wire::Unreachable;

/// A way to the app, and what arrives on it when nothing is forged.
pub(super) struct Way {
    /// The path.
    pub(super) path: String,
    /// Whether the session goes with it.
    pub(super) signed_in: bool,
    /// An honest request, as the app got it.
    pub(super) honest: Head,
}

impl Way {
    /// For people.
    pub(super) const fn name(&self) -> &'static str {
        if self.signed_in { "signed in" } else { "without a session" }
    }

    /// An honest request on it.
    pub(super) fn probe<'a>(&self, exam: &'a Exam<'_>) -> Probe<'a> {
        Probe::script(&self.path).signed_in(exam.cookie.as_ref().filter(|_| self.signed_in))
    }
}

pub(super) fn check(exam: &mut Exam<'_>) -> Result<(Vec<Way>, Vec<Finding>), Unreachable> {
    let mut findings = session(exam)?.into_iter().collect();
    let ways = if exam.echo.is_some() { ways(exam, &mut findings)? } else { Vec::new() };
    Ok((ways, findings))
}

/// A session that has ended is no session.
fn session(exam: &mut Exam<'_>) -> Result<Option<Finding>, Unreachable> {
    const NAME: &str = "The session of --cookie-file";
    let Some(cookie) = &exam.cookie else { return Ok(None) };
    let seen = exam.ask(&Probe::script("/_anteroom/me").signed_in(Some(cookie)))?;
    if seen.status() == 200
        && seen.at_app.is_none()
        && seen.json().is_some_and(|me| me.get("account_id").is_some_and(serde_json::Value::is_string))
    {
        return Ok(Some(Finding::ok("session", NAME, "Anteroom knows who it is.")));
    }
    exam.cookie = None;
    let why = "Anteroom does not know the session of this cookie at this host: it has ended, belongs to another host, or \
               /_anteroom/ does not reach Anteroom. Nothing was tried signed in.";
    Ok(Some(Finding::not_checked("session", NAME, why).came([seen.described()])))
}

fn ways(exam: &Exam<'_>, findings: &mut Vec<Finding>) -> Result<Vec<Way>, Unreachable> {
    const NAME: &str = "doctor in the app's place";
    let mut ways = Vec::new();
    let public = exam.public.iter().map(|path| (path.clone(), false));
    let guarded = exam.cookie.iter().map(|_| (exam.guarded.clone(), true));
    let mut elsewhere = None;
    for (path, signed_in) in public.chain(guarded) {
        let mut way = Way { path, signed_in, honest: Head::default() };
        let seen = exam.ask(&way.probe(exam))?;
        let described = seen.described();
        match seen.at_app {
            Some(head) => {
                way.honest = head;
                ways.push(way);
            }
            None => elsewhere = Some((format!("GET {}, {}", way.path, way.name()), described)),
        }
    }
    if let Some((sent, came)) = elsewhere {
        let meaning = "This request should have reached the app, and did not reach doctor in its place: the gateway sends \
                       it elsewhere, removes the header X-Doctor-Probe, or refuses it.";
        findings.push(Finding::problem("echo", NAME, meaning, remedies::ECHO).sent([sent]).came([came]));
    }
    Ok(ways)
}
