//! An app that costs next to nothing: `upstream LISTEN` answers with 1 KiB of text, or `?bytes=N`, on one thread.
#![allow(missing_docs, clippy::unwrap_used)]

use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listen: SocketAddr = std::env::args().nth(1).unwrap().parse().unwrap();
    let listener = TcpListener::bind(listen).await.unwrap();
    let largest = Bytes::from(vec![b'x'; 1 << 20]);
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let largest = largest.clone();
        tokio::spawn(async move {
            let answer = service_fn(|request: Request<Incoming>| {
                let wanted = request.uri().query().and_then(|query| query.strip_prefix("bytes="));
                let body = largest.slice(..wanted.map_or(1024, |bytes| bytes.parse().unwrap()));
                let mut response = Response::new(Full::new(body));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
                ready(Ok::<_, Infallible>(response))
            });
            // A client that hangs up is no news.
            let _gone = http1::Builder::new().serve_connection(TokioIo::new(tcp), answer).await;
        });
    }
}
