//! What does a gateway hear? Anteroom's forward-auth listener asked over a bare socket: every dialect, every answer, and
//! the inputs that made others say yes.

mod attacks;
mod both;
mod check;
mod dialects;
mod doctor;
mod grpc;
mod oauth2_proxy;
mod peers;
mod rig;
mod sockets;
