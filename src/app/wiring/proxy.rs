//! How does `[proxy]` become the settings of the reverse proxy? Field by field, values only.

use crate::config;
use crate::proxy::settings::{
    Balance, CertificateFiles, ClientCertificates, Ejection, Entrance, HealthCheck, Limits, Protocol, Server,
    Settings, Timeouts, Tls, Upstream, UpstreamTimeouts, UpstreamTls, WebSocketOrigins,
};

/// `secure`: whether browsers come over https.
pub(in crate::app) fn proxy(config: &config::Proxy, secure: bool) -> Settings {
    let config::Timeouts { header_read, read, body_read, write, keep_alive, http2_age } = config.timeouts;
    Settings {
        entrance: Entrance {
            proxy_protocol: config.proxy_protocol.clone(),
            tls: config.tls.as_ref().map(tls),
            http2: config.http2,
        },
        probes: config.probes.iter().flat_map(|probes| &probes.paths).cloned().collect(),
        upstreams: config.upstreams.iter().map(upstream).collect(),
        public_scheme_https: secure,
        trusted: config.trusted.clone(),
        client_header: config.client_header,
        forwarded: config.forwarded,
        websocket_origins: match &config.websocket_origins {
            config::WebSocketOrigins::Own => WebSocketOrigins::Own,
            config::WebSocketOrigins::OwnAnd(origins) => WebSocketOrigins::OwnAnd(origins.clone()),
            config::WebSocketOrigins::Any => WebSocketOrigins::Any,
        },
        timeouts: Timeouts { header_read, read, body_read, write, keep_alive, http2_age },
        limits: limits(config.limits),
    }
}

fn limits(limits: config::Limits) -> Limits {
    Limits {
        header_bytes: limits.header_bytes,
        header_count: limits.header_count,
        target_bytes: limits.target_bytes,
        body_bytes: limits.body_bytes,
        body_rate: limits.body_rate,
        connections: limits.connections,
        connections_per_client: limits.connections_per_client,
        keep_alive_requests: limits.keep_alive_requests,
        http2_streams: limits.http2_streams,
        http2_resets: limits.http2_resets,
    }
}

fn tls(tls: &config::Tls) -> Tls {
    Tls {
        certificates: tls.certificates.iter().map(certificate).collect(),
        only_tls13: tls.only_tls13,
        clients: tls.clients.as_ref().map(|clients| ClientCertificates {
            ca_file: clients.ca_file.clone(),
            required: clients.required,
        }),
    }
}

fn certificate(files: &config::CertificateFiles) -> CertificateFiles {
    CertificateFiles { chain: files.chain.clone(), key: files.key.clone() }
}

fn upstream(wanted: &config::Upstream) -> Upstream {
    let config::UpstreamTimeouts { connect, read, write, idle } = wanted.timeouts;
    Upstream {
        name: wanted.name.clone(),
        hosts: wanted.hosts.clone(),
        path: wanted.path.clone(),
        rewrite: wanted.rewrite.clone(),
        servers: wanted.servers.iter().map(server).collect(),
        tls: wanted.tls.as_ref().map(|tls| UpstreamTls {
            server_name: tls.server_name.clone(),
            ca_file: tls.ca_file.clone(),
            certificate: tls.certificate.as_ref().map(certificate),
        }),
        protocol: match wanted.protocol {
            config::Protocol::Http1 => Protocol::Http1,
            config::Protocol::Http2 => Protocol::Http2,
            config::Protocol::Auto => Protocol::Negotiated,
        },
        balance: match wanted.balance {
            config::Balance::RoundRobin => Balance::RoundRobin,
            config::Balance::LeastRequests => Balance::LeastRequests,
            config::Balance::Account => Balance::Account,
        },
        health: wanted.health.as_ref().map(|health| HealthCheck {
            path: health.path.clone(),
            interval: health.interval,
            timeout: health.timeout,
            healthy_after: health.healthy_after,
            unhealthy_after: health.unhealthy_after,
        }),
        ejection: Ejection { failures: wanted.ejection.failures, duration: wanted.ejection.duration },
        pass_host: wanted.pass_host,
        headers: wanted.headers.clone(),
        timeouts: UpstreamTimeouts { connect, read, write, idle },
        keep_alive_pool: wanted.keep_alive_pool,
    }
}

fn server(server: &config::Server) -> Server {
    match server {
        config::Server::Tcp { host, port } => Server::Tcp { host: host.clone(), port: *port },
        config::Server::Unix(path) => Server::Unix(path.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment, LoadOptions};

    /// Nobody says anything: both sides have the same in mind.
    #[test]
    fn the_defaults_of_the_configuration_are_those_of_the_proxy() {
        let environment = Environment::from_iter([
            ("ANTEROOM_PUBLIC_URL", "https://app.example.com"),
            ("ANTEROOM_ATLASSIAN__CLIENT_ID", "0123456789abcdefghijABCDEFGHIJ01"),
            ("ANTEROOM_ATLASSIAN__CLIENT_SECRET", "ATOA-x"),
            ("ANTEROOM_PROXY__UPSTREAM", "http://app:8080"),
            ("ANTEROOM_ACCESS__EMAIL_DOMAINS", "example.com"),
            ("ANTEROOM_SESSION__SECRET", "a-session-secret-0123456789-abcdefghijk"),
        ]);
        let folder = tempfile::tempdir().unwrap();
        let options = LoadOptions { environment, folder: folder.path().into(), ..LoadOptions::default() };
        let (config, _) = Config::load(&options).unwrap();
        let made = proxy(&config.proxy.unwrap(), true);
        let server = Server::Tcp { host: "app".into(), port: 8080 };
        let upstream = Upstream { servers: vec![server], ..Upstream::default() };
        let mut own = Settings::to(upstream, true);
        // Tests and the demo speak HTTP/1.1 unless they say otherwise; operators get both.
        own.entrance.http2 = true;
        assert_eq!(format!("{made:#?}"), format!("{own:#?}"));
    }
}
