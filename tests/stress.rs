//! Does it stand up to tools, floods and faults that others measure with, and to volume? `make test-peers`: an optimised
//! build, the real program in a process of its own, and minutes of load; everything on loopback and bounded.
//!
//! | module | question |
//! |---|---|
//! | [`h2spec`] | is the HTTP/2 of both listeners what RFC 9113 and RFC 7541 say? |
//! | [`scan`] | what does a TLS scanner find? |
//! | [`slow`] | do slow clients hold anybody up? |
//! | [`floods`] | do HTTP/2 floods? |
//! | [`faults`] | does every answer reach its own client while the upstream fails in every way? |
//! | [`volume`] | what does an open WebSocket, a resting connection, a gigabyte cost in memory? |

mod anteroom;
mod faults;
mod floods;
mod h2spec;
mod scan;
mod slow;
mod tools;
mod volume;
