//! The emulator itself: its endpoints, its lifetimes, every named scenario, and clients that others wrote.

mod api;
mod authorize;
mod clients;
mod control;
mod faults;
mod lifetimes;
mod pages;
mod sample_app;
mod scenarios;
mod support;
mod token;
