//! Does the proxy carry what it must, and nothing else? Over real sockets, against an upstream that answers as scripted.

mod answers;
mod drain;
mod event_stream;
mod headers;
mod keep_alive;
mod limits;
mod memory;
pub(crate) mod rig;
mod strictness;
mod tls;
#[cfg(feature = "otel")]
mod traces;
mod upstream_down;
mod way;
mod websocket;
