//! Does TLS towards clients hold? Versions, names, protocols and client certificates, with rustls as the client.

use std::time::Duration;

use anteroom::net::TrustedProxies;
use anteroom::proxy::Settings;
use anteroom::proxy::settings::{CertificateFiles, ClientCertificates, Tls};
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, SupportedProtocolVersion};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::certificates::{Authority, Client, Issued, Secure};
use super::rig::{Plan, Rig, plan};
use crate::support::raw::RawClient;
use crate::support::upstream::{Answer, Upstream};

const NAME: &str = "app.example";

static ONLY_12: [&SupportedProtocolVersion; 1] = [&TLS12];
static ONLY_13: [&SupportedProtocolVersion; 1] = [&TLS13];

fn tls(certificates: &[&Issued]) -> Tls {
    let certificates = certificates.iter().map(|issued| issued.files.clone()).collect();
    Tls { certificates, only_tls13: false, clients: None }
}

async fn secured(tls: Tls, change: impl FnOnce(&mut Plan)) -> (Rig, Upstream) {
    let upstream = Upstream::with(|request| match request.target() {
        "/ws" => Answer::raw(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        )
        .then_echo(),
        "/large" => Answer::ok(&"x".repeat(3_000_000)),
        _ => Answer::ok("ok"),
    })
    .await;
    let mut plan = plan(upstream.address());
    plan.settings.entrance.tls = Some(tls);
    change(&mut plan);
    (Rig::start(plan).await, upstream)
}

fn handshakes(outcome: &str, count: u32) -> String {
    format!("anteroom_tls_handshakes_total{{outcome=\"{outcome}\"}} {count}")
}

#[tokio::test]
async fn requests_answers_and_websockets_travel_in_tls() {
    let authority = Authority::new();
    let (mut rig, upstream) = secured(tls(&[&authority.issue("site", &[NAME])]), |_| {}).await;
    for version in [&ONLY_12, &ONLY_13] {
        let connector = Client { versions: Some(version), ..authority.client() }.connector();
        let mut client = Secure::connect(&connector, rig.address, NAME).await.unwrap();
        for _ in 0..3 {
            let body = "y".repeat(100_000);
            let post = rig.signed_in("POST /", "Content-Length: 100000\r\n") + body.as_str();
            assert_eq!(client.ask(&post).await.unwrap().1, "ok");
            assert_eq!(upstream.last().body.len(), body.len());
            assert_eq!(upstream.last().header("x-forwarded-for"), Some("127.0.0.1"));
        }
        let (_, large) = client.ask(&rig.signed_in("GET /large", "")).await.unwrap();
        assert_eq!(large.len(), 3_000_000);
        let last = client.ask(&rig.signed_in("GET /", "Connection: close\r\n")).await.unwrap();
        assert_eq!(last.1, "ok");
        assert!(client.ends_well().await);

        let mut client = Secure::connect(&connector, rig.address, NAME).await.unwrap();
        let upgrade = rig.signed_in("GET /ws", "Connection: Upgrade\r\nUpgrade: websocket\r\n");
        client.0.stream.write_all(upgrade.as_bytes()).await.unwrap();
        assert!(client.0.head().await.unwrap().unwrap().start_line.contains("101"));
        for _ in 0..3 {
            client.0.stream.write_all(b"ping").await.unwrap();
            assert_eq!(client.0.exactly(4).await.unwrap(), b"ping");
        }
    }
    // What rests when the process leaves is closed as TLS closes.
    let mut resting = Secure::connect(&authority.client().connector(), rig.address, NAME).await.unwrap();
    resting.ask(&rig.signed_in("GET /", "")).await.unwrap();
    let mut fresh = Secure::connect(&authority.client().connector(), rig.address, NAME).await.unwrap();
    rig.wait_until_counted(&handshakes("ok", 6)).await;
    rig.stop();
    assert!(resting.ends_well().await && fresh.ends_well().await);
    drop((resting, fresh));
    rig.stopped().await;
}

#[tokio::test]
async fn the_name_chooses_the_certificate() {
    let authority = Authority::new();
    let first = authority.issue("first", &["one.example"]);
    let second = authority.issue("second", &["two.example", "*.wild.example", "Capital.Example"]);
    let third = authority.issue("third", &["exact.wild.example", "two.example"]);
    let (rig, _upstream) = secured(tls(&[&first, &second, &third]), |_| {}).await;
    let connector = Client::onlooker().connector();
    for (name, want) in [
        ("one.example", &first),
        ("two.example", &second),
        ("TWO.example", &second),
        ("capital.example", &second),
        ("a.wild.example", &second),
        ("exact.wild.example", &third),
        ("a.b.wild.example", &first),
        ("wild.example", &first),
        ("unknown.example", &first),
        // Not asked for by name at all.
        ("127.0.0.1", &first),
    ] {
        let mut client = Secure::connect(&connector, rig.address, name).await.unwrap();
        assert_eq!(client.certificate(), &want.der, "{name}");
        assert_eq!(client.ask(&rig.signed_in("GET /", "")).await.unwrap().1, "ok");
    }
}

