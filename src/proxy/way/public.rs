//! How do people reach this site? The scheme, host and port of the configured address, as the upstream hears of them,
//! whatever a request says itself.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::gate::Origin;

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The public side of one app.
#[derive(Debug)]
pub(in crate::proxy) struct Public {
    host: HeaderValue,
    port: HeaderValue,
    proto: HeaderValue,
    /// The same in the terms of RFC 7239.
    pairs: String,
}

impl Public {
    /// That of an address; `https`: what people reach it by.
    pub(in crate::proxy) fn new(origin: &Origin, https: bool) -> Self {
        let (host, scheme) = (origin.authority(), if https { "https" } else { "http" });
        let digits = |port: &&str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let port = host.rsplit_once(':').map(|(_, port)| port).filter(digits);
        let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
        Self {
            host: value(host),
            port: value(port.unwrap_or(if https { "443" } else { "80" })),
            proto: HeaderValue::from_static(scheme),
            pairs: format!(";host=\"{host}\";proto={scheme}"),
        }
    }

    /// Says it in `X-Forwarded-*`.
    pub(super) fn say(&self, headers: &mut HeaderMap) {
        headers.insert(X_FORWARDED_PROTO, self.proto.clone());
        headers.insert(X_FORWARDED_PORT, self.port.clone());
        headers.insert(X_FORWARDED_HOST, self.host.clone());
    }

    /// `Forwarded` (RFC 7239 §4) for a way, client first. Scheme and host are those that the first hop was asked by.
    pub(super) fn forwarded(&self, addresses: &[IpAddr]) -> HeaderValue {
        let node = |address: &IpAddr| match address {
            IpAddr::V4(address) => format!("for={address}"),
            // Brackets and colons stand in quotes only (RFC 7239 §6).
            IpAddr::V6(address) => format!("for=\"[{address}]\""),
        };
        let (client, hops) = match addresses.split_first() {
            Some((client, hops)) => (node(client), hops),
            None => ("for=unknown".to_owned(), addresses),
        };
        let elements = std::iter::once(client + self.pairs.as_str()).chain(hops.iter().map(node));
        let list = elements.collect::<Vec<_>>().join(", ");
        HeaderValue::try_from(list).unwrap_or(HeaderValue::from_static("for=unknown"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn said_as_configured() {
        for (origin, https, want) in [
            ("https://app.example", true, ["https", "443", "app.example"]),
            ("https://app.example:8443", true, ["https", "8443", "app.example:8443"]),
            ("http://[::1]:8080", false, ["http", "8080", "[::1]:8080"]),
            ("http://localhost", false, ["http", "80", "localhost"]),
        ] {
            let mut headers = HeaderMap::new();
            Public::new(&Origin::parse(origin).unwrap(), https).say(&mut headers);
            let said = ["x-forwarded-proto", "x-forwarded-port", "x-forwarded-host"]
                .map(|name| headers.get(name).unwrap().to_str().unwrap());
            assert_eq!(said, want, "{origin}");
        }
    }
}
