//! Does a NetworkPolicy let anybody reach Anteroom? One that was written for the app names the app's port.
//! <https://kubernetes.io/docs/concepts/services-networking/network-policies/>

use super::super::yaml::Node;
use super::super::{Refusal, sidecar};
use super::pod::Beside;

/// The ports of Anteroom that a policy over these pods keeps closed, as far as it names ports at all; none when it is about
/// other pods.
pub(super) fn closes(policy: &Node, beside: &Beside) -> Result<Vec<u16>, Refusal> {
    let Some(spec) = policy.get("spec", "NetworkPolicy")? else { return Ok(Vec::new()) };
    if !selects(spec, beside)? {
        return Ok(Vec::new());
    }
    let rules =
        spec.get("ingress", "spec")?.map(|rules| rules.items("ingress")).transpose()?.unwrap_or_default();
    let mut open = Vec::new();
    for rule in rules {
        let Some(ports) = rule.get("ports", "ingress")? else { return Ok(Vec::new()) };
        for port in ports.items("ports")? {
            match port.get("port", "ports")? {
                Some(port) => open.extend(number(port)),
                None => return Ok(Vec::new()),
            }
        }
    }
    let needed = [sidecar::HTTP.1].into_iter().chain(beside.probed().then_some(sidecar::PROBES.1));
    Ok(if rules.is_empty() { Vec::new() } else { needed.filter(|port| !open.contains(port)).collect() })
}

/// Of a number, or of a name of Anteroom's.
fn number(port: &Node) -> Option<u16> {
    let named = [sidecar::HTTP, sidecar::OPS, sidecar::PROBES].into_iter();
    let by_name = || named.clone().find(|(name, _)| port.text() == Some(name)).map(|(_, number)| number);
    port.number().and_then(|number| u16::try_from(number).ok()).or_else(by_name)
}

fn selects(spec: &Node, beside: &Beside) -> Result<bool, Refusal> {
    let Some(selector) = spec.get("podSelector", "spec")? else { return Ok(true) };
    let Some(labels) = selector.get("matchLabels", "podSelector")? else { return Ok(true) };
    Ok(labels.entries("matchLabels")?.iter().all(|(key, value)| beside.has_label(key, value)))
}
