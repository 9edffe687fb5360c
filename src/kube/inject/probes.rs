//! How does the kubelet still reach the app? It knocks at the pod's address, where an app on loopback does not answer;
//! Anteroom's port for probes hands its questions on.
//! <https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/>

use super::super::yaml::Node;
use super::super::{Refusal, sidecar};
use super::app::{self, App};
use super::notes::Notes;

const KINDS: [&str; 3] = ["startupProbe", "livenessProbe", "readinessProbe"];

/// Turns the probes of a container that ask the app to Anteroom's port. The paths that they ask for are added to `paths`.
///
/// # Errors
/// A probe could not be handed on.
pub(super) fn redirect(
    container: &mut Node,
    app: &App,
    paths: &mut Vec<String>,
    notes: &mut Notes,
) -> Result<(), Refusal> {
    let name = container.get("name", "containers")?.and_then(Node::text).unwrap_or_default().to_owned();
    let names = app::names_at(container, app.port)?;
    let asks_the_app = |question: &Node, kind: &str| -> Result<bool, Refusal> {
        Ok(question.get("port", kind)?.is_some_and(|port| app::is_at(port, app.port, &names)))
    };
    for kind in KINDS {
        let Some(probe) = container.get(kind, "containers")? else { continue };
        for other in ["tcpSocket", "grpc"] {
            if let Some(question) = probe.get(other, kind)?
                && asks_the_app(question, other)?
            {
                let what = format!(
                    "the {kind} of `{name}` is a {other} probe of the app's port, which nobody outside of the pod will \
                     reach once the app listens on 127.0.0.1"
                );
                let remedy = "Make it an httpGet probe, which Anteroom hands on, or an exec probe";
                return Err(Refusal::new(what, remedy).at(probe.line));
            }
        }
        let Some(question) = probe.get("httpGet", kind)? else { continue };
        let through =
            question.get("port", "httpGet")?.and_then(Node::number) == Some(sidecar::PROBES.1.into());
        if !through && !asks_the_app(question, "httpGet")? {
            continue;
        }
        let path = path(question, &name, kind)?;
        if !through && question.get("httpHeaders", "httpGet")?.is_some() {
            notes.left.push(format!(
                "The {kind} of {name} sends headers of its own (httpHeaders). Anteroom does not hand them on: see that the app \
                 answers {path} without them."
            ));
        }
        let scheme = question.get("scheme", "httpGet")?.and_then(Node::text);
        if !through && scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")) {
            notes.left.push(format!(
                "The {kind} of {name} asked with HTTPS. If the app speaks TLS on 127.0.0.1 too, switch that off, or write \
                 upstream = \"https://127.0.0.1:{}\" and how its certificate is verified.",
                app.port
            ));
        }
        if !paths.contains(&path) {
            paths.push(path);
        }
        if !through {
            turn(container, kind)?;
            notes.done.push(format!("{kind} of {name}: asks through Anteroom (port {})", sidecar::PROBES.1));
        }
    }
    hooks(container, &name, asks_the_app)
}

/// The path, which has to be one that `proxy.probes.paths` takes.
fn path(question: &Node, name: &str, kind: &str) -> Result<String, Refusal> {
    if let Some(host) = question.get("host", "httpGet")? {
        let what = format!("the {kind} of `{name}` asks a host by name");
        let remedy = "Remove `host`: without it the kubelet asks the pod";
        return Err(Refusal::new(what, remedy).at(host.line));
    }
    let path = question.get("path", "httpGet")?.and_then(Node::text).unwrap_or("/");
    let path = if path.is_empty() { "/" } else { path };
    if crate::net::plain_path(path) {
        return Ok(path.to_owned());
    }
    let what = format!("the {kind} of `{name}` asks for `{path}`");
    let remedy = "Anteroom hands on plain paths, without a query, % or dots between slashes: let the app answer at such a one";
    Err(Refusal::new(what, remedy).at(question.line))
}

fn turn(container: &mut Node, kind: &str) -> Result<(), Refusal> {
    use super::super::yaml::Value::Map;
    let probe = container.get_or_make(kind, "containers", Map(Vec::new()))?;
    let question = probe.get_or_make("httpGet", kind, Map(Vec::new()))?;
    // A name would be looked for among the ports of the app's own container.
    question.set("port", "httpGet", u64::from(sidecar::PROBES.1).into())?;
    if question.get("scheme", "httpGet")?.is_some() {
        question.set("scheme", "httpGet", "HTTP".into())?;
    }
    Ok(())
}

/// Lifecycle hooks knock at the pod's address too, and are no probes.
fn hooks(
    container: &Node,
    name: &str,
    asks_the_app: impl Fn(&Node, &str) -> Result<bool, Refusal>,
) -> Result<(), Refusal> {
    let Some(lifecycle) = container.get("lifecycle", "containers")? else { return Ok(()) };
    for hook in ["postStart", "preStop"] {
        let Some(action) = lifecycle.get(hook, "lifecycle")? else { continue };
        for kind in ["httpGet", "tcpSocket"] {
            if let Some(question) = action.get(kind, hook)?
                && asks_the_app(question, kind)?
            {
                let what = format!(
                    "the {hook} hook of `{name}` calls the app's port, which nobody outside of the pod will reach once the app \
                     listens on 127.0.0.1"
                );
                return Err(Refusal::new(what, "Make it an exec hook").at(question.line));
            }
        }
    }
    Ok(())
}
