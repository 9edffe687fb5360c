//! Do WebSockets of an app that nobody here wrote survive the way through? An echo server on Python's `websockets`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use super::process::Process;
use super::repository;
use super::venv::python_with;

const REQUIREMENT: &str = "websockets==17.4";

/// The interpreter that has `websockets`, for clients of it.
pub(crate) fn python() -> PathBuf {
    python_with("websockets", REQUIREMENT)
}

/// The running echo server; stops when dropped. Path `/headers` greets with the handshake's headers, a JSON list of
/// pairs; the message `close` makes it close with code 4000, `ping` makes it ping.
#[derive(Debug)]
pub(crate) struct WebSocketApp {
    address: SocketAddr,
    process: Process,
}

impl WebSocketApp {
    /// Starts it on a free port and waits until it listens.
    pub(crate) async fn start() -> Self {
        let mut command = Command::new(python());
        command.arg(repository("tests/support/websocket_app.py"));
        let process = Process::start("websocket app", command, "");
        let port: u16 = process.wait_for_line(|line| line.strip_prefix("port=")?.parse().ok()).await;
        Self { address: ([127, 0, 0, 1], port).into(), process }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until a connection was closed with this code and reason, from its point of view.
    pub(crate) async fn closed_with(&self, code: u16, reason: &str) {
        let line = format!("closed {code} {reason}");
        self.process.wait_for_line(|said| (said == line).then_some(())).await;
    }

    /// Its base URL for a proxy's configuration, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

mod tests {
    use futures_util::{SinkExt, StreamExt};
    use tokio::net::TcpStream;
    use tokio_tungstenite::client_async;
    use tokio_tungstenite::tungstenite::Message;

    use super::*;

    #[tokio::test]
    async fn it_greets_echoes_and_closes() {
        let app = WebSocketApp::start().await;
        let stream = TcpStream::connect(app.address()).await.unwrap();
        let (mut socket, _) = client_async("ws://app.example/headers", stream).await.unwrap();
        let greeting = socket.next().await.unwrap().unwrap().into_text().unwrap();
        assert!(greeting.contains("app.example"), "{greeting}");
        for message in [Message::text("grüße"), Message::binary(vec![0, 255])] {
            socket.send(message.clone()).await.unwrap();
            assert_eq!(socket.next().await.unwrap().unwrap(), message);
        }
        socket.send(Message::text("close")).await.unwrap();
        match socket.next().await.unwrap().unwrap() {
            Message::Close(Some(frame)) => assert_eq!(u16::from(frame.code), 4000),
            other => panic!("{other:?}"),
        }
    }
}
