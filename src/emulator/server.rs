//! How are connections served? One accept loop on one loopback listener, and an end that is waited for.
//!
//! Shared by the emulator and the sample app. Guarantees: never listens beyond loopback; when stopped, requests under
//! way get a second to finish.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::reply::Body;

/// How long open requests may take after a stop.
const DRAIN: Duration = Duration::from_secs(1);

/// No answer: the connection closes.
#[derive(Debug, thiserror::Error)]
#[error("dropped on purpose")]
pub(super) struct Dropped;

/// What a server does with connections and requests.
pub(super) trait Handler: Send + Sync + 'static {
    /// Whether this connection is served as HTTP; otherwise the handler has dealt with it.
    fn admit(&self, _stream: &mut TcpStream) -> impl Future<Output = bool> + Send {
        async { true }
    }

    /// Answers a request.
    fn handle(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, Dropped>> + Send;
}

/// A running server; dropping it stops it too, without waiting.
#[derive(Debug)]
pub(super) struct Server {
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Starts to accept.
    pub(super) fn start(listener: TcpListener, handler: Arc<impl Handler>) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, accepting: tokio::spawn(accept(listener, handler, stopped)) }
    }

    /// Stops, and waits for the end.
    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        // The task ends by itself: only a panic in it could be reported here, and the panic hook has.
        let _ended = self.accepting.await;
    }
}

/// Binds a loopback address; any other is refused.
pub(super) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    if !address.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{address} is not a loopback address; listen on 127.0.0.1 or [::1]"),
        ));
    }
    TcpListener::bind(address).await
}

async fn accept(listener: TcpListener, handler: Arc<impl Handler>, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&handler), stopped.clone()));
                }
                // Out of file descriptors, most likely: let some close.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
            () = stop(&mut stopped) => break,
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    let _timed_out = tokio::time::timeout(DRAIN, drained).await;
}

async fn serve(mut stream: TcpStream, handler: Arc<impl Handler>, mut stopped: watch::Receiver<bool>) {
    if !handler.admit(&mut stream).await {
        return;
    }
    let service = service_fn(move |request| {
        let handler = Arc::clone(&handler);
        async move { handler.handle(request).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    // Errors are the client's leaving or a drop on purpose.
    tokio::select! {
        _ended = connection.as_mut() => return,
        () = stop(&mut stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ended = connection.await;
}

/// Resolves when the server was told to stop, or was dropped.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    let _dropped = stopped.wait_for(|stop| *stop).await.is_err();
}
