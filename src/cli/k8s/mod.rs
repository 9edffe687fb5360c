//! `anteroom k8s`: how does Anteroom get into a pod? Manifests are text here: no cluster is asked. Whether it is in there as it
//! should be, `doctor` says.

mod container;
mod inject;

use std::io;

use clap::{Args, Subcommand};

use super::{Exit, Terminal};
use crate::kube::Sidecar;

/// `anteroom k8s`
#[derive(Clone, Debug, Args)]
pub struct K8sArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: K8sCommand,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum K8sCommand {
    /// Print the container for a chart's `extraContainers`, or the volumes that it needs
    Container(container::ContainerArgs),
    /// Add Anteroom to the pods of a Deployment, StatefulSet, DaemonSet or Pod; also as Helm's post-renderer
    Inject(inject::InjectArgs),
}

/// What is chosen about the container.
#[derive(Clone, Debug, Args)]
pub struct SidecarArgs {
    /// A native sidecar: it starts before the app and ends after it (Kubernetes 1.29 or later)
    #[arg(long)]
    pub native: bool,
    /// The image, with tag or digest; without it the one of this version
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// The ConfigMap that holds `anteroom.toml`; without it `anteroom`, or the one that is there already
    #[arg(long, value_name = "NAME", value_parser = object_name)]
    pub config_map: Option<String>,
    /// The Secret that holds `client-secret` and `session-keys`; without it `anteroom`, or the one that is there already
    #[arg(long, value_name = "NAME", value_parser = object_name)]
    pub secret: Option<String>,
}

/// What Kubernetes takes as the name of an object: an RFC 1123 subdomain.
fn object_name(text: &str) -> Result<String, String> {
    let end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let label = |label: &str| {
        end(label.chars().next()) && end(label.chars().next_back()) && label.chars().all(inside)
    };
    if text.len() <= 253 && text.split('.').all(label) {
        return Ok(text.to_owned());
    }
    Err("Kubernetes takes lower case letters, digits, - and ., with a letter or a digit at the ends and beside each .".into())
}

impl SidecarArgs {
    fn sidecar(&self) -> Sidecar {
        let usual = Sidecar::default();
        Sidecar {
            image: self.image.clone().unwrap_or(usual.image),
            config_map: self.config_map.clone(),
            secret: self.secret.clone(),
            native: self.native,
            probes: usual.probes,
        }
    }
}

/// Does it.
pub(super) fn k8s(args: &K8sArgs, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    match &args.command {
        K8sCommand::Container(args) => container::container(args, terminal),
        K8sCommand::Inject(args) => inject::inject(args, terminal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_objects() {
        let long = "a".repeat(253);
        for good in ["a", "wiki-secrets", "a.b-c.1", &long] {
            assert_eq!(object_name(good).as_deref(), Ok(good));
        }
        let longer = "a".repeat(254);
        for bad in ["", "A", "a b", "-a", "a-", ".a", "a.", "a..b", "a.-b", "a_b", "a\nb", "\u{e4}", &longer]
        {
            assert!(object_name(bad).is_err(), "{bad:?}");
        }
    }
}
