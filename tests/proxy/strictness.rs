//! How strict is the parser in front of the decision? Raw probes, each with our answer. Run on every pingora upgrade:
//! a difference between two readers of one request is a way around the decision.

use super::rig::Rig;
use crate::support::raw::{RawClient, try_exchange};
use crate::support::upstream::Upstream;

/// What must happen to a probe.
enum Want {
    /// This status, and nothing reaches the upstream.
    Refused(u16),
    /// The upstream gets a request with this target.
    Sent(&'static str),
    /// The connection ends without an answer, or with 400; nothing reaches the upstream.
    Ended,
}
use Want::{Ended, Refused, Sent};

/// `C` stands for a line with a session cookie.
const PROBES: &[(&str, &str, Want)] = &[
    // Host and target
    ("no Host", "GET / HTTP/1.1\r\nC\r\n\r\n", Refused(400)),
    ("no Host in 1.0", "GET / HTTP/1.0\r\nC\r\n\r\n", Refused(400)),
    ("empty Host", "GET / HTTP/1.1\r\nHost:\r\nC\r\n\r\n", Refused(400)),
    ("two Hosts", "GET / HTTP/1.1\r\nHost: app.example\r\nHost: b\r\nC\r\n\r\n", Refused(400)),
    (
        "the same Host twice",
        "GET / HTTP/1.1\r\nHost: app.example\r\nHost: app.example\r\nC\r\n\r\n",
        Refused(400),
    ),
    ("userinfo in Host", "GET / HTTP/1.1\r\nHost: a@b\r\nC\r\n\r\n", Refused(400)),
    ("path in Host", "GET / HTTP/1.1\r\nHost: a/b\r\nC\r\n\r\n", Refused(400)),
    ("list in Host", "GET / HTTP/1.1\r\nHost: a,b\r\nC\r\n\r\n", Refused(400)),
    ("absolute form", "GET http://app.example/x?y HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n", Sent("/x?y")),
    (
        "absolute form without path",
        "GET http://app.example HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n",
        Sent("/"),
    ),
    (
        "absolute form, query alone",
        "GET http://app.example?y HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n",
        Sent("/?y"),
    ),
    (
        "absolute form for another host",
        "GET http://evil/x HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n",
        Refused(400),
    ),
    ("absolute form without Host", "GET http://app.example/x HTTP/1.1\r\nC\r\n\r\n", Refused(400)),
    ("absolute form, userinfo", "GET http://u@a/x HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n", Refused(400)),
    ("another scheme", "GET ftp://a/x HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n", Refused(400)),
    ("authority alone", "GET a:80 HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n", Refused(400)),
    ("asterisk", "OPTIONS * HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n", Refused(400)),
    ("query alone", "GET ?x HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n", Refused(400)),
    ("no slash", "GET admin HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n", Refused(400)),
    ("fragment", "GET /a#b HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n", Refused(400)),
    ("fragment in query", "GET /a?b#c HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n", Refused(400)),
    ("angle bracket", "GET /a<b HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n", Refused(400)),
    // pingora escapes it; decision and upstream both see the result.
    ("space", "GET /a b HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n", Sent("/a%20b")),
    ("not UTF-8", "GET /\u{80} HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n", Refused(400)),
    // Methods
    ("TRACE", "TRACE / HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n", Refused(405)),
    ("CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nC\r\n\r\n", Refused(405)),
    ("lower case", "get / HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n", Refused(400)),
    ("odd letters", "FOO%0a / HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n", Refused(400)),
    ("unknown, plain", "PROPFIND / HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n", Sent("/")),
    // Lines
    ("space before colon", "GET / HTTP/1.1\r\nHost : a\r\nC\r\n\r\n", Refused(400)),
    ("folded line", "GET / HTTP/1.1\r\nHost: app.example\r\nX: 1\r\n 2\r\nC\r\n\r\n", Refused(400)),
    ("leading space", "GET / HTTP/1.1\r\n Host: app.example\r\nC\r\n\r\n", Refused(400)),
    ("NUL in value", "GET / HTTP/1.1\r\nHost: app.example\r\nX: a\0b\r\nC\r\n\r\n", Refused(400)),
    ("CR in value", "GET / HTTP/1.1\r\nHost: app.example\r\nX: a\rb\r\nC\r\n\r\n", Refused(400)),
    ("bare LF", "GET / HTTP/1.1\nHost: a\nC\n\n", Refused(400)),
    ("one bare LF", "GET / HTTP/1.1\r\nHost: a\nX: 1\r\nC\r\n\r\n", Refused(400)),
    ("no name", "GET / HTTP/1.1\r\nHost: app.example\r\n: x\r\nC\r\n\r\n", Refused(400)),
    ("no colon", "GET / HTTP/1.1\r\nHost: app.example\r\nX\r\nC\r\n\r\n", Refused(400)),
    ("HTTP/0.9", "GET /\r\n\r\n", Refused(400)),
    ("HTTP/2.0", "GET / HTTP/2.0\r\nHost: app.example\r\nC\r\n\r\n", Refused(400)),
    ("HTTP/1.2", "GET / HTTP/1.2\r\nHost: app.example\r\nC\r\n\r\n", Refused(400)),
    ("h2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refused(400)),
    ("TLS hello", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\r\n\r\n", Ended),
    ("empty line first", "\r\nGET / HTTP/1.1\r\nHost: app.example\r\nC\r\n\r\n", Sent("/")),
    // Framing
    (
        "differing lengths",
        "POST / HTTP/1.1\r\nHost: app.example\r\nC\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        Refused(400),
    ),
    (
        "equal lengths",
        "POST / HTTP/1.1\r\nHost: app.example\r\nC\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        Refused(400),
    ),
    (
        "list of lengths",
        "POST / HTTP/1.1\r\nHost: app.example\r\nC\r\nContent-Length: 1, 1\r\n\r\na",
        Refused(400),
    ),
    (
        "signed length",
        "POST / HTTP/1.1\r\nHost: app.example\r\nC\r\nContent-Length: +1\r\n\r\na",
        Refused(400),
    ),
    (
        "negative length",
        "POST / HTTP/1.1\r\nHost: app.example\r\nC\r\nContent-Length: -1\r\n\r\na",
        Refused(400),
    ),
    (
        "hexadecimal length",
        "POST / HTTP/1.1\r\nHost: app.example\r\nC\r\nContent-Length: 0x1\r\n\r\na",
        Refused(400),
    ),
    ("empty length", "POST / HTTP/1.1\r\nHost: app.example\r\nC\r\nContent-Length:\r\n\r\na", Refused(400)),
    (
        "endless length",
        "POST / HTTP/1.1\r\nHost: app.example\r\nC\r\nContent-Length: 99999999999999999999999\r\n\r\na",
        Refused(400),
    ),
    (
        "CL.TE",
        "POST / HTTP/1.1\r\nHost: app.example\r\nC\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
        Refused(400),
    ),
    (
        "TE.CL",
        "POST / HTTP/1.1\r\nHost: app.example\r\nC\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "TE.TE",
        "POST / HTTP/1.1\r\nHost: app.example\r\nC\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "TE twice",
        "POST / HTTP/1.1\r\nHost: app.example\r\nC\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "TE not chunked",
        "POST / HTTP/1.1\r\nHost: app.example\r\nC\r\nTransfer-Encoding: gzip\r\n\r\n",
        Refused(400),
    ),
    (
        "TE with more",
        "POST / HTTP/1.1\r\nHost: app.example\r\nC\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "TE disguised",
        "POST / HTTP/1.1\r\nHost: app.example\r\nC\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "TE in 1.0",
        "POST / HTTP/1.0\r\nHost: app.example\r\nC\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "TE with a tab",
        "POST / HTTP/1.1\r\nHost: app.example\r\nC\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n",
        Sent("/"),
    ),
    // Connection
    (
        "quoted nomination",
        "GET / HTTP/1.1\r\nHost: app.example\r\nC\r\nConnection: \"x\"\r\n\r\n",
        Refused(400),
    ),
    (
        "nominated pseudo-header",
        "GET / HTTP/1.1\r\nHost: app.example\r\nC\r\nConnection: :path\r\n\r\n",
        Refused(400),
    ),
    (
        "ten nominations",
        "GET / HTTP/1.1\r\nHost: app.example\r\nC\r\nConnection: a,b,c,d,e,f,g,h,i,j\r\n\r\n",
        Refused(400),
    ),
    ("nominated Host", "GET / HTTP/1.1\r\nHost: app.example\r\nC\r\nConnection: host\r\n\r\n", Refused(400)),
];

#[tokio::test]
async fn each_probe_gets_its_answer() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut failures = Vec::new();
    for (name, probe, want) in PROBES {
        let before = upstream.requests().len();
        // One probe has a byte that is no text.
        let bytes = probe.replace("C\r\n", &format!("Cookie: {}\r\n", rig.cookie));
        let bytes = bytes.replace("C\n", &format!("Cookie: {}\n", rig.cookie));
        let bytes: Vec<u8> = if *name == "not UTF-8" { latin1(&bytes) } else { bytes.into() };
        let answer = try_exchange(rig.address, &bytes).await;
        let reached = upstream.requests().split_off(before);
        let held = match (want, &answer) {
            (Refused(status), Ok(response)) => {
                response.status == *status && reached.is_empty() && response.header("server").is_none()
            }
            (Sent(target), Ok(response)) => {
                response.status == 200 && reached.len() == 1 && reached[0].target() == *target
            }
            (Ended, answer) => {
                reached.is_empty() && answer.as_ref().map_or(true, |response| response.status == 400)
            }
            _ => false,
        };
        if !held {
            failures.push(format!("{name}: {answer:?}, reached: {reached:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

/// Chunks that two readers could count differently.
#[tokio::test]
async fn broken_chunks_never_end_a_request() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    for body in [
        "x\r\n",
        "-1\r\nab",
        "0x2\r\nab\r\n0\r\n\r\n",
        "2\r\nabc\r\n0\r\n\r\n",
        "fffffffffffffffff\r\na",
        "2\nab\n0\n\n",
    ] {
        let mut client = RawClient::connect(rig.address).await;
        client.send(rig.signed_in("POST /", "Transfer-Encoding: chunked\r\n") + body).await;
        client.finish().await;
        let smuggled = client.try_response("POST").await.is_ok_and(|response| response.status == 200);
        assert!(!smuggled, "{body:?}");
    }
    assert!(upstream.requests().is_empty());
}

/// What was refused before there was a request is counted and logged as well.
#[tokio::test]
async fn refusals_are_counted() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send("GET / HTTP/1.1\r\nHost : a\r\n\r\n").await;
    let response = client.response().await;
    assert_eq!((response.status, response.header("connection")), (400, Some("close")));
    client.finish().await;
    client.rest().await;
    let logged = tokio::time::timeout(crate::support::DEADLINE, async {
        while rig.log.lines().is_empty() {
            tokio::task::yield_now().await;
        }
    });
    logged.await.unwrap();
    assert!(rig.log.lines()[0].contains("status: 400") && rig.log.lines()[0].contains("unreadable"));
}
