//! How do requests arrive at Anteroom instead of the app? The Service's `targetPort` is Anteroom's port: its number, since Kubernetes
//! before 1.33 does not find the names of a native sidecar's ports (kubernetes/kubernetes#127958).
//! <https://kubernetes.io/docs/concepts/services-networking/service/#field-spec-ports>

use super::super::yaml::Node;
use super::super::{Refusal, sidecar};
use super::app;
use super::pod::Beside;

/// Where the requests of a Service go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    /// To the app: around Anteroom.
    AtTheApp,
    /// To Anteroom.
    AtAnteroom,
    /// To other pods or other ports.
    Elsewhere,
}

/// Looks, without changing it.
pub(super) fn looks_at(service: &Node, beside: &Beside) -> Result<Looks, Refusal> {
    let Some(spec) = service.get("spec", "Service")? else { return Ok(Looks::Elsewhere) };
    if !selects(spec, beside)? {
        return Ok(Looks::Elsewhere);
    }
    let Some(ports) = spec.get("ports", "spec")? else { return Ok(Looks::Elsewhere) };
    let mut looks = Looks::Elsewhere;
    for port in ports.items("ports")? {
        match of_port(port, beside)? {
            Looks::AtTheApp => return Ok(Looks::AtTheApp),
            Looks::AtAnteroom => looks = Looks::AtAnteroom,
            Looks::Elsewhere => {}
        }
    }
    Ok(looks)
}

/// Points every port that leads to the app at Anteroom.
///
/// # Errors
/// It would have no effect.
pub(super) fn point(service: &mut Node, beside: &Beside) -> Result<(), Refusal> {
    use super::super::yaml::Value::{List, Map};
    let line = service.line;
    let spec = service.get_or_make("spec", "Service", Map(Vec::new()))?;
    let headless = spec.get("clusterIP", "spec")?.and_then(Node::text) == Some("None");
    if headless {
        let what = "the Service is headless (clusterIP: None): its name leads to the pods themselves, whatever its targetPort";
        let remedy = "Make another Service with targetPort: 4180 for requests of people";
        return Err(Refusal::new(what, remedy).at(line));
    }
    let ports = spec.get_or_make("ports", "spec", List(Vec::new()))?;
    for port in ports.items_mut("ports")? {
        if of_port(port, beside)? == Looks::AtTheApp {
            port.set("targetPort", "ports", u64::from(sidecar::HTTP.1).into())?;
        }
    }
    Ok(())
}

/// Why a Service that was asked for is none of the app's.
pub(super) fn elsewhere(name: &str, beside: &Beside) -> Refusal {
    let what = format!(
        "the Service `{name}` does not lead to port {} of these pods, by its selector or by its ports",
        beside.app.port
    );
    Refusal::new(what, "Name the Service of the app, or give --app-port")
}

fn of_port(port: &Node, beside: &Beside) -> Result<Looks, Refusal> {
    let target = match port.get("targetPort", "ports")? {
        Some(target) => Some(target),
        None => port.get("port", "ports")?,
    };
    let at = |number, names: &[String]| target.is_some_and(|target| app::is_at(target, number, names));
    Ok(if at(beside.app.port, &beside.app.port_names) {
        Looks::AtTheApp
    } else if at(sidecar::HTTP.1, &[sidecar::HTTP.0.to_owned()]) {
        Looks::AtAnteroom
    } else {
        Looks::Elsewhere
    })
}

fn selects(spec: &Node, beside: &Beside) -> Result<bool, Refusal> {
    let Some(selector) = spec.get("selector", "spec")? else { return Ok(false) };
    let wanted = selector.entries("selector")?;
    Ok(!wanted.is_empty() && wanted.iter().all(|(key, value)| beside.has_label(key, value)))
}
