//! Is a request over HTTP/2 a request like any other? What the upstream gets of it, and the client of the answer.

use http::Request;

use super::rig::{Plan, Rig, plan};
use crate::support::http2::{
    DATA, END_HEADERS, END_STREAM, HEADERS, Http2Client, RST_STREAM, RawHttp2, block,
};
use crate::support::upstream::{Answer, Gate, Upstream};

pub(crate) fn http2(upstream: &Upstream) -> Plan {
    let mut plan = plan(upstream.address());
    plan.settings.entrance.http2 = true;
    plan
}

pub(crate) fn signed_in(rig: &Rig, method: &str, target: &str) -> http::request::Builder {
    let uri = format!("http://app.example{target}");
    Request::builder().method(method).uri(uri).header("cookie", &rig.cookie)
}

pub(crate) fn request(builder: http::request::Builder) -> Request<()> {
    builder.body(()).unwrap()
}

/// The fields of a signed-in GET, and these.
pub(crate) fn fields<'a>(rig: &'a Rig, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "app.example"),
        (":path", "/"),
        ("cookie", &rig.cookie),
    ];
    fields.extend(more);
    fields
}

#[tokio::test]
async fn the_upstream_gets_a_plain_http_1_request_with_the_identity() {
    let upstream = Upstream::answering(Answer::ok("hello")).await;
    let rig = Rig::start(http2(&upstream)).await;
    let client = Http2Client::connect(rig.address).await;
    let get = signed_in(&rig, "GET", "/a?b=c%2f")
        .header("x-anteroom-email", "evil@example.com")
        .header("x-forwarded-for", "6.6.6.6")
        .header("te", "trailers")
        .header("x-kept", "1");
    let answer = client.send(request(get), "").await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    for name in ["connection", "keep-alive", "transfer-encoding", "upgrade"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    let seen = upstream.last();
    assert_eq!(seen.head.start_line, "GET /a?b=c%2f HTTP/1.1");
    for (name, want) in [
        ("host", &["app.example"][..]),
        ("x-anteroom-email", &["ada@example.com"]),
        ("x-forwarded-for", &["127.0.0.1"]),
        ("x-forwarded-proto", &["https"]),
        ("cookie", &[]),
        ("te", &[]),
        ("transfer-encoding", &[]),
        ("x-kept", &["1"]),
    ] {
        assert_eq!(seen.all(name), want, "{name}");
    }
    assert!(rig.log.lines()[0].contains("127.0.0.1"), "{:?}", rig.log.lines());
}

#[tokio::test]
async fn cookie_crumbs_are_one_line_before_anybody_reads_them() {
    let upstream = Upstream::start().await;
    let rig = Rig::start(http2(&upstream)).await;
    let client = Http2Client::connect(rig.address).await;
    let crumbs = Request::get("http://app.example/")
        .header("cookie", "a=1")
        .header("cookie", &rig.cookie)
        .header("cookie", "b=2")
        .header("cookie", "anteroom-flow-1=x");
    assert_eq!(client.send(request(crumbs), "").await.unwrap().status, 200);
    assert_eq!(upstream.last().all("cookie"), ["a=1; b=2"]);
    // Two sessions cannot be read in two ways.
    let two = signed_in(&rig, "GET", "/").header("cookie", &rig.new_user);
    let over_http2 = client.send(request(two), "").await.unwrap().status;
    let same =
        format!("GET / HTTP/1.1\r\nHost: app.example\r\nCookie: {}; {}\r\n\r\n", rig.cookie, rig.new_user);
    assert_eq!(over_http2, crate::support::raw::exchange(rig.address, same).await.status);
}

#[tokio::test]
async fn nobody_gets_in_without_a_session_and_grpc_hears_it_in_its_own_way() {
    let upstream = Upstream::start().await;
    let rig = Rig::start(http2(&upstream)).await;
    let client = Http2Client::connect(rig.address).await;
    let stranger = Request::get("http://app.example/").header("accept", "application/json");
    let answer = client.send(request(stranger), "").await.unwrap();
    assert_eq!(answer.status, 401);
    assert!(answer.header("x-request-id").is_some());
    let me = Request::get("http://app.example/_anteroom/me").header("cookie", &rig.cookie);
    assert!(client.send(request(me), "").await.unwrap().text().contains("ada@example.com"));
    // Trailers-Only: the header ends the stream.
    let mut raw = RawHttp2::connect(rig.address).await;
    let call = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "app.example"),
        (":path", "/pkg.Service/Call"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    raw.request(1, &call).await.unwrap();
    let answer = raw.next_of(&[HEADERS, DATA]).await.unwrap();
    assert_eq!((answer.kind, answer.flags & END_STREAM), (HEADERS, END_STREAM));
    let call =
        Request::post("http://app.example/pkg.Service/Call").header("content-type", "application/grpc");
    let answer = client.send(request(call), "\0\0\0\0\0").await.unwrap();
    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("16")));
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn many_streams_at_once_each_get_their_own_answer() {
    let upstream = Upstream::with(|request| Answer::ok(request.target())).await;
    let rig = Rig::start(http2(&upstream)).await;
    let client = Http2Client::connect(rig.address).await;
    let ask = |n: u32| {
        let (client, get) = (&client, signed_in(&rig, "GET", &format!("/nonce-{n}")));
        async move { client.send(request(get), "").await.unwrap().text() }
    };
    // By then the client knows how many it may ask for at once; the rest waits its turn.
    ask(0).await;
    let answers = futures_util::future::join_all((0..300).map(ask)).await;
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer, &format!("/nonce-{n}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn big_bodies_flow_both_ways() {
    let big: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", big.len()).into_bytes();
    answer.extend(&big);
    let upstream = Upstream::answering(Answer::raw(answer)).await;
    let rig = Rig::start(http2(&upstream)).await;
    let client = Http2Client::connect(rig.address).await;
    let post = signed_in(&rig, "POST", "/upload");
    let answer = client.send(request(post), big.clone()).await.unwrap();
    assert!(answer.body == big);
    let seen = upstream.last();
    assert!(seen.body == big);
    assert_eq!((seen.all("transfer-encoding"), seen.header("content-length")), (vec!["chunked"], None));
    let announced = signed_in(&rig, "PUT", "/").header("content-length", big.len());
    assert!(client.send(request(announced), big.clone()).await.unwrap().body == big);
    assert!(upstream.last().body == big && upstream.last().all("transfer-encoding").is_empty());
}

#[tokio::test]
async fn answers_without_a_body_have_none() {
    let upstream = Upstream::with(|request| match (request.method(), request.target()) {
        ("HEAD", _) => Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"),
        (_, "/204") => Answer::raw("HTTP/1.1 204 No Content\r\n\r\n"),
        (_, "/304") => Answer::raw("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"),
        (_, "/103") => Answer::raw("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n").then("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        (_, "/hop") => Answer::raw(
            "HTTP/1.1 200 OK\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\n\
             Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
        _ => Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    })
    .await;
    let rig = Rig::start(http2(&upstream)).await;
    let client = Http2Client::connect(rig.address).await;
    for (method, target, status, body) in [
        ("HEAD", "/", 200, ""),
        ("GET", "/204", 204, ""),
        ("GET", "/304", 304, ""),
        ("GET", "/empty", 200, ""),
        ("GET", "/103", 200, "ok"),
        ("GET", "/hop", 200, "ok"),
    ] {
        let answer = client.send(request(signed_in(&rig, method, target)), "").await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (status, body), "{method} {target}");
        for name in ["connection", "keep-alive", "transfer-encoding", "upgrade", "x-hop"] {
            assert_eq!(answer.header(name), None, "{target} {name}");
        }
        if method == "HEAD" {
            assert_eq!(answer.header("content-length"), Some("7"));
        }
    }
    let head = signed_in(&rig, "HEAD", "/_anteroom/me");
    assert_eq!(client.send(request(head), "").await.unwrap().text(), "");
}

/// A cut answer must not look whole.
#[tokio::test]
async fn an_answer_that_breaks_off_ends_with_a_reset() {
    let upstream = Upstream::with(|request| match request.target() {
        "/length" => Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").then_close(),
        "/chunks" => {
            Answer::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").then_close()
        }
        "/switch" => {
            Answer::raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        }
        _ => Answer::ok("ok"),
    })
    .await;
    let rig = Rig::start(http2(&upstream)).await;
    let client = Http2Client::connect(rig.address).await;
    for target in ["/length", "/chunks"] {
        let cut = client.send(request(signed_in(&rig, "GET", target)), "").await.unwrap_err();
        assert!(cut.is_reset(), "{target}: {cut:?}");
    }
    let switched = client.send(request(signed_in(&rig, "GET", "/switch")), "").await.unwrap();
    assert!(switched.status >= 500, "{switched:?}");
    assert_eq!(client.send(request(signed_in(&rig, "GET", "/")), "").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_along() {
    let upstream = Upstream::answering(Answer::default().then_hang()).await;
    let rig = Rig::start(http2(&upstream)).await;
    let client = Http2Client::connect(rig.address).await;
    let (answer, mut stream) = client.begin(request(signed_in(&rig, "GET", "/")), true).await;
    upstream.wait_for_request(1).await;
    stream.send_reset(h2::Reason::CANCEL);
    drop(answer);
    upstream.wait_for_open_connections(0).await;
}

#[tokio::test]
async fn what_is_no_plain_request_is_refused_and_its_neighbours_are_not() {
    let upstream = Upstream::start().await;
    let rig = Rig::start(http2(&upstream)).await;
    let swap = |name: &'static str, value: &'static str| {
        let mut fields = fields(&rig, &[]);
        match fields.iter_mut().find(|(n, _)| *n == name) {
            Some(field) => field.1 = value,
            None => fields.push((name, value)),
        }
        fields
    };
    let without = |name: &str| fields(&rig, &[]).into_iter().filter(|(n, _)| *n != name).collect::<Vec<_>>();
    let cases = [
        swap("host", "app.example"),
        swap("host", "other.example"),
        swap("host", "APP.EXAMPLE"),
        swap(":authority", "user@app.example"),
        swap(":authority", ""),
        swap(":authority", "app.example/x"),
        without(":authority"),
        without(":method"),
        without(":scheme"),
        without(":path"),
        swap(":path", ""),
        swap(":path", "a"),
        swap(":path", "*"),
        swap(":path", "http://other.example/"),
        swap(":path", "/a b"),
        swap(":path", "/\r\nX: 1"),
        swap(":path", "//other.example/"),
        swap(":method", "get"),
        swap(":method", "TRACE"),
        swap(":method", "CONNECT"),
        swap(":protocol", "websocket"),
        swap(":status", "200"),
        swap(":strange", "1"),
        fields(&rig, &[(":path", "/b")]),
        fields(&rig, &[(":authority", "b")]),
        [without(":path"), vec![(":path", "/")]].concat(),
        swap("connection", "close"),
        swap("connection", "x-anteroom-email"),
        swap("transfer-encoding", "chunked"),
        swap("upgrade", "websocket"),
        swap("keep-alive", "timeout=5"),
        swap("proxy-connection", "close"),
        swap("te", "gzip"),
        swap("content-length", "5"),
        swap("content-length", "+0"),
        swap("content-length", ""),
        fields(&rig, &[("content-length", "0"), ("content-length", "0")]),
        swap("X-Upper", "1"),
        swap("x\r\ny", "1"),
        swap("x y", "1"),
        swap("x:y", "1"),
        swap("", "1"),
        swap("x", "1\r\ny: 2"),
        swap("x", "1\0"),
        swap("x", " 1"),
    ];
    let no_field = |(name, value): &(&str, &str)| {
        let of_a_name = |b: u8| b.is_ascii_lowercase() || b == b'-';
        name.is_empty()
            || !name.trim_start_matches(':').bytes().all(of_a_name)
            || value.bytes().any(|b| b < b' ')
    };
    let mut served = 0;
    for (n, fields) in cases.iter().enumerate() {
        let mut raw = RawHttp2::connect(rig.address).await;
        raw.request(1, fields).await.unwrap();
        let answer = raw.next_of(&[HEADERS, RST_STREAM]).await;
        let whole = n == 0;
        match &answer {
            Some(frame) if frame.kind == HEADERS => {
                let ok = frame.payload.first() == Some(&0x88); // `:status: 200` of the static table
                assert_eq!(ok, whole, "{fields:?}: {frame:?}");
            }
            _ => assert!(!whole, "{fields:?}: {answer:?}"),
        }
        // The connection serves on, but for what the engine takes for a broken compression state.
        let broken =
            fields.iter().any(|field| field.0 == ":strange" || (field.0 != ":path" && no_field(field)));
        let _hung_up = raw.request(3, &self::fields(&rig, &[])).await;
        let neighbour = loop {
            match raw.next_of(&[HEADERS, RST_STREAM]).await {
                Some(frame) if frame.stream == 3 => break frame.payload.first() == Some(&0x88),
                Some(_) => {}
                None => break false,
            }
        };
        assert_eq!(neighbour, !broken, "{fields:?}");
        served += usize::from(neighbour) + usize::from(whole);
    }
    assert_eq!(upstream.requests().len(), served);
    for seen in upstream.requests() {
        assert_eq!(
            (seen.head.start_line.as_str(), seen.all("host")),
            ("GET / HTTP/1.1", vec!["app.example"])
        );
    }
}

/// What is behind the end of a request, or beside its length, is no request.
#[tokio::test]
async fn bodies_and_trailers_cannot_smuggle() {
    let upstream = Upstream::start().await;
    let rig = Rig::start(http2(&upstream)).await;
    let smuggled =
        b"GET /smuggled HTTP/1.1\r\nHost: app.example\r\nX-Anteroom-Email: evil@example.com\r\n\r\n";
    for length in [None, Some("0"), Some("1"), Some("1000")] {
        let mut post = fields(&rig, &[]);
        post[0].1 = "POST";
        post.extend(length.map(|length| ("content-length", length)));
        let mut raw = RawHttp2::connect(rig.address).await;
        raw.frame(HEADERS, END_HEADERS, 1, &block(&post)).await.unwrap();
        raw.frame(DATA, 0, 1, smuggled).await.unwrap();
        let trailers = [("x-anteroom-email", "evil@example.com"), ("x-late", "1")];
        raw.frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&trailers)).await.unwrap();
        raw.next_of(&[HEADERS, RST_STREAM]).await.unwrap();
    }
    // The next one over the same upstream connections.
    let client = Http2Client::connect(rig.address).await;
    for _ in 0..4 {
        let answer = client.send(request(signed_in(&rig, "GET", "/after")), "").await.unwrap();
        assert_eq!(answer.status, 200);
    }
    assert!(!upstream.requests().iter().any(|seen| seen.target() == "/smuggled"));
    assert!(!upstream.saw("x-late"));
    for seen in upstream.requests() {
        assert_eq!(seen.all("x-anteroom-email"), ["ada@example.com"]);
    }
}

#[tokio::test]
async fn extended_connect_is_not_offered() {
    let upstream = Upstream::start().await;
    let rig = Rig::start(http2(&upstream)).await;
    for tunnel in [
        &[(":method", "CONNECT"), (":authority", "app.example:443"), ("cookie", rig.cookie.as_str())][..],
        &[
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":authority", "app.example"),
            (":path", "/"),
            ("cookie", &rig.cookie),
        ],
    ] {
        let mut raw = RawHttp2::connect(rig.address).await;
        raw.frame(HEADERS, END_HEADERS, 1, &block(tunnel)).await.unwrap();
        let answer = raw.next_of(&[HEADERS, RST_STREAM]).await.unwrap();
        assert_ne!(answer.payload.first(), Some(&0x88), "{answer:?}");
        assert!(!answer.payload.windows(7).any(|w| w.eq_ignore_ascii_case(b"pingora")));
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn own_endpoints_read_small_bodies_and_refuse_large_headers() {
    let upstream = Upstream::start().await;
    let mut plan = http2(&upstream);
    plan.settings.limits.header_bytes = 4096;
    let rig = Rig::start(plan).await;
    let client = Http2Client::connect(rig.address).await;
    let post = || signed_in(&rig, "POST", "/_anteroom/sign-out");
    let big = vec![b'x'; 9000];
    assert_eq!(client.send(request(post()), big.clone()).await.unwrap().status, 413);
    let announced = post().header("content-length", big.len());
    assert_eq!(client.send(request(announced), big).await.unwrap().status, 413);
    assert_ne!(client.send(request(post()), "abc").await.unwrap().status, 413);
    for (length, status) in [(3000, 200), (5000, 431), (20_000, 431)] {
        let big = signed_in(&rig, "GET", "/").header("x-big", "x".repeat(length));
        assert_eq!(client.send(request(big), "").await.unwrap().status, status, "{length}");
    }
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_body_that_stops_is_given_up() {
    let upstream = Upstream::start().await;
    let mut plan = http2(&upstream);
    plan.settings.timeouts.read = std::time::Duration::from_millis(200);
    let rig = Rig::start(plan).await;
    let client = Http2Client::connect(rig.address).await;
    let (answer, mut stream) = client.begin(request(signed_in(&rig, "POST", "/")), false).await;
    stream.send_data("abc".into(), false).unwrap();
    assert_eq!(answer.await.unwrap().status(), 408);
    // gRPC clients may listen in silence.
    let gate = Gate::new();
    let call = signed_in(&rig, "POST", "/").header("content-type", "application/grpc");
    let (mut answer, _stream) = client.begin(request(call), false).await;
    let patience = std::time::Duration::from_millis(500);
    assert!(tokio::time::timeout(patience, &mut answer).await.is_err());
    gate.open();
}
