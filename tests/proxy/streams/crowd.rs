//! A thousand streams of one session, ended at once, beside one of somebody else's.

use tokio::task::JoinSet;

use super::{Cause, counted, in_time};
use crate::proxy::rig::{Rig, plan};
use crate::support::raw::RawClient;
use crate::support::upstream::{Answer, Upstream};

const STREAMS: usize = 1000;

async fn listen(rig: &Rig, cookie: &str) -> RawClient {
    let mut client = RawClient::connect(rig.address).await;
    client.send(format!("GET /events HTTP/1.1\r\nHost: app.example\r\nCookie: {cookie}\r\n\r\n")).await;
    client.until("data: x\n\n\r\n").await;
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_a_thousand_end_in_time() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let upstream = Upstream::answering(Answer::raw(format!("{head}9\r\ndata: x\n\n\r\n")).then_hang()).await;
    let mut plan = plan(upstream.address());
    plan.settings.limits.connections_per_client = 2 * STREAMS;
    let rig = Rig::start(plan).await;
    let mut clients = Vec::new();
    for _ in 0..STREAMS {
        clients.push(listen(&rig, &rig.cookie).await);
    }
    let mut other = listen(&rig, &rig.new_user).await;
    Cause::SignOut.befalls(&rig).await;
    let mut ends = JoinSet::new();
    for mut client in clients {
        ends.spawn(async move { client.rest().await });
    }
    in_time(async {
        while let Some(said) = ends.join_next().await {
            assert!(said.unwrap().ends_with(b"0\r\n\r\n"));
        }
    })
    .await;
    counted(&rig, "event_stream", "signed_out", STREAMS as u64).await;
    assert!(other.silent_for(super::TWO_LOOKS).await);
}
