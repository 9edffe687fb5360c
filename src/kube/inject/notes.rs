//! What is told of a change? What was done, and what no manifest of this kind can say.

use std::fmt::Write as _;

use super::policy::Admitted;
use super::service::Leads;

/// What is to be told.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) done: Vec<String>,
    pub(super) left: Vec<String>,
}

impl Notes {
    /// What keeps people away from Anteroom.
    pub(super) fn policies(&mut self, admitted: &Admitted, closed: &[u16]) {
        let closed = closed.iter().map(u16::to_string).collect::<Vec<_>>().join(" and ");
        match admitted.policies.as_slice() {
            _ if closed.is_empty() => {}
            [one] => self.left.push(format!(
                "NetworkPolicy {one} does not admit port {closed} of these pods: let it, in place of the app's own."
            )),
            several => self.left.push(format!(
                "None of the NetworkPolicies {} admits port {closed} of these pods: let one, in place of the app's own.",
                several.join(", ")
            )),
        }
    }

    /// Where the requests of a Service go by now.
    pub(super) fn service(&mut self, name: &str, leads: &Leads, pointed: bool) {
        if leads.headless {
            return self.left.push(format!(
                "Service {name} is headless: its name leads to the pods themselves, whatever its targetPort. People need \
                 another Service, with targetPort: 4180."
            ));
        }
        match leads {
            Leads { to_the_app: true, .. } if pointed => {
                self.done.push(format!("Service {name}: its requests go to Anteroom (targetPort 4180)"));
            }
            Leads { to_the_app: true, .. } => self.left.push(format!(
                "Service {name} still sends requests to the app itself: run this again with --service {name}, or set its \
                 targetPort to 4180."
            )),
            Leads { to_anteroom: true, .. } => {
                self.done.push(format!("Service {name}: its requests go to Anteroom already"));
            }
            _ => {}
        }
        if !leads.elsewhere.is_empty() {
            self.left.push(format!(
                "Service {name} leads to {} of these pods too, where Anteroom is not asked: see that nobody gets to the app by \
                 that.",
                match leads.elsewhere.as_slice() {
                    [one] => format!("port {one}"),
                    several => format!("ports {}", several.join(", ")),
                }
            ));
        }
    }

    /// For people; no control characters from the manifest.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (title, lines) in [("Done:", &self.done), ("Left to do:", &self.left)] {
            if lines.is_empty() {
                continue;
            }
            let _ = writeln!(text, "{title}");
            for line in lines {
                // Line feeds are ours; the rest is from a manifest.
                let plain: String = line.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
                let _ = writeln!(text, "- {}", plain.replace('\n', "\n  "));
            }
        }
        text
    }
}
