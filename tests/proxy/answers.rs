//! Does every odd answer arrive as the app meant it?

use super::rig::Rig;
use crate::support::raw::RawClient;
use crate::support::upstream::{Answer, Gate, Upstream, When};

async fn asked(answer: Answer, method: &str) -> (Rig, Upstream, RawClient) {
    let upstream = Upstream::answering(answer).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in(&format!("{method} /"), "")).await;
    (rig, upstream, client)
}

/// What came back, without the two lines that a proxy writes anew.
fn heads(head: &crate::support::http1::Head) -> Vec<String> {
    let own = |name: &str| name.eq_ignore_ascii_case("date") || name.eq_ignore_ascii_case("connection");
    let lines =
        head.headers.iter().filter(|(name, _)| !own(name)).map(|(name, value)| format!("{name}: {value}"));
    std::iter::once(head.start_line.clone()).chain(lines).collect()
}

#[tokio::test]
async fn bodiless_answers_stay_so() {
    for (method, head) in [
        ("GET", "HTTP/1.1 204 No Content\r\nX-A: 1\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 1234\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n"),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"),
        ("GET", "HTTP/1.1 404 Not Here\r\nContent-Length: 0\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\nContent-Type: text/plain\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"),
        ("GET", "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n"),
    ] {
        let (rig, _upstream, mut client) = asked(Answer::raw(format!("{head}\r\n")), method).await;
        let response = client.response_to(method).await;
        let want: Vec<&str> = head.trim_end().split("\r\n").collect();
        // The reason phrase carries no meaning (RFC 9112 §4), and pingora writes the usual one.
        assert_eq!(heads(&response.head)[1..], want[1..], "{method} {head}");
        assert_eq!(response.status.to_string(), want[0].split(' ').nth(1).unwrap());
        assert_eq!(response.raw_body, b"");
        // The connection is in step: the next answer is read as such.
        client.send(rig.signed_in(&format!("{method} /"), "")).await;
        assert_eq!(client.response_to(method).await.status, response.status, "{method} {head}");
    }
}

#[tokio::test]
async fn bodies_arrive_byte_for_byte_whatever_their_framing() {
    let all_bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let length =
        [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", all_bytes.len()).into(), all_bytes.clone()];
    let chunks: Vec<u8> = all_bytes
        .chunks(1000)
        .flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat())
        .chain(*b"0\r\n\r\n")
        .collect();
    let chunked = ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".into(), chunks];
    let until_close = ["HTTP/1.1 200 OK\r\n\r\n".into(), all_bytes.clone()];
    let old = ["HTTP/1.0 200 OK\r\n\r\n".into(), all_bytes.clone()];
    for (answer, closes) in [(length, false), (chunked, false), (until_close, true), (old, true)] {
        let answer = Answer::raw(answer.concat());
        let answer = if closes { answer.then_close() } else { answer };
        let (_rig, _upstream, mut client) = asked(answer, "GET").await;
        assert_eq!(client.response().await.body, all_bytes);
    }
}

#[tokio::test]
async fn interim_answers_are_passed_on_as_they_come() {
    let gate = Gate::new();
    let answer = Answer::raw("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        .then_wait(&gate)
        .then("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let (_rig, _upstream, mut client) = asked(answer, "GET").await;
    let hints = client.response().await;
    assert_eq!((hints.status, hints.header("link")), (103, Some("</a.css>; rel=preload")));
    gate.open();
    assert_eq!(client.response().await.text(), "ok");
}

#[tokio::test]
async fn the_upstream_says_whether_to_continue() {
    let answer = |request: &crate::support::upstream::Request| match request.header("expect") {
        Some(_) => Answer::raw("HTTP/1.1 100 Continue\r\n\r\n")
            .then("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        None => Answer::raw("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"),
    };
    let upstream = Upstream::start_with(When::Head, answer).await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("POST /", "Content-Length: 3\r\nExpect: 100-continue\r\n")).await;
    assert_eq!(client.response().await.status, 100);
    client.send("abc").await;
    assert_eq!(client.response().await.text(), "ok");
}

#[tokio::test]
async fn a_request_body_arrives_byte_for_byte_with_one_framing() {
    let upstream = Upstream::start().await;
    let rig = Rig::in_front_of(upstream.address()).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("POST /", "Content-Length: 3\r\n") + "\0\r\n").await;
    client.response().await;
    let seen = upstream.last();
    assert_eq!((&seen.body[..], seen.all("content-length")), (&b"\0\r\n"[..], vec!["3"]));
    client
        .send(rig.signed_in("PUT /", "Transfer-Encoding: chunked\r\n") + "3;ext=1\r\nabc\r\n0\r\n\r\n")
        .await;
    client.response().await;
    let seen = upstream.last();
    assert_eq!((&seen.body[..], seen.all("transfer-encoding")), (&b"abc"[..], vec!["chunked"]));
    assert_eq!(seen.header("content-length"), None);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_made_whole() {
    for half in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let (_rig, _upstream, mut client) = asked(Answer::raw(half).then_close(), "GET").await;
        let error = client.try_response("GET").await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{half}");
    }
}

/// With a length, pingora would keep the beginning back until there is more.
#[tokio::test]
async fn a_slow_answer_with_a_length_is_not_kept_back() {
    let gate = Gate::new();
    let answer = Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab").then_wait(&gate).then("cd");
    let (_rig, _upstream, mut client) = asked(answer, "GET").await;
    client.head().await;
    assert_eq!(client.bytes(2).await, b"ab");
    gate.open();
    assert_eq!(client.bytes(2).await, b"cd");
}

/// What a program in front could frame otherwise would be the next person's answer there.
#[tokio::test]
async fn an_answer_has_one_framing_or_is_none() {
    for (head, want) in [
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\nbody", 502),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\nbody", 502),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\nbody", 502),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 43\r\n\r\n", 204),
        ("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", 204),
    ] {
        let upstream = Upstream::answering(Answer::raw(head).then_close()).await;
        let rig = Rig::in_front_of(upstream.address()).await;
        let mut client = RawClient::connect(rig.address).await;
        client.send(rig.signed_in("GET /", "")).await;
        let answer = client.head().await;
        assert!(answer.start_line.contains(&want.to_string()), "{head:?}: {}", answer.start_line);
        if want == 204 {
            assert_eq!(
                (answer.header("content-length"), answer.header("transfer-encoding")),
                (None, None),
                "{head:?}"
            );
        }
    }
}
