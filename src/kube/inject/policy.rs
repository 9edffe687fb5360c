//! Does a NetworkPolicy let anybody reach Anteroom? One that was written for the app names the app's port. Policies add up: what one
//! of them admits is admitted.
//! <https://kubernetes.io/docs/concepts/services-networking/network-policies/>

use std::ops::RangeInclusive;

use super::super::yaml::Node;
use super::super::{Refusal, sidecar};
use super::pod::Beside;

/// What policies over these pods admit, together.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    /// The policies that are about these pods.
    pub(super) policies: Vec<String>,
    everything: bool,
    ports: Vec<RangeInclusive<u16>>,
}

impl Admitted {
    /// Adds what a policy admits, if it is about requests to these pods.
    pub(super) fn add(&mut self, name: String, policy: &Node, beside: &Beside) -> Result<(), Refusal> {
        let Some(spec) = policy.get("spec", "NetworkPolicy")? else { return Ok(()) };
        if !selects(spec, beside)? || !about_ingress(spec)? {
            return Ok(());
        }
        self.policies.push(name);
        let rules = spec.get("ingress", "spec")?.map(|rules| rules.items("ingress")).transpose()?;
        for rule in rules.unwrap_or_default() {
            let ports = rule.get("ports", "ingress")?.map(|ports| ports.items("ports")).transpose()?;
            let ports = ports.unwrap_or_default();
            self.everything |= ports.is_empty();
            for port in ports {
                self.port(port)?;
            }
        }
        Ok(())
    }

    fn port(&mut self, port: &Node) -> Result<(), Refusal> {
        if port.get("protocol", "ports")?.is_some_and(|protocol| protocol.text() != Some("TCP")) {
            return Ok(());
        }
        match port.get("port", "ports")? {
            None => self.everything = true,
            Some(first) => {
                let last = port.get("endPort", "ports")?.and_then(number);
                self.ports.extend(number(first).map(|first| first..=last.unwrap_or(first)));
            }
        }
        Ok(())
    }

    /// The ports of Anteroom that stay closed.
    pub(super) fn closed(&self, beside: &Beside) -> Vec<u16> {
        let needed = [sidecar::HTTP.1].into_iter().chain(beside.probed().then_some(sidecar::PROBES.1));
        let open = |port: &u16| self.everything || self.ports.iter().any(|range| range.contains(port));
        needed.filter(|port| !self.policies.is_empty() && !open(port)).collect()
    }
}

/// Without types it is, whatever else it is about.
fn about_ingress(spec: &Node) -> Result<bool, Refusal> {
    let Some(types) = spec.get("policyTypes", "spec")? else { return Ok(true) };
    Ok(types.items("policyTypes")?.iter().any(|one| one.text() == Some("Ingress")))
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
