//! Which known attacks have no row in the proxy's table, and why? Kept as data, so that none is dropped silently.

/// Attack, and where it is held or why it cannot occur.
pub(crate) const ELSEWHERE: &[(&str, &str)] = &[
    (
        "CVE-2017-1000070, CVE-2020-5233, CVE-2020-11053, CVE-2020-4037, CVE-2021-21291: open redirects",
        "gate::ReturnTo, and the sign-in scenarios",
    ),
    (
        "CVE-2017-1000069: sign-in without a flow of one's own",
        "the sign-in scenarios: 400 before any outbound call",
    ),
    ("CVE-2021-21411: a restriction whose claim is absent", "policy: a missing claim denies"),
    (
        "CVE-2026-34454: a sign-in page that keeps the session",
        "the sign-in scenarios: every sign-in has a new session ID",
    ),
    ("CVE-2026-40574: an address with two @", "identity::Email takes exactly one"),
    ("error texts shown as formats", "pages show fixed texts; nothing of the callback's query is shown"),
    (
        "session chunks missing, counted, reordered",
        "does not apply: the session is one cookie of at most 1,000 bytes",
    ),
    (
        "X-Forwarded-Uri, -Host, -Method as the request asked about",
        "does not apply: forward-auth only; the proxy drops them (rows above)",
    ),
    ("a host that nobody configured in a forward-auth call", "does not apply: forward-auth only"),
    ("?allowed_groups= on the auth endpoint", "does not apply: no rule is taken from a request"),
    (
        "auth answers without a header that the gateway then keeps",
        "does not apply: forward-auth only; the proxy removes and sets in one place",
    ),
    (
        "bearer tokens with wrong audience, algorithm or times",
        "does not apply: no bearer token is accepted; the signed assertion goes to the upstream only",
    ),
    (
        "trusted addresses from X-Real-IP",
        "does not apply: no address is trusted; the peer's own is logged and forwarded",
    ),
    ("rules by host: case, trailing dot, ports, look-alikes", "does not apply yet: no rule speaks of hosts"),
    ("HTTP/2 pseudo-headers and cookie crumbs", "does not apply yet: the proxy speaks HTTP/1.1 to clients"),
    (
        "ticket reuse, revoked tickets",
        "does not apply: a session's ID is made at sign-in and never taken from a request; sign-out scenarios",
    ),
    ("state or code used twice, foreign, late", "the sign-in scenarios"),
    ("parallel sign-ins that fill the cookie jar", "sign_in: at most five flow cookies"),
    ("sign-out by GET or by another site", "the sign-out scenarios: POST with a token"),
    ("a deleted __Host- cookie that stays", "session::cookie: deletion repeats every attribute"),
    (
        "cross-site WebSocket; session ended in mid-socket",
        "SameSite=Lax keeps the cookie at home; ending open sockets belongs to live streams",
    ),
    (
        "markup in names and error descriptions",
        "pages: escaped by the template engine, under a strict policy",
    ),
    ("Helm values pasted into configuration", "does not apply here: the chart"),
    ("token comparison in constant time", "session::seal and auth use constant-time comparison"),
];

#[test]
fn every_row_says_where() {
    for (attack, place) in ELSEWHERE {
        assert!(!attack.is_empty() && place.len() > 8, "{attack}");
    }
}
