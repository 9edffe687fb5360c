//! Do gateway and Anteroom read a path alike? Ways to write a guarded path so that it looks like an open one; the app must
//! get none that Anteroom would not have let through as it arrived.

use crate::cli::doctor::finding::Finding;
use crate::cli::doctor::gateway::Exam;
use crate::cli::doctor::gateway::probe::{Probe, Seen};
use crate::cli::doctor::gateway::remedies;
use crate::cli::doctor::gateway::wire::Unreachable;
use crate::gate::Access;

const CHECK: &str = "paths";
const NAME: &str = "Path tricks";

pub(super) fn check(exam: &Exam<'_>) -> Result<Vec<Finding>, Unreachable> {
    let (mut sent, mut came) = (Vec::new(), Vec::new());
    for target in tricks(&exam.guarded, exam.public.as_deref()) {
        let seen = exam.ask(&Probe::script(&target))?;
        if slipped(exam, &seen) {
            came.push(format!("{target}: {}", seen.described()));
        }
        sent.push(target);
    }
    let finding = if came.is_empty() {
        let also = if exam.public.is_some() {
            ""
        } else {
            " No path is open on this host, so none was climbed out of."
        };
        Finding::ok(CHECK, NAME, format!("None of them came through without a session.{also}"))
    } else {
        let meaning = "A guarded path came through without a session, because the gateway reads it otherwise than Anteroom, \
                       or does not ask at all.";
        Finding::problem(CHECK, NAME, meaning, remedies::PATHS)
    };
    Ok(vec![finding.sent(sent).came(came)])
}

/// Whether the app got something that no route opens, in the writing in which it arrived.
fn slipped(exam: &Exam<'_>, seen: &Seen) -> bool {
    match &seen.at_app {
        Some(head) => {
            let path = head.target().split('?').next().unwrap_or_default();
            exam.access(path) != Some(Access::Public)
        }
        // Without a look at it: what else would answer like this?
        None => seen.let_through(),
    }
}

fn tricks(guarded: &str, public: Option<&str>) -> Vec<String> {
    let below = guarded.trim_start_matches('/');
    let mut tricks =
        vec![format!("//{below}"), format!("/.//{below}"), format!("/%2e/{below}"), format!("/;/{below}")];
    if let Some(open) = public.map(|path| path.trim_end_matches('/')) {
        tricks.extend([
            format!("{open}/../{below}"),
            format!("{open}/%2e%2e/{below}"),
            format!("{open}/..%2f{below}"),
            format!("{open}%2f..%2f{below}"),
            format!("{open}/%252e%252e/{below}"),
            format!("{open}/..%252f{below}"),
            format!("{open}/..;/{below}"),
            format!("{open}/;/../{below}"),
            format!("{open}/.//../{below}"),
            format!("{open}/..\\{below}"),
            format!("{open}/..%5c{below}"),
            format!("/{below}#{open}"),
            format!("/{below}%23{open}"),
            format!("/{below}%00{open}"),
            format!("/{below};{open}"),
            format!("/{below}?{open}"),
            format!("http://anteroom-doctor.invalid{open}/../{below}"),
        ]);
    }
    tricks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tricks_are_written_out() {
        let tricks = tricks("/", Some("/public/"));
        assert!(tricks.contains(&"/public/../".to_owned()) && tricks.contains(&"//".to_owned()));
        assert!(super::tricks("/admin", None).iter().all(|trick| trick.ends_with("admin")));
    }
}
