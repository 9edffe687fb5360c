//! Which commands are there, for people? `docs/reference/cli.md`, written from the command tree.

use std::fmt::Write as _;

use super::command;

const HEAD: &str = "<!-- Generated from the source: UPDATE=1 cargo test config -->
# Command line

Exit codes: 0 it worked; 2 the command line or the configuration is wrong; 3 `doctor` found problems;
1 anything else. What was asked for goes to standard output, everything else to standard error.
";

/// The reference as Markdown.
pub fn reference() -> String {
    let mut text = HEAD.to_owned();
    let mut root = command().term_width(100).version("VERSION");
    root.build();
    let _ = write!(text, "\n## anteroom\n\n```text\n{}\n```\n", trimmed(&mut root));
    of_commands(&mut text, "anteroom", &root);
    text
}

/// The subcommands of a command, each followed by its own.
fn of_commands(text: &mut String, parent: &str, command: &clap::Command) {
    for mut sub in command.get_subcommands().cloned() {
        let name = format!("{parent} {}", sub.get_name());
        let _ = write!(text, "\n## {name}\n\n```text\n{}\n```\n", trimmed(&mut sub));
        of_commands(text, &name, &sub);
    }
}

fn trimmed(command: &mut clap::Command) -> String {
    let help = command.clone().term_width(100).render_long_help().to_string();
    help.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}
