//! Do apps that speak HTTP/2 get what clients send, and the other way round? In the clear and over TLS, against hyper.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use anteroom::proxy::settings::{CertificateFiles, HealthCheck, Protocol, UpstreamTls};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use pingora::tls::TlsAcceptor;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::rig::{Plan, Rig, plan};
use crate::support::raw::RawClient;
use crate::support::repository;

/// What an app saw.
#[derive(Default)]
pub(super) struct Seen {
    requests: AtomicUsize,
    connections: AtomicUsize,
    last: Mutex<String>,
}

/// A whole body, or what arrives and then trailers.
enum Answer {
    Whole(Option<Bytes>),
    Echo(Option<Incoming>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Echo(None) => Poll::Ready(None),
            Self::Echo(Some(body)) => match ready!(Pin::new(body).poll_frame(context)) {
                Some(frame) => Poll::Ready(Some(frame)),
                None => {
                    *self = Self::Echo(None);
                    let mut trailers = HeaderMap::new();
                    trailers.insert("grpc-status", HeaderValue::from_static("0"));
                    Poll::Ready(Some(Ok(Frame::trailers(trailers))))
                }
            },
        }
    }
}

/// `/echo` gives back every piece of the body as it comes, numbers set a status, all else says what was seen.
async fn answer(request: Request<Incoming>, seen: Arc<Seen>) -> Result<Response<Answer>, Infallible> {
    seen.requests.fetch_add(1, Ordering::SeqCst);
    let told = format!("{:?} {} {}", request.version(), request.method(), request.uri());
    *seen.last.lock().unwrap() = format!("{told} {:?}", request.headers());
    let path = request.uri().path().to_owned();
    Ok(match path.trim_start_matches('/').parse::<u16>() {
        Ok(status) => Response::builder().status(status).body(Answer::Whole(None)).unwrap(),
        Err(_) if path == "/echo" => Response::new(Answer::Echo(Some(request.into_body()))),
        Err(_) => Response::new(Answer::Whole(Some(told.into()))),
    })
}

async fn serve_http2(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, seen: Arc<Seen>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&seen)));
    let _until_it_closes =
        http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// One request after the other, upgrades echoed; a head may hold no more than one request.
async fn serve_http1(mut stream: impl AsyncRead + AsyncWrite + Unpin, seen: Arc<Seen>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            head.push(byte);
        }
        seen.requests.fetch_add(1, Ordering::SeqCst);
        if String::from_utf8_lossy(&head).contains("websocket") {
            let switching =
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
            stream.write_all(switching.as_bytes()).await.unwrap();
            let mut piece = [0; 64];
            while let Ok(n @ 1..) = stream.read(&mut piece).await {
                stream.write_all(&piece[..n]).await.unwrap();
            }
            return;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nHTTP/1.1").await.unwrap();
    }
}

/// An app: in the clear HTTP/2 with prior knowledge, over TLS what ALPN says.
pub(super) async fn app(tls: Option<ServerConfig>) -> (SocketAddr, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::new(Seen::default()));
    let (acceptor, watched) = (tls.map(|tls| TlsAcceptor::from(Arc::new(tls))), Arc::clone(&seen));
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            seen.connections.fetch_add(1, Ordering::SeqCst);
            let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
            tokio::spawn(async move {
                let Some(acceptor) = acceptor else { return serve_http2(tcp, seen).await };
                let Ok(stream) = acceptor.accept(tcp).await else { return };
                match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => serve_http2(stream, seen).await,
                    _ => serve_http1(stream, seen).await,
                }
            });
        }
    });
    (address, watched)
}

pub(super) fn file(name: &str) -> std::path::PathBuf {
    repository(&format!("tests/proxy/tls/{name}"))
}

