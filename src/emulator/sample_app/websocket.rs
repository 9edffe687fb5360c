//! `/ws`: a WebSocket (RFC 6455) that sends every message back.

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderName, Request, Response, header};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::emulator::reply::{Body, Reply};

/// Switches protocols, or says what a WebSocket request needs.
pub(super) fn upgrade(request: Request<Incoming>) -> Response<Body> {
    let wanted = request
        .headers()
        .get(header::UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).filter(|_| wanted);
    let Some(accept) = key.map(|key| derive_accept_key(key.as_bytes())) else {
        let text = "This address speaks WebSocket only.\n";
        return Reply::of(426, "text/plain; charset=utf-8", text)
            .with(header::UPGRADE, "websocket")
            .into_response();
    };
    tokio::spawn(async move {
        // The client may leave before the switch.
        if let Ok(upgraded) = hyper::upgrade::on(request).await {
            echo(upgraded).await;
        }
    });
    Reply::empty(101)
        .with(header::CONNECTION, "Upgrade")
        .with(header::UPGRADE, "websocket")
        .with(HeaderName::from_static("sec-websocket-accept"), accept)
        .into_response()
}

async fn echo(upgraded: Upgraded) {
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        let mine = message.is_text() || message.is_binary();
        if mine && socket.send(message).await.is_err() {
            break;
        }
    }
}
