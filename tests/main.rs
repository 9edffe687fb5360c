//! The one integration-test binary: one module per capability, `support` for what they share.
//!
//! One binary links once and runs its tests in parallel threads, so no test may depend on another's order, port or
//! file.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::large_futures,
    clippy::needless_pass_by_value,
    reason = "a test that meets the unexpected should stop right there"
)]

mod apps;
mod atlassian_adapter;
mod attacks;
mod browser;
mod chart;
mod config;
mod deploy;
mod emulator;
mod examples;
mod forward_auth;
mod gateways;
mod kube;
mod layering;
mod ops;
mod proxy;
mod readme;
mod reference;
mod reload;
mod sign_in;
mod store;
#[cfg(feature = "stress")]
mod stress;
mod support;
