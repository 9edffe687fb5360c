//! How do requests arrive over HTTP/2, as requests like any other?
//!
//! | file | question |
//! |---|---|
//! | `connection` | what may a client do on one connection? |
//! | `stream` | what does pingora see of one request? |
//! | `request` | how does its header become one that everything behind reads alike? |
//! | `resets` | how many streams may a client abandon? |

pub(super) mod connection;
pub(super) mod request;
mod resets;
pub(super) mod stream;
