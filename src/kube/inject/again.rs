//! What stays of an Anteroom that is in the pod already? Its volumes: the files, with a ConfigMap and a Secret that may be
//! others now and with what somebody has added, and the store, which may be a claim by now. The container is written anew;
//! what was different in it is said.

use super::super::yaml::{Node, Value};
use super::super::{Refusal, Sidecar, sidecar};
use super::notes::Notes;

/// What this command, or somebody after it, has put there.
#[derive(Debug, Default)]
pub(super) struct Before {
    files: Option<Node>,
    store: Option<Node>,
    container: Option<Node>,
}

impl Before {
    /// Reads it off a pod that is marked.
    pub(super) fn of(spec: &Node) -> Result<Self, Refusal> {
        let mut before = Self::default();
        for list in ["containers", "initContainers"] {
            let all = spec.get(list, "spec")?.map(|l| l.items(list)).transpose()?.unwrap_or_default();
            before.container = all.iter().find(|container| is_ours(container)).cloned().or(before.container);
        }
        for volume in
            spec.get("volumes", "spec")?.map(|v| v.items("volumes")).transpose()?.unwrap_or_default()
        {
            match volume.get("name", "volumes")?.and_then(Node::text) {
                Some(sidecar::FILES) => before.files = Some(volume.clone()),
                Some(sidecar::STORE) => before.store = Some(volume.clone()),
                _ => {}
            }
        }
        Ok(before)
    }

    /// The volumes to be written: what is there stays, with the names in it that are asked for now.
    pub(super) fn volumes(&self, wanted: &Sidecar, fresh: Vec<Node>) -> Result<Vec<Node>, Refusal> {
        let mut volumes = Vec::new();
        for new in fresh {
            volumes.push(
                match (new.get("name", "volumes")?.and_then(Node::text), &self.files, &self.store) {
                    (Some(sidecar::FILES), Some(files), _) => renamed(files.clone(), &new, wanted)?,
                    (Some(sidecar::STORE), _, Some(store)) => store.clone(),
                    _ => new,
                },
            );
        }
        Ok(volumes)
    }

    /// Says what of the container was different, image and form apart.
    pub(super) fn compare(&self, fresh: &Node, notes: &mut Notes) -> Result<(), Refusal> {
        let Some(old) = &self.container else { return Ok(()) };
        let mut different = Vec::new();
        for (of, other) in [(old, fresh), (fresh, old)] {
            for (key, value) in of.entries("containers")? {
                let Some(key) = key.text().filter(|key| !["image", "restartPolicy"].contains(key)) else {
                    continue;
                };
                if other.get(key, "containers")? != Some(value) && !different.contains(&key) {
                    different.push(key);
                }
            }
        }
        let image = |of: &Node| {
            of.get("image", "containers").map(|found| found.and_then(Node::text).map(str::to_owned))
        };
        let (before, now) = (image(old)?, image(fresh)?);
        if let (Some(before), Some(now)) = (&before, &now)
            && before != now
        {
            notes.done.push(format!("Anteroom's image is {now}; it was {before} (--image)"));
        }
        if !different.is_empty() {
            notes.done.push(format!(
                "Anteroom's container is as this version writes it; it was different in: {}. Change it again if that was on \
                 purpose",
                different.join(", ")
            ));
        }
        Ok(())
    }
}

/// The volume of the files as it is, but with other names for the ConfigMap and the Secret that are Anteroom's, and with the
/// mode that suits the pod's group, unless somebody has chosen one.
fn renamed(mut files: Node, fresh: &Node, wanted: &Sidecar) -> Result<Node, Refusal> {
    const MODE: &str = "defaultMode";
    // Something else altogether, such as CSI: whoever put it there knows what is in it.
    if files.get("projected", "volumes")?.is_none() {
        return Ok(files);
    }
    let projected = files.get_or_make("projected", "volumes", Value::Map(Vec::new()))?;
    let mode =
        fresh.get("projected", "volumes")?.map(|new| new.get(MODE, "projected")).transpose()?.flatten();
    let chosen = projected
        .get(MODE, "projected")?
        .is_some_and(|mode| !sidecar::MODES.map(Some).contains(&mode.number()));
    if let Some(mode) = mode.filter(|_| !chosen) {
        projected.set(MODE, "projected", mode.clone())?;
    }
    let sources = projected.get_or_make("sources", "projected", Value::List(Vec::new()))?;
    for (kind, key, name) in
        [("configMap", "anteroom.toml", &wanted.config_map), ("secret", "client-secret", &wanted.secret)]
    {
        let Some(name) = name else { continue };
        let items = sources.items_mut("sources")?;
        let mut ours = None;
        for (at, source) in items.iter().enumerate() {
            if ours.is_none() && holds(source, kind, key)? {
                ours = Some(at);
            }
        }
        let Some(source) = ours.and_then(|at| items.get_mut(at)) else {
            let what = format!(
                "the volume `{}` has no {kind} with the key {key} whose name could be changed",
                sidecar::FILES
            );
            return Err(Refusal::new(what, "Change the volume by hand").at(files.line));
        };
        let source = source.get_or_make(kind, "sources", Value::Map(Vec::new()))?;
        source.set("name", kind, Value::Scalar { text: name.as_str().into(), plain: false }.into())?;
    }
    Ok(files)
}

/// Whether a source of a projected volume brings this key, by name or with all others.
fn holds(source: &Node, kind: &str, key: &str) -> Result<bool, Refusal> {
    let Some(of_kind) = source.get(kind, "sources")? else { return Ok(false) };
    let Some(items) = of_kind.get("items", kind)? else { return Ok(true) };
    for item in items.items("items")? {
        if item.get("key", "items")?.and_then(Node::text) == Some(key) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a container is Anteroom.
pub(super) fn is_ours(container: &Node) -> bool {
    container.get("name", "containers").ok().flatten().and_then(Node::text) == Some(sidecar::NAME)
}
