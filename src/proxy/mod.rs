//! How does an allowed request reach the app, and its answer the client? pingora's phases, each handed to its module.
//!
//! Guarantees: nothing is forwarded without a [`SessionPermit`](crate::auth::SessionPermit); identity headers are set
//! after everything that a client's `Connection` could remove; bodies are streamed, never held; no log line carries a
//! query, a cookie or a header. pingora is used as a library: the runtime, the listener and the drain are ours.
//!
//! | part | question |
//! |---|---|
//! | `entrance` | who may connect, and how does everybody leave? |
//! | `client`, `chunks` | where does a request on an HTTP/1.1 connection end? |
//! | `http2` | what may a client do on an HTTP/2 connection? |
//! | `app`, `phases`, `context` | what is done in each of pingora's phases, and remembered between them? |
//! | `facts`, `limits` | does everybody read this request alike, and does it ask for too much? |
//! | `way`, `onward`, `response` | what is the app told, and the client? |
//! | `upstreams` | which server is asked, over which connection? |
//! | `streams` | how does what is under way end when its session does? |
//! | `own_pages`, `probes`, `record` | our own answers, the kubelet's questions, the log line |
//! | `settings`, `service` | what does the operator choose, and what is made of it? |

mod app;
mod below;
pub mod chunks;
mod client;
mod context;
mod entrance;
mod facts;
mod http2;
mod limits;
mod onward;
mod own_pages;
mod phases;
mod probes;
mod record;
mod response;
mod service;
pub mod settings;
mod setup_error;
mod streams;
mod upstreams;
mod way;

pub use self::entrance::tls::error::TlsError;
pub use self::entrance::{Drained, Proxy, Replacer};
pub use self::probes::Prober;
pub use self::service::try_files;
pub use self::settings::Settings;
pub use self::setup_error::SetupError;
