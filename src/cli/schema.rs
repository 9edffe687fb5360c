//! `anteroom schema`: the JSON Schema of the configuration file, for editors and for checks before a deployment.

use std::io;

use super::{Exit, Terminal};
use crate::config::json_schema;

/// Prints the schema.
pub(super) fn schema(terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    writeln!(terminal.out, "{:#}", json_schema())?;
    Ok(Exit::Success)
}
