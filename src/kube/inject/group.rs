//! How does Anteroom read its secrets without everybody else being able to? By the pod's group (`fsGroup`), to which the kubelet gives
//! the files of a projected volume.
//!
//! A group of the pod's own is taken as it is. One is added only where it changes nothing for the app: the kubelet also gives the
//! group the app's claims, and opens its Secrets to it, which databases and ssh refuse.
//! <https://kubernetes.io/docs/tasks/configure-pod-container/security-context/>

use super::super::yaml::{Node, Value};
use super::super::{Refusal, sidecar};
use super::notes::Notes;

/// Volumes that a group changes nothing of that an app could mind.
const INDIFFERENT: [&str; 4] = ["configMap", "emptyDir", "downwardAPI", "hostPath"];

/// Whether the pod has a group by which Anteroom reads its files; adds one where that is safe. `claims`: whether a
/// StatefulSet makes claims for the pod.
pub(super) fn shared(spec: &mut Node, claims: bool, notes: &mut Notes) -> Result<bool, Refusal> {
    let security = spec.get("securityContext", "spec")?;
    if security.map(|security| security.get("fsGroup", "securityContext")).transpose()?.flatten().is_some() {
        return Ok(true);
    }
    if let Some(name) = in_the_way(spec, claims)? {
        notes.left.push(format!(
            "Anteroom's secrets are readable by every user of its container (mode 0444), of which it warns when it starts \
             (config.secret-file-open): the pod has no fsGroup, and one would also change who may read {name}. If the app \
             bears that, set the pod's securityContext.fsGroup and run this again."
        ));
        return Ok(false);
    }
    let security = spec.get_or_make("securityContext", "spec", Value::Map(Vec::new()))?;
    security.set("fsGroup", "securityContext", sidecar::USER.into())?;
    notes.done.push(format!(
        "The pod has the group {} (securityContext.fsGroup), by which Anteroom alone reads its secrets",
        sidecar::USER
    ));
    Ok(true)
}

/// A volume of the app's that a group would change.
fn in_the_way(spec: &Node, claims: bool) -> Result<Option<String>, Refusal> {
    if claims {
        return Ok(Some("its claims (volumeClaimTemplates)".into()));
    }
    for volume in spec.get("volumes", "spec")?.map(|v| v.items("volumes")).transpose()?.unwrap_or_default() {
        let name = volume.get("name", "volumes")?.and_then(Node::text).unwrap_or_default();
        let ours = [sidecar::FILES, sidecar::STORE].contains(&name);
        let kinds = volume.entries("volumes")?.iter().filter_map(|(key, _)| key.text());
        if !ours && kinds.into_iter().any(|kind| kind != "name" && !INDIFFERENT.contains(&kind)) {
            return Ok(Some(format!("the volume `{name}`")));
        }
    }
    Ok(None)
}
