//! What of the pod changes? One container, two volumes, a label, an annotation; the app's probes; how long it may take to
//! end.

use super::super::yaml::{Node, Value};
use super::super::{Refusal, sidecar};
use super::again::{Before, is_ours};
use super::app::{self, App};
use super::notes::Notes;
use super::{Wishes, group, probes};

/// At the pod: that this command has put Anteroom there, and in which version. It may then take it out again.
const MARK: &str = "anteroom.dev/injected";
/// At the pod: by this a NetworkPolicy or a monitor finds it.
const LABEL: &str = "anteroom.dev/sidecar";

/// Seconds that an app has to end in, after its pause.
const APP_END: u64 = 20;

/// What others have to know of the pod.
#[derive(Debug)]
pub(super) struct Beside {
    /// The app.
    pub(super) app: App,
    /// The pod's labels.
    pub(super) labels: Vec<(String, String)>,
    namespace: Option<String>,
    probe_paths: Vec<String>,
    several: bool,
}

/// Puts Anteroom into the pods of a workload.
///
/// # Errors
/// They are of a kind in which it would guard nothing, or it would collide with what is there.
pub(super) fn inject(
    workload: &mut Node,
    kind: &str,
    wishes: &Wishes,
    notes: &mut Notes,
) -> Result<Beside, Refusal> {
    let name = match workload.get("metadata", kind)? {
        Some(metadata) => {
            metadata.get("name", "metadata")?.and_then(Node::text).unwrap_or_default().to_owned()
        }
        None => String::new(),
    };
    let namespace = namespace(workload);
    let (several, claims) = (several(workload, kind)?, claims(workload, kind)?);
    let pod = match kind {
        "Pod" => workload,
        _ => part(part(workload, "spec", kind)?, "template", "spec")?,
    };
    let injected = mark(pod, &name)?;
    let labels = labels(pod)?;
    let spec = part(pod, "spec", "template")?;
    fit_for_it(spec)?;
    let app = {
        let mut all = Vec::new();
        for list in ["containers", "initContainers"] {
            for container in spec.get(list, "spec")?.map(|l| l.items(list)).transpose()?.unwrap_or_default() {
                all.push((list, container));
            }
        }
        if let Some((_, own)) = all.iter().find(|(_, container)| is_ours(container))
            && !injected
        {
            let what = "there is a container `anteroom` in the pod that this command did not put there";
            return Err(Refusal::new(what, "Remove it, or leave the manifest as it is").at(own.line));
        }
        let mut neighbours = Vec::new();
        for (_, container) in all.iter().filter(|(list, one)| *list == "initContainers" && !is_ours(one)) {
            if container.get("restartPolicy", "initContainers")?.and_then(Node::text) == Some("Always") {
                neighbours.push(*container);
            }
        }
        let apps: Vec<&Node> = all
            .iter()
            .filter(|(list, container)| *list == "containers" && !is_ours(container))
            .map(|(_, container)| *container)
            .collect();
        app::find(&apps, &neighbours, wishes)?
    };
    let mut probe_paths = Vec::new();
    for list in ["containers", "initContainers"] {
        if spec.get(list, "spec")?.is_none() {
            continue;
        }
        let containers = spec.get_or_make(list, "spec", Value::List(Vec::new()))?;
        for container in containers.items_mut(list)?.iter_mut().filter(|container| !is_ours(container)) {
            probes::redirect(container, &app, &mut probe_paths, notes)?;
            if list == "containers"
                && container.get("name", list)?.and_then(Node::text) == Some(&*app.container)
            {
                pause(container, wishes.app_pause, notes)?;
            }
        }
    }
    let before = if injected { Before::of(spec)? } else { Before::default() };
    let sidecar = super::super::Sidecar { probes: !probe_paths.is_empty(), ..wishes.sidecar.clone() };
    let (home, other) = match sidecar.native {
        true => ("initContainers", "containers"),
        false => ("containers", "initContainers"),
    };
    let container = sidecar.container();
    before.compare(&container, notes)?;
    put(spec, home, vec![container])?;
    if spec.get(other, "spec")?.is_some() {
        let list = spec.get_or_make(other, "spec", Value::List(Vec::new()))?;
        list.items_mut(other)?.retain(|container| !is_ours(container));
    }
    let shared = group::shared(spec, claims, notes)?;
    volumes(spec, before.volumes(&sidecar, sidecar.volumes(shared))?, injected)?;
    let pause = u64::from(wishes.app_pause);
    // A native sidecar begins to end when the app has ended; an ordinary one along with it.
    let needed = if sidecar.native { sidecar::GRACE + pause } else { sidecar::GRACE.max(pause + APP_END) };
    grace(spec, needed, notes)?;
    let how =
        if sidecar.native { "as a native sidecar (Kubernetes 1.29 or later)" } else { "as a container" };
    notes.done.insert(0, format!("{kind} {name}: Anteroom is in the pod, {how}, before port {}", app.port));
    told_of(spec, &app, notes)?;
    Ok(Beside { app, labels, namespace, probe_paths, several })
}

