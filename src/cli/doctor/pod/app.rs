//! Can anybody outside of the pod reach the app? Knocks at its ports at the pod's own addresses.
//!
//! A server that is open is a problem whatever is unclear about the others.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use super::super::finding::Finding;
use super::UNKNOWN_ADDRESS;
use super::wire::{is_own, reached};
use crate::config::{Config, Server};

const NAME: &str = "The app listens on loopback and nowhere else";

/// What the servers of the upstreams come to, together.
#[derive(Default)]
struct Seen {
    open: Vec<String>,
    unclear: Vec<String>,
    closed: Vec<String>,
}

/// Looks at all servers of all upstreams.
pub(super) fn open(config: &Config, addresses: &[IpAddr]) -> Finding {
    let upstreams = config.proxy.iter().flat_map(|proxy| &proxy.upstreams);
    let servers: Vec<&Server> = upstreams.flat_map(|upstream| &upstream.servers).collect();
    if servers.is_empty() {
        return Finding::not_checked("app", NAME, "There is no reverse proxy: proxy.upstream is not set.");
    }
    let mut seen = Seen::default();
    for server in servers {
        match server {
            Server::Unix(path) => seen.closed.push(format!("{} is no port", path.display())),
            Server::Tcp { host, port } => seen.server(host, *port, addresses),
        }
    }
    seen.finding()
}

impl Seen {
    fn server(&mut self, host: &str, port: u16, addresses: &[IpAddr]) {
        let found = (host.trim_matches(['[', ']']), port).to_socket_addrs().map(Vec::from_iter);
        let found = match found {
            Ok(found) if !found.is_empty() => found,
            _ => return self.unclear.push(format!("{host} could not be looked up.")),
        };
        if let Some(own) = found.iter().find(|at| addresses.contains(&at.ip())) {
            return self.open.push(own.to_string());
        }
        if found.iter().any(|at| !at.ip().is_loopback()) {
            return self.unclear.push(format!(
                "{host}:{port} is not on loopback, so the app is not in this pod: a NetworkPolicy has to keep others away from it."
            ));
        }
        if addresses.is_empty() {
            return self.unclear.push(UNKNOWN_ADDRESS.into());
        }
        let before = self.open.len() + self.unclear.len();
        for ip in addresses {
            self.knock(SocketAddr::new(*ip, port));
        }
        if before == self.open.len() + self.unclear.len() {
            match found.iter().any(|at| matches!(reached(*at), Ok(true))) {
                true => self.closed.push(format!("port {port} answers on loopback alone")),
                false => {
                    self.unclear
                        .push(format!("Nobody listens at {host}:{port} yet. Ask again when the app is up."));
                }
            }
        }
    }

    /// Knocks from outside, so to speak.
    fn knock(&mut self, at: SocketAddr) {
        if !is_own(at.ip()) {
            return self.unclear.push(format!("{} is no address of this pod.", at.ip()));
        }
        match reached(at) {
            Ok(true) => self.open.push(at.to_string()),
            Ok(false) => {}
            Err(error) => {
                self.unclear.push(format!("Whether somebody listens at {at} is not clear: {error}."))
            }
        }
    }

    fn finding(self) -> Finding {
        if !self.open.is_empty() {
            let meaning = format!(
                "The app answers at {}: every pod that reaches this one gets around Anteroom and can say who it is. Let the app \
                 listen on 127.0.0.1 alone, by its own setting.",
                self.open.join(", ")
            );
            return Finding::problem("app", NAME, meaning, &[]);
        }
        if !self.unclear.is_empty() {
            return Finding::not_checked("app", NAME, self.unclear.join(" "));
        }
        Finding::ok("app", NAME, format!("Nobody outside of the pod gets to it: {}.", self.closed.join(", ")))
    }
}
