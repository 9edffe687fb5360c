//! What the tests share: a raw HTTP client, a programmable upstream, a real browser and real apps written by others.
//!
//! | module | gives |
//! |---|---|
//! | [`http1`] | HTTP/1.1 messages read byte for byte, as the two below need them |
//! | [`raw`] | a client that sends exactly the bytes it is given |
//! | [`http2`] | HTTP/2 clients: one that keeps the rules, one that writes any frame |
//! | [`upstream`] | an app that answers with scripted bytes and remembers what it was sent |
//! | [`process`] | child processes that cannot outlive their test |
//! | [`browser`], [`axe`] | Chromium through WebDriver, and the accessibility check in it |
//! | [`site`], [`person`] | a whole Anteroom with its Atlassian, and somebody who uses it |
//! | [`log`] | what the log says of one test |
//! | [`secrets`] | whether anything secret reaches any output |
//! | [`gateway`] | real gateways with the configuration that `anteroom config` prints |
//! | [`example`] | an example of `examples/`, run by its one command |
//! | [`venv`], [`radicale`], [`websocket_app`] | apps from PyPI |
//!
//! Each module tests itself at its end: a harness that lies would make every other test worthless.

#![allow(dead_code, reason = "a toolbox: not every tool is in every test's hand")]

pub(crate) mod axe;
pub(crate) mod browser;
pub(crate) mod example;
pub(crate) mod gateway;
pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod log;
pub(crate) mod person;
pub(crate) mod process;
pub(crate) mod radicale;
pub(crate) mod raw;
pub(crate) mod secrets;
pub(crate) mod site;
pub(crate) mod upstream;
pub(crate) mod venv;
pub(crate) mod websocket_app;

use std::path::PathBuf;
use std::time::Duration;

/// How long a condition may take to come true before the test fails. Generous: a busy two-core machine runs
/// Chromium beside the compiler. Waiting ends the moment the condition holds, so a long deadline costs nothing.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A path inside the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A path inside `target/`, where everything that tests download or build belongs.
pub(crate) fn target(path: &str) -> PathBuf {
    // Cargo gives integration tests `<target directory>/tmp`.
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent().expect("has a parent").join(path)
}
