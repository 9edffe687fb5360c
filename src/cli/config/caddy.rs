//! What is Caddy told? What `forward_auth` stands for, before every request to the app.
//!
//! <https://caddyserver.com/docs/caddyfile/directives/forward_auth>

use askama::Template;

use super::Format;
use super::site::{Anteroom, Site};

/// The usual form first.
pub(super) const FORMATS: &[Format] =
    &[Format { name: "caddyfile", print: |site| Caddyfile::new(site).render() }];

/// What a header's name may hold besides letters, digits and `-` (RFC 9110 section 5.6.2).
const MARKS: &str = "!#$%&'*+.^_`|~";

#[derive(Template)]
#[template(path = "Caddyfile", escape = "none", whitespace = "preserve")]
struct Caddyfile<'a> {
    site: &'a Site,
    anteroom: String,
    reserved: Vec<&'a str>,
    marks: Vec<char>,
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
            marks: MARKS.chars().collect(),
            // The whole of Anteroom's own namespace goes in one line.
            reserved: names.filter(|name| !name.starts_with("X-Anteroom-")).collect(),
        }
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
            let text = Caddyfile::new(&site).render().unwrap();
            for host in &site.hosts {
                assert!(text.contains(&format!("http://{}:80 {{", host.host)), "{text}");
            }
            for name in &site.headers {
                assert!(text.contains(&format!("request_header {name} {{rp.header.{name}}}\n")), "{text}");
            }
            for name in site.also_reserved.iter().filter(|name| !name.starts_with("X-Anteroom-")) {
                assert!(text.contains(&format!("request_header -{name}\n")), "{name}");
            }
            // For the question and for our own pages, not for the app.
            let keys =
                text.matches("header_up X-Anteroom-Gateway-Key {env.ANTEROOM_FORWARD_AUTH__KEY}").count();
            assert_eq!(keys, if key { 2 } else { 0 });
            // The callback belongs to one host.
            assert_eq!(text.matches(&site.callback_path).count(), 1);
        }
    }
}
