//! Does a request over HTTP/2 become two on the way to a server of HTTP/1.1? The same two servers, nginx and Python's, and
//! their own logs as the judges: everything that they read, Anteroom has decided on, under the very name they read.
//!
//! <https://portswigger.net/research/http2>, RFC 9113 §8.2 and §10.3

use std::collections::BTreeMap;
use std::time::Duration;

use http::Request;

use super::rig::{Rig, plan};
use super::smuggling::Server;
use crate::support::DEADLINE;
use crate::support::http2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Http2Client, RST_STREAM, RawHttp2, block,
};
use crate::support::raw::{RawClient, exchange};

const EVIL: &str = "GET /evil HTTP/1.1\r\nHost: app.example\r\n\r\n";

/// One attack. `EVIL` stands for the hidden request (41 bytes), `ATTACK` for this attack's own path, `SESSION` for the
/// cookie, which is `NAME=VALUE`, `LONG` for 40 000 letters.
struct Attack {
    name: &'static str,
    /// Fields instead of those of the same name in a plain signed-in POST.
    instead: &'static [(&'static str, &'static str)],
    /// Fields at the end of the header.
    more: &'static [(&'static str, &'static str)],
    /// Frames of data.
    data: &'static [&'static str],
    trailers: &'static [(&'static str, &'static str)],
    /// Frames of data behind the end.
    late: &'static [&'static str],
}

const fn fields(name: &'static str, more: &'static [(&'static str, &'static str)]) -> Attack {
    Attack { name, instead: &[], more, data: &["EVIL"], trailers: &[], late: &[] }
}

const fn instead(name: &'static str, instead: &'static [(&'static str, &'static str)]) -> Attack {
    Attack { name, instead, more: &[], data: &["EVIL"], trailers: &[], late: &[] }
}

const fn trailers(name: &'static str, trailers: &'static [(&'static str, &'static str)]) -> Attack {
    Attack { name, instead: &[], more: &[], data: &["EVIL"], trailers, late: &[] }
}

