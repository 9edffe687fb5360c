//! What is nginx told? `auth_request` before every request to the app, or the annotations that ingresses read.
//!
//! <https://nginx.org/en/docs/http/ngx_http_auth_request_module.html>,
//! <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/>

use askama::Template;

use super::Format;
use super::site::{Anteroom, Site};

/// The usual form first.
pub(super) const FORMATS: &[Format] = &[
    Format { name: "conf", print: |site| Conf::new(site).render() },
    Format { name: "ingress", print: |site| Ingress { site }.render() },
];

#[derive(Template)]
#[template(path = "nginx.conf", escape = "none", whitespace = "preserve")]
struct Conf<'a> {
    site: &'a Site,
    anteroom: String,
    listen: String,
    headers: Vec<Header<'a>>,
    cookies: String,
    kept: String,
}

/// A header to copy, and what nginx's variables call it.
struct Header<'a> {
    name: &'a str,
    variable: String,
}

impl<'a> Conf<'a> {
    fn new(site: &'a Site) -> Self {
        let (cookies, kept) = other_cookies();
        let variable = |name: &str| name.to_ascii_lowercase().replace('-', "_");
        let header = |name: &'a String| Header { name, variable: variable(name) };
        Self {
            site,
            anteroom: match &site.anteroom {
                Anteroom::Tcp(address) => address.clone(),
                Anteroom::Unix(path) => format!("unix:{path}"),
            },
            listen: match &site.listen.host {
                Some(host) => format!("{host}:{}", site.listen.port),
                None => site.listen.port.to_string(),
            },
            headers: site.headers.iter().map(header).collect(),
            cookies,
            kept,
        }
    }
}

/// How many groups of Anteroom's cookies may stand between those of the app. Browsers send at most a session, a loop
/// guard and five sign-ins under way.
const GROUPS: usize = 8;

/// The expression that takes a `Cookie` line apart, and its captures that are the app's.
///
/// Runs of the app's cookies and runs of Anteroom's (plain and prefixed twins alike) take turns; possessive, so that no
/// line takes long.
fn other_cookies() -> (String, String) {
    let ours = r"(?:__Host-|__Secure-)?anteroom(?:-loop|-flow-[^=;]*)?=[^;]*+(?:;\s*+|$)";
    let other = r"(?!(?&anteroom_ours))(?:[^;]*+;\s*+|[^;]++$)";
    let names: Vec<String> = (0..=GROUPS).map(|index| format!("anteroom_c{index}")).collect();
    let runs: Vec<String> = names.iter().map(|name| format!("(?<{name}>(?&anteroom_other)*+)")).collect();
    let pattern = format!(
        "(?(DEFINE)(?<anteroom_ours>{ours})(?<anteroom_other>{other}))^{}$",
        runs.join("(?&anteroom_ours)*+")
    );
    (pattern, names.iter().map(|name| format!("${name}")).collect())
}

#[derive(Template)]
#[template(path = "ingress.yaml", escape = "none", whitespace = "preserve")]
struct Ingress<'a> {
    site: &'a Site,
}
