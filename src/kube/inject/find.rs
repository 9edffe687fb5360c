//! Which workload, and which Service? Also inside of a `List`.

use super::super::Refusal;
use super::super::yaml::{Node, Stream};

/// What Anteroom can stand in: kinds whose pods go on serving.
const KINDS: [(&str, &str); 4] =
    [("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"), ("v1", "Pod")];

/// Where an object stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    document: usize,
    /// In a `List`.
    item: Option<usize>,
    /// Its kind.
    pub(super) kind: String,
}

impl Place {
    /// To be changed.
    pub(super) fn of<'a>(&self, stream: &'a mut Stream<'_>) -> Result<&'a mut Node, Refusal> {
        let root = stream.change(self.document)?;
        let Some(item) = self.item else { return Ok(root) };
        let items = root.get_or_make("items", "List", super::super::yaml::Value::List(Vec::new()))?;
        let found = items.items_mut("items")?.get_mut(item);
        found.ok_or_else(|| {
            Refusal::new("a List has lost an item", "This is a mistake in Anteroom: please report it")
        })
    }

    /// To be read.
    pub(super) fn look<'a>(&self, stream: &'a Stream<'_>) -> Option<&'a Node> {
        let root = stream.roots().nth(self.document)?;
        match self.item {
            None => Some(root),
            Some(item) => root.get("items", "List").ok()??.items("items").ok()?.get(item),
        }
    }
}

struct Object<'a> {
    node: &'a Node,
    place: Place,
    version: &'a str,
}

/// All objects. What is no mapping, or has no kind, is none.
fn objects<'a>(stream: &'a Stream<'_>) -> Result<Vec<Object<'a>>, Refusal> {
    let mut all = Vec::new();
    for (document, root) in stream.roots().enumerate() {
        let Some((version, kind)) = kind(root)? else { continue };
        if kind == "List" && version == "v1" {
            let Some(items) = root.get("items", "List")? else { continue };
            for (item, node) in items.items("items")?.iter().enumerate() {
                let Some((version, kind)) = kind_of(node)? else { continue };
                let place = Place { document, item: Some(item), kind: kind.to_owned() };
                all.push(Object { node, place, version });
            }
            continue;
        }
        all.push(Object {
            node: root,
            place: Place { document, item: None, kind: kind.to_owned() },
            version,
        });
    }
    Ok(all)
}

fn kind(root: &Node) -> Result<Option<(&str, &str)>, Refusal> {
    kind_of(root)
}

fn kind_of(node: &Node) -> Result<Option<(&str, &str)>, Refusal> {
    if !node.is_map() {
        return Ok(None);
    }
    let word = |key: &str| node.get(key, "the document").map(|found| found.and_then(Node::text));
    Ok(word("apiVersion")?.zip(word("kind")?))
}

fn name(node: &Node) -> Result<&str, Refusal> {
    let metadata = node.get("metadata", "the document")?;
    let name = metadata.map(|metadata| metadata.get("name", "metadata")).transpose()?.flatten();
    Ok(name.and_then(Node::text).unwrap_or("(without a name)"))
}

/// Whether Helm runs it once and by itself: a test, a migration.
fn is_hook(node: &Node) -> Result<bool, Refusal> {
    let metadata = node.get("metadata", "the document")?;
    let annotations = metadata.map(|m| m.get("annotations", "metadata")).transpose()?.flatten();
    Ok(match annotations {
        Some(annotations) => annotations.get("helm.sh/hook", "annotations")?.is_some(),
        None => false,
    })
}

/// The workload.
///
/// # Errors
/// There is none, or several answer to `wanted`.
pub(super) fn workload(stream: &Stream<'_>, wanted: Option<&str>) -> Result<Place, Refusal> {
    let (mut found, mut others, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for Object { node, place, version } in objects(stream)? {
        if !KINDS.iter().any(|(v, kind)| *v == version && *kind == place.kind) {
            others.push(format!("{} ({version})", place.kind));
            continue;
        }
        if is_hook(node)? {
            continue;
        }
        let name = name(node)?;
        let full = format!("{}/{name}", place.kind.to_ascii_lowercase());
        let is = wanted.is_none_or(|wanted| wanted == name || wanted.eq_ignore_ascii_case(&full));
        all.push(full);
        if is {
            found.push(place);
        }
    }
    match (found.len(), wanted) {
        (1, _) => {
            let none = || Refusal::new("there is no workload", "Give the manifest of the app");
            found.pop().ok_or_else(none)
        }
        (0, Some(wanted)) if !all.is_empty() => {
            let what = format!("there is no workload `{wanted}` in the input");
            Err(Refusal::new(what, format!("There are: {}", all.join(", "))))
        }
        (0, _) => {
            others.sort_unstable();
            others.dedup();
            let seen = if others.is_empty() { "nothing".to_owned() } else { others.join(", ") };
            let what = format!(
                "there is no Deployment, StatefulSet or DaemonSet (apps/v1) and no Pod (v1) in the input, but {seen}"
            );
            Err(Refusal::new(what, "Give the manifest that makes the app's pods"))
        }
        (_, None) => {
            let what = format!("there are several workloads in the input: {}", all.join(", "));
            Err(Refusal::new(what, "Say which one is the app with --workload KIND/NAME"))
        }
        (many, Some(wanted)) => {
            let what = format!("{many} workloads in the input are called `{wanted}`");
            Err(Refusal::new(what, "Say --workload KIND/NAME, or give the file of one of them"))
        }
    }
}

/// All Services with their names.
pub(super) fn services(stream: &Stream<'_>) -> Result<Vec<(Place, String)>, Refusal> {
    all(stream, "v1", "Service")
}

/// All NetworkPolicies with their names.
pub(super) fn policies(stream: &Stream<'_>) -> Result<Vec<(Place, String)>, Refusal> {
    all(stream, "networking.k8s.io/v1", "NetworkPolicy")
}

fn all(stream: &Stream<'_>, version: &str, kind: &str) -> Result<Vec<(Place, String)>, Refusal> {
    let found = objects(stream)?.into_iter().filter(|o| o.version == version && o.place.kind == kind);
    found.map(|object| Ok((object.place, name(object.node)?.to_owned()))).collect()
}
