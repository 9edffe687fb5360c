//! What is Envoy told? `ext_authz` over HTTP or gRPC, or the objects from which Envoy Gateway makes the same.
//!
//! <https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/ext_authz_filter>. Over HTTP a client's
//! header that Anteroom's answer does not mention would reach the app, so all of our names are removed first
//! (`early_header_mutation`), in every spelling: patterns, because names may be spelt with `_` or `.` for `-`.

use askama::Template;

use super::Format;
use super::kubernetes::Service;
use super::site::{Anteroom, Site};

/// The usual form first.
pub(super) const FORMATS: &[Format] = &[
    Format { name: "static", print: |site| bootstrap(site, false) },
    Format { name: "grpc", print: |site| bootstrap(site, true) },
    Format { name: "gateway", print: gateway },
];

/// What Anteroom's answer depends on: the session, who asks for what, and from where.
pub(super) const ASKED: &[&str] = &[
    "accept",
    "accept-language",
    "content-type",
    "cookie",
    "purpose",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-purpose",
    "service-worker",
    "upgrade",
    "user-agent",
    "x-forwarded-for",
    "x-moz",
    "x-requested-with",
];

const OURS: &str = "x[^a-z0-9]anteroom[^a-z0-9].*";
/// All but what begins like `X-Anteroom-Gateway-Key`; RE2 has no other way to say it.
const OURS_WITHOUT_KEY: &str = "x[^a-z0-9]anteroom[^a-z0-9](?:[^g].*|g[^a].*)";

const UNASKED_GRPC: &str = r#"{ envoy.filters.http.ext_authz: { "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, disabled: true } }"#;
/// Anteroom needs its own cookies, so the filter that takes them away stays off too.
const UNASKED: &str = r#"{ envoy.filters.http.ext_authz: { "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, disabled: true }, envoy.filters.http.lua: { "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.LuaPerRoute, disabled: true } }"#;

#[derive(Template)]
#[template(path = "envoy.yaml", escape = "none", whitespace = "preserve")]
struct Bootstrap<'a> {
    site: &'a Site,
    grpc: bool,
    listen: &'a str,
    anteroom: Endpoint,
    app: Endpoint,
    removed: Vec<String>,
    asked: &'static [&'static str],
    /// Switches the filters off for a route of Anteroom's own pages.
    unasked: &'static str,
    /// Adds the shared key on a route to Anteroom's own pages.
    key: &'static str,
}

#[derive(Template)]
#[template(path = "envoy-gateway.yaml", escape = "none", whitespace = "preserve")]
struct Gateway<'a> {
    site: &'a Site,
    anteroom: Service,
    app: Service,
    removed: Vec<String>,
    asked: &'static [&'static str],
}

/// Where a cluster's only endpoint is.
struct Endpoint {
    kind: &'static str,
    address: String,
}

impl Endpoint {
    fn tcp(host: &str, port: impl std::fmt::Display) -> Self {
        let host = unbracketed(host);
        let address = format!(r#"{{ socket_address: {{ address: "{host}", port_value: {port} }} }}"#);
        Self { kind: "STRICT_DNS", address }
    }

    fn of(anteroom: &Anteroom) -> Self {
        match anteroom {
            Anteroom::Tcp(address) => {
                let (host, port) = address.rsplit_once(':').unwrap_or((address, "80"));
                Self::tcp(host, port)
            }
            Anteroom::Unix(path) => {
                Self { kind: "STATIC", address: format!(r#"{{ pipe: {{ path: "{path}" }} }}"#) }
            }
        }
    }
}

fn bootstrap(site: &Site, grpc: bool) -> askama::Result<String> {
    Bootstrap {
        site,
        grpc,
        listen: unbracketed(site.listen.host.as_deref().unwrap_or("0.0.0.0")),
        anteroom: Endpoint::of(&site.anteroom),
        app: Endpoint::tcp(&site.upstream.host, site.upstream.port),
        removed: patterns(site, OURS),
        asked: ASKED,
        unasked: if grpc { UNASKED_GRPC } else { UNASKED },
        key: r#"[{ header: { key: x-anteroom-gateway-key, value: "%ENVIRONMENT(ANTEROOM_FORWARD_AUTH__KEY)%" }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }]"#,
    }
    .render()
}

fn gateway(site: &Site) -> askama::Result<String> {
    let Anteroom::Tcp(anteroom) = &site.anteroom else {
        return Err(askama::Error::custom(
            "Envoy Gateway reaches Anteroom through a Service. Name it with --anteroom, for example anteroom.default.svc:4182.",
        ));
    };
    let (anteroom, app) =
        (Service::of(anteroom, "anteroom")?, Service::of(&site.upstream.authority(), "app")?);
    // Envoy Gateway sets headers first and removes then: the key it has just set must not match.
    let ours = if site.key { OURS_WITHOUT_KEY } else { OURS };
    Gateway { site, anteroom, app, removed: patterns(site, ours), asked: ASKED }.render()
}

/// Regular expressions (RE2, of the whole name, in lower case) for what no client may send. One for each name: Envoy
/// limits their size. `ours` is what they say of `X-Anteroom-*`.
fn patterns(site: &Site, ours: &str) -> Vec<String> {
    let spelt =
        |name: &str| name.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "[^a-z0-9]");
    let other = |name: &&str| {
        let name = name.to_ascii_lowercase();
        !name.starts_with("x-anteroom-") && !name.starts_with("x-forwarded-")
    };
    let names = site.headers.iter().chain(&site.also_reserved).map(String::as_str);
    let names = names.filter(other).map(spelt);
    [ours.to_owned(), "x[^a-z0-9]forwarded[^a-z0-9].*".to_owned()].into_iter().chain(names).collect()
}

/// An IPv6 address without its brackets.
fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::super::site::tests::site;
    use super::*;

    #[test]
    fn every_reserved_name_has_a_pattern() {
        let mut site = site(false);
        site.headers.push("X-Webauth-User".into());
        let patterns = patterns(&site, OURS);
        for pattern in
            [OURS, "x[^a-z0-9]forwarded[^a-z0-9].*", "remote[^a-z0-9]user", "x[^a-z0-9]webauth[^a-z0-9]user"]
        {
            assert!(patterns.iter().any(|other| other == pattern), "{pattern}");
        }
        assert!(patterns.len() <= 64, "as many as a ClientTrafficPolicy may list: {}", patterns.len());
        let text = bootstrap(&site, false).unwrap();
        assert!(patterns.iter().all(|pattern| text.contains(&format!("regex: \"{pattern}\""))));
    }

    #[test]
    fn a_unix_socket_is_a_pipe() {
        let mut site = site(false);
        site.anteroom = Anteroom::Unix("/run/anteroom/forward-auth.sock".into());
        let text = bootstrap(&site, true).unwrap();
        assert_eq!(text.matches(r#"pipe: { path: "/run/anteroom/forward-auth.sock" }"#).count(), 2);
        assert!(gateway(&site).is_err());
    }
}
