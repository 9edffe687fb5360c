//! What is Traefik told? `forwardAuth` before every router of the app, and a router of its own for Anteroom's pages.
//!
//! <https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/forwardauth/>; `aliasHeadersStrategy`
//! (3.7.12) answers CVE-2026-39858. Field names of the Kubernetes objects are those of Traefik's CRDs.

use askama::Template;

use super::Format;
use super::kubernetes::Service;
use super::site::{Anteroom, Site};

/// The usual form first.
pub(super) const FORMATS: &[Format] = &[
    Format { name: "file", print: file },
    Format { name: "compose", print: compose },
    Format { name: "crd", print: crd },
];

#[derive(Template)]
#[template(path = "traefik.yaml", escape = "none", whitespace = "preserve")]
struct File<'a> {
    site: &'a Site,
    anteroom: &'a str,
    listen: String,
    rules: Rules,
    /// The middlewares that also stand before Anteroom's own pages.
    chain: &'static str,
    cleaned: Vec<&'a str>,
    /// What Traefik's file provider replaces by the environment variable.
    environment: &'static str,
}

#[derive(Template)]
#[template(path = "traefik-compose.yaml", escape = "none", whitespace = "preserve")]
struct Compose<'a> {
    site: &'a Site,
    port: u16,
    rules: Rules,
    chain: &'static str,
    cleaned: Vec<&'a str>,
}

#[derive(Template)]
#[template(path = "traefik-crd.yaml", escape = "none", whitespace = "preserve")]
struct Crd<'a> {
    site: &'a Site,
    anteroom: Service,
    app: Service,
    rules: Rules,
    cleaned: Vec<&'a str>,
}

fn file(site: &Site) -> askama::Result<String> {
    let listen = site.listen.host.as_deref().unwrap_or_default();
    let listen = format!("{listen}:{}", site.listen.port);
    let (anteroom, rules, chain, cleaned) = (tcp(site)?, Rules::of(site), chain(site, ", "), cleaned(site));
    let environment = r#"{{ env "ANTEROOM_FORWARD_AUTH__KEY" }}"#;
    File { site, anteroom, listen, rules, chain, cleaned, environment }.render()
}

fn compose(site: &Site) -> askama::Result<String> {
    let port = Service::of(tcp(site)?, "anteroom")?.port;
    Compose { site, port, rules: Rules::of(site), chain: chain(site, ","), cleaned: cleaned(site) }.render()
}

fn crd(site: &Site) -> askama::Result<String> {
    let (anteroom, app) =
        (Service::of(tcp(site)?, "anteroom")?, Service::of(&site.upstream.authority(), "app")?);
    Crd { site, anteroom, app, rules: Rules::of(site), cleaned: cleaned(site) }.render()
}

/// Traefik's rules, in its own language.
struct Rules {
    /// Every request to the hosts.
    app: String,
    /// Anteroom's own pages. Not the questions: those fall to the app's router, and Anteroom refuses to be asked about
    /// itself.
    own: String,
}

impl Rules {
    fn of(site: &Site) -> Self {
        let host = |host: &str| format!("Host(`{host}`)");
        let hosts = site.hosts.iter().map(|known| host(&known.host)).collect::<Vec<_>>().join(" || ");
        let callback = site
            .central()
            .map(|central| format!(" || ({} && Path(`{}`))", host(&central.host), site.callback_path));
        let own = format!(
            "(({hosts}) && (Path(`/.well-known/anteroom`) || \
             PathPrefix(`/_anteroom/`) && !PathPrefix(`/_anteroom/verify`))){}",
            callback.unwrap_or_default()
        );
        Self { app: hosts, own }
    }
}

/// Anteroom's address; Traefik cannot speak to a Unix socket.
fn tcp(site: &Site) -> askama::Result<&str> {
    match &site.anteroom {
        Anteroom::Tcp(address) => Ok(address),
        Anteroom::Unix(_) => Err(askama::Error::custom(
            "Traefik cannot reach a Unix socket. Let [forward_auth] listen on an address, and name it with --anteroom.",
        )),
    }
}

const fn chain(site: &Site, comma: &str) -> &'static str {
    match (site.key, comma.len()) {
        (false, _) => "anteroom-clean",
        (true, 1) => "anteroom-clean,anteroom-key",
        (true, _) => "anteroom-clean, anteroom-key",
    }
}

/// What Traefik says itself of the way that a request came.
const SAID: [&str; 3] = ["X-Forwarded-Port", "X-Forwarded-Server", "X-Real-Ip"];

/// The names to empty. The pattern of `forwardAuth` covers `X-Anteroom-*`.
fn cleaned(site: &Site) -> Vec<&str> {
    let names = site.also_reserved.iter().map(String::as_str);
    names.filter(|name| !name.starts_with("X-Anteroom-") && !SAID.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::site::tests::site;
    use super::*;

    #[test]
    fn each_form_says_the_same() {
        for key in [false, true] {
            let site = site(key);
            for format in FORMATS {
                let text = (format.print)(&site).unwrap();
                for header in &site.headers {
                    assert!(text.contains(header.as_str()), "{header}");
                }
                for said in [
                    "/_anteroom/verify/forward",
                    "^X-Anteroom-",
                    "X-Forwarded-Prefix",
                    "Host(`auth.example.com`) && Path(`/api/auth/callback/atlassian`)",
                    "PathPrefix(`/_anteroom/`) && !PathPrefix(`/_anteroom/verify`)",
                ] {
                    assert!(text.contains(said), "{}: {said}", format.name);
                }
                assert_eq!(text.contains("X-Anteroom-Gateway-Key"), key, "{}", format.name);
            }
        }
    }

    #[test]
    fn a_unix_socket_is_out_of_its_reach() {
        let mut site = site(false);
        site.anteroom = Anteroom::Unix("/run/anteroom/forward-auth.sock".into());
        for format in FORMATS {
            let error = (format.print)(&site).unwrap_err().to_string();
            assert!(error.contains("--anteroom"), "{error}");
        }
    }
}
