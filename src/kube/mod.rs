//! What does Anteroom look like beside an app in a pod, and how does it get into a pod that others have written?
//!
//! | file | question |
//! |---|---|
//! | `yaml` | what does a stream of YAML say, and how is it written so that it still says so? |
//! | [`sidecar`] | the container and its volumes |
//! | [`mod@inject`] | how does it get into a Deployment, a StatefulSet, a DaemonSet or a Pod? |
//!
//! Pure: text in, text out. No cluster is asked. What cannot be done safely is refused, with what to do instead.

pub mod inject;
mod refusal;
pub mod sidecar;
mod yaml;

pub use inject::{Injected, Wishes, inject};
pub use refusal::Refusal;
pub use sidecar::Sidecar;
