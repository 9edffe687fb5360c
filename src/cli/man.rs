//! `anteroom man`: the whole command tree as one manual page (roff, section 1).

use std::io;

use clap_mangen::Man;

use super::{Exit, Terminal, command};

const TAIL: &str = r#".SH "EXIT STATUS"
.TP
0
It worked.
.TP
1
Something failed that has no code of its own.
.TP
2
The command line or the configuration is wrong.
.TP
3
anteroom doctor found problems.
.SH ENVIRONMENT
.TP
ANTEROOM_CONFIG
The configuration file, unless \-\-config names one.
.TP
ANTEROOM_PROFILE
The profile, unless \-\-profile names one.
.TP
ANTEROOM_ATLASSIAN__CLIENT_ID and so on
Every setting of the configuration: ANTEROOM_, then its path in capitals, two underscores between the steps.
.TP
PROVIDER_ATLASSIAN_CLIENT_ID, PROVIDER_ATLASSIAN_CLIENT_SECRET
Read too; the names above win.
.TP
NO_COLOR
No colours in help texts.
.SH FILES
.TP
anteroom.toml
In the working folder.
.TP
/etc/anteroom/anteroom.toml
Read when there is none in the working folder.
"#;

/// Prints the page.
pub(super) fn man(terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let mut page = Vec::new();
    let mut root = command();
    root.build();
    let man = Man::new(root.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    sections(&mut page, "ANTEROOM", &root)?;
    page.extend(TAIL.bytes());
    terminal.out.write_all(&page)?;
    Ok(Exit::Success)
}

/// A section for each subcommand, followed by those of its own.
fn sections(page: &mut Vec<u8>, parent: &str, command: &clap::Command) -> io::Result<()> {
    for sub in command.get_subcommands() {
        let man = Man::new(sub.clone());
        let mut part = Vec::new();
        man.render_synopsis_section(&mut part)?;
        man.render_description_section(&mut part)?;
        if sub.get_arguments().next().is_some() {
            man.render_options_section(&mut part)?;
        }
        // A command's sections become subsections of the one page.
        let part = String::from_utf8_lossy(&part).replace(".SH ", ".SS ");
        let name = format!("{parent} {}", sub.get_name().to_uppercase());
        page.extend(format!(".SH \"{name}\"\n{part}").bytes());
        sections(page, &name, sub)?;
    }
    Ok(())
}
