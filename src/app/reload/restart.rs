//! Which settings need a restart? Those of sockets that are open, of the room for idle connections, of the store, and of
//! logs.

use super::super::in_force::Fixed;

/// Settings that stay as they were, and tables of which all do.
const KEPT: [&str; 8] = [
    "proxy.listen",
    "proxy.unix_mode",
    "proxy.http2",
    "proxy.probes.listen",
    "forward_auth.listen",
    "forward_auth.unix_mode",
    "store",
    "ops",
];

/// Stands in a list, of which everything else comes in force. There is one room for the idle connections of all upstreams,
/// and the engine makes it once.
const ROOM: &str = "proxy.upstreams.keep_alive_pool";

/// Of `changed`, what is not in force, given the servers that there are and those that are wanted.
pub(super) fn needed(changed: &[String], are: &Fixed, wanted: &Fixed) -> Vec<String> {
    let mut kept: Vec<&str> = KEPT.to_vec();
    let tables = [
        ("proxy", are.proxy, wanted.proxy),
        ("proxy.tls", are.tls, wanted.tls),
        ("proxy.probes", are.probes, wanted.probes),
        ("forward_auth", are.forward_auth, wanted.forward_auth),
    ];
    kept.extend(tables.iter().filter(|(_, is, wanted)| is != wanted).map(|(table, ..)| *table));
    let stays = |key: &&String| {
        let inside = |table: &str| {
            key.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        *key != "ops.reload" && kept.iter().any(|table| inside(table))
    };
    let mut needed: Vec<String> = changed.iter().filter(stays).cloned().collect();
    // One that is new or gone has no room of its own to begin with.
    if are.kept.iter().any(|(name, room)| wanted.kept.get(name).is_some_and(|wanted| wanted != room)) {
        needed.push(ROOM.to_owned());
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_the_store_and_logs_stay() {
        let proxy = || Fixed { proxy: true, ..Fixed::default() };
        let both = || Fixed { forward_auth: true, ..proxy() };
        for (key, wanted, kept) in [
            ("proxy.listen", proxy(), true),
            ("proxy.upstream", proxy(), false),
            ("proxy.tls.certificates", proxy(), false),
            ("proxy.tls.certificates", Fixed { tls: true, ..proxy() }, true),
            ("proxy.probes.listen", Fixed { probes: true, ..proxy() }, true),
            ("proxy.probes.paths", proxy(), false),
            ("proxy.probes.paths", Fixed { probes: true, ..proxy() }, true),
            ("proxy.upstream", Fixed { proxy: false, ..both() }, true),
            ("forward_auth.trusted_proxies", both(), true),
            ("forward_auth.trusted_proxies", proxy(), false),
            ("store.url", proxy(), true),
            ("ops.level", proxy(), true),
            ("ops.tracing.endpoint", proxy(), true),
            ("ops.reload", proxy(), false),
            ("access.emails", proxy(), false),
            ("content of /run/key", proxy(), false),
        ] {
            assert_eq!(!needed(&[key.to_owned()], &proxy(), &wanted).is_empty(), kept, "{key}");
        }
    }

    #[test]
    fn the_room_for_idle_connections_stays() {
        let with = |rooms: &[(&str, usize)]| Fixed {
            proxy: true,
            kept: rooms.iter().map(|(name, room)| ((*name).to_owned(), *room)).collect(),
            ..Fixed::default()
        };
        let are = with(&[("app", 256), ("wiki", 8)]);
        for (wanted, kept) in [
            (with(&[("app", 256), ("wiki", 8)]), false),
            (with(&[("app", 256), ("wiki", 9)]), true),
            (with(&[("app", 255), ("wiki", 8)]), true),
            (with(&[("app", 256), ("api", 9)]), false),
            (with(&[]), false),
        ] {
            let needed = needed(&["proxy.upstreams".to_owned()], &are, &wanted);
            assert_eq!(needed == [ROOM], kept, "{wanted:?}");
            assert!(kept || needed.is_empty(), "{needed:?}");
        }
    }
}
