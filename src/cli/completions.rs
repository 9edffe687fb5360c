//! `anteroom completions`: what a shell needs to complete the command line.

use std::io;

use clap::Args;
use clap_complete::Shell;

use super::{Exit, Terminal, command};

/// `anteroom completions`
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints the completions.
pub(super) fn completions(args: &CompletionsArgs, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    // Into memory first: the generator panics where the reader has gone.
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "anteroom", &mut text);
    terminal.out.write_all(&text)?;
    Ok(Exit::Success)
}
