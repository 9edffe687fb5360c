//! Do the listeners stay out of each other's way? What is meant for gateways or for operators does not belong on the port
//! that the public reaches.

use std::net::SocketAddr;

use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;

/// Reports every listener that wants the port of one before it. `None` is one that is off, or wrong itself.
pub(super) fn apart(listeners: &[(&'static str, Option<SocketAddr>)], check: &mut Check<'_>) {
    let on: Vec<(&str, SocketAddr)> =
        listeners.iter().filter_map(|(key, address)| Some((*key, (*address)?))).collect();
    for (index, (key, address)) in on.iter().enumerate() {
        let Some((first, taken)) = on.iter().take(index).find(|(_, other)| collide(*address, *other)) else {
            continue;
        };
        let mistake = Mistake::new(
            "config.listeners",
            format!("`{key}` ({address}) is taken by `{first}` ({taken})"),
            "Two listeners cannot share a port",
            "choose another port for one of them; ops.listen may also be \"off\"",
        );
        check.wrong::<()>(&KeyPath::of(key), mistake);
    }
}

fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let same_host = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    same_host && one.port() == other.port() && one.port() != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collisions() {
        for (one, other, want) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "[::]:1", true),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ] {
            assert_eq!(collide(one.parse().unwrap(), other.parse().unwrap()), want, "{one} {other}");
        }
    }
}
