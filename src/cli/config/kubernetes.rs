//! Which Kubernetes Service is this address? For the objects that name Services instead of addresses.

use std::net::IpAddr;

/// A Service, as an object of the same cluster names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    /// Its name.
    pub(super) name: String,
    /// Its namespace; `default` where the address does not say.
    pub(super) namespace: String,
    /// Its port.
    pub(super) port: u16,
}

impl Service {
    /// From `NAME.NAMESPACE.svc:PORT` or `NAME:PORT`. An IP address or `localhost` means nothing inside a cluster, so it
    /// stands for a Service called `otherwise`.
    pub(super) fn of(authority: &str, otherwise: &str) -> askama::Result<Self> {
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
        let port = port.parse().map_err(|_| askama::Error::custom(format!("{authority} has no port")))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let nowhere = bare.parse::<IpAddr>().is_ok() || bare == "localhost";
        let host = if nowhere { otherwise } else { bare };
        let mut labels = host.split('.');
        let mut label = |absent: &str| labels.next().unwrap_or(absent).to_owned();
        Ok(Self { name: label(otherwise), namespace: label("default"), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_services() {
        for (authority, name, namespace, port) in [
            ("anteroom.auth.svc.cluster.local:4182", "anteroom", "auth", 4182),
            ("wiki:80", "wiki", "default", 80),
            ("127.0.0.1:4182", "otherwise", "default", 4182),
            ("[::1]:4182", "otherwise", "default", 4182),
            ("localhost:1", "otherwise", "default", 1),
        ] {
            let expected = Service { name: name.into(), namespace: namespace.into(), port };
            assert_eq!(Service::of(authority, "otherwise").unwrap(), expected);
        }
        assert!(Service::of("wiki", "otherwise").is_err());
    }
}
