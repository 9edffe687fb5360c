//! How is a hole closed? A few words per gateway; `anteroom config GATEWAY` prints the whole of it.

use crate::cli::doctor::finding::Remedies;

/// `/_anteroom/` goes through the question, or nowhere.
pub(super) const OWN_PATHS: Remedies = &[
    (
        "nginx",
        "location ^~ /_anteroom/ { proxy_pass http://ANTEROOM; } without auth_request; the callback path likewise.",
    ),
    (
        "Traefik",
        "a router of its own for PathPrefix(`/_anteroom/`) and the callback path, with a high priority, without the forwardAuth middleware.",
    ),
    (
        "Caddy",
        "handle /_anteroom/* { reverse_proxy ANTEROOM } before the handle that holds forward_auth; the callback path likewise.",
    ),
    (
        "Envoy",
        "routes for /_anteroom/ and the callback path before the others, to Anteroom's cluster, with ext_authz disabled by typed_per_filter_config.",
    ),
    (
        "HAProxy",
        "use_backend for /_anteroom/ and the callback path before the question is asked, as anteroom config haproxy prints it.",
    ),
];

/// The gateway does not reach Anteroom, or is a stranger there.
pub(super) const REACH_ANTEROOM: Remedies = &[(
    "Anteroom",
    "compare forward_auth.listen with the address in the gateway's configuration, and forward_auth.trusted_proxies (and the \
     key) with the address the gateway comes from; Anteroom's log names the peer it turned away.",
)];

/// The gateway tells Anteroom another host than the browser's.
pub(super) const HOST: Remedies = &[
    ("nginx", "proxy_set_header Host $http_host; in the locations that go to Anteroom."),
    ("Traefik", "passHostHeader: true (the default) for Anteroom's service."),
    ("Caddy", "leave Host alone: no header_up Host in the reverse_proxy to Anteroom."),
    ("Envoy", "no host_rewrite in the routes to Anteroom."),
    (
        "HAProxy",
        "http-request set-header Host with the address that people type, and none that names Anteroom.",
    ),
];

/// The app is reached without a session.
pub(super) const ASK_FIRST: Remedies = &[
    (
        "nginx",
        "auth_request /_anteroom/verify/nginx; in every location that has the app's proxy_pass, and no error_page that leads to the app.",
    ),
    ("Traefik", "the forwardAuth middleware on every router of the app."),
    ("Caddy", "forward_auth before reverse_proxy in the same route."),
    (
        "Envoy",
        "ext_authz in the filter chain with failure_mode_allow: false, and not disabled for the app's routes.",
    ),
    (
        "HAProxy",
        "the Lua action that anteroom config haproxy prints, in the frontend, before any use_backend of the app; no server of the app without it.",
    ),
];

/// A browser is not sent to the sign-in.
pub(super) const SIGN_IN: Remedies = &[
    (
        "nginx",
        "ask /_anteroom/verify/nginx, not /verify/forward: any answer but 200, 401 and 403 becomes a 500 here. Then auth_request_set $anteroom_location $upstream_http_location; error_page 401 = @anteroom_sign_in; and return 302 $anteroom_location; there.",
    ),
    ("Traefik", "address: http://ANTEROOM/_anteroom/verify/forward in forwardAuth."),
    ("Caddy", "uri /_anteroom/verify/forward in forward_auth."),
    (
        "Envoy",
        "path_prefix: /_anteroom/verify/envoy, and accept, cookie and sec-fetch-* among the allowed_headers of the question.",
    ),
    (
        "HAProxy",
        "cfg and lua as anteroom config haproxy prints them: the lua passes Accept, Cookie and Sec-Fetch-* on, the cfg returns Anteroom's Location.",
    ),
];

/// What a client says of itself reaches the app.
pub(super) const FORGED_HEADERS: Remedies = &[
    (
        "nginx",
        "for each name: auth_request_set $said $upstream_http_NAME; and proxy_set_header NAME $said; in the app's location. For a name that Anteroom does not set: proxy_set_header NAME \"\";. In the server: underscores_in_headers off; ignore_invalid_headers on;",
    ),
    (
        "Traefik",
        "each name in authResponseHeaders (or authResponseHeadersRegex: ^X-Anteroom-); a name that Anteroom does not set as \"\" in customRequestHeaders of a headers middleware in front; aliasHeadersStrategy: delete on the entry point (3.7.12 or later).",
    ),
    (
        "Caddy",
        "2.11.2 or later (GHSA-7r4p-vjf4-gxv4). Before forward_auth: request_header -NAME for each name; then each that Anteroom sets in copy_headers.",
    ),
    (
        "Envoy",
        "early_header_mutation_extensions that remove each name, headers_with_underscores_action: DROP_HEADER, and each name that Anteroom sets in allowed_upstream_headers.",
    ),
    (
        "HAProxy",
        "http-request del-header ^x[^a-z0-9]anteroom[^a-z0-9] -m reg before the question, and so for each other name; set after it from Anteroom's answer (anteroom config haproxy --format lua).",
    ),
];

