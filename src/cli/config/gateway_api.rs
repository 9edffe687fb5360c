//! What is any implementation of the Gateway API told? The `ExternalAuth` filter of an `HTTPRoute`, where it is offered.
//!
//! The filter is in the experimental channel only (<https://gateway-api.sigs.k8s.io/geps/gep-1494/>), and says nothing of
//! a secret between gateway and service.

use askama::Template;

use super::Format;
use super::envoy::ASKED;
use super::kubernetes::Service;
use super::site::{Anteroom, Site};

/// The only form.
pub(super) const FORMATS: &[Format] = &[Format { name: "httproute", print: route }];

#[derive(Template)]
#[template(path = "gateway-api.yaml", escape = "none", whitespace = "preserve")]
struct Route<'a> {
    site: &'a Site,
    anteroom: Service,
    app: Service,
    asked: &'static [&'static str],
}

fn route(site: &Site) -> askama::Result<String> {
    let Anteroom::Tcp(anteroom) = &site.anteroom else {
        return Err(askama::Error::custom(
            "The Gateway API reaches Anteroom through a Service. Name it with --anteroom, for example anteroom.default.svc:4182.",
        ));
    };
    if site.key {
        return Err(askama::Error::custom(
            "The ExternalAuth filter of the Gateway API cannot send forward_auth.key. Leave the key out and let a \
             NetworkPolicy admit only the gateway's pods to Anteroom, or use Envoy Gateway: anteroom config envoy \
             --format gateway.",
        ));
    }
    let (anteroom, app) =
        (Service::of(anteroom, "anteroom")?, Service::of(&site.upstream.authority(), "app")?);
    Route { site, anteroom, app, asked: ASKED }.render()
}

#[cfg(test)]
mod tests {
    use super::super::site::tests::site;
    use super::*;

    #[test]
    fn the_lists_are_full_and_a_key_is_refused() {
        let plain = site(false);
        let text = route(&plain).unwrap();
        for name in plain.headers.iter().map(String::as_str).chain(ASKED.iter().copied()) {
            assert!(text.contains(&format!("- {name}\n")), "{name}");
        }
        assert!(route(&site(true)).unwrap_err().to_string().contains("NetworkPolicy"));
    }
}
