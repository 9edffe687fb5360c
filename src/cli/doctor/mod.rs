//! `anteroom doctor`: does it work from here? Looks at the surroundings and says what is wrong with them, what that means
//! and how to set it right.
//!
//! Each part looks at one side of the surroundings and gives [`Finding`]s: `gateway/` at the way through the operator's own
//! gateway, `pod/` at the pod that Anteroom is in beside an app. Must not: print a secret, or change anything.

mod finding;
mod gateway;
mod pod;
mod print;

use std::io;

use clap::Args;

use self::finding::{Finding, Outcome};
use self::gateway::{Exam, Unable};
use self::print::Introduction;
use super::{ConfigArgs, Exit, Format, Terminal};
use crate::config::Config;

/// `anteroom doctor`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct DoctorArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The way through the gateway.
    #[command(flatten)]
    pub gateway: gateway::DoctorGatewayArgs,
    /// The pod around it.
    #[command(flatten)]
    pub pod: pod::DoctorPodArgs,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

const AFTER_HELP: &str = "\
With --gateway, doctor sends forged and aliased headers, forged addresses and path tricks through your own gateway, and \
says what came through and how to close it. It changes nothing and needs no right but to be reached. To see what the app \
would get, it takes the app's place: stop the app, and give its address as --echo. Do this where no people are at work: \
while doctor runs, they get its answers instead of the app's.

In a pod, beside the app, it says whether the app is on loopback, its Service leads to Anteroom, and its probes get \
through: kubectl exec POD -c anteroom -- /usr/local/bin/anteroom doctor --service NAME

Exit codes: 0 nothing found; 3 problems found; 2 the command line or the configuration is wrong; 1 it could not run.";

/// Looks, and says what was found.
pub(super) fn doctor(args: &DoctorArgs, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let config = match terminal.load(&args.config.load_options(&terminal.environment))? {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    let (introduction, findings) = match examine(args, &config, terminal) {
        Ok(examined) => examined,
        Err(unable) => {
            let (exit, reason) = match &unable {
                Unable::Usage(reason) => (Exit::Usage, reason),
                Unable::Run(reason) => (Exit::Failure, reason),
            };
            writeln!(terminal.err, "anteroom doctor: {reason}")?;
            return Ok(exit);
        }
    };
    match args.format {
        Format::Text => write!(terminal.out, "{}", print::text(&introduction, &findings))?,
        Format::Json => writeln!(terminal.out, "{:#}", print::json(&introduction, &findings))?,
    }
    let sick = findings.iter().any(|finding| finding.outcome == Outcome::Problem);
    Ok(if sick { Exit::Findings } else { Exit::Success })
}

fn examine(
    args: &DoctorArgs,
    config: &Config,
    terminal: &mut Terminal<'_>,
) -> Result<(Introduction, Vec<Finding>), Unable> {
    let (mut introduction, mut findings) = (Introduction::default(), Vec::new());
    let gateway = args.gateway.gateway.as_deref();
    let pod = args.pod.given() || (gateway.is_none() && pod::around_us(&terminal.environment));
    if gateway.is_none() && !pod {
        return Err(Unable::Usage(
            "there is nothing to look at here. Name a gateway with --gateway, or run it in the pod of an app that Anteroom is \
             in front of: kubectl exec POD -c anteroom -- /usr/local/bin/anteroom doctor"
                .into(),
        ));
    }
    if pod {
        let addresses = pod::addresses(&args.pod);
        findings.extend(pod::examine(&args.pod, &addresses, config));
        introduction.pod = Some(addresses);
    }
    if let Some(url) = gateway {
        let mut exam = Exam::prepare(url, &args.gateway, config)?;
        if let Some(echo) = exam.echo() {
            // Nobody may be there to read it; what follows is said all the same.
            let _ = writeln!(terminal.err, "Standing in for the app on {echo}.");
        }
        findings.extend(exam.run()?);
        introduction.gateway = Some(exam.introduction());
    }
    Ok((introduction, findings))
}