#[rustfmt::skip]
const ATTACKS: &[Attack] = &[
    // H2.CL
    fields("no length", &[]),
    fields("the length", &[("content-length", "41")]),
    fields("a length that is too short", &[("content-length", "0")]),
    fields("a length of a byte", &[("content-length", "1")]),
    fields("a length that is too long", &[("content-length", "500")]),
    fields("two lengths", &[("content-length", "0"), ("content-length", "41")]),
    fields("two lengths, the other way round", &[("content-length", "41"), ("content-length", "0")]),
    fields("one length twice", &[("content-length", "41"), ("content-length", "41")]),
    fields("a list of lengths", &[("content-length", "41, 0")]),
    fields("a length with a sign", &[("content-length", "+41")]),
    fields("a length with zeros", &[("content-length", "0041")]),
    fields("a length in hexadecimal", &[("content-length", "0x29")]),
    fields("a length that wraps", &[("content-length", "18446744073709551657")]),
    fields("an empty length", &[("content-length", "")]),
    fields("a length under another name", &[("content_length", "0")]),
    Attack { name: "a length and no data", instead: &[], more: &[("content-length", "41")], data: &[""], trailers: &[], late: &[] },
    Attack { name: "a length, in pieces", instead: &[], more: &[("content-length", "41")], data: &["", "EVIL", ""], trailers: &[], late: &[] },
    Attack { name: "more after the length", instead: &[], more: &[("content-length", "41")], data: &["EVIL", "EVIL"], trailers: &[], late: &[] },
    // H2.TE
    Attack { name: "chunks", instead: &[], more: &[("transfer-encoding", "chunked")], data: &["0\r\n\r\nEVIL"], trailers: &[], late: &[] },
    Attack { name: "chunks and a length", instead: &[], more: &[("transfer-encoding", "chunked"), ("content-length", "46")], data: &["0\r\n\r\nEVIL"], trailers: &[], late: &[] },
    Attack { name: "chunks under another name", instead: &[], more: &[("transfer_encoding", "chunked")], data: &["0\r\n\r\nEVIL"], trailers: &[], late: &[] },
    Attack { name: "chunks that nobody announced", instead: &[], more: &[], data: &["0\r\n\r\nEVIL"], trailers: &[], late: &[] },
    fields("another coding", &[("transfer-encoding", "identity")]),
    fields("te", &[("te", "chunked")]),
    fields("te, in a list", &[("te", "trailers, chunked")]),
    fields("an expectation", &[("expect", "100-continue")]),
    // Line ends, NUL and spaces where none belong.
    fields("a line end in a value", &[("x", "1\r\ntransfer-encoding: chunked")]),
    fields("a request in a value", &[("x", "1\r\n\r\nEVIL")]),
    fields("LF in a value", &[("x", "1\n\nEVIL")]),
    fields("CR in a value", &[("x", "1\r\rEVIL")]),
    fields("NUL in a value", &[("x", "1\0transfer-encoding: chunked")]),
    fields("a line end in a name", &[("x: 1\r\ntransfer-encoding", "chunked")]),
    fields("a request in a name", &[("x: 1\r\n\r\nEVIL", "1")]),
    fields("NUL in a name", &[("x\0", "1")]),
    fields("a colon in a name", &[("transfer-encoding:chunked", "1")]),
    fields("a colon after a name", &[("transfer-encoding:", "chunked")]),
    fields("a space after a name", &[("transfer-encoding ", "chunked")]),
    fields("a tab before a name", &[("\ttransfer-encoding", "chunked")]),
    fields("a name in upper case", &[("Transfer-Encoding", "chunked")]),
    fields("a length in upper case", &[("Content-Length", "0")]),
    fields("no name", &[("", "chunked")]),
    instead("a line end in the path", &[(":path", "ATTACK HTTP/1.1\r\nHost: app.example\r\n\r\nEVIL")]),
    instead("a line in the path", &[(":path", "ATTACK HTTP/1.1\r\ntransfer-encoding: chunked\r\nx: ")]),
    instead("LF in the path", &[(":path", "ATTACK HTTP/1.1\n\nEVIL")]),
    instead("a space in the path", &[(":path", "ATTACK /evil")]),
    instead("a version in the path", &[(":path", "ATTACK HTTP/1.1")]),
    instead("a tab in the path", &[(":path", "ATTACK\t/evil")]),
    instead("NUL in the path", &[(":path", "ATTACK\0/evil")]),
    instead("a whole URL as the path", &[(":path", "http://app.example/evil")]),
    instead("no path", &[(":path", "")]),
    instead("a star as the path", &[(":path", "*")]),
    instead("a path without a slash", &[(":path", "evil")]),
    instead("a line end in the method", &[(":method", "GET /evil HTTP/1.1\r\nHost: app.example\r\n\r\nGET")]),
    instead("a path in the method", &[(":method", "GET /evil HTTP/1.1")]),
    instead("a space in the method", &[(":method", "GET /evil")]),
    instead("NUL in the method", &[(":method", "POST\0")]),
    instead("no method", &[(":method", "")]),
    instead("a tunnel", &[(":method", "CONNECT")]),
    instead("a line end in the authority", &[(":authority", "app.example\r\n\r\nEVIL")]),
    instead("a line in the authority", &[(":authority", "app.example\r\ntransfer-encoding: chunked")]),
    instead("a space in the authority", &[(":authority", "app.example evil")]),
    instead("a path in the authority", &[(":authority", "app.example/evil?")]),
    instead("a user in the authority", &[(":authority", "evil@app.example")]),
    instead("NUL in the authority", &[(":authority", "app.example\0")]),
    instead("a line end in the scheme", &[(":scheme", "http://app.example/evil HTTP/1.1\r\n\r\n")]),
    instead("another URL in the scheme", &[(":scheme", "http://app.example/evil?")]),
    // Fields that may not be there, or not there twice.
    fields("a path at the end", &[(":path", "/evil")]),
    fields("a method at the end", &[(":method", "PUT")]),
    fields("an authority at the end", &[(":authority", "evil.example")]),
    fields("a status", &[(":status", "200")]),
    fields("a field that nobody knows", &[(":evil", "1")]),
    fields("an upgrade", &[("upgrade", "websocket"), ("connection", "upgrade")]),
    fields("connection names a field", &[("connection", "content-length")]),
    fields("keep-alive", &[("keep-alive", "timeout=5")]),
    fields("another host", &[("host", "evil.example")]),
    fields("two hosts", &[("host", "app.example"), ("host", "evil.example")]),
    fields("a host with a line end", &[("host", "app.example\r\n\r\nEVIL")]),
    instead("a host instead of the authority", &[(":authority", "evil.example"), ("host", "app.example")]),
    fields("ways to name another path", &[("x-original-url", "/evil"), ("x-rewrite-url", "/evil")]),
    fields("a method to override", &[("x-http-method-override", "GET /evil")]),
    // The session's cookie in crumbs.
    instead("the cookie cut at the equals sign", &[("cookie", "NAME"), ("cookie", "=VALUE")]),
    instead("the cookie cut behind the equals sign", &[("cookie", "NAME="), ("cookie", "VALUE")]),
    instead("the cookie cut in two", &[("cookie", "NAME=VAL"), ("cookie", "UE")]),
    instead("the cookie in a list", &[("cookie", "a=1, SESSION")]),
    instead("the cookie in quotes", &[("cookie", "\"SESSION\"")]),
    instead("the cookie behind a line end", &[("cookie", "a=1\r\ncookie: SESSION")]),
    instead("the cookie behind NUL", &[("cookie", "a=1\0; SESSION")]),
    fields("the cookie twice", &[("cookie", "SESSION")]),
    fields("the cookie and another of its name", &[("cookie", "NAME=evil")]),
    fields("a line end in a crumb", &[("cookie", "a=1\r\n\r\nEVIL")]),
    // Trailers.
    trailers("trailers", &[("x-late", "1")]),
    trailers("a length at the end", &[("content-length", "0")]),
    trailers("chunks at the end", &[("transfer-encoding", "chunked")]),
    trailers("a path in the trailers", &[(":path", "/evil")]),
    trailers("a whole request in the trailers", &[(":method", "GET"), (":path", "/evil"), (":authority", "app.example"), ("cookie", "SESSION")]),
    trailers("line ends in the trailers", &[("x", "1\r\n\r\nEVIL")]),
    trailers("line ends in a trailer's name", &[("x\r\n\r\nEVIL", "1")]),
    trailers("huge trailers", &[("x-a", "LONG"), ("x-b", "LONG"), ("x-c", "LONG")]),
    Attack { name: "data behind the end", instead: &[], more: &[], data: &["x"], trailers: &[], late: &["EVIL"] },
    Attack { name: "data behind the trailers", instead: &[], more: &[], data: &["x"], trailers: &[("x-late", "1")], late: &["EVIL"] },
    fields("a huge header", &[("x-a", "LONG"), ("x-b", "LONG"), ("x-c", "LONG")]),
];