/// Shows this chain, offers these protocols, and demands certificates from `mutual-ca.pem` if told to.
pub(super) fn tls(chain: &str, alpn: &[&str], demanding: bool) -> ServerConfig {
    let chain = vec![CertificateDer::from_pem_file(file(chain)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file("upstream.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = if demanding {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(file("mutual-ca.pem")).unwrap()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        config.with_client_cert_verifier(verifier)
    } else {
        config.with_no_client_auth()
    };
    let mut config = config.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

pub(super) fn speaking(address: SocketAddr, protocol: Protocol, ca: Option<&str>) -> Plan {
    let mut plan = plan(address);
    plan.upstream().protocol = protocol;
    plan.upstream().tls = ca.map(|ca| UpstreamTls {
        server_name: "upstream.test".into(),
        ca_file: Some(file(ca)),
        certificate: None,
    });
    plan
}

#[tokio::test]
async fn prior_knowledge_in_the_clear() {
    let (address, seen) = app(None).await;
    let rig = Rig::start(speaking(address, Protocol::Http2, None)).await;
    for _ in 0..3 {
        assert_eq!(rig.get("/a?b=c", "").await.text(), "HTTP/2.0 GET http://app.example/a?b=c");
    }
    assert_eq!(seen.connections.load(Ordering::SeqCst), 1, "one connection carries them all");
    let last = seen.last.lock().unwrap().clone();
    assert!(last.contains("\"x-anteroom-account-id\": \"557058:ada\""), "{last}");
    for status in [204, 304, 404, 500] {
        let response = rig.get(&format!("/{status}"), "").await;
        assert_eq!((response.status, response.body.len()), (status, 0));
    }
    let mut client = RawClient::connect(rig.address).await;
    client.send(rig.signed_in("HEAD /", "")).await;
    assert!(client.response_to("HEAD").await.body.is_empty());
    let mut client = RawClient::connect(rig.address).await;
    for _ in 0..2 {
        client.send(rig.signed_in("GET /", "")).await;
        assert_eq!(client.response().await.status, 200, "the client's connection stays");
    }
    client.send(rig.signed_in("POST /echo", "Content-Length: 3\r\n") + "abc").await;
    assert_eq!(client.response().await.text(), "abc");
}

/// It is a word between neighbours (RFC 9110 §10.1.4), and over HTTP/2 anything but `trailers` is malformed.
#[tokio::test]
async fn what_a_client_of_http1_takes_as_trailers_is_its_own_affair() {
    let (address, seen) = app(None).await;
    let rig = Rig::start(speaking(address, Protocol::Http2, None)).await;
    for says in ["TE: gzip\r\nConnection: TE\r\n", "TE: trailers\r\nConnection: TE\r\n", "TE: trailers\r\n"] {
        assert_eq!(rig.get("/", says).await.status, 200, "{says}");
        let last = seen.last.lock().unwrap().clone();
        assert!(last.contains("x-anteroom-account-id") && !last.contains("\"te\""), "{last}");
    }
}

#[tokio::test]
async fn alpn_says_which_http_is_spoken() {
    for (protocol, offered, want) in [
        (Protocol::Negotiated, &["h2", "http/1.1"][..], "HTTP/2.0"),
        (Protocol::Negotiated, &["http/1.1"], "HTTP/1.1"),
        (Protocol::Http2, &["h2"], "HTTP/2.0"),
        (Protocol::Http1, &["h2", "http/1.1"], "HTTP/1.1"),
    ] {
        let (address, _) = app(Some(tls("upstream.pem", offered, false))).await;
        let rig = Rig::start(speaking(address, protocol, Some("ca.pem"))).await;
        for _ in 0..2 {
            let told = rig.get("/", "").await.text();
            assert!(told.starts_with(want), "{protocol:?} {offered:?}: {told}");
        }
    }
    let (address, seen) = app(Some(tls("upstream.pem", &["http/1.1"], false))).await;
    let rig = Rig::start(speaking(address, Protocol::Http2, Some("ca.pem"))).await;
    assert_eq!(rig.get("/", "").await.status, 502, "HTTP/2 was demanded");
    assert_eq!(seen.requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn websockets_go_over_http1_or_not_at_all() {
    let (address, _) = app(Some(tls("upstream.pem", &["h2", "http/1.1"], false))).await;
    for (protocol, want) in [(Protocol::Negotiated, 101), (Protocol::Http2, 502)] {
        let rig = Rig::start(speaking(address, protocol, Some("ca.pem"))).await;
        assert!(rig.get("/", "").await.text().starts_with("HTTP/2.0"));
        let mut client = RawClient::connect(rig.address).await;
        client.send(rig.signed_in("GET /ws", "Connection: Upgrade\r\nUpgrade: websocket\r\n")).await;
        assert_eq!(client.response().await.status, want, "{protocol:?}");
        if want == 101 {
            client.send("ping").await;
            client.until("ping").await;
        }
    }
}

#[tokio::test]
async fn an_app_may_demand_to_know_who_asks() {
    let (address, seen) = app(Some(tls("upstream.pem", &[], true))).await;
    let rig = Rig::start(speaking(address, Protocol::Http1, Some("ca.pem"))).await;
    assert_eq!(rig.get("/", "").await.status, 502);
    assert_eq!(seen.requests.load(Ordering::SeqCst), 0);
    let mut plan = speaking(address, Protocol::Http1, Some("ca.pem"));
    let certificate = CertificateFiles { chain: file("client.pem"), key: file("client.key") };
    plan.upstream().tls.as_mut().unwrap().certificate = Some(certificate);
    // The same way is taken to ask for its health.
    plan.upstream().health = Some(HealthCheck {
        path: "/healthz".into(),
        interval: Duration::from_secs(60),
        timeout: Duration::from_secs(5),
        healthy_after: 1,
        unhealthy_after: 1,
    });
    let rig = Rig::start(plan).await;
    assert_eq!(rig.get("/", "").await.text(), "HTTP/1.1");
    assert_eq!(rig.get("/", "").await.text(), "HTTP/1.1");
    let asked = async {
        while seen.requests.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(crate::support::DEADLINE, asked).await.expect("two requests and a health check");
    assert!(rig.auth.metrics().expose().contains(&format!("server=\"{address}\"}} 1")));
}

/// The connection of an app that trusts the server is at hand; one that does not must not find it.
#[tokio::test]
async fn apps_that_trust_others_share_no_connections() {
    for (protocol, alpn) in [(Protocol::Http1, "http/1.1"), (Protocol::Http2, "h2")] {
        let (address, seen) = app(Some(tls("upstream.pem", &[alpn], false))).await;
        let mut plan = speaking(address, protocol, Some("ca.pem"));
        let mut other = plan.upstream().clone();
        (other.name, other.path) = ("other".into(), "/other/".into());
        other.tls.as_mut().unwrap().ca_file = Some(file("other-ca.pem"));
        plan.settings.upstreams.push(other);
        let rig = Rig::start(plan).await;
        for (target, status, requests) in
            [("/", 200, 1), ("/other/", 502, 1), ("/", 200, 2), ("/other/", 502, 2)]
        {
            assert_eq!(rig.get(target, "").await.status, status, "{protocol:?} {target}");
            assert_eq!(seen.requests.load(Ordering::SeqCst), requests);
        }
    }
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_none() {
    let (address, seen) = app(Some(tls("expired.pem", &["h2", "http/1.1"], false))).await;
    for protocol in [Protocol::Http1, Protocol::Http2, Protocol::Negotiated] {
        let rig = Rig::start(speaking(address, protocol, Some("mutual-ca.pem"))).await;
        assert_eq!(rig.get("/", "").await.status, 502, "{protocol:?}");
    }
    assert_eq!(seen.requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn health_is_asked_over_http2_too() {
    let (address, seen) = app(None).await;
    let mut plan = speaking(address, Protocol::Http2, None);
    plan.upstream().health = Some(HealthCheck {
        path: "/500".into(),
        interval: Duration::from_millis(20),
        timeout: Duration::from_secs(5),
        healthy_after: 1,
        unhealthy_after: 1,
    });
    let rig = Rig::start(plan).await;
    let line = format!("server=\"{address}\"}} 0");
    let unwell = async {
        while seen.requests.load(Ordering::SeqCst) == 0 || !rig.auth.metrics().expose().contains(&line) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::support::DEADLINE, unwell).await.expect("500 is not well");
    let last = seen.last.lock().unwrap().clone();
    assert!(last.starts_with(&format!("HTTP/2.0 GET http://{address}/500")), "{last}");
    // Each question is asked over a connection of its own: that new ones are taken is part of the answer.
    let again = async {
        while seen.requests.load(Ordering::SeqCst) < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::support::DEADLINE, again).await.expect("it is asked again");
    let asked = seen.requests.load(Ordering::SeqCst);
    assert!(seen.connections.load(Ordering::SeqCst) >= asked, "{asked}");
    // The only one there is is tried all the same.
    assert_eq!(rig.get("/", "").await.status, 200);
}
