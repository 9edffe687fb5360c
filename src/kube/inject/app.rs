//! Which container is the app, and at which port does it listen?

use super::super::yaml::Node;
use super::super::{Refusal, sidecar};
use super::Wishes;

/// The app in its pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct App {
    /// The container's name.
    pub(super) container: String,
    /// Where it listens.
    pub(super) port: u16,
    /// The names that its port has.
    pub(super) port_names: Vec<String>,
}

/// A declared port: name, number, whether it is TCP, where it is opened on the node.
struct Port {
    name: Option<String>,
    number: u16,
    tcp: bool,
    on_node: bool,
    line: usize,
}

/// Finds it among containers without Anteroom's own. `neighbours` run beside it and are no app: other native sidecars.
///
/// # Errors
/// It has to be said which it is; a port is taken; the app is open on the node.
pub(super) fn find(containers: &[&Node], neighbours: &[&Node], wishes: &Wishes) -> Result<App, Refusal> {
    let mut all = Vec::new();
    for container in containers {
        let name = container.get("name", "containers")?.and_then(Node::text).unwrap_or_default().to_owned();
        all.push((name, ports(container)?));
    }
    let names = all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    let app = match (&wishes.container, all.as_slice()) {
        (Some(wanted), _) => all.iter().find(|(name, _)| name == wanted).ok_or_else(|| {
            let what = format!("there is no container `{wanted}` in the pod");
            Refusal::new(what, format!("There are: {names}"))
        }),
        (None, [one]) => Ok(one),
        (None, _) => {
            // The one that listens where it is said that the app does.
            let at =
                |(_, ports): &&(String, Vec<Port>)| ports.iter().any(|p| Some(p.number) == wishes.app_port);
            let mut listening = all.iter().filter(at);
            listening.next().filter(|_| listening.next().is_none()).ok_or_else(|| {
                let what = format!("there are several containers in the pod: {names}");
                Refusal::new(what, "Say which one is the app with --container NAME")
            })
        }
    }?;
    let port = match (wishes.app_port, app.1.iter().filter(|p| p.tcp).collect::<Vec<_>>().as_slice()) {
        (Some(port), _) => port,
        (None, [one]) => one.number,
        (None, declared) => {
            let what = format!("the container `{}` declares {} TCP ports", app.0, declared.len());
            return Err(Refusal::new(what, "Say where the app listens with --app-port PORT"));
        }
    };
    for (name, ports) in &all {
        ports.iter().try_for_each(|taken| apart(name, taken, port))?;
    }
    for container in neighbours {
        let name = container.get("name", "initContainers")?.and_then(Node::text).unwrap_or_default();
        ports(container)?.iter().try_for_each(|taken| apart(name, taken, port))?;
    }
    if [sidecar::HTTP.1, sidecar::OPS.1, sidecar::PROBES.1].contains(&port) {
        return Err(taken(&app.0, port, 0));
    }
    let named = |p: &Port| (p.number == port).then(|| p.name.clone()).flatten();
    let port_names = all.iter().flat_map(|(_, ports)| ports).filter_map(named).collect();
    Ok(App { container: app.0.clone(), port, port_names })
}

/// The names that a container's own ports with this number have. Probes know no others; Services know those of all containers.
pub(super) fn names_at(container: &Node, number: u16) -> Result<Vec<String>, Refusal> {
    let at = |port: Port| (port.number == number).then_some(port.name).flatten();
    Ok(ports(container)?.into_iter().filter_map(at).collect())
}

fn apart(container: &str, declared: &Port, app_port: u16) -> Result<(), Refusal> {
    if [sidecar::HTTP.1, sidecar::OPS.1, sidecar::PROBES.1].contains(&declared.number) {
        return Err(taken(container, declared.number, declared.line));
    }
    if declared.name.as_deref() == Some(sidecar::HTTP.0) {
        let what = format!("the container `{container}` has a port called {}", sidecar::HTTP.0);
        return Err(Refusal::new(what, "That is the name of Anteroom's port: rename it").at(declared.line));
    }
    if declared.on_node && declared.number == app_port {
        let what = format!("the container `{container}` opens port {app_port} on the node (hostPort)");
        let remedy = "Whoever reaches the node would get around Anteroom: remove hostPort and use a Service";
        return Err(Refusal::new(what, remedy).at(declared.line));
    }
    Ok(())
}

fn taken(container: &str, port: u16, line: usize) -> Refusal {
    let what = format!("the container `{container}` listens on port {port}");
    Refusal::new(what, "That is a port of Anteroom's (4180, 4181, 4183): let the app listen elsewhere")
        .at(line)
}

/// Containers, other than Anteroom, and their ports that are opened on the node.
pub(super) fn on_the_node(spec: &Node) -> Result<Vec<(String, u16)>, Refusal> {
    let mut found = Vec::new();
    for list in ["containers", "initContainers"] {
        for container in spec.get(list, "spec")?.map(|l| l.items(list)).transpose()?.unwrap_or_default() {
            let name = container.get("name", list)?.and_then(Node::text).unwrap_or_default();
            let open = ports(container)?.into_iter().filter(|port| port.on_node);
            found.extend(open.map(|port| (name.to_owned(), port.number)));
        }
    }
    Ok(found)
}

fn ports(container: &Node) -> Result<Vec<Port>, Refusal> {
    let Some(ports) = container.get("ports", "containers")? else { return Ok(Vec::new()) };
    let port = |port: &Node| {
        let number = port.get("containerPort", "ports")?.and_then(Node::number);
        let number = number.and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0);
        let number = number.ok_or_else(|| {
            Refusal::new("a containerPort is no port number", "Correct the manifest").at(port.line)
        })?;
        let protocol = port.get("protocol", "ports")?.and_then(Node::text).unwrap_or("TCP");
        Ok(Port {
            name: port.get("name", "ports")?.and_then(Node::text).map(str::to_owned),
            number,
            tcp: protocol == "TCP",
            on_node: port.get("hostPort", "ports")?.is_some_and(|p| p.number() != Some(0)),
            line: port.line,
        })
    };
    ports.items("ports")?.iter().map(port).collect()
}

/// Whether a port of a probe or of a Service, as a number or as a name, is the app's.
pub(super) fn is_at(port: &Node, number: u16, names: &[String]) -> bool {
    match port.number() {
        Some(written) => written == u64::from(number),
        // A quoted number is a name to Kubernetes, and no port could have it.
        None => port.text().is_some_and(|text| names.iter().any(|name| name == text)),
    }
}