/// What the engine takes for a broken compression state or for abuse: it ends the connection. All else is the matter of its
/// stream.
const END_THE_CONNECTION: &[&str] = &[
    "a line end in a value",
    "a request in a value",
    "LF in a value",
    "CR in a value",
    "NUL in a value",
    "a line end in a name",
    "a request in a name",
    "NUL in a name",
    "a colon in a name",
    "a colon after a name",
    "a space after a name",
    "a tab before a name",
    "a name in upper case",
    "a length in upper case",
    "no name",
    "a line end in the method",
    "a path in the method",
    "a space in the method",
    "NUL in the method",
    "no method",
    "a field that nobody knows",
    "a host with a line end",
    "the cookie behind a line end",
    "the cookie behind NUL",
    "a line end in a crumb",
    "line ends in the trailers",
    "line ends in a trailer's name",
    "huge trailers",
    "a huge header",
];

impl Attack {
    /// Sends it, as far as the peer listens.
    async fn send(&self, raw: &mut RawHttp2, stream: u32, rig: &Rig, path: &str) -> std::io::Result<()> {
        let (name, value) = rig.cookie.split_once('=').unwrap();
        let long = "l".repeat(40_000);
        let (half, rest) = value.split_at(value.len() / 2);
        let filled = |text: &str| match text {
            "NAME=VAL" => format!("{name}={half}"),
            "UE" => rest.to_owned(),
            _ => text
                .replace("EVIL", EVIL)
                .replace("ATTACK", path)
                .replace("SESSION", &rig.cookie)
                .replace("NAME", name)
                .replace("VALUE", value)
                .replace("LONG", &long),
        };
        let plain = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "app.example"),
            (":path", "ATTACK"),
            ("cookie", "SESSION"),
        ];
        let kept = plain.iter().filter(|(name, _)| !self.instead.iter().any(|(other, _)| other == name));
        let (pseudo, other): (Vec<_>, Vec<_>) =
            kept.chain(self.instead).partition(|(name, _)| name.starts_with(':'));
        let head = [pseudo, other, self.more.iter().collect()].concat();
        header(raw, stream, 0, &head.iter().map(|(n, v)| (filled(n), filled(v))).collect::<Vec<_>>()).await?;
        for (n, piece) in self.data.iter().enumerate() {
            let last = n + 1 == self.data.len() && self.trailers.is_empty();
            raw.frame(DATA, if last { END_STREAM } else { 0 }, stream, filled(piece).as_bytes()).await?;
        }
        if !self.trailers.is_empty() {
            let late: Vec<_> = self.trailers.iter().map(|(n, v)| (filled(n), filled(v))).collect();
            header(raw, stream, END_STREAM, &late).await?;
        }
        for piece in self.late {
            raw.frame(DATA, END_STREAM, stream, filled(piece).as_bytes()).await?;
        }
        Ok(())
    }
}

