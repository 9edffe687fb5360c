//! Does what worked on others work here? One row per known attack on authenticating proxies, as raw bytes.
//!
//! Sources are the public advisories named in each row. Rows about forward-auth gateways, bearer tokens, session chunks
//! and the like do not apply to the proxy; [`elsewhere`] names them with the reason and the place that holds them.

mod elsewhere;

use crate::proxy::rig::Rig;
use crate::support::raw::exchange;
use crate::support::upstream::Upstream;

/// What must come of a row.
enum Want {
    /// Nothing reaches the upstream; the status is one of these.
    Refused(&'static [u16]),
    /// Nothing reaches the upstream; a redirect to this site's own sign-in and nowhere else, 401 or 403.
    Denied,
}
use Want::{Denied, Refused};

/// Without a session.
const ANONYMOUS: &[(&str, &str, Want)] = &[
    // The decision rests on the path alone.
    ("CVE-2025-54576: the query matches a public rule", "GET /api/private?path=/public/x", Denied),
    ("CVE-2026-34457: a health checker's user agent", "GET /admin\nUser-Agent: GoogleHC/1.0", Denied),
    ("CVE-2026-34457: kube-probe", "GET /admin\nUser-Agent: kube-probe/1.29", Denied),
    ("CVE-2026-34457: ELB", "GET /admin\nUser-Agent: ELB-HealthChecker/2.0", Denied),
    ("CVE-2026-40575: another path in a header", "GET /admin\nX-Forwarded-Uri: /public/x", Denied),
    ("CVE-2026-76835: the same with a prefix", "GET /admin\nX-Forwarded-Prefix: /public", Denied),
    ("X-Original-URL", "GET /admin\nX-Original-URL: /public/x", Denied),
    ("X-Original-URL, malformed", "GET /admin\nX-Original-URL: http://[::1", Denied),
    ("X-Rewrite-URL", "GET /admin\nX-Rewrite-URL: /public/x", Denied),
    ("another method in a header", "POST /admin\nX-HTTP-Method-Override: OPTIONS\nContent-Length: 0", Denied),
    ("CVE-2026-41059: raw fragment", "GET /admin#/public/x", Refused(&[400])),
    ("CVE-2026-41059: encoded fragment", "GET /admin%23/public/x", Refused(&[400])),
    ("CVE-2026-41059: fragment behind a public path", "GET /public/x#/../../admin", Refused(&[400])),
    ("CVE-2021-39206: fragment and query", "GET /public/x%23?y", Refused(&[400])),
    // One reading of the path.
    ("dot segments", "GET /public/../admin", Refused(&[400])),
    ("dot segments, encoded dots", "GET /public/%2e%2e/admin", Refused(&[400])),
    ("dot segments, encoded slash", "GET /public/..%2fadmin", Refused(&[400])),
    ("dot segments, all encoded", "GET /public/%2e%2e%2fadmin", Refused(&[400])),
    ("dot segments, encoded twice", "GET /public/%252e%252e/admin", Refused(&[400])),
    ("dot segments with a parameter", "GET /public/..;/admin", Refused(&[400])),
    ("dot segments with a backslash", "GET /public\\..\\admin", Refused(&[400])),
    ("encoded backslash", "GET /public/..%5cadmin", Refused(&[400])),
    ("empty segment and dots", "GET /public//../admin", Refused(&[400])),
    ("empty segment", "GET //public/x", Refused(&[400])),
    ("CVE-2025-66490: encoded slash", "GET /public%2fx", Refused(&[400])),
    ("CVE-2025-66490: encoded NUL", "GET /public/x%00", Refused(&[400])),
    ("encoded percent hiding a dot", "GET /public/%25252e", Refused(&[400])),
    ("a denied path, a letter encoded twice", "GET /%256eever/x", Refused(&[400])),
    ("a public path, a letter encoded twice", "GET /%2570ublic/x", Refused(&[400])),
    ("our own path, a letter encoded twice", "GET /_%2561nteroom/me", Refused(&[404])),
    ("broken encoding", "GET /public/%", Refused(&[400])),
    ("prefix without a boundary", "GET /publicX", Denied),
    ("letter case", "GET /PUBLIC/x", Denied),
    ("negated rule, encoded letter", "GET /%6eever/x", Refused(&[403])),
    ("negated rule, doubled slash", "GET //never/x", Refused(&[400])),
    ("absolute form", "GET http://app.example/admin?x=1", Denied),
    ("absolute form, another host", "GET http://evil.example/admin?x=1", Refused(&[400])),
    ("network-path reference", "GET //evil.example/admin", Refused(&[400])),
    ("CVE-2026-33186: no slash", "GET admin", Refused(&[400])),
    // Methods
    (
        "a rule for GET and OPTIONS",
        "OPTIONS /admin\nOrigin: https://x\nAccess-Control-Request-Method: GET",
        Denied,
    ),
    ("OPTIONS with a body", "OPTIONS /admin\nContent-Length: 0", Denied),
    ("HEAD", "HEAD /admin", Denied),
    ("TRACE", "TRACE /public/x", Refused(&[405])),
    ("lower case", "get /public/x", Refused(&[400])),
    // Credentials that are none
    ("CVE-2022-29226: any bearer", "GET /admin\nAuthorization: Bearer anything", Denied),
    (
        "bearer, alg none",
        "GET /admin\nAuthorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJldmlsIn0.",
        Denied,
    ),
    ("CVE-2026-25748: random bytes", "GET /admin\nCookie: __Host-anteroom=garbage", Denied),
    ("empty", "GET /admin\nCookie: __Host-anteroom=", Denied),
    ("no value", "GET /admin\nCookie: __Host-anteroom", Denied),
    ("CVE-2023-28625: empty pairs", "GET /admin\nCookie: ;", Denied),
    ("CVE-2023-28625: bare equals", "GET /admin\nCookie: =", Denied),
    ("CVE-2024-24814: chunk count", "GET /admin\nCookie: __Host-anteroom_chunks=99999999", Denied),
    ("a flow cookie as session", "GET /admin\nCookie: __Host-anteroom-flow-00000000=x", Denied),
    ("spoofed address", "GET /admin\nX-Forwarded-For: 127.0.0.1\nX-Real-IP: 10.0.0.1", Denied),
    ("an identity of one's own", "GET /admin\nX-Anteroom-Email: evil@x\nRemote-User: evil", Denied),
    ("CVE-2026-24513: an error page's path", "GET /admin\nX-Code: 200\nX-Format: html", Denied),
    // Redirects go to this very site.
    ("spoofed host", "GET /admin\nX-Forwarded-Host: evil.example", Denied),
    ("spoofed scheme", "GET /admin\nX-Forwarded-Proto: javascript", Denied),
    ("spoofed Referer", "GET /admin\nReferer: javascript:alert(1)//", Denied),
];

/// With Ada's session: the upstream sees exactly one identity, hers, and nothing that says `evil`.
const SIGNED_IN: &[(&str, &str)] = &[
    ("CVE-2025-64484", "GET /\nX_Forwarded_User: evil\nX-Auth_Request-User: evil\nx-forwarded_email: evil"),
    ("CVE-2025-64484, beside the dashed form", "GET /\nX-Forwarded-User: evil\nX_Forwarded_User: evil"),
    ("CVE-2026-39858", "GET /\nX_Forwarded_Proto: evil\nX_Forwarded_For: evil\nX.Forwarded.Host: evil"),
    ("CVE-2026-35051", "GET /\nX-Forwarded-Prefix: evil"),
    (
        "CVE-2026-33433",
        "GET /\nx-anteroom-account-id: evil\nX_Anteroom_Account_Id: evil\nX.Anteroom.Account.Id: evil",
    ),
    ("CVE-2026-30851", "GET /\nRemote-Groups: evil"),
    ("CVE-2026-52845", "GET /\nRemote_Groups: evil\nRemote.user: evil"),
    (
        "CVE-2025-48865",
        "GET /\nConnection: close, X-Anteroom-Account-Id, Remote-User\nX-Anteroom-Account-Id: evil",
    ),
    ("on OPTIONS", "OPTIONS /\nX-Anteroom-Email: evil\nRemote_User: evil"),
    ("on a public route", "GET /public/x\nX-Anteroom-Email: evil\nRemote_User: evil"),
    (
        "unconfigured names",
        "GET /\nX-Auth-Request-User: evil\nX-Forwarded-Groups: evil\nX-Forwarded-Access-Token: evil",
    ),
    ("hearsay", "GET /\nForwarded: for=evil\nX-Real-IP: evil\nX-Original-URL: evil\nX-Rewrite-URL: evil"),
    ("method override", "GET /\nX-HTTP-Method-Override: evil\nX-Method-Override: evil\nX-HTTP-Method: evil"),
    (
        "identity in trailers",
        "POST /\nTransfer-Encoding: chunked\nTrailer: X-Anteroom-Email\n\n0\r\nX-Anteroom-Email: evil\r\n",
    ),
    ("a second session beside", "GET /\nCookie: anteroom=evil"),
];

/// Lines become a request; what follows an empty line is its body.
fn request(row: &str, more: &str) -> String {
    let (head, body) = row.split_once("\n\n").unwrap_or((row, ""));
    let mut lines = head.split('\n');
    let first = lines.next().unwrap();
    let headers: String = lines.map(|line| format!("{line}\r\n")).collect();
    let body = if body.is_empty() { String::new() } else { format!("{body}\r\n") };
    format!("{first} HTTP/1.1\r\nHost: app.example\r\n{more}{headers}\r\n{body}")
}

#[tokio::test]
async fn nobody_comes_in_without_a_session() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut failures = Vec::new();
    for (name, row, want) in ANONYMOUS {
        for kind in ["", "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"] {
            let response = exchange(rig.address, request(row, kind)).await;
            let held = match want {
                Refused(statuses) => statuses.contains(&response.status),
                Denied => matches!(response.status, 401 | 403) || to_own_sign_in(&response),
            };
            let leaked =
                response.text().contains("javascript:alert") || response.text().contains("evil.example");
            if !held || leaked || !upstream.requests().is_empty() {
                failures.push(format!("{name}: {response:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn to_own_sign_in(response: &crate::support::raw::RawResponse) -> bool {
    let own = |to: &str| to.starts_with("/_anteroom/") || to.starts_with("https://app.example/_anteroom/");
    matches!(response.status, 302 | 303) && response.header("location").is_some_and(own)
}

#[tokio::test]
async fn nobody_becomes_somebody_else() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    for (n, (name, row)) in SIGNED_IN.iter().enumerate() {
        let response = exchange(rig.address, request(row, &format!("Cookie: {}\r\n", rig.cookie))).await;
        assert_eq!(response.status, 200, "{name}");
        let seen = upstream.wait_for_request(n + 1).await;
        assert_eq!(seen.all("x-anteroom-account-id"), ["557058:ada"], "{name}");
        assert_eq!(seen.all("x-anteroom-email"), ["ada@example.com"], "{name}");
        assert_eq!(seen.all("remote-user"), ["557058:ada"], "{name}");
        assert!(!upstream.saw("evil"), "{name}: {seen:?}");
    }
}

/// GHSA-fj56-5763-j8pp and others: a session cookie with any byte changed, cut, doubled or grown is none.
#[tokio::test]
async fn a_damaged_session_is_none() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let (name, value) = rig.cookie.split_once('=').unwrap();
    let mut damaged: Vec<String> = (0..value.len())
        .map(|at| {
            let other = if value.as_bytes()[at] == b'A' { "B" } else { "A" };
            format!("{name}={}{other}{}", &value[..at], &value[at + 1..])
        })
        .collect();
    damaged.extend((0..value.len()).step_by(16).map(|at| format!("{name}={}", &value[..at])));
    damaged.push(format!("{name}={value}A"));
    damaged.push(format!("{name}={}", "A".repeat(8192)));
    damaged.push(format!("{name}={value}; {name}={}", &value[1..]));
    damaged.push(format!("{}={value}", name.to_uppercase()));
    damaged.push(format!("anteroom={value}"));
    for cookie in damaged {
        let get = format!("GET / HTTP/1.1\r\nHost: app.example\r\nCookie: {cookie}\r\n\r\n");
        assert_eq!(exchange(rig.address, get).await.status, 401, "{cookie}");
    }
    assert!(upstream.requests().is_empty());
    // As it was, it still opens.
    assert_eq!(rig.get("/", "").await.status, 200);
}

/// 60 KB of cookies, five hundred of them, an endless state.
#[tokio::test]
async fn large_requests_are_bounded() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let huge = format!("Cookie: a={}\r\n", "x".repeat(60_000));
    assert_eq!(exchange(rig.address, request("GET /", &huge)).await.status, 431);
    let many: Vec<String> = (0..500).map(|n| format!("__Host-anteroom-flow-{n:08x}=x")).collect();
    let many = format!("Cookie: {}\r\n", many.join("; "));
    assert_eq!(exchange(rig.address, request("GET /", &many)).await.status, 401);
    let state = format!("GET /api/auth/callback/atlassian?code=x&state={}", "x".repeat(10_000));
    let answer = exchange(rig.address, request(&state, "")).await;
    assert!((400..500).contains(&answer.status), "{answer:?}");
    assert!(upstream.requests().is_empty());
}