impl Beside {
    /// Whether the kubelet asks for the app through Anteroom.
    pub(super) fn probed(&self) -> bool {
        !self.probe_paths.is_empty()
    }

    /// Whether the pods have this label.
    pub(super) fn has_label(&self, key: &Node, value: &Node) -> bool {
        self.labels.iter().any(|(k, v)| Some(k.as_str()) == key.text() && Some(v.as_str()) == value.text())
    }

    /// Whether something else is in these pods' namespace, as far as both say where they are.
    pub(super) fn is_near(&self, other: &Node) -> bool {
        self.namespace.is_none() || namespace(other).is_none_or(|there| Some(there) == self.namespace)
    }

    /// What no manifest of this kind can say.
    pub(super) fn what_is_left(&self, no_service: bool, notes: &mut Notes) {
        let port = self.app.port;
        notes.left.push(format!(
            "The app has to listen on 127.0.0.1:{port} and nowhere else: that is its own setting, not Kubernetes'. As long as it \
             listens on all addresses, every pod of the cluster gets around Anteroom."
        ));
        if no_service {
            notes.left.push("The app's Service, which is not in the input, needs targetPort: 4180.".into());
        }
        let mut toml = format!(
            "anteroom.toml in the ConfigMap needs:\n[proxy]\nlisten = \"0.0.0.0:{}\"\nupstream = \"http://127.0.0.1:{port}\"\n\
             [ops]\nlisten = \"0.0.0.0:{}\"",
            sidecar::HTTP.1,
            sidecar::OPS.1
        );
        if !self.probe_paths.is_empty() {
            let paths =
                self.probe_paths.iter().map(|path| format!("\"{path}\"")).collect::<Vec<_>>().join(", ");
            toml +=
                &format!("\n[proxy.probes]\nlisten = \"0.0.0.0:{}\"\npaths = [{paths}]", sidecar::PROBES.1);
        }
        notes.left.push(toml);
        if self.several {
            notes.left.push(
                "Every pod keeps its own store: who signs out at one pod stays signed in at the others until the session ends. \
                 Use replicas: 1 if that matters."
                    .into(),
            );
        }
        notes.left.push(
            "When it runs, ask it: kubectl exec POD -c anteroom -- /usr/local/bin/anteroom doctor".into(),
        );
    }
}

fn part<'a>(node: &'a mut Node, key: &str, name: &str) -> Result<&'a mut Node, Refusal> {
    if node.get(key, name)?.is_none() {
        let what = format!("`{name}` has no `{key}`");
        return Err(Refusal::new(what, "Give a whole manifest").at(node.line));
    }
    node.get_or_make(key, name, Value::Map(Vec::new()))
}

fn several(workload: &Node, kind: &str) -> Result<bool, Refusal> {
    let spec = workload.get("spec", kind)?;
    let replicas = spec.map(|spec| spec.get("replicas", "spec")).transpose()?.flatten();
    Ok(kind == "DaemonSet" || replicas.is_some_and(|replicas| replicas.number().is_none_or(|n| n > 1)))
}

/// Whether the pods come with claims that they do not name themselves.
fn claims(workload: &Node, kind: &str) -> Result<bool, Refusal> {
    if kind != "StatefulSet" {
        return Ok(false);
    }
    let spec = workload.get("spec", kind)?;
    Ok(spec.map(|spec| spec.get("volumeClaimTemplates", "spec")).transpose()?.flatten().is_some())
}

/// Pods in which Anteroom would guard nothing, or could not run.
fn fit_for_it(spec: &Node) -> Result<(), Refusal> {
    if let Some(value) = spec.get("hostNetwork", "spec")?
        && !value.is_false()
    {
        let what = "the pod shares the network of its node (hostNetwork): its loopback is the node's, and everything there \
                    would get around Anteroom";
        let remedy = "Remove hostNetwork, or run Anteroom in a Deployment of its own in front of the app";
        return Err(Refusal::new(what, remedy).at(value.line));
    }
    let os = spec.get("os", "spec")?.map(|os| os.get("name", "os")).transpose()?.flatten();
    let selector = spec.get("nodeSelector", "spec")?;
    let node = |key| selector.map(|node| node.get(key, "nodeSelector")).transpose().map(Option::flatten);
    let nodes = [node("kubernetes.io/os")?, node("beta.kubernetes.io/os")?].into_iter().flatten();
    if let Some(os) = os.into_iter().chain(nodes).find(|os| os.text() == Some("windows")) {
        let remedy = "Run Anteroom in a Deployment of its own in front of the app";
        return Err(
            Refusal::new("the pod runs on Windows, and Anteroom's image on Linux", remedy).at(os.line)
        );
    }
    Ok(())
}

