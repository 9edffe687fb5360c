//! What is nginx told? `auth_request` before every request to the app, or the annotations that ingresses read.
//!
//! <https://nginx.org/en/docs/http/ngx_http_auth_request_module.html>

use askama::Template;

use super::Format;
use super::site::{Anteroom, Site};

/// The usual form first.
pub(super) const FORMATS: &[Format] = &[
    Format { name: "conf", print: |site| Conf { site }.render() },
    Format { name: "ingress", print: |site| Ingress { site }.render() },
];

#[derive(Template)]
#[template(path = "nginx.conf", escape = "none", whitespace = "preserve")]
struct Conf<'a> {
    site: &'a Site,
}

#[derive(Template)]
#[template(path = "ingress.yaml", escape = "none", whitespace = "preserve")]
struct Ingress<'a> {
    site: &'a Site,
}
