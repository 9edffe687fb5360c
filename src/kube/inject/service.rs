//! How do requests arrive at Anteroom instead of the app? The Service's `targetPort` is Anteroom's port: its number, since Kubernetes
//! before 1.33 does not find the names of a native sidecar's ports (kubernetes/kubernetes#127958).
//! <https://kubernetes.io/docs/concepts/services-networking/service/#field-spec-ports>

use super::super::yaml::Node;
use super::super::{Refusal, sidecar};
use super::app;
use super::pod::Beside;

/// Where the requests of a Service go that selects these pods.
#[derive(Debug, Default)]
pub(super) struct Leads {
    /// To the app: around Anteroom.
    pub(super) to_the_app: bool,
    /// To Anteroom.
    pub(super) to_anteroom: bool,
    /// To other ports, as they are written.
    pub(super) elsewhere: Vec<String>,
    /// Its name leads to the pods themselves, at any port, whatever its own ports are.
    pub(super) headless: bool,
}

/// The port that a Service's port leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    App,
    Anteroom,
    Other,
}

/// Looks, without changing it. `None`: it selects other pods.
///
/// # Errors
/// A port is written so that it may be read as the app's.
pub(super) fn leads(service: &Node, beside: &Beside) -> Result<Option<Leads>, Refusal> {
    let Some(spec) = service.get("spec", "Service")? else { return Ok(None) };
    if !selects(spec, beside)? {
        return Ok(None);
    }
    let mut leads = Leads { headless: headless(spec)?, ..Leads::default() };
    let ports = spec.get("ports", "spec")?.map(|ports| ports.items("ports")).transpose()?;
    for port in ports.unwrap_or_default() {
        let target = target(port)?;
        match of_port(target, beside) {
            Target::App => leads.to_the_app = true,
            Target::Anteroom => leads.to_anteroom = true,
            Target::Other => leads.elsewhere.extend(target.and_then(Node::text).map(str::to_owned)),
        }
    }
    Ok(Some(leads))
}

/// Points every port that leads to the app at Anteroom.
///
/// # Errors
/// It would have no effect.
pub(super) fn point(service: &mut Node, beside: &Beside) -> Result<(), Refusal> {
    use super::super::yaml::Value::{List, Map};
    let line = service.line;
    let spec = service.get_or_make("spec", "Service", Map(Vec::new()))?;
    if headless(spec)? {
        let what = "the Service is headless (clusterIP: None): its name leads to the pods themselves, whatever its targetPort";
        let remedy = "Make another Service with targetPort: 4180 for requests of people";
        return Err(Refusal::new(what, remedy).at(line));
    }
    let ports = spec.get_or_make("ports", "spec", List(Vec::new()))?;
    for port in ports.items_mut("ports")? {
        if of_port(target(port)?, beside) == Target::App {
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

fn headless(spec: &Node) -> Result<bool, Refusal> {
    Ok(spec.get("clusterIP", "spec")?.and_then(Node::text) == Some("None"))
}

/// Kubernetes takes the Service's own port where none is written, and for 0 and an empty text as well.
fn target(port: &Node) -> Result<Option<&Node>, Refusal> {
    let written = port.get("targetPort", "ports")?;
    let written = written.filter(|port| port.number() != Some(0) && port.text() != Some(""));
    let target = written.map_or_else(|| port.get("port", "ports"), |port| Ok(Some(port)))?;
    match target.filter(|target| target.may_be_a_number()) {
        Some(odd) => {
            let what =
                format!("the port `{}` of the Service is no plain number", odd.text().unwrap_or_default());
            Err(Refusal::new(what, "Write it in decimal digits, or quote it if it is a name").at(odd.line))
        }
        None => Ok(target),
    }
}

fn of_port(target: Option<&Node>, beside: &Beside) -> Target {
    let at = |number, names: &[String]| target.is_some_and(|target| app::is_at(target, number, names));
    if at(beside.app.port, &beside.app.port_names) {
        Target::App
    } else if at(sidecar::HTTP.1, &[sidecar::HTTP.0.to_owned()]) {
        Target::Anteroom
    } else {
        Target::Other
    }
}

fn selects(spec: &Node, beside: &Beside) -> Result<bool, Refusal> {
    let Some(selector) = spec.get("selector", "spec")? else { return Ok(false) };
    let wanted = selector.entries("selector")?;
    Ok(!wanted.is_empty() && wanted.iter().all(|(key, value)| beside.has_label(key, value)))
}