/// Writes a header in as many frames as it takes.
async fn header(
    raw: &mut RawHttp2,
    stream: u32,
    end: u8,
    fields: &[(String, String)],
) -> std::io::Result<()> {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let bytes = block(&fields);
    let pieces: Vec<_> = bytes.chunks(16_000).collect();
    for (n, piece) in pieces.iter().enumerate() {
        let last = if n + 1 == pieces.len() { END_HEADERS } else { 0 };
        let (kind, flags) = if n == 0 { (HEADERS, end | last) } else { (CONTINUATION, last) };
        raw.frame(kind, flags, stream, piece).await?;
    }
    Ok(())
}

/// A signed-in GET on this stream.
async fn ask(raw: &mut RawHttp2, stream: u32, rig: &Rig, path: &str) -> std::io::Result<()> {
    let get = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "app.example"),
        (":path", path),
        ("cookie", &rig.cookie),
    ];
    raw.request(stream, &get).await
}

/// Bodies of the streams that were answered with 200 and whole, until `waited` is or the connection ends.
async fn answers(raw: &mut RawHttp2, waited: u32) -> BTreeMap<u32, String> {
    let (mut open, mut whole) = (BTreeMap::<u32, String>::new(), BTreeMap::new());
    while let Some(frame) = raw.next_of(&[HEADERS, DATA, RST_STREAM, GOAWAY]).await {
        match frame.kind {
            // `:status: 200` of the static table.
            HEADERS if frame.payload.first() == Some(&0x88) => {
                open.insert(frame.stream, String::new());
            }
            DATA => {
                if let Some(body) = open.get_mut(&frame.stream) {
                    body.push_str(&String::from_utf8_lossy(&frame.payload));
                }
            }
            RST_STREAM => {
                open.remove(&frame.stream);
            }
            _ => {}
        }
        let ended = frame.kind == RST_STREAM || frame.flags & END_STREAM != 0;
        if ended && frame.kind != GOAWAY {
            whole.extend(open.remove_entry(&frame.stream));
            if frame.stream == waited {
                break;
            }
        }
    }
    whole
}

