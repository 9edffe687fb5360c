//! What is Caddy told? `forward_auth` before every request to the app.
//!
//! <https://caddyserver.com/docs/caddyfile/directives/forward_auth>

use askama::Template;

use super::Format;
use super::site::{Anteroom, Site};

/// The usual form first.
pub(super) const FORMATS: &[Format] =
    &[Format { name: "caddyfile", print: |site| Caddyfile::new(site).render() }];

#[derive(Template)]
#[template(path = "Caddyfile", escape = "none", whitespace = "preserve")]
struct Caddyfile<'a> {
    site: &'a Site,
    anteroom: String,
    reserved: Vec<&'a str>,
}

impl<'a> Caddyfile<'a> {
    fn new(site: &'a Site) -> Self {
        let names = site.headers.iter().chain(&site.also_reserved).map(String::as_str);
        Self {
            site,
            anteroom: match &site.anteroom {
                Anteroom::Tcp(address) => address.clone(),
                Anteroom::Unix(path) => format!("unix/{path}"),
            },
            // The whole of Anteroom's own namespace goes in one line.
            reserved: names.filter(|name| !name.starts_with("X-Anteroom-")).collect(),
        }
    }
}
