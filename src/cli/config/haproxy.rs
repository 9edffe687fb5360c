//! What is HAProxy told? A small Lua action of ours asks Anteroom; the configuration acts on its answer.
//!
//! HAProxy has no directive of its own for this, and no download is needed: `core.httpclient` is in every build with Lua
//! from 2.5 on (<https://www.arpalert.org/src/haproxy-lua-api/2.6/index.html>).

use askama::Template;

use super::Format;
use super::site::Site;

/// The usual form first.
pub(super) const FORMATS: &[Format] = &[
    Format { name: "cfg", print: |site| Cfg { site }.render() },
    Format { name: "lua", print: |site| Lua { site }.render() },
];

#[derive(Template)]
#[template(path = "haproxy.cfg", escape = "none", whitespace = "preserve")]
struct Cfg<'a> {
    site: &'a Site,
}

#[derive(Template)]
#[template(path = "haproxy.lua", escape = "none", whitespace = "preserve")]
struct Lua<'a> {
    site: &'a Site,
}
