//! `[proxy.probes]` as typed: a port of its own for the kubelet's questions about the app.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A port that hands health checks on to the app without a session, for an app that listens on loopback alone. On when the
/// table is there. Whoever reaches this port gets the answers to `paths`: it is for the machine or the cluster, not for the
/// internet.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawProbes {
    /// The address of this port, in a pod `0.0.0.0:4183`.
    pub(crate) listen: String,
    /// The paths that are handed on, each exactly as it is asked for: no query and no pattern. GET and HEAD only. Required.
    pub(crate) paths: Vec<String>,
}

impl Default for RawProbes {
    fn default() -> Self {
        Self { listen: "127.0.0.1:4183".into(), paths: Vec::new() }
    }
}
