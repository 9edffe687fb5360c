//! Does the proxy carry what it must, and nothing else? Over real sockets, against an upstream that answers as scripted.

mod answers;
mod behind;
pub(crate) mod certificates;
mod drain;
mod entrance_limits;
mod entrance_peers;
mod entrance_terms;
mod entrance_tls;
mod event_stream;
mod foreign;
mod headers;
mod http10;
mod http2;
mod http2_grpc;
mod http2_limits;
mod keep_alive;
mod limits;
mod memory;
pub(crate) mod rig;
mod smuggling;
mod smuggling_http2;
mod streams;
mod strictness;
mod tls;
#[cfg(feature = "otel")]
mod traces;
mod upstream_down;
mod upstreams_choice;
mod upstreams_http2;
mod upstreams_reasons;
mod upstreams_servers;
mod way;
mod websocket;
