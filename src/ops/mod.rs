//! What is running, and how is it? Health, metrics and logs.

pub mod access_log;
