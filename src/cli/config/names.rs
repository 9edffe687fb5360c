//! Which headers may no client send, besides those that tell who is there? And how do people write a name?

/// The rest of Anteroom's own namespace, as far as it has names.
pub(super) const OUR_OTHER_NAMES: [&str; 4] =
    ["x-anteroom-groups", "x-anteroom-provisioned", "x-anteroom-roles", "x-anteroom-sites"];

/// Hearsay of addresses, schemes and hosts, and what would switch the protocol (HTTP2-Settings, RFC 7540 section 3.2.1)
/// or a script's own proxy (Proxy, CVE-2016-5385). The gateway says what of this is true.
pub(super) const NEVER_FROM_A_CLIENT: [&str; 13] = [
    "forwarded",
    "http2-settings",
    "proxy",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded-port",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-original-host",
    "x-real-ip",
    "x-scheme",
];

/// `x-anteroom-email` as people write it: `X-Anteroom-Email`.
pub(super) fn titled(name: &str) -> String {
    let mut start = true;
    let letter = |c: char| {
        let written = if start { c.to_ascii_uppercase() } else { c };
        start = !c.is_ascii_alphanumeric();
        written
    };
    name.chars().map(letter).collect()
}
