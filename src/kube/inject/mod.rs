//! How does Anteroom get into a manifest that others have written?
//!
//! | file | question |
//! |---|---|
//! | `find` | which workload, and which Service? |
//! | `pod` | what of the pod changes? |
//! | `again` | what stays of an Anteroom that is in the pod already? |
//! | `app` | which container is the app, and how is it reached? |
//! | `group` | how does Anteroom read its secrets without everybody else being able to? |
//! | `notes` | what is told? |
//! | `policy` | does a NetworkPolicy let anybody reach Anteroom? |
//! | `probes` | how does the kubelet still reach the app? |
//! | `service` | how do requests arrive at Anteroom instead of the app? |
//!
//! Guarantees: every document but those of the workload and of the Service asked for leaves byte for byte as it came; what came out once
//! goes in again and comes out the same; a pod in which requests would get around Anteroom, or in which the app would not
//! work any more, is refused.

mod again;
mod app;
mod find;
mod group;
mod notes;
mod pod;
mod policy;
mod probes;
mod service;

use self::notes::Notes;
use self::policy::Admitted;
use super::yaml::Stream;
use super::{Refusal, Sidecar};

/// What is wanted.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// The container; whether it hands probes on follows from the app's.
    pub sidecar: Sidecar,
    /// `NAME` or `KIND/NAME`, when there are several workloads.
    pub workload: Option<String>,
    /// The app's container, when there are several.
    pub container: Option<String>,
    /// The app's port, when its container does not declare exactly one.
    pub app_port: Option<u16>,
    /// The Service whose requests go to Anteroom from now on.
    pub service: Option<String>,
    /// For how many seconds the app goes on when its pod is about to end, so that requests under way are answered. 0: no longer than by
    /// itself.
    pub app_pause: u16,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injected {
    /// The whole stream.
    pub yaml: String,
    /// What was changed and what is left to do, for people; no control characters from the manifest.
    pub notes: String,
}

/// Puts Anteroom beside the app.
///
/// # Errors
/// It cannot be done safely; nothing is changed then.
pub fn inject(text: &str, wishes: &Wishes) -> Result<Injected, Refusal> {
    let mut stream = Stream::parse(text)?;
    let mut notes = Notes::default();
    let place = find::workload(&stream, wishes.workload.as_deref())?;
    let beside = pod::inject(place.of(&mut stream)?, &place.kind, wishes, &mut notes)?;
    for (place, name) in find::services(&stream)? {
        let asked = wishes.service.as_ref() == Some(&name);
        let near = place.look(&stream).filter(|service| beside.is_near(service));
        let leads = near.map(|service| service::leads(service, &beside)).transpose()?.flatten();
        let Some(leads) = leads.filter(|leads| !asked || leads.to_the_app || leads.to_anteroom) else {
            if asked {
                return Err(service::elsewhere(&name, &beside));
            }
            continue;
        };
        if asked {
            service::point(place.of(&mut stream)?, &beside)?;
        }
        notes.service(&name, &leads, asked);
    }
    if let Some(name) = &wishes.service
        && !find::services(&stream)?.iter().any(|(_, other)| other == name)
    {
        let what = format!("there is no Service `{name}` in the input");
        let remedy = "Give its file along with the workload's, or set targetPort: 4180 where it is written";
        return Err(Refusal::new(what, remedy));
    }
    let mut admitted = Admitted::default();
    for (place, name) in find::policies(&stream)? {
        if let Some(policy) = place.look(&stream).filter(|policy| beside.is_near(policy)) {
            admitted.add(name, policy, &beside)?;
        }
    }
    notes.policies(&admitted, &admitted.closed(&beside));
    let none_seen = !notes.done.iter().chain(&notes.left).any(|note| note.starts_with("Service "));
    beside.what_is_left(none_seen, &mut notes);
    Ok(Injected { yaml: stream.write()?, notes: notes.text() })
}

#[cfg(test)]
mod tests;