/// Other ways past Anteroom, which may be meant.
fn told_of(spec: &Node, app: &App, notes: &mut Notes) -> Result<(), Refusal> {
    for (container, port) in app::on_the_node(spec)? {
        notes.left.push(format!(
            "The container {container} opens port {port} on the node (hostPort), where Anteroom is not asked: see that nobody gets \
             to the app by that."
        ));
    }
    if spec.get("shareProcessNamespace", "spec")?.is_some_and(|shared| !shared.is_false()) {
        notes.left.push(format!(
            "The pod's containers see each other's processes (shareProcessNamespace): one that runs as root, or as Anteroom's user, \
             reads Anteroom's secrets. See that {} runs as another user.",
            app.container
        ));
    }
    Ok(())
}

fn namespace(object: &Node) -> Option<String> {
    let metadata = object.get("metadata", "object").ok().flatten()?;
    Some(metadata.get("namespace", "metadata").ok().flatten()?.text()?.to_owned())
}

/// Marks the pod; says whether it was marked before.
fn mark(pod: &mut Node, name: &str) -> Result<bool, Refusal> {
    let metadata = pod.get_or_make("metadata", "template", Value::Map(Vec::new()))?;
    let annotations = metadata.get_or_make("annotations", "metadata", Value::Map(Vec::new()))?;
    let before = annotations.get(MARK, "annotations")?.is_some();
    let version = Value::Scalar { text: env!("CARGO_PKG_VERSION").into(), plain: false };
    annotations.set(MARK, "annotations", version.into())?;
    let labels = metadata.get_or_make("labels", "metadata", Value::Map(Vec::new()))?;
    // Labels are shorter than names may be.
    let fits = (1..=63).contains(&name.len());
    let value = Value::Scalar { text: if fits { name } else { "anteroom" }.into(), plain: false };
    labels.set(LABEL, "labels", value.into())?;
    Ok(before)
}

fn labels(pod: &Node) -> Result<Vec<(String, String)>, Refusal> {
    let Some(metadata) = pod.get("metadata", "template")? else { return Ok(Vec::new()) };
    let Some(labels) = metadata.get("labels", "metadata")? else { return Ok(Vec::new()) };
    let mut words = Vec::new();
    for (key, value) in labels.entries("labels")? {
        words.extend(key.text().map(str::to_owned).zip(value.seen("labels")?.text().map(str::to_owned)));
    }
    Ok(words)
}

/// Each in the place of the one with its name, or at the end.
fn put(spec: &mut Node, list: &str, nodes: Vec<Node>) -> Result<(), Refusal> {
    let items = spec.get_or_make(list, "spec", Value::List(Vec::new()))?.items_mut(list)?;
    for node in nodes {
        let name = node.get("name", list)?.and_then(Node::text).map(str::to_owned);
        let same = |other: &&mut Node| {
            other.get("name", list).ok().flatten().and_then(Node::text).map(str::to_owned) == name
        };
        match items.iter_mut().find(same) {
            Some(old) => *old = node,
            None => items.push(node),
        }
    }
    Ok(())
}

fn volumes(spec: &mut Node, ours: Vec<Node>, injected: bool) -> Result<(), Refusal> {
    if !injected {
        for volume in
            spec.get("volumes", "spec")?.map(|v| v.items("volumes")).transpose()?.unwrap_or_default()
        {
            let name = volume.get("name", "volumes")?.and_then(Node::text).unwrap_or_default();
            if [sidecar::FILES, sidecar::STORE].contains(&name) {
                let what =
                    format!("there is a volume `{name}` in the pod that this command did not put there");
                return Err(Refusal::new(what, "Rename it: Anteroom needs one of that name").at(volume.line));
            }
        }
    }
    put(spec, "volumes", ours)
}

/// The app goes on a little, so that what Anteroom still gets for it is answered.
fn pause(app: &mut Node, seconds: u16, notes: &mut Notes) -> Result<(), Refusal> {
    if seconds == 0 {
        return Ok(());
    }
    let lifecycle = app.get_or_make("lifecycle", "containers", Value::Map(Vec::new()))?;
    if lifecycle.get("preStop", "lifecycle")?.is_some() {
        return Ok(());
    }
    let sleep = Node::from([("sleep", [("seconds", u64::from(seconds).into())].into())]);
    lifecycle.set("preStop", "lifecycle", sleep)?;
    notes.done.push(format!(
        "The app goes on for {seconds} s when its pod ends (preStop sleep, Kubernetes 1.30 or later; --app-pause 0 leaves it \
         out)"
    ));
    Ok(())
}

/// At least `needed` seconds.
fn grace(spec: &mut Node, needed: u64, notes: &mut Notes) -> Result<(), Refusal> {
    const KEY: &str = "terminationGracePeriodSeconds";
    /// Kubernetes' own.
    const DEFAULT: u64 = 30;
    let has = spec.get(KEY, "spec")?.map_or(Some(DEFAULT), Node::number);
    if has.is_none_or(|seconds| seconds < needed) {
        spec.set(KEY, "spec", needed.into())?;
        notes
            .done
            .push(format!("{KEY}: {needed}, which the app and Anteroom may need to let requests finish"));
    }
    Ok(())
}
