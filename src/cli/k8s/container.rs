//! `anteroom k8s container`: what does a chart that takes `extraContainers` and `extraVolumes` have to be given?

use std::io;

use clap::Args;

use super::SidecarArgs;
use crate::cli::{Exit, Terminal};

/// `anteroom k8s container`
#[derive(Clone, Debug, Args)]
pub struct ContainerArgs {
    /// What is chosen about the container.
    #[command(flatten)]
    pub sidecar: SidecarArgs,
    /// With the port that hands the kubelet's probes on to the app ([proxy.probes])
    #[arg(long)]
    pub probes: bool,
    /// Print the volumes that the container needs instead
    #[arg(long)]
    pub volumes: bool,
}

/// Prints one or the other, as a YAML list.
pub(super) fn container(args: &ContainerArgs, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let sidecar = crate::kube::Sidecar { probes: args.probes, ..args.sidecar.sidecar() };
    let yaml = if args.volumes { sidecar.volumes_yaml() } else { sidecar.container_yaml() };
    write!(terminal.out, "{yaml}")?;
    if args.volumes {
        writeln!(
            terminal.err,
            "The files are for the pod's group alone: set the pod's securityContext.fsGroup, to 65532 if it has none."
        )?;
    } else {
        let place = if args.sidecar.native { "initContainers" } else { "extraContainers or containers" };
        writeln!(
            terminal.err,
            "For {place}. It needs two volumes: anteroom k8s container --volumes. The app has to listen on 127.0.0.1 alone, \
             and its Service needs targetPort: 4180."
        )?;
    }
    Ok(Exit::Success)
}
