//! What is tried through the gateway, and what does each outcome mean?
//!
//! | file | question |
//! |---|---|
//! | `own_paths` | do Anteroom's own pages reach Anteroom, unasked? |
//! | `refusal` | what does a browser, what does a script get without a session? |
//! | `app` | is the app's place ours, and is the session alive? |
//! | `forged_headers` | does a client's own word about who it is reach the app? |
//! | `forged_addresses` | is Anteroom told an address that the client made up? |
//! | `paths` | do gateway and Anteroom read a path alike? |
//! | `leaks` | what of Anteroom's reaches the app, and which gateway is it? |

mod app;
mod forged_addresses;
mod forged_headers;
mod leaks;
mod own_paths;
mod paths;
mod refusal;

use super::Exam;
use super::wire::Unreachable;
use crate::cli::doctor::finding::Finding;

/// Everything, in the order in which it is explained best.
pub(super) fn all(exam: &mut Exam<'_>) -> Result<Vec<Finding>, Unreachable> {
    let mut findings = own_paths::check(exam)?;
    findings.extend(refusal::check(exam)?);
    findings.extend(forged_addresses::check(exam)?);
    findings.extend(paths::check(exam)?);
    let (ways, found) = app::check(exam)?;
    findings.extend(found);
    findings.extend(forged_headers::check(exam, &ways)?);
    findings.extend(leaks::check(exam, &ways)?);
    Ok(findings)
}
