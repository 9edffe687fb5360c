//! The emulator itself: its endpoints, its lifetimes, every named scenario, and clients that others wrote.

mod clients;
mod control;
mod endpoints;
mod lifetimes;
mod pages;
mod sample_app;
mod scenarios;
mod support;
