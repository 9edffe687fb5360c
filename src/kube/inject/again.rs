//! What stays of an Anteroom that is in the pod already? Its ConfigMap and Secret, where no others are asked for, and the
//! volume of its store, which may be a claim by now. The container is written anew; what was different in it is said.

use super::super::yaml::Node;
use super::super::{Refusal, Sidecar, sidecar};
use super::Notes;

/// What this command, or somebody after it, has put there.
#[derive(Debug, Default)]
pub(super) struct Before {
    config_map: Option<String>,
    secret: Option<String>,
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
                Some(sidecar::STORE) => before.store = Some(volume.clone()),
                Some(sidecar::FILES) => before.sources(volume)?,
                _ => {}
            }
        }
        Ok(before)
    }

    fn sources(&mut self, files: &Node) -> Result<(), Refusal> {
        let Some(projected) = files.get("projected", "volumes")? else { return Ok(()) };
        let Some(sources) = projected.get("sources", "projected")? else { return Ok(()) };
        let name = |source: &Node, kind: &str| -> Result<Option<String>, Refusal> {
            let named = source.get(kind, "sources")?.map(|found| found.get("name", kind)).transpose()?;
            Ok(named.flatten().and_then(Node::text).map(str::to_owned))
        };
        for source in sources.items("sources")? {
            self.config_map = name(source, "configMap")?.or(self.config_map.take());
            self.secret = name(source, "secret")?.or(self.secret.take());
        }
        Ok(())
    }

    /// The container that is wanted, with the names that it has where no others are asked for.
    pub(super) fn named(&self, wanted: Sidecar) -> Sidecar {
        Sidecar {
            config_map: wanted.config_map.or_else(|| self.config_map.clone()),
            secret: wanted.secret.or_else(|| self.secret.clone()),
            ..wanted
        }
    }

    /// The volumes to be written: a store that is there stays.
    pub(super) fn volumes(&self, fresh: Vec<Node>) -> Vec<Node> {
        let Some(store) = &self.store else { return fresh };
        let is_store = |node: &Node| {
            node.get("name", "volumes").ok().flatten().and_then(Node::text) == Some(sidecar::STORE)
        };
        fresh.into_iter().map(|node| if is_store(&node) { store.clone() } else { node }).collect()
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

/// Whether a container is Anteroom.
pub(super) fn is_ours(container: &Node) -> bool {
    container.get("name", "containers").ok().flatten().and_then(Node::text) == Some(sidecar::NAME)
}