#[tokio::test]
async fn versions_and_protocols() {
    let authority = Authority::new();
    let site = authority.issue("site", &[NAME]);
    for (only_tls13, versions, want) in
        [(false, &ONLY_12, true), (false, &ONLY_13, true), (true, &ONLY_12, false), (true, &ONLY_13, true)]
    {
        let (rig, _upstream) = secured(Tls { only_tls13, ..tls(&[&site]) }, |_| {}).await;
        let connector = Client { versions: Some(versions), ..authority.client() }.connector();
        let connected = Secure::connect(&connector, rig.address, NAME).await;
        assert_eq!(connected.is_ok(), want, "{only_tls13} {versions:?}");
        rig.wait_until_counted(&handshakes(if want { "ok" } else { "refused" }, 1)).await;
    }
    for (http2, offers, want) in [
        (true, &["h2", "http/1.1"][..], Some("h2")),
        (true, &["http/1.1"], Some("http/1.1")),
        (true, &[], None),
        (false, &["h2", "http/1.1"], Some("http/1.1")),
    ] {
        let (rig, _upstream) = secured(tls(&[&site]), |plan| plan.settings.entrance.http2 = http2).await;
        let connector = Client { protocols: offers, ..authority.client() }.connector();
        let client = Secure::connect(&connector, rig.address, NAME).await.unwrap();
        let agreed = client.session().alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
        assert_eq!(agreed.as_deref(), want, "{http2} {offers:?}");
    }
    let (rig, _upstream) = secured(tls(&[&site]), |_| {}).await;
    let connector = Client { protocols: &["h2"], ..authority.client() }.connector();
    assert!(Secure::connect(&connector, rig.address, NAME).await.is_err(), "nothing in common");
}

/// A hello by hand: no library of ours speaks what came before TLS 1.2 any more (RFC 8996).
#[tokio::test]
async fn old_versions_are_refused() {
    /// Signatures and groups that fit, and the extended master secret.
    const EXTENSIONS: &[u8] = &[0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 23, 0, 23, 0, 0];
    let authority = Authority::new();
    let (rig, _upstream) = secured(tls(&[&authority.issue("site", &[NAME])]), |_| {}).await;
    let answer = async |minor: u8| {
        let ciphers = [0, 4, 0xc0, 0x2b, 0xc0, 0x09];
        let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
        let hello =
            [&[3, minor][..], &[7; 32], &[0], &ciphers, &[1, 0, 0, length(EXTENSIONS)], EXTENSIONS].concat();
        let handshake = [&[1, 0, 0, length(&hello)][..], &hello].concat();
        let mut client = RawClient::connect(rig.address).await;
        client.send([&[22, 3, 1, 0, length(&handshake)][..], &handshake].concat()).await;
        client.bytes(7).await
    };
    assert_eq!(answer(3).await.first(), Some(&22), "TLS 1.2: the handshake goes on");
    for minor in [0, 1, 2] {
        let answer = answer(minor).await;
        // A fatal alert: protocol_version (RFC 5246 §7.2).
        assert_eq!((answer.first(), answer.get(5..)), (Some(&21), Some(&[2, 70][..])), "{minor}");
    }
    rig.wait_until_counted(&handshakes("refused", 3)).await;
}

#[tokio::test]
async fn client_certificates_are_asked_for_and_verified() {
    let (authority, strangers) = (Authority::new(), Authority::new());
    let site = authority.issue("site", &[NAME]);
    let (good, bad) = (authority.issue("good", &["ada"]), strangers.issue("bad", &["ada"]));
    for (clients, shown, want) in [
        (None, None, true),
        (None, Some(&bad), true),
        (Some(false), None, true),
        (Some(false), Some(&good), true),
        (Some(false), Some(&bad), false),
        (Some(true), None, false),
        (Some(true), Some(&good), true),
        (Some(true), Some(&bad), false),
    ] {
        let clients = clients.map(|required| ClientCertificates { ca_file: authority.ca_file(), required });
        for version in [&ONLY_12, &ONLY_13] {
            let (rig, upstream) = secured(Tls { clients: clients.clone(), ..tls(&[&site]) }, |_| {}).await;
            let mut client = Client { versions: Some(version), ..authority.client() };
            if let Some(shown) = shown {
                client = client.showing(shown);
            }
            // TLS 1.3 clients are through before the server has looked: the request is what counts.
            let answer = async {
                let mut client = Secure::connect(&client.connector(), rig.address, NAME).await?;
                client.ask(&rig.signed_in("GET /", "")).await
            };
            assert_eq!(answer.await.is_ok(), want, "{clients:?} {version:?}");
            assert_eq!(upstream.requests().len(), usize::from(want));
            rig.wait_until_counted(&handshakes(if want { "ok" } else { "refused" }, 1)).await;
        }
    }
}