/// Identity that Anteroom sets does not arrive.
pub(super) const COPY_HEADERS: Remedies = &[
    (
        "nginx",
        "auth_request_set $said $upstream_http_NAME; and proxy_set_header NAME $said; in the app's location, which inherits no proxy_set_header once it has one.",
    ),
    ("Traefik", "authResponseHeaders with each name."),
    ("Caddy", "copy_headers with each name."),
    ("Envoy", "allowed_upstream_headers with each name."),
    (
        "HAProxy",
        "http-request del-header Connection before the question; the lua of anteroom config haproxy copies each name.",
    ),
];

/// Anteroom is told an address that the client made up.
pub(super) const FORGED_ADDRESSES: Remedies = &[
    (
        "nginx",
        "proxy_set_header X-Original-URL $scheme://$http_host$request_uri; and X-Original-Method $request_method; in the location of the question.",
    ),
    (
        "Traefik",
        "trustForwardHeader: false in forwardAuth; forwardedHeaders.insecure: false on the entry point.",
    ),
    (
        "Caddy",
        "no trusted_proxies that cover the clients; forward_auth sets X-Forwarded-Method, -Uri and -Host itself.",
    ),
    (
        "Envoy",
        "ask below /_anteroom/verify/envoy, which reads the request line alone; no x-envoy-original-path from outside.",
    ),
    (
        "HAProxy",
        "http-request del-header ^x[^a-z0-9](forwarded|original)[^a-z0-9] -m reg first; then X-Forwarded-Uri, -Method, -Host and -Proto from the request itself.",
    ),
];

/// The gateway and Anteroom read a path differently.
pub(super) const PATHS: Remedies = &[
    (
        "nginx",
        "proxy_pass without a path behind the host, so that the app gets the path that was judged; X-Original-URL from $request_uri. Do not open paths by a location without auth_request: let Anteroom's routes say so.",
    ),
    (
        "Traefik",
        "encodedCharacters of the entry point: no allowEncodedSlash, -BackSlash, -NullCharacter, -Hash; open paths by Anteroom's routes, not by routers without forwardAuth.",
    ),
    (
        "Caddy",
        "open paths by Anteroom's routes, not by handle blocks without forward_auth; no uri rewrite between forward_auth and reverse_proxy.",
    ),
    (
        "Envoy",
        "normalize_path: true, merge_slashes: true, path_with_escaped_slashes_action: REJECT_REQUEST; open paths by Anteroom's routes, not by disabling ext_authz.",
    ),
    (
        "HAProxy",
        "open paths by Anteroom's routes, not by ACLs in front of the question; no http-request set-path or replace-path behind it.",
    ),
];

/// The way back to a deep link is lost.
pub(super) const DEEP_LINK: Remedies = &[
    (
        "nginx",
        "take the whole Location of Anteroom's answer ($upstream_http_location); do not build it from $request_uri. X-Original-URL from $request_uri, which holds the query.",
    ),
    ("Traefik", "no authSigninURL: Anteroom's answer holds the address."),
    ("Caddy", "pass Anteroom's answer on as it is; no handle_response that redirects."),
    ("Envoy", "path_prefix, not a path override: the question must hold path and query."),
    ("HAProxy", "X-Forwarded-Uri from pathq, not from path; the redirect's Location from Anteroom's answer."),
];

/// Anteroom's cookies reach the app.
pub(super) const COOKIES: Remedies = &[
    (
        "nginx",
        "the map blocks that anteroom config nginx prints, and proxy_set_header Cookie $anteroom_app_cookies;",
    ),
    (
        "Traefik",
        "nothing built in takes one cookie away; trust the app with it or put it behind the reverse proxy mode.",
    ),
    ("Caddy", "the two request_header Cookie lines that anteroom config caddy prints, behind forward_auth."),
    ("Envoy", "the Lua filter that anteroom config envoy prints, behind ext_authz."),
    ("HAProxy", "the lua of anteroom config haproxy keeps all cookies but Anteroom's."),
];

/// A Caddy that leaves the client's copy where Anteroom's is missing.
pub(super) const CADDY: Remedies = &[(
    "Caddy",
    "2.11.2 or later; until then request_header -NAME before forward_auth for each identity header.",
)];

/// Something else answers in the app's place.
pub(super) const ECHO: Remedies = &[(
    "any",
    "give --echo the address in the gateway's proxy_pass, service, reverse_proxy, cluster or server line, as seen from the \
     gateway: in a container, 127.0.0.1 is the container itself.",
)];
