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

#[cfg(test)]
mod tests {
    use super::super::site::tests::site;
    use super::*;

    #[test]
    fn all_hosts_and_headers_and_no_secret() {
        for key in [false, true] {
            let site = site(key);
            let (cfg, lua) = (Cfg::new(&site).render().unwrap(), Lua::new(&site).render().unwrap());
            for host in &site.hosts {
                let acl = format!("acl anteroom_host var(txn.anteroom_host) -m str {}\n", host.host);
                assert!(cfg.contains(&acl), "{cfg}");
                let entry = format!("[\"{}\"] = {{ \"https\", \"{}\" }},", host.host, host.authority);
                assert!(lua.contains(&entry), "{lua}");
            }
            for name in site.headers.iter().chain(&site.also_reserved) {
                let listed = lua.contains(&format!("    \"{name}\",\n"));
                assert!(listed || name.starts_with("X-Anteroom-"), "{name}");
            }
            // For our own pages here, for the question there.
            assert_eq!(cfg.contains("X-Anteroom-Gateway-Key \"${ANTEROOM_FORWARD_AUTH__KEY}\""), key);
            assert_eq!(lua.contains("x-anteroom-gateway-key"), key);
        }
    }

    #[test]
    fn a_socket_is_a_destination_and_not_a_name() {
        let mut site = site(false);
        site.anteroom = Anteroom::Unix("/run/anteroom/forward-auth.sock".into());
        let (cfg, lua) = (Cfg::new(&site).render().unwrap(), Lua::new(&site).render().unwrap());
        assert!(cfg.ends_with("server anteroom unix@/run/anteroom/forward-auth.sock"), "{cfg}");
        assert!(lua.contains("local DESTINATION = \"unix@/run/anteroom/forward-auth.sock\"\n"), "{lua}");
        assert!(lua.contains("http://127.0.0.1/_anteroom/verify/forward"), "{lua}");
    }
}
