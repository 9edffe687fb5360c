//! How does what is under way end when its session does?

pub(in crate::proxy) mod watch;
