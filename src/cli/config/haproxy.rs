//! What is HAProxy told? A small Lua action of ours asks Anteroom; the configuration acts on its answer.
//!
//! HAProxy has no directive of its own for this, and no download is needed: `core.httpclient` is in every build with Lua
//! from 2.5 on (<https://www.arpalert.org/src/haproxy-lua-api/2.6/index.html>).

use askama::Template;

use super::Format;
use super::site::{Anteroom, Site};

/// The usual form first.
pub(super) const FORMATS: &[Format] = &[
    Format { name: "cfg", print: |site| Cfg::new(site).render() },
    Format { name: "lua", print: |site| Lua::new(site).render() },
];

#[derive(Template)]
#[template(path = "haproxy.cfg", escape = "none", whitespace = "preserve")]
struct Cfg<'a> {
    site: &'a Site,
    bind: String,
    server: String,
}

impl<'a> Cfg<'a> {
    fn new(site: &'a Site) -> Self {
        let host = site.listen.host.as_deref().unwrap_or_default();
        Self {
            site,
            bind: format!("{host}:{}", site.listen.port),
            server: match &site.anteroom {
                Anteroom::Tcp(address) => address.clone(),
                Anteroom::Unix(path) => format!("unix@{path}"),
            },
        }
    }
}

#[derive(Template)]
#[template(path = "haproxy.lua", escape = "none", whitespace = "preserve")]
struct Lua<'a> {
    site: &'a Site,
    url: &'a str,
    socket: Option<&'a str>,
    headers: &'a [String],
    reserved: Vec<&'a str>,
}

impl<'a> Lua<'a> {
    fn new(site: &'a Site) -> Self {
        let (url, socket) = match &site.anteroom {
            Anteroom::Tcp(address) => (address.as_str(), None),
            // The address is then only a name; HAProxy wants one that it need not look up.
            Anteroom::Unix(path) => ("127.0.0.1", Some(path.as_str())),
        };
        let names = site.also_reserved.iter().map(String::as_str);
        // The whole of Anteroom's own namespace is never a client's.
        let reserved = names.filter(|name| !name.starts_with("X-Anteroom-")).collect();
        Self { site, url, socket, headers: &site.headers, reserved }
    }
}