fn renewed(rig_settings: &Settings, tls: Tls) -> Settings {
    let mut settings = rig_settings.clone();
    settings.entrance.tls = Some(tls);
    settings
}

#[tokio::test]
async fn certificates_are_replaced_while_serving() {
    let authority = Authority::new();
    let (old, new) = (authority.issue("old", &[NAME]), authority.issue("new", &[NAME]));
    let mut settings = None;
    let (rig, _upstream) = secured(tls(&[&old]), |plan| settings = Some(plan.settings.clone())).await;
    let settings = settings.unwrap();
    let connector = authority.client().connector();
    let mut before = Secure::connect(&connector, rig.address, NAME).await.unwrap();
    before.ask(&rig.signed_in("GET /", "")).await.unwrap();
    let mut resumed = Secure::connect(&connector, rig.address, NAME).await.unwrap();
    resumed.ask(&rig.signed_in("GET /", "")).await.unwrap();
    assert_eq!(resumed.session().handshake_kind(), Some(HandshakeKind::Resumed));

    // What does not do leaves everything as it is.
    let broken = CertificateFiles { chain: "/no/such/file.pem".into(), key: new.files.key.clone() };
    let broken = Tls { certificates: vec![broken], ..tls(&[]) };
    assert!(rig.replacer.replace(renewed(&settings, broken), rig.auth.clone()).is_err());
    let still = Secure::connect(&Client::onlooker().connector(), rig.address, NAME).await.unwrap();
    assert_eq!(still.certificate(), &old.der);

    rig.replacer.replace(renewed(&settings, tls(&[&new])), rig.auth.clone()).unwrap();
    let mut after = Secure::connect(&connector, rig.address, NAME).await.unwrap();
    assert_eq!(after.certificate(), &new.der);
    assert_eq!(after.session().handshake_kind(), Some(HandshakeKind::Full), "old tickets are void");
    assert_eq!(after.ask(&rig.signed_in("GET /", "")).await.unwrap().1, "ok");
    assert_eq!(before.ask(&rig.signed_in("GET /", "")).await.unwrap().1, "ok", "whoever is here stays");
    assert_eq!(before.certificate(), &old.der);
    let metrics = rig.auth.metrics().expose();
    let gauge = |issued: &Issued| {
        let file = issued.files.chain.display();
        format!("anteroom_tls_certificate_expiry_timestamp_seconds{{file=\"{file}\"}} ")
    };
    assert!(metrics.contains(&gauge(&new)) && !metrics.contains(&gauge(&old)), "{metrics}");
}

#[tokio::test]
async fn plain_http_is_told_to_use_https() {
    let authority = Authority::new();
    let (rig, upstream) = secured(tls(&[&authority.issue("site", &[NAME])]), |_| {}).await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("GET /", "")).await;
    let response = client.response().await;
    assert_eq!((response.status, response.header("connection")), (400, Some("close")));
    assert!(response.text().contains("https://"), "{response:?}");
    client.finish().await;
    assert_eq!(client.rest().await, b"");
    assert!(rig.counted(&handshakes("plain_http", 1)));
    rig.wait_until_counted("anteroom_http_requests_total{code=\"400\"} 1").await;
    assert!(rig.log.lines().iter().any(|line| line.contains("status: 400")));
    // What is neither is a failed handshake.
    let mut client = RawClient::connect(rig.address).await;
    client.send(b"\x00\x01\x02\x03 nonsense nonsense").await;
    client.rest().await;
    rig.wait_until_counted(&handshakes("refused", 1)).await;
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_handshake_has_its_time() {
    let authority = Authority::new();
    let site = authority.issue("site", &[NAME]);
    let (rig, _upstream) = secured(tls(&[&site]), |plan| {
        plan.settings.timeouts.header_read = Duration::from_millis(300);
    })
    .await;
    for (n, begun) in [&b""[..], b"\x16", b"\x16\x03\x01\x00\xff\x01\x00"].into_iter().enumerate() {
        let mut client = RawClient::connect(rig.address).await;
        client.send(begun).await;
        assert_eq!(client.rest().await, b"");
        rig.wait_until_counted(&handshakes("timeout", u32::try_from(n).unwrap() + 1)).await;
    }
    // And the header after it has its own.
    let mut client = Secure::connect(&authority.client().connector(), rig.address, NAME).await.unwrap();
    client.0.stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let head = client.0.head().await.unwrap().unwrap();
    assert_eq!(head.start_line, "HTTP/1.1 408 Request Timeout");
}

