//! Who else listens in this pod where others reach it? Linux tells every process about the sockets of its network namespace,
//! which all containers of a pod share: `/proc/net/tcp` and `tcp6` (proc_net_tcp(5)).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::super::finding::Finding;
use crate::config::{Config, Server};

const NAME: &str = "Nothing else in the pod is reached from outside";
/// The state of a socket that listens, as the kernel writes it.
const LISTENING: &str = "0A";

/// Names what is open besides Anteroom and the app, which may have more ports than one; nothing where nobody can tell.
pub(super) fn others(config: &Config) -> Option<Finding> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| std::fs::read_to_string(path).ok());
    let all = tables.iter().flatten().flat_map(|table| listening(table));
    let known = known(config);
    let open: BTreeSet<u16> = all
        .filter(|at| !at.ip().to_canonical().is_loopback())
        .map(|at| at.port())
        .filter(|port| !known.contains(port))
        .collect();
    tables.iter().any(Option::is_some).then(|| match open.len() {
        0 => Finding::ok("others", NAME, "Anteroom's ports are the only ones."),
        _ => {
            let open = open.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
            let meaning = format!(
                "Others reach these ports of the pod, too: {open}. If the app, or something that leads to it, listens there, requests \
                 get around Anteroom."
            );
            Finding::note("others", NAME, meaning)
        }
    })
}

/// Anteroom's ports, and the app's, which are looked at by themselves.
fn known(config: &Config) -> BTreeSet<u16> {
    let proxy = config.proxy.as_ref();
    let apps = proxy.into_iter().flat_map(|proxy| &proxy.upstreams).flat_map(|upstream| &upstream.servers);
    let apps = apps.filter_map(|server| match server {
        Server::Tcp { port, .. } => Some(*port),
        Server::Unix(_) => None,
    });
    let own = [
        proxy.and_then(|proxy| proxy.listen.tcp()),
        proxy.and_then(|proxy| proxy.probes.as_ref()).map(|probes| probes.listen),
        config.forward_auth.as_ref().and_then(|forward_auth| forward_auth.listen.tcp()),
        config.ops.listen,
    ];
    own.into_iter().flatten().map(|at| at.port()).chain(apps).collect()
}

fn listening(table: &str) -> impl Iterator<Item = SocketAddr> {
    table.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (local, state) = (words.next()?, words.nth(1)?);
        let (address, port) = local.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        (state == LISTENING).then_some(SocketAddr::new(ip(address)?, port))
    })
}

/// Words of 32 bits, each written as this machine reads the bytes that travel.
fn ip(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let word = hex.get(at..at.checked_add(8)?)?;
        u32::from_str_radix(word, 16).ok().map(u32::to_ne_bytes)
    };
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut octets = [0; 16];
            for (to, from) in octets.chunks_exact_mut(4).zip([0, 8, 16, 24]) {
                to.copy_from_slice(&word(from)?);
            }
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables() {
        let native = |octets: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(octets));
        let mapped = format!(
            "{}{}{}{}",
            native([0; 4]),
            native([0; 4]),
            native([0, 0, 255, 255]),
            native([127, 0, 0, 1])
        );
        let table = format!(
            "  sl  local_address rem_address   st tx_queue rx_queue\n   0: {}:1F90 00000000:0000 0A 00000000:00000000\n   1: {}:1054 \
             00000000:0000 01 00000000:00000000\n   2: {}:0050 {}:0000 0A 0:0\n   3: {mapped}:0051 {}:0000 0A 0:0\nnonsense\n",
            native([127, 0, 0, 1]),
            native([0; 4]),
            "0".repeat(32),
            "0".repeat(32),
            "0".repeat(32),
        );
        let all: Vec<String> = listening(&table).map(|at| at.to_string()).collect();
        assert_eq!(all, ["127.0.0.1:8080", "[::]:80", "[::ffff:127.0.0.1]:81"]);
    }

    #[test]
    fn this_process_is_seen() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        assert!(listening(&table).any(|at| at == listener.local_addr().unwrap()));
    }
}
