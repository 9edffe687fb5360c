//! gRPC: two clients, two servers, two ways in. Every client does the same to every server.

use std::net::SocketAddr;
use std::process::Command;

use anteroom::proxy::settings::Protocol;
use tokio::time::timeout;

use super::grpc_tonic::{Caller, serve};
use super::{Front, PROMISED};
use crate::proxy::rig::plan;
use crate::support::process::Process;
use crate::support::venv::python_with;
use crate::support::{DEADLINE, repository};

const REQUIREMENT: &str = "grpcio==1.85.1";

/// A server, and how often a call that goes on until somebody ends it was ended.
enum Server {
    Tonic { address: SocketAddr, over: tokio::sync::watch::Receiver<usize> },
    Python { address: SocketAddr, process: Process },
}

impl Server {
    async fn tonic() -> Self {
        let (address, over) = serve().await;
        Self::Tonic { address, over }
    }

    async fn python() -> Self {
        let process = python(&["serve"]);
        let port: u16 = process.wait_for_line(|line| line.strip_prefix("port=")?.parse().ok()).await;
        Self::Python { address: ([127, 0, 0, 1], port).into(), process }
    }

    async fn front(&self, tls: bool) -> Front {
        let (Self::Tonic { address, .. } | Self::Python { address, .. }) = self;
        let mut plan = plan(*address);
        plan.upstream().protocol = Protocol::Http2;
        Front::start(plan, tls).await
    }

    /// Waits until so many were.
    async fn heard_of_the_end(&self, of: usize) {
        match self {
            Self::Tonic { over, .. } => {
                let heard = async { over.clone().wait_for(|count| *count >= of).await.map(|count| *count) };
                timeout(DEADLINE, heard).await.expect("the server to hear of it").unwrap();
            }
            Self::Python { process, .. } => {
                let over = |process: &Process| process.output().lines().filter(|l| *l == "over").count();
                let heard = async {
                    while over(process) < of {
                        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                    }
                };
                timeout(DEADLINE, heard).await.expect("the server to hear of it");
            }
        }
    }
}

fn python(arguments: &[&str]) -> Process {
    let mut command = Command::new(python_with("grpcio", REQUIREMENT));
    command.arg(repository("tests/proxy/foreign/grpc_peer.py")).args(arguments);
    Process::start("grpc peer", command, "")
}

async fn python_calls(server: &Server, tls: bool) {
    let front = server.front(tls).await;
    let (address, ca) = (front.rig.address.to_string(), front.ca());
    let mut arguments = vec!["call", &address, &front.rig.cookie];
    arguments.extend(ca.as_ref().map(|ca| ca.to_str().unwrap()));
    let mut client = python(&arguments);
    let line = |wanted: &'static str| move |line: &str| line.starts_with(wanted).then(|| line.to_owned());
    client.wait_for_line(line("cancelled")).await;
    server.heard_of_the_end(1).await;
    client.wait_for_line(line("streaming")).await;
    front.sign_out().await;
    let ended = timeout(PROMISED, client.wait_for_line(line("ended: "))).await.expect("an end in time");
    assert!(ended.starts_with("ended: 16 "), "{ended}");
    assert!(client.wait_for_exit().await.success(), "{}", client.output());
    assert!(client.output().ends_with("done"), "{}", client.output());
    server.heard_of_the_end(2).await;
}

async fn tonic_calls(server: &Server, tls: bool) {
    let front = server.front(tls).await;
    let connector = front.authority.as_ref().map(|authority| {
        let client = authority.client();
        super::super::certificates::Client { protocols: &["h2"], ..client }.connector()
    });
    let caller = Caller::connect(front.rig.address, connector, &front.rig.cookie).await;
    caller.calls_of_all_four_kinds().await;
    caller.errors().await;
    caller.a_hundred_at_once().await;
    caller.strangers().await;
    caller.ticking().await;
    server.heard_of_the_end(1).await;
    let mut ticking = caller.ticking().await;
    front.sign_out().await;
    let end = timeout(PROMISED, async {
        while let Some(_tick) = ticking.message().await? {}
        Ok(())
    })
    .await;
    let status: tonic::Status = end.expect("an end in time").expect_err("a status");
    assert_eq!(status.code(), tonic::Code::Unauthenticated, "{status:?}");
    assert!(!status.message().is_empty(), "{status:?}");
    server.heard_of_the_end(2).await;
    caller.is_a_stranger().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grpcs_own_client_calls_tonic() {
    for tls in [false, true] {
        python_calls(&Server::tonic().await, tls).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grpcs_own_client_calls_grpcs_own_server() {
    for tls in [false, true] {
        python_calls(&Server::python().await, tls).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tonic_calls_tonic() {
    for tls in [false, true] {
        tonic_calls(&Server::tonic().await, tls).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tonic_calls_grpcs_own_server() {
    for tls in [false, true] {
        tonic_calls(&Server::python().await, tls).await;
    }
}
