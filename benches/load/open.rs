//! How long does an answer take when requests come at times that do not wait for answers? (An open loop.)
//!
//! `open-loop --rate 8000 --seconds 4 [--http2] [--ca CERT] [-H 'name: value'…] URL`; prints one line of JSON. Latency counts
//! from the moment a request was due, also when no connection was free then, so that a pause counts for all whom it kept
//! waiting (no coordinated omission). Anything but 200 ends it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use http::header::HOST;
use http::{HeaderName, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::task::LocalSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

const STREAMS_PER_CONNECTION: usize = 8;

#[derive(Parser)]
struct Options {
    url: Uri,
    /// Requests per second.
    #[arg(long)]
    rate: f64,
    #[arg(long)]
    seconds: f64,
    /// Requests that may be under way at once; over HTTP/2, eight share a connection.
    #[arg(long, default_value_t = 64)]
    at_once: usize,
    #[arg(long)]
    http2: bool,
    /// The certificate that an https server must show.
    #[arg(long)]
    ca: Option<String>,
    #[arg(short = 'H')]
    headers: Vec<String>,
}

type Due = Rc<Mutex<mpsc::UnboundedReceiver<Instant>>>;
type Seen = Rc<RefCell<Vec<Duration>>>;

enum Sender {
    One(http1::SendRequest<Empty<Bytes>>),
    Shared(http2::SendRequest<Empty<Bytes>>),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // Threads started from here on wake when they want, not up to 50 µs later (proc_pid_timerslack_ns(5)).
    std::fs::write("/proc/self/timerslack_ns", "1").unwrap();
    let options = Options::parse();
    let request = request(&options);
    let senders = connect(&options).await;
    let due = Rc::new(Mutex::new(schedule(options.rate, options.seconds)));
    let seen = Seen::default();
    let workers = LocalSet::new();
    for sender in senders {
        workers.spawn_local(work(sender, request.clone(), Rc::clone(&due), Rc::clone(&seen)));
    }
    let began = Instant::now();
    workers.await;
    let seconds = began.elapsed().as_secs_f64();
    let mut seen = seen.take();
    assert_eq!(seen.len() as u64, (options.rate * options.seconds) as u64, "not every request was answered");
    seen.sort_unstable();
    let at = |part: f64| seen[((seen.len() as f64 * part) as usize).min(seen.len() - 1)].as_secs_f64() * 1e6;
    let (p50, p99, p999, max) = (at(0.5), at(0.99), at(0.999), at(1.0));
    let latencies =
        format!(r#""p50_us": {p50:.1}, "p99_us": {p99:.1}, "p999_us": {p999:.1}, "max_us": {max:.1}"#);
    println!(r#"{{"requests": {}, "seconds": {seconds:.3}, {latencies}}}"#, seen.len());
}

/// The moments at which requests are due, each given out when it has come. tokio's clock knows milliseconds only.
fn schedule(rate: f64, seconds: f64) -> mpsc::UnboundedReceiver<Instant> {
    let (give, due) = mpsc::unbounded_channel();
    thread::spawn(move || {
        let start = Instant::now();
        for number in 0..(rate * seconds) as u64 {
            let moment = start + Duration::from_secs_f64(number as f64 / rate);
            thread::sleep(moment.saturating_duration_since(Instant::now()));
            give.send(moment).unwrap();
        }
    });
    due
}

async fn work(mut sender: Sender, request: Request<Empty<Bytes>>, due: Due, seen: Seen) {
    loop {
        let Some(moment) = due.lock().await.recv().await else { return };
        let response = match &mut sender {
            Sender::One(sender) => {
                sender.ready().await.unwrap();
                sender.send_request(request.clone()).await.unwrap()
            }
            Sender::Shared(sender) => {
                sender.ready().await.unwrap();
                sender.send_request(request.clone()).await.unwrap()
            }
        };
        assert_eq!(response.status(), StatusCode::OK);
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame.unwrap();
        }
        seen.borrow_mut().push(moment.elapsed());
    }
}

fn request(options: &Options) -> Request<Empty<Bytes>> {
    // Over HTTP/2 the URL says the host.
    let path = options.url.path_and_query().unwrap().as_str().parse().unwrap();
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = if options.http2 { options.url.clone() } else { path };
    for header in &options.headers {
        let (name, value) = header.split_once(": ").unwrap();
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
    }
    if !options.http2 {
        let host = options.url.authority().unwrap().as_str();
        request.headers_mut().insert(HOST, HeaderValue::from_str(host).unwrap());
    }
    request
}

async fn connect(options: &Options) -> Vec<Sender> {
    let mut senders = Vec::new();
    while senders.len() < options.at_once {
        let io = TokioIo::new(stream(options).await);
        if options.http2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            senders.extend((0..STREAMS_PER_CONNECTION).map(|_| Sender::Shared(sender.clone())));
        } else {
            let (sender, connection) = http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            senders.push(Sender::One(sender));
        }
    }
    senders
}

async fn stream(options: &Options) -> Box<dyn Stream> {
    let tcp = TcpStream::connect(options.url.authority().unwrap().as_str()).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let Some(ca) = &options.ca else { return Box::new(tcp) };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![if options.http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    let name = ServerName::try_from(options.url.host().unwrap().to_owned()).unwrap();
    Box::new(TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap())
}