async fn attack(server: &Server) {
    let mut plan = plan(server.address);
    plan.settings.entrance.http2 = true;
    let rig = Rig::start(plan).await;
    assert_eq!(EVIL.len(), 41);
    let (mut failures, mut gone) = (Vec::new(), Vec::new());
    for (number, attack) in ATTACKS.iter().enumerate() {
        let [before, beside, after] = ["before", "beside", "after"].map(|name| format!("/{name}-{number}"));
        let mut raw = RawHttp2::connect(rig.address).await;
        ask(&mut raw, 1, &rig, &before).await.unwrap();
        let mut got = answers(&mut raw, 1).await;
        let _hung_up = attack.send(&mut raw, 3, &rig, &format!("/attack-{number}")).await;
        let _hung_up = ask(&mut raw, 5, &rig, &beside).await;
        got.extend(answers(&mut raw, 5).await);
        // After data behind the end, it depends on how far the stream was.
        if !got.contains_key(&5) && attack.late.is_empty() {
            gone.push(attack.name);
        }
        if got.get(&1) != Some(&before) || got.get(&5).is_some_and(|body| *body != beside) {
            failures.push(format!("{}: the neighbours got {got:?}", attack.name));
        }
        if got.get(&3).is_some_and(|body| *body != format!("/attack-{number}")) {
            failures.push(format!("{}: it got {got:?}", attack.name));
        }
        // Others, over the upstream connections that the attack went over.
        let client = Http2Client::connect(rig.address).await;
        for round in 0..2 {
            let path = format!("{after}-{round}");
            let get = Request::get(format!("http://app.example{path}")).header("cookie", &rig.cookie);
            let answer = client.send(get.body(()).unwrap(), "").await.unwrap();
            let plain = exchange(rig.address, rig.signed_in(&format!("GET {path}-plain"), "")).await;
            if (answer.status, answer.text()) != (200, path.clone())
                || (plain.status, plain.text()) != (200, format!("{path}-plain"))
            {
                failures.push(format!("{}: others got {answer:?} {plain:?}", attack.name));
            }
        }
    }
    judged(server, &rig).await;
    let read = server.log();
    let of = |part: &str| read.iter().filter(|line| line.contains(part)).count();
    assert_eq!((of("evil"), of("before-"), of("after-")), (0, ATTACKS.len(), 4 * ATTACKS.len()), "{read:#?}");
    assert_eq!(gone, END_THE_CONNECTION);
    // Some are requests after all.
    assert!(of("/attack-") >= 10, "{read:#?}");
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Waits until everything that the server has read is in the access log: signed in, by this method, for this path.
async fn judged(server: &Server, rig: &Rig) {
    let undecided = || {
        let mut decided = BTreeMap::<String, usize>::new();
        for line in rig.log.lines().iter().filter(|line| line.contains("decision: \"signed_in\"")) {
            let of = |name: &str| line.split(name).nth(1)?.split('"').next().map(str::to_owned);
            let (method, path) = (of(" method: \"").unwrap(), of(" path: \"").unwrap());
            *decided.entry(format!("{method} {path}")).or_default() += 1;
        }
        let mut read = server.log();
        read.retain(|line| match decided.get_mut(line) {
            Some(left @ 1..) => {
                *left -= 1;
                false
            }
            _ => true,
        });
        read
    };
    let all = async {
        while !undecided().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let decided = tokio::time::timeout(DEADLINE, all).await;
    assert!(decided.is_ok(), "read, but not decided on: {:#?}", undecided());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_smuggled_to_nginx() {
    attack(&Server::nginx().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_smuggled_to_python() {
    attack(&Server::python().await).await;
}

/// Would the judges see it? Asked directly, both servers read the hidden request, and say so.
#[tokio::test]
async fn the_servers_tell_of_what_is_smuggled() {
    for server in [Server::nginx().await, Server::python().await] {
        let mut client = RawClient::connect(server.address).await;
        client
            .send(format!("POST /plain HTTP/1.1\r\nHost: app.example\r\nContent-Length: 0\r\n\r\n{EVIL}"))
            .await;
        assert_eq!(client.response().await.text(), "/plain");
        assert_eq!(client.response().await.text(), "/evil");
        let logged = async {
            while server.log() != ["POST /plain", "GET /evil"] {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let logged = tokio::time::timeout(DEADLINE, logged).await;
        assert!(logged.is_ok(), "{:?}", server.log());
    }
}