#[tokio::test]
async fn a_handshake_does_not_hold_up_the_end() {
    let authority = Authority::new();
    let (mut rig, _upstream) = secured(tls(&[&authority.issue("site", &[NAME])]), |plan| {
        plan.drain_deadline = Duration::from_secs(2);
    })
    .await;
    let mut client = RawClient::connect(rig.address).await;
    client.send(b"\x16\x03").await;
    rig.wait_until_counted("anteroom_connections 1").await;
    rig.stop();
    assert_eq!(client.rest().await, b"");
    assert_eq!(rig.stopped().await.aborted, 0);
}

/// Header, handshake and request in as few packets as they like.
#[tokio::test]
async fn tls_behind_a_balancer() {
    let authority = Authority::new();
    let (rig, upstream) = secured(tls(&[&authority.issue("site", &[NAME])]), |plan| {
        plan.settings.entrance.proxy_protocol = TrustedProxies::parse(["127.0.0.1"]).unwrap();
    })
    .await;
    let mut tcp = TcpStream::connect(rig.address).await.unwrap();
    tcp.write_all(b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 443\r\n").await.unwrap();
    let mut client = Secure::over(tcp, &authority.client().connector(), NAME).await.unwrap();
    assert_eq!(client.ask(&rig.signed_in("GET /", "")).await.unwrap().1, "ok");
    assert_eq!(upstream.last().header("x-forwarded-for"), Some("192.0.2.7"));
}

#[tokio::test]
async fn files_that_do_not_do_are_errors_that_name_them() {
    let authority = Authority::new();
    let (site, other) = (authority.issue("site", &[NAME]), authority.issue("other", &[NAME]));
    let empty = authority.file("empty.pem", "nothing in here\n");
    let nonsense =
        authority.file("nonsense.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let missing = std::path::PathBuf::from("/no/such/file.pem");
    let (rig, _upstream) = secured(tls(&[&site]), |_| {}).await;
    let settings = plan(rig.address).settings;
    let (chain, key) = (&site.files.chain, &site.files.key);
    for (chain, key, ca, file, said) in [
        (&missing, key, None, &missing, "cannot read"),
        (chain, &missing, None, &missing, "cannot read"),
        (&empty, key, None, &empty, "there is no certificate in"),
        (key, key, None, key, "there is no certificate in"),
        (chain, &empty, None, &empty, "there is no private key in"),
        (chain, chain, None, chain, "there is no private key in"),
        (chain, &other.files.key, None, &other.files.key, "does not belong to the certificate in"),
        (&nonsense, key, None, &nonsense, "cannot use"),
        (chain, key, Some(&missing), &missing, "cannot read"),
        (chain, key, Some(&empty), &empty, "there is no certificate in"),
        (chain, key, Some(&nonsense), &nonsense, "cannot use"),
    ] {
        let certificates = vec![CertificateFiles { chain: chain.clone(), key: key.clone() }];
        let clients = ca.map(|file| ClientCertificates { ca_file: file.clone(), required: true });
        let broken = Tls { certificates, only_tls13: false, clients };
        let refused =
            rig.replacer.replace(renewed(&settings, broken), rig.auth.clone()).unwrap_err().to_string();
        assert!(refused.contains(said) && refused.contains(&file.display().to_string()), "{refused}");
    }
    let none = rig.replacer.replace(renewed(&settings, tls(&[])), rig.auth.clone()).unwrap_err();
    assert!(none.to_string().contains("at least one"), "{none}");
    // Run out is a warning: it may be all there is.
    let expired = authority.issue_expired("expired", &[NAME]);
    rig.replacer.replace(renewed(&settings, tls(&[&expired])), rig.auth.clone()).unwrap();
    assert!(Secure::connect(&authority.client().connector(), rig.address, NAME).await.is_err());
    let onlooker = Secure::connect(&Client::onlooker().connector(), rig.address, NAME).await.unwrap();
    assert_eq!(onlooker.certificate(), &expired.der);
}
