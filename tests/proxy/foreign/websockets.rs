//! WebSockets: Python's `websockets` on both ends, in the clear and over TLS.

use std::process::Command;

use tokio::time::timeout;

use super::{Front, PROMISED};
use crate::proxy::rig::plan;
use crate::support::process::Process;
use crate::support::repository;
use crate::support::websocket_app::{WebSocketApp, python};

#[tokio::test(flavor = "multi_thread")]
async fn messages_closes_refusals_and_the_end_of_the_session() {
    for tls in [false, true] {
        let app = WebSocketApp::start().await;
        let front = Front::start(plan(app.address()), tls).await;
        let mut command = Command::new(python());
        command.arg(repository("tests/proxy/foreign/websocket_client.py"));
        command.arg(front.rig.address.port().to_string()).arg(&front.rig.cookie).args(front.ca());
        let mut client = Process::start("websocket client", command, "");
        let line = |wanted: &'static str| move |line: &str| line.starts_with(wanted).then(|| line.to_owned());
        client.wait_for_line(line("ok: closes")).await;
        app.closed_with(4002, "from the client").await;
        app.closed_with(4000, "as asked").await;
        client.wait_for_line(line("open")).await;
        front.sign_out().await;
        let ended = timeout(PROMISED, client.wait_for_line(line("ended: "))).await.expect("an end in time");
        assert_eq!(ended, "ended: 4401 signed_out");
        assert!(client.wait_for_exit().await.success(), "{}", client.output());
        assert!(client.output().ends_with("done"), "{}", client.output());
    }
}
