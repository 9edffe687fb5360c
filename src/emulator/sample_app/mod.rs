//! What does an app behind Anteroom see? The demo's upstream: it shows who is signed in and every header it received.
//!
//! It trusts the `X-Anteroom-*` headers because only Anteroom can reach it: loopback only. It has no log-in of its own,
//! as an upstream needs none. Beside the page there are endpoints that exercise a proxy: WebSocket echo, server-sent
//! events, streamed echo.

mod page;
mod websocket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, Method, Request, Response, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use serde_json::json;
use url::Url;

use super::reply::{Body, Reply};
use super::server::{self, Dropped, Handler, Server};

/// Events of one `/sse` stream, and the pause between them.
const EVENTS: (u32, Duration) = (5, Duration::from_millis(200));

/// Why the sample app does not start.
#[derive(Debug, thiserror::Error)]
#[error("the sample app cannot listen: {0}")]
pub struct SampleAppError(#[from] std::io::Error);

/// A running sample app. Dropping it stops it too, without waiting.
pub struct SampleApp {
    server: Server,
    url: Url,
}

impl SampleApp {
    /// Binds a loopback address (port 0 picks a free one) and serves from now on.
    ///
    /// # Errors
    /// When the address is not loopback, or taken.
    pub async fn start(listen: SocketAddr) -> Result<Self, SampleAppError> {
        let listener = server::bind(listen).await?;
        let address = listener.local_addr()?;
        let url = Url::parse(&format!("http://{address}/"))
            .map_err(|error| std::io::Error::other(format!("{address}: {error}")))?;
        Ok(Self { server: Server::start(listener, Arc::new(App)), url })
    }

    /// `http://127.0.0.1:PORT/`.
    pub fn url(&self) -> Url {
        self.url.clone()
    }

    /// Stops listening, lets open requests finish for a second.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

struct App;

impl Handler for App {
    async fn handle(&self, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
        let get = request.method() == Method::GET || request.method() == Method::HEAD;
        let reply = match request.uri().path() {
            "/" if get => page::home(request.headers()),
            "/sample.css" if get => Reply::of(200, "text/css; charset=utf-8", include_str!("sample.css")),
            "/sample.js" if get => {
                Reply::of(200, "text/javascript; charset=utf-8", include_str!("sample.js"))
            }
            "/favicon.ico" if get => Reply::empty(204),
            "/headers" => Reply::json(200, &json!(header_list(request.headers()))),
            "/json" => Reply::json(200, &json!({"hello": page::name(request.headers()), "path": "/json"})),
            "/provision" => Reply::of(200, "text/plain; charset=utf-8", "Your place in this app is ready.\n")
                .with(HeaderName::from_static("x-anteroom-provisioned"), "true"),
            "/ws" if get => return Ok(websocket::upgrade(request)),
            "/sse" if get => return Ok(events()),
            "/echo" => return Ok(echo(request)),
            // Any page that a person opens, so that a deep link can be tried.
            _ if get && wants_page(request.headers()) => page::home(request.headers()),
            _ => Reply::of(404, "text/plain; charset=utf-8", "The sample app has no such page.\n"),
        };
        Ok(reply.into_response())
    }
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/html"))
}

/// Every header as received: names in lower case, repeated ones side by side, values as text.
fn header_list(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

fn events() -> Response<Body> {
    let (count, pause) = EVENTS;
    let events = stream::iter(1..=count).then(move |number| async move {
        if number > 1 {
            tokio::time::sleep(pause).await;
        }
        Ok(Frame::data(Bytes::from(format!("id: {number}\nevent: tick\ndata: {number} of {count}\n\n"))))
    });
    let mut response =
        Reply::of(200, "text/event-stream", "").with(header::CACHE_CONTROL, "no-store").into_response();
    *response.body_mut() = BodyExt::boxed(StreamBody::new(events));
    response
}

/// Sends the request's body back as it comes, with its type.
fn echo(request: Request<Incoming>) -> Response<Body> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or("application/octet-stream").to_owned();
    let mut response = Reply::of(200, &kind, "").into_response();
    // A body that breaks off ends the echo there.
    let frames = request.into_body().into_data_stream().take_while(|chunk| std::future::ready(chunk.is_ok()));
    let frames = frames.filter_map(|chunk| std::future::ready(chunk.ok())).map(|data| Ok(Frame::data(data)));
    *response.body_mut() = BodyExt::boxed(StreamBody::new(frames));
    response
}
