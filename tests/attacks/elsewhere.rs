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
        "forward_auth::attacks: each dialect hears one family, from trusted peers only; the proxy drops them (rows above)",
    ),
    (
        "authentik #6857: a host that nobody configured in a forward-auth call",
        "forward_auth::peers, in every dialect",
    ),
    (
        "CVE-2021-32637: an original URL that cannot be parsed",
        "forward_auth::attacks and forward_auth::grpc: what_cannot_be_read_is_refused",
    ),
    (
        "CVE-2026-25748: a garbage cookie at the auth endpoint",
        "forward_auth::attacks: probes_and_tokens_open_nothing",
    ),
    (
        "CVE-2026-34457: a probe's user agent at the auth endpoint",
        "forward_auth::attacks: probes_and_tokens_open_nothing",
    ),
    (
        "?allowed_groups= on the auth endpoint",
        "forward_auth::oauth2_proxy: refused; elsewhere no rule is taken from a request",
    ),
    (
        "CVE-2025-54576, CVE-2026-41059, and unnormalised paths in forwarded URLs",
        "forward_auth::attacks: paths_with_two_readings_are_never_public",
    ),
    (
        "one decision for all views of a request (CVE-2023-33189)",
        "forward_auth: the same tables for nginx, forwarded, Envoy and gRPC; both modes in forward_auth::both",
    ),
    (
        "a no that becomes a yes at the gateway: 202, 3xx at nginx, gRPC's 200",
        "forward_auth::answer, and gateways::matrix with the real programs",
    ),
    (
        "auth answers without a header that the gateway then keeps",
        "CVE-2026-30851: forward_auth::dialects sends every name; gateways::matrix, forged identity",
    ),
    (
        "bearer tokens with wrong audience, algorithm or times",
        "does not apply: no bearer token is accepted; the signed assertion goes to the upstream only",
    ),
    (
        "trusted addresses from X-Real-IP",
        "the proxy trusts no address; forward_auth::peer counts hops from the right and decides nothing by them",
    ),
    (
        "rules by host: case, trailing dot, ports, look-alikes, public suffixes",
        "gate::origins, gate::routes, forward_auth::peers; config refuses public suffixes",
    ),
    (
        "login CSRF, replay, another host or browser in a hand-off",
        "auth: hand_off_attacks; gateways::hand_off in Chromium",
    ),
    ("h2c and other upgrades that tunnel past the question", "gateways::matrix, with the real programs"),
    ("the auth endpoint reached from outside", "gateways::matrix: forged_urls; forward_auth::peers"),
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
