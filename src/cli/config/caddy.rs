//! What is Caddy told? `forward_auth` before every request to the app.
//!
//! <https://caddyserver.com/docs/caddyfile/directives/forward_auth>

use askama::Template;

use super::Format;
use super::site::Site;

/// The usual form first.
pub(super) const FORMATS: &[Format] =
    &[Format { name: "caddyfile", print: |site| Caddyfile { site }.render() }];

#[derive(Template)]
#[template(path = "Caddyfile", escape = "none", whitespace = "preserve")]
struct Caddyfile<'a> {
    site: &'a Site,
}
