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
    Format { name: "ingress", print: |site| Ingress::new(site, false).render() },
    Format { name: "ingress-traefik", print: |site| Ingress::new(site, true).render() },
];

#[derive(Template)]
#[template(path = "nginx.conf", escape = "none", whitespace = "preserve")]
struct Conf<'a> {
    site: &'a Site,
    anteroom: String,
    listen: String,
    headers: Vec<Header<'a>>,
    /// The names to blank.
    never: Vec<&'a str>,
    ours: &'static str,
    cookie_steps: Vec<CookieStep>,
    left: String,
}

/// A header to copy, and what nginx's variables call it.
struct Header<'a> {
    name: &'a str,
    variable: String,
}

impl<'a> Conf<'a> {
    fn new(site: &'a Site) -> Self {
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
            never: never(site),
            ours: OURS,
            cookie_steps: (1..=STEPS).map(CookieStep::new).collect(),
            left: after_step(STEPS),
        }
    }
}

/// All but the name that nginx sets itself.
fn never(site: &Site) -> Vec<&str> {
    site.also_reserved.iter().map(String::as_str).filter(|name| *name != "X-Real-Ip").collect()
}

/// The names of Anteroom's cookies, plain and prefixed twins alike, in the little that every PCRE has: subroutine calls
/// fail in an nginx that is built with the first PCRE.
const OURS: &str = "(?:__Host-|__Secure-)?anteroom(?:-loop|-flow-[^=;]*)?=";
/// How many of Anteroom's cookies can be taken away. Browsers send at most a session, a loop guard and five sign-ins
/// under way.
const STEPS: usize = 8;

/// One step of taking cookies away, from one variable into another.
struct CookieStep {
    from: String,
    to: String,
}

impl CookieStep {
    fn new(step: usize) -> Self {
        Self { from: after_step(step.saturating_sub(1)), to: after_step(step) }
    }
}

fn after_step(step: usize) -> String {
    if step == 0 { "$http_cookie".into() } else { format!("$anteroom_cookies_{step}") }
}

#[derive(Template)]
#[template(path = "ingress.yaml", escape = "none", whitespace = "preserve")]
struct Ingress<'a> {
    site: &'a Site,
    /// Traefik speaks its own dialect when it reads these annotations.
    traefik: bool,
    anteroom: Service,
    app: Service,
}

/// A Kubernetes service.
struct Service {
    name: String,
    namespace: Option<String>,
    port: String,
}

impl<'a> Ingress<'a> {
    fn new(site: &'a Site, traefik: bool) -> Self {
        let anteroom = match &site.anteroom {
            Anteroom::Tcp(address) => address.as_str(),
            // An ingress reaches no socket; the port is the usual one.
            Anteroom::Unix(_) => "anteroom:4182",
        };
        let app = site.upstream.authority();
        Self { site, traefik, anteroom: Service::of(anteroom, "anteroom"), app: Service::of(&app, "app") }
    }
}

impl Service {
    /// From `NAME.NAMESPACE.svc…:PORT`; an address of a machine stands for no service, so `name` takes its place.
    fn of(address: &str, name: &str) -> Self {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "80"));
        let mut labels = host.split('.').map(str::to_owned);
        let first = labels.next().filter(|label| label.starts_with(|c: char| c.is_ascii_lowercase()));
        match first {
            Some(label) if label != "localhost" => {
                Self { name: label, namespace: labels.next(), port: port.into() }
            }
            _ => Self { name: name.into(), namespace: None, port: port.into() },
        }
    }

    /// As another pod reaches it.
    fn address(&self) -> String {
        let namespace = self.namespace.as_deref().unwrap_or("default");
        format!("{}.{namespace}.svc.cluster.local:{}", self.name, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::super::site::tests::site;
    use super::*;

    #[test]
    fn every_form_has_all_hosts_and_headers_and_no_secret() {
        for key in [false, true] {
            let site = site(key);
            for format in FORMATS {
                let text = (format.print)(&site).unwrap();
                let wanted = site.headers.iter().chain(site.hosts.iter().map(|host| &host.host));
                for what in wanted.chain([&site.callback_path]) {
                    assert!(text.contains(what.as_str()), "{}: {what}", format.name);
                }
                assert_eq!(text.contains("shared key"), key, "{}", format.name);
            }
        }
    }

    #[test]
    fn what_a_client_may_not_send_is_blanked() {
        let (site, key) = (site(true), "include /etc/nginx/anteroom-key.conf;");
        let text = Conf::new(&site).render().unwrap();
        for name in never(&site) {
            assert!(text.contains(&format!("proxy_set_header {name} \"\";")), "{name}");
        }
        assert_eq!(text.matches(key).count(), 2, "for the question and for our own pages, not for the app");
    }

    #[test]
    fn services_of_addresses() {
        for (address, name, namespace) in [
            ("anteroom.auth.svc.cluster.local:4182", "anteroom", Some("auth")),
            ("gatekeeper:4182", "gatekeeper", None),
            ("127.0.0.1:4182", "anteroom", None),
            ("[::1]:4182", "anteroom", None),
            ("localhost:4182", "anteroom", None),
        ] {
            let service = Service::of(address, "anteroom");
            assert_eq!((service.name.as_str(), service.namespace.as_deref()), (name, namespace), "{address}");
            assert_eq!(service.port, "4182");
        }
    }
}
