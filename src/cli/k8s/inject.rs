//! `anteroom k8s inject`: a manifest in, the same with Anteroom in its pods out. What was done and what is left to do goes to
//! standard error, so that the output stays a manifest.

use std::io::{self, Read};
use std::path::PathBuf;

use clap::Args;

use super::SidecarArgs;
use crate::cli::{Exit, Terminal};
use crate::kube::{self, Wishes};

/// More than this is no manifest; the check behind it says so.
const MOST: u64 = 64 << 20;

/// `anteroom k8s inject`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct InjectArgs {
    /// The manifest, of one or many documents; `-` for standard input
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
    /// What is chosen about the container.
    #[command(flatten)]
    pub sidecar: SidecarArgs,
    /// Which workload, when there are several: NAME or KIND/NAME
    #[arg(long, value_name = "NAME")]
    pub workload: Option<String>,
    /// Which container is the app, when the pod has several
    #[arg(long, value_name = "NAME")]
    pub container: Option<String>,
    /// Where the app listens, when its container does not declare exactly one port
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub app_port: Option<u16>,
    /// The Service in the same input that leads to Anteroom from now on
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// For how many seconds the app goes on when its pod ends, if it has no preStop of its own (Kubernetes 1.30 or later); 0 for not
    #[arg(long, value_name = "SECONDS", default_value_t = 6)]
    pub app_pause: u16,
}

const AFTER_HELP: &str = "\
Documents that are not concerned leave byte for byte as they came; in those that are, comments are lost. Doing it again \
writes Anteroom's container as this version does, with the image and the form asked for; its volumes stay, with all that was added \
to them, and with the names of the ConfigMap and the Secret unless others are asked for.

As post-renderer with Helm 3: helm install … --post-renderer anteroom --post-renderer-args k8s --post-renderer-args inject
With Helm 4, once the plugin of this project is installed: helm install … --post-renderer anteroom

Exit codes: 0 done; 2 refused, and nothing was written; 1 the input could not be read.";

/// Does it, or says why not.
pub(super) fn inject(args: &InjectArgs, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let text = match read(args) {
        Ok(text) => text,
        Err(error) => {
            writeln!(terminal.err, "anteroom: cannot read {}: {error}", args.file.display())?;
            return Ok(Exit::Failure);
        }
    };
    let wishes = Wishes {
        sidecar: args.sidecar.sidecar(),
        workload: args.workload.clone(),
        container: args.container.clone(),
        app_port: args.app_port,
        service: args.service.clone(),
        app_pause: args.app_pause,
    };
    match kube::inject(&text, &wishes) {
        Ok(injected) => {
            write!(terminal.out, "{}", injected.yaml)?;
            write!(terminal.err, "{}", injected.notes)?;
            Ok(Exit::Success)
        }
        Err(refusal) => {
            writeln!(terminal.err, "anteroom: {refusal}")?;
            Ok(Exit::Usage)
        }
    }
}

fn read(args: &InjectArgs) -> io::Result<String> {
    let mut text = String::new();
    if args.file.as_os_str() == "-" {
        io::stdin().lock().take(MOST).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(&args.file)?.take(MOST).read_to_string(&mut text)?;
    }
    Ok(text)
}
