//! `[proxy.probes]` under the real program: what of it changes as it runs, and who has its port after an upgrade.

use std::net::SocketAddr;

use nix::sys::signal::Signal;
use tokio::net::TcpStream;

use crate::support::gateway::free_address;
use crate::support::raw::{RawResponse, exchange};

use super::binary::upgraded;
use super::rig::House;

async fn get(at: SocketAddr, target: &str) -> RawResponse {
    exchange(at, format!("GET {target} HTTP/1.1\r\nHost: {at}\r\n\r\n")).await
}

const BEFORE: &str = "[proxy.timeouts]\nread = \"60s\"\n";

#[tokio::test]
async fn paths_change_without_a_restart_and_the_port_does_not() {
    let house = House::new().await;
    let (probes, later) = (free_address(), free_address());
    let table = format!("{BEFORE}[proxy.probes]\nlisten = \"{probes}\"\npaths = [\"/healthz\"]\n");
    house.change(&[(BEFORE, &table)]);
    let process = house.started().await;
    assert_eq!((get(probes, "/healthz").await.status, get(probes, "/ready").await.status), (200, 404));
    let moved = table.replace("/healthz", "/ready").replace(&probes.to_string(), &later.to_string());
    house.change(&[(BEFORE, &moved)]);
    house.hang_up(&process, "applied").await;
    assert_eq!((get(probes, "/healthz").await.status, get(probes, "/ready").await.status), (404, 200));
    let said = process.output();
    assert!(said.contains("needs a restart") && said.contains("proxy.probes.listen"), "{said}");
    house.change(&[]);
    house.hang_up(&process, "applied").await;
    assert_eq!(get(probes, "/ready").await.status, 404, "the table is gone, and with it every path");
    // The next binary gets the socket.
    house.change(&[(BEFORE, &table)]);
    let mut second = upgraded(&house, process).await;
    assert_eq!(get(probes, "/healthz").await.status, 200);
    second.signal(Signal::SIGTERM);
    assert!(second.wait_for_exit().await.success());
    assert!(TcpStream::connect(probes).await.is_err(), "the port ends with the last process");
}

#[tokio::test]
async fn the_app_for_any_host_is_asked_without_what_is_added_for_people() {
    let house = House::new().await;
    let (probes, address) = (free_address(), house.upstream.address());
    let one = format!("upstream = \"http://{address}\"\n");
    let several = format!(
        "[[proxy.upstreams]]\nname = \"a\"\npath = \"/in/\"\nrewrite = \"/out/\"\nservers = [\"http://{address}\"]\n\
         headers = {{ x-api-key = \"for-people-alone\" }}\n[proxy.probes]\nlisten = \"{probes}\"\npaths = \
         [\"/in/healthz\"]\n{BEFORE}"
    );
    house.change(&[(&one, ""), (BEFORE, &several)]);
    let _process = house.started().await;
    assert_eq!(get(probes, "/in/healthz").await.status, 200);
    let arrived = house.upstream.last();
    assert_eq!((arrived.target(), arrived.header("x-api-key")), ("/out/healthz", None));
    assert_eq!(get(probes, "/out/healthz").await.status, 404);
}
