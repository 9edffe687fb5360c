//! Is Anteroom told an address that the client made up? Each header family that some gateway tells the original request
//! in, sent by the client and pointing at a path that is open (CVE-2026-40575).

use crate::cli::doctor::finding::Finding;
use crate::cli::doctor::gateway::Exam;
use crate::cli::doctor::gateway::probe::{Probe, Seen};
use crate::cli::doctor::gateway::remedies;
use crate::cli::doctor::gateway::wire::Unreachable;

const CHECK: &str = "forged-addresses";
const NAME: &str = "Forged addresses";
/// Where nothing is open, the way back in the redirect shows which address was judged.
const DECOY: &str = "/anteroom-doctor/decoy";

pub(super) fn check(exam: &Exam<'_>) -> Result<Vec<Finding>, Unreachable> {
    let decoy = exam.public.as_deref().unwrap_or(DECOY);
    let elsewhere = format!("{}{decoy}", exam.url.origin());
    let honest = exam.ask(&Probe::navigation(&exam.guarded))?;
    if honest.let_through() || honest.sign_in().is_none() {
        let why = "Without a forged header there is no redirect to the sign-in already, so nothing could be told apart.";
        return Ok(vec![Finding::not_checked(CHECK, NAME, why).came([honest.described()])]);
    }
    let (mut sent, mut came, mut opened) = (Vec::new(), Vec::new(), false);
    for (name, value) in [
        ("X-Original-URL", elsewhere.as_str()),
        ("X-Original-Uri", decoy),
        ("X-Original-Method", "POST"),
        ("X-Forwarded-Uri", decoy),
        ("X-Forwarded-Method", "POST"),
        ("X-Forwarded-Host", "anteroom-doctor.invalid"),
        ("X-Forwarded-Prefix", decoy),
        ("X-Rewrite-Url", decoy),
        ("X-Http-Method-Override", "POST"),
        ("X-Envoy-Original-Path", decoy),
        ("X_Forwarded_Uri", decoy),
        ("X.Forwarded.Uri", decoy),
    ] {
        let seen = exam.ask(&Probe::navigation(&exam.guarded).line(name, value))?;
        sent.push(format!("GET {} with {name}: {value}", exam.guarded));
        if believed(exam, &honest, &seen) {
            opened |= seen.let_through();
            let back = seen.return_to().map(|back| format!(", back to {back}")).unwrap_or_default();
            came.push(format!("{name}: {}{back}", seen.described()));
        }
    }
    let finding = if came.is_empty() {
        Finding::ok(CHECK, NAME, "Whatever a client writes, the address that it asked for is judged.")
    } else if opened {
        let meaning = "With such a header the app is open to everybody: Anteroom judged the address that the client made up, \
                       and the gateway let the real request through.";
        Finding::problem(CHECK, NAME, meaning, remedies::FORGED_ADDRESSES)
    } else {
        let meaning = "Anteroom judged what the client made up instead of what it asked for. As soon as one path is open to \
                       everybody, all of them are.";
        Finding::problem(CHECK, NAME, meaning, remedies::FORGED_ADDRESSES)
    };
    Ok(vec![finding.sent(sent).came(came)])
}

/// Whether the answer shows that the client's word was taken. A plain refusal does not: a gateway may well answer no to a
/// header that nobody has a reason to send.
fn believed(exam: &Exam<'_>, honest: &Seen, seen: &Seen) -> bool {
    if seen.let_through() || seen.says("unknown_host") {
        return true;
    }
    match seen.sign_in() {
        Some(url) => {
            url.origin().ascii_serialization() != exam.url.origin()
                || seen.return_to().as_deref() != Some(&exam.guarded)
                // 303 is what a POST gets.
                || seen.status() != honest.status()
        }
        // And so is this.
        None => seen.status() == 401,
    }
}
