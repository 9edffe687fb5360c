//! An app that costs next to nothing: `upstream LISTEN` answers every request with 1 KiB of text, on one thread.
#![allow(missing_docs, clippy::unwrap_used)]

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listen: SocketAddr = std::env::args().nth(1).unwrap().parse().unwrap();
    let listener = TcpListener::bind(listen).await.unwrap();
    let body = Bytes::from(vec![b'x'; 1024]);
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let body = body.clone();
        tokio::spawn(async move {
            let answer = service_fn(|_| async {
                let mut response = Response::new(Full::new(body.clone()));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
                Ok::<_, Infallible>(response)
            });
            // A client that hangs up is no news.
            let _gone = http1::Builder::new().serve_connection(TokioIo::new(tcp), answer).await;
        });
    }
}
