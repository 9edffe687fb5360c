//! Which settings need a restart? Those of sockets that are open, of the store, and of logs.

use super::super::in_force::Fixed;

/// Settings that stay as they were, and tables of which all do.
const KEPT: [&str; 7] = [
    "proxy.listen",
    "proxy.unix_mode",
    "proxy.http2",
    "forward_auth.listen",
    "forward_auth.unix_mode",
    "store",
    "ops",
];

/// Of `changed`, what is not in force, given the servers that there are and those that are wanted.
pub(super) fn needed(changed: &[String], are: Fixed, wanted: Fixed) -> Vec<String> {
    let mut kept: Vec<&str> = KEPT.to_vec();
    let tables = [
        ("proxy", are.proxy, wanted.proxy),
        ("proxy.tls", are.tls, wanted.tls),
        ("forward_auth", are.forward_auth, wanted.forward_auth),
    ];
    kept.extend(tables.iter().filter(|(_, is, wanted)| is != wanted).map(|(table, ..)| *table));
    let stays = |key: &&String| {
        let inside = |table: &str| {
            key.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        *key != "ops.reload" && kept.iter().any(|table| inside(table))
    };
    changed.iter().filter(stays).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_the_store_and_logs_stay() {
        let proxy = Fixed { proxy: true, tls: false, forward_auth: false };
        let both = Fixed { forward_auth: true, ..proxy };
        for (key, wanted, kept) in [
            ("proxy.listen", proxy, true),
            ("proxy.upstream", proxy, false),
            ("proxy.tls.certificates", proxy, false),
            ("proxy.tls.certificates", Fixed { tls: true, ..proxy }, true),
            ("proxy.upstream", Fixed { proxy: false, ..both }, true),
            ("forward_auth.trusted_proxies", both, true),
            ("forward_auth.trusted_proxies", proxy, false),
            ("store.url", proxy, true),
            ("ops.level", proxy, true),
            ("ops.tracing.endpoint", proxy, true),
            ("ops.reload", proxy, false),
            ("access.emails", proxy, false),
            ("content of /run/key", proxy, false),
        ] {
            assert_eq!(!needed(&[key.to_owned()], proxy, wanted).is_empty(), kept, "{key}");
        }
    }
}
