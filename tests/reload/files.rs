//! Are changes of files noticed by themselves, whichever way they happen, and is nobody disturbed by them?

use std::os::unix::fs::symlink;

use super::load::Load;
use super::rig::{FIRST, House, SECOND, says};
use crate::support::upstream::{Answer, Upstream};

#[tokio::test]
async fn a_mounted_secret_is_swapped_as_kubernetes_does_it() {
    let house = House::new().await;
    // secret → ..data/secret, ..data → ..1
    for (version, secret) in [("..1", FIRST.to_owned()), ("..2", format!("{SECOND}\n{FIRST}"))] {
        std::fs::create_dir(house.path(version)).unwrap();
        std::fs::write(house.path(version).join("secret"), secret).unwrap();
    }
    symlink("..1", house.path("..data")).unwrap();
    symlink("..data/secret", house.path("secret")).unwrap();
    house.change(&[("secret_file = \"session_secret\"", "secret_file = \"secret\"")]);
    let process = house.started().await;
    let ada = house.ada().await;
    let before = house.reloads("applied").await;
    symlink("..2", house.path("..data_tmp")).unwrap();
    std::fs::rename(house.path("..data_tmp"), house.path("..data")).unwrap();
    std::fs::remove_dir_all(house.path("..1")).unwrap();
    house.reloaded("applied", before, &process).await;
    let line = says(&process, "is in force").await;
    assert!(line.contains("content of") && !line.contains(SECOND), "{line}");
    assert_eq!(house.ask(&ada, "/").await.status, 200);
}

#[cfg(not(feature = "otel"))]
#[tokio::test]
async fn traces_that_this_build_cannot_send_are_said_at_the_start() {
    let house = House::new().await;
    house.change(&[("[store]", "[ops.tracing]\nendpoint = \"http://127.0.0.1:4318\"\n[store]")]);
    let mut process = house.start();
    assert_eq!(process.wait_for_exit().await.code(), Some(1));
    let said = process.output();
    assert!(said.contains("[ops.tracing]") && said.contains("--features otel"), "{said}");
}

#[tokio::test]
async fn nobody_notices_a_change_and_each_answer_is_of_one_configuration() {
    let house = House::new().await;
    let process = house.started().await;
    let ada = house.ada().await;
    // The upstream says which headers came: under one configuration its own address goes with the preset "anteroom", under
    // the other with "remote".
    let of_one = format!("http://{}", house.upstream.address());
    let other = Upstream::with(|request| {
        let consistent =
            request.header("remote-user").is_some() && request.header("x-anteroom-account-id").is_none();
        Answer::ok(if consistent { "two" } else { "mixed" })
    })
    .await;
    let other_url = format!("http://{}", other.address());
    let load = Load::start(house.proxy, &house.cookie(&ada), |answer| {
        let text = answer.text();
        answer.status == 200 && (text == "two" || text.starts_with("one ") && !text.ends_with("nobody"))
    });
    for _ in 0..5 {
        house.change(&[(&of_one, &other_url), ("presets = [\"anteroom\"]", "presets = [\"remote\"]")]);
        house.hang_up(&process, "applied").await;
        load.goes_on(20).await;
        house.change(&[]);
        house.hang_up(&process, "applied").await;
        load.goes_on(20).await;
    }
    let before = house.reloads("applied").await;
    house.change(&[("First name", "Second name")]);
    house.reloaded("applied", before, &process).await;
    assert!(load.without_a_failure().await >= 200);
}
