//! Do the listeners stay out of each other's way? What is meant for gateways or for operators does not belong on the port
//! that the public reaches.

use super::listen::Listen;
use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;

/// Reports every listener that wants the place of one before it. `None` is one that is off, or wrong itself.
pub(super) fn apart(listeners: &[(&'static str, Option<Listen>)], check: &mut Check<'_>) {
    let on: Vec<(&str, &Listen)> =
        listeners.iter().filter_map(|(key, place)| Some((*key, place.as_ref()?))).collect();
    for (index, (key, place)) in on.iter().enumerate() {
        let Some((first, taken)) = on.iter().take(index).find(|(_, other)| collide(place, other)) else {
            continue;
        };
        let mistake = Mistake::new(
            "config.listeners",
            format!("`{key}` ({place}) is taken by `{first}` ({taken})"),
            "Two listeners cannot share a port or a socket",
            "choose another place for one of them; ops.listen may also be \"off\"",
        );
        check.wrong::<()>(&KeyPath::of(key), mistake);
    }
}

fn collide(one: &Listen, other: &Listen) -> bool {
    match (one, other) {
        (Listen::Tcp(one), Listen::Tcp(other)) => {
            let same_host =
                one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
            same_host && one.port() == other.port() && one.port() != 0
        }
        (Listen::Unix { path, .. }, Listen::Unix { path: other, .. }) => path == other,
        // Without a name it is the only socket there is.
        (Listen::Systemd { name }, Listen::Systemd { name: other }) => {
            name.is_none() || other.is_none() || name == other
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collisions() {
        let place = |text: &str| match text.split_once(':') {
            Some(("unix", path)) => Listen::Unix { path: path.into(), mode: 0o600 },
            Some(("systemd", name)) => Listen::Systemd { name: Some(name.into()) },
            None => Listen::Systemd { name: None },
            _ => Listen::Tcp(text.parse().unwrap()),
        };
        for (one, other, want) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "[::]:1", true),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("unix:/a", "unix:/a", true),
            ("unix:/a", "unix:/b", false),
            ("unix:/a", "127.0.0.1:1", false),
            ("systemd", "systemd:a", true),
            ("systemd:a", "systemd:a", true),
            ("systemd:a", "systemd:b", false),
        ] {
            assert_eq!(collide(&place(one), &place(other)), want, "{one} {other}");
        }
    }
}
