//! What does an answer to a gateway cost by itself? `bare-hyper LISTEN`: 200, no body, `Cache-Control: no-store`.
//!
//! The same HTTP library, allocator and runtime as Anteroom, and no line more: no limits, no timeouts, nobody is asked
//! who they are, nothing is written down.
#![allow(missing_docs, clippy::unwrap_used)]

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Response};
use http_body_util::Empty;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

async fn connection(tcp: TcpStream) {
    tcp.set_nodelay(true).unwrap();
    let answer = service_fn(|_| async {
        let mut response = Response::new(Empty::<Bytes>::new());
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok::<_, Infallible>(response)
    });
    // A client that hangs up is no news.
    let _gone = http1::Builder::new().serve_connection(TokioIo::new(tcp), answer).await;
}

#[tokio::main]
async fn main() {
    let listen: SocketAddr = std::env::args().nth(1).unwrap().parse().unwrap();
    let listener = TcpListener::bind(listen).await.unwrap();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        tokio::spawn(connection(tcp));
    }
}
