//! How does an operator see and steer the process? Health, metrics, logs and the way out.
//!
//! | file | question |
//! |---|---|
//! | [`access_log`] | which requests were answered, and how? |
//! | [`audit_log`] | who was let in, turned away or signed out? |
//! | [`clients`] | does one client take everybody's connections? |
//! | [`logging`] | what is the process itself doing? |
//! | [`mod@line`] | how does a value become part of a line that nobody can forge? |
//! | [`line_writer`] | how do lines leave without holding up a request? |
//! | [`probes`] | how does a probe reach an app that listens on loopback? |
//! | `quota` | do libraries say too much? |
//! | [`readiness`] | does the process take traffic? |
//! | [`remarks`] | has the log said this already? |
//! | [`request_id`] | what is a request called? |
//! | `small_server` | how does a listener for a few short answers hold nobody up? |
//! | [`server`] | `/livez`, `/readyz`, `/metrics` |
//! | [`listen`] | where are we reached? |
//! | [`mod@tracing`] | where do spans go? |
//! | [`drain`] | from the first signal to the end |
//!
//! Nothing in here knows about Atlassian: an outage there must not take this process out of rotation.

pub mod access_log;
pub mod audit_log;
pub mod clients;
pub mod drain;
pub mod line;
pub mod line_writer;
pub mod listen;
pub mod logging;
pub mod probes;
mod quota;
pub mod readiness;
pub mod remarks;
pub mod request_id;
pub mod server;
mod small_server;
pub mod tracing;

pub use self::tracing::{Traces, TracingError, TracingSettings};
pub use access_log::{AccessEntry, AccessLog};
pub use audit_log::AuditLog;
pub use clients::Clients;
pub use line_writer::{LineWriter, Lines};
pub use logging::LogFormat;
pub use probes::ProbesServer;
pub use readiness::Readiness;
pub use remarks::Remarks;
pub use request_id::{RequestId, RequestIds};
pub use server::OpsServer;
