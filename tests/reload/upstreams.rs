//! Does the list of upstreams, and of their servers, change without a request being lost?

use std::collections::BTreeSet;

use super::load::Load;
use super::rig::{House, says};
use crate::support::raw::try_exchange;
use crate::support::upstream::{Answer, Upstream};

#[tokio::test]
async fn servers_and_upstreams_come_and_go_under_load() {
    let house = House::new().await;
    let two = Upstream::answering(Answer::ok("two")).await;
    let three = Upstream::answering(Answer::ok("three")).await;
    let (a, b, c) = (house.upstream.address(), two.address(), three.address());
    let short = format!("upstream = \"http://{a}\"\n");
    let list =
        |tables: &str| house.change(&[(&short, ""), ("[forward_auth]", &format!("{tables}[forward_auth]"))]);
    let table = |servers: &str| format!("[[proxy.upstreams]]\nservers = [{servers}]\n");
    list(&table(&format!("\"http://{a}\", \"http://{b}\"")));
    let process = house.started().await;
    let ada = house.ada().await;
    let answers = async |path: &str| {
        let mut seen = BTreeSet::new();
        for _ in 0..8 {
            let text = house.ask(&ada, path).await.text();
            seen.insert(text.split(' ').next().unwrap_or_default().to_owned());
        }
        seen.into_iter().collect::<Vec<_>>().join(" ")
    };
    let load = Load::start(house.proxy, &house.cookie(&ada), |answer| answer.status == 200);
    assert_eq!(answers("/").await, "one two");
    list(&table(&format!("\"http://{b}\", \"http://{c}\"")));
    house.hang_up(&process, "applied").await;
    assert_eq!(answers("/").await, "three two");
    let wiki = format!("{}path = \"/wiki/\"\nname = \"wiki\"\n", table(&format!("\"http://{c}\"")));
    list(&format!("{}{wiki}", table(&format!("\"http://{a}\""))));
    house.hang_up(&process, "applied").await;
    assert_eq!((answers("/").await, answers("/wiki/x").await), ("one".to_owned(), "three".to_owned()));
    load.goes_on(20).await;
    assert!(load.without_a_failure().await > 20);
}

#[tokio::test]
async fn the_room_for_idle_connections_needs_a_restart() {
    let house = House::new().await;
    let address = house.upstream.address();
    let table = |more: &str| {
        format!(
            "[[proxy.upstreams]]\nname = \"app\"\nservers = [\"http://{address}\"]\n{more}\n[forward_auth]"
        )
    };
    let short = format!("upstream = \"http://{address}\"\n");
    house.change(&[(&short, ""), ("[forward_auth]", &table(""))]);
    let process = house.started().await;
    house.change(&[(&short, ""), ("[forward_auth]", &table("keep_alive_pool = 8\npass_host = false"))]);
    house.hang_up(&process, "applied").await;
    let line = says(&process, "needs a restart: kept as it was").await;
    assert!(line.contains("\"proxy.upstreams.keep_alive_pool\""), "{line}");
    let line = says(&process, "is in force").await;
    assert!(line.contains("\"proxy.upstreams\""), "{line}");
}

#[tokio::test]
async fn what_cannot_be_put_in_force_leaves_nothing_behind_in_the_metrics() {
    let house = House::new().await;
    let process = house.started().await;
    let short = format!("upstream = \"http://{}\"\n", house.upstream.address());
    house.write("ca.pem", "no certificate\n");
    let tables = "[[proxy.upstreams]]\nname = \"tried\"\nservers = [\"http://127.0.0.1:9\"]\n\
                  [[proxy.upstreams]]\nname = \"broken\"\npath = \"/broken/\"\nservers = [\"https://127.0.0.1:9\"]\n\
                  server_name = \"app.test\"\nca_file = \"ca.pem\"\n[forward_auth]";
    house.change(&[(&short, ""), ("[forward_auth]", tables)]);
    house.hang_up(&process, "failed").await;
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let metrics = try_exchange(house.ops, request).await.expect("an answer").text();
    let told: Vec<_> =
        metrics.lines().filter(|line| line.starts_with("anteroom_upstream_healthy{")).collect();
    assert!(told.len() == 1 && !told[0].contains("tried"), "{told:?}");
}
