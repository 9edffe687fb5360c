//! Does another binary take over without anybody noticing, and does the first one go on when that fails?

use std::os::unix::fs::PermissionsExt;

use anteroom::clock::Timestamp;
use anteroom::store::Store as _;
use anteroom::store::embedded::EmbeddedStore;
use nix::sys::signal::Signal;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::load::Load;
use super::rig::{GATEWAY, House, says};
use crate::support::gateway::free_address;
use crate::support::process::Process;
use crate::support::raw::{RawClient, try_exchange};
use crate::support::upstream::{Answer, Gate, Upstream};

const TAKEN_OVER: &str = "another process has taken over";

async fn ready(house: &House) -> u16 {
    let request = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    try_exchange(house.ops, request).await.expect("an answer").status
}

/// A second process, which takes over from the first.
pub(super) async fn upgraded(house: &House, mut first: Process) -> Process {
    let second = house.started().await;
    let line = says(&first, TAKEN_OVER).await;
    println!("{line}");
    assert_eq!(first.wait_for_exit().await.code(), Some(0), "{}", first.output());
    second
}

#[tokio::test]
async fn nobody_notices_that_another_binary_has_taken_over() {
    let house = House::new().await;
    let mut process = house.started().await;
    let (ada, mut gone) = (house.ada().await, house.ada().await);
    let mode = std::fs::metadata(house.path("upgrade.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "for this user alone");
    let ended = gone.clone();
    house.sign_out(&mut gone).await;
    let load = Load::start(house.proxy, &house.cookie(&ada), |answer| answer.status == 200);
    let question = house.question(&ada, GATEWAY);
    let gateway = Load::asking(house.forward_auth, &question, |answer| answer.status == 200);
    load.goes_on(50).await;
    for _ in 0..3 {
        process = upgraded(&house, process).await;
        load.goes_on(50).await;
        gateway.goes_on(50).await;
        assert_eq!(ready(&house).await, 200);
        assert_ne!(house.ask(&ended, "/").await.status, 200, "what has ended stays ended");
        // The store works: somebody signs in and out.
        let mut somebody = house.ada().await;
        house.sign_out(&mut somebody).await;
    }
    assert!(load.without_a_failure().await >= 200);
    assert!(gateway.without_a_failure().await >= 200);
}

#[tokio::test]
async fn a_unix_socket_changes_hands_with_its_file() {
    let house = House::new().await;
    let (listen, path) = (format!("listen = \"{}\"", house.forward_auth), house.path("gateway.sock"));
    house.change(&[(&listen, "listen = \"unix:gateway.sock\""), ("[\"127.0.0.1\"]", "[\"unix\"]")]);
    let first = house.started().await;
    let ada = house.ada().await;
    let question = format!("{}Connection: close\r\n\r\n", house.question(&ada, GATEWAY));
    let ask = async || {
        let mut stream = UnixStream::connect(&path).await.expect("somebody listens");
        stream.write_all(question.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("read");
        answer.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(ask().await, "HTTP/1.1 200 OK");
    std::fs::write(house.path("nonsense"), "no store").unwrap();
    house.write("other.toml", &house.toml().replace("data/accounts.redb", "nonsense"));
    let mut failing = with_config(&house, "other.toml");
    assert_eq!(failing.wait_for_exit().await.code(), Some(1), "{}", failing.output());
    says(&first, "does not take over; this one goes on serving").await;
    assert_eq!(ask().await, "HTTP/1.1 200 OK", "one that fails has not taken the file along");
    std::fs::remove_file(&path).unwrap();
    let second = upgraded(&house, first).await;
    assert_eq!(ask().await, "HTTP/1.1 200 OK", "what somebody removed is there again");
    let mut second = upgraded(&house, second).await;
    assert_eq!(ask().await, "HTTP/1.1 200 OK", "the first one has not taken the file along");
    second.signal(Signal::SIGTERM);
    assert_eq!(second.wait_for_exit().await.code(), Some(0));
    assert!(!path.exists() && !house.path("upgrade.sock").exists(), "the last one has");
}

#[tokio::test]
async fn what_is_under_way_is_finished_and_an_address_may_change() {
    let house = House::new().await;
    let gate = Gate::new();
    let slow = Answer::default().then_wait(&gate).then("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
    let app = Upstream::with(move |request| match request.target() {
        "/slow" => slow.clone(),
        _ => Answer::ok("quick"),
    })
    .await;
    house.change(&[(&house.upstream.address().to_string(), &app.address().to_string())]);
    let mut first = house.started().await;
    let ada = house.ada().await;
    let (before, port, cookie) = (app.requests().len(), house.proxy.port(), house.cookie(&ada));
    let mut client = RawClient::connect(house.proxy).await;
    client.send(format!("GET /slow HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: {cookie}\r\n\r\n")).await;
    app.wait_for_request(before + 1).await;
    let elsewhere = free_address();
    house.change(&[(&house.ops.to_string(), &elsewhere.to_string())]);
    let _second = house.started().await;
    // Until then both accept.
    says(&first, "no new connections").await;
    assert!(house.ask(&ada, "/").await.text().starts_with("one "), "the second one, with its own upstream");
    gate.open();
    assert_eq!(client.response().await.text(), "done");
    drop(client);
    assert_eq!(first.wait_for_exit().await.code(), Some(0));
    assert!(tokio::net::TcpStream::connect(house.ops).await.is_err(), "nobody listens at the old address");
    assert!(tokio::net::TcpStream::connect(elsewhere).await.is_ok());
}

#[tokio::test]
async fn sign_ins_wait_for_the_store_and_go_on() {
    let house = House::new().await;
    let mut process = house.started().await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let house = std::sync::Arc::new(house);
    let signing_in: tokio::task::JoinSet<usize> = (0..3)
        .map(|_| {
            let (house, stop) = (std::sync::Arc::clone(&house), std::sync::Arc::clone(&stop));
            async move {
                let mut count = 0;
                while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                    house.ada().await;
                    count += 1;
                }
                count
            }
        })
        .collect();
    for _ in 0..3 {
        process = upgraded(&house, process).await;
        house.ada().await;
    }
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(signing_in.join_all().await.iter().sum::<usize>() > 0);
    drop(process);
}

#[tokio::test]
async fn a_next_process_that_fails_leaves_everything_as_it_was() {
    let house = House::new().await;
    let first = house.started().await;
    let ada = house.ada().await;
    let load = Load::start(house.proxy, &house.cookie(&ada), |answer| answer.status == 200);
    load.goes_on(20).await;

    let good = house.toml();
    // A configuration that is wrong never gets as far as asking.
    house.write("other.toml", &good.replace("[access]", "[acess]"));
    let mut wrong = with_config(&house, "other.toml");
    assert_eq!(wrong.wait_for_exit().await.code(), Some(2));
    // One that fails when it has the sockets: the store is no store.
    std::fs::write(house.path("nonsense"), "no store").unwrap();
    house.write("other.toml", &good.replace("data/accounts.redb", "nonsense"));
    let mut failing = with_config(&house, "other.toml");
    assert_eq!(failing.wait_for_exit().await.code(), Some(1), "{}", failing.output());
    assert!(failing.output().contains("is damaged or is not a store"), "{}", failing.output());
    says(&first, "does not take over; this one goes on serving").await;
    house.ada().await;

    // One that dies in the middle: stopped before it can say anything, then killed.
    for _ in 0..3 {
        let said = super::rig::count(&first, "does not take over");
        let dying = house.start();
        says(&dying, "taking over from a process that serves").await;
        dying.signal(Signal::SIGKILL);
        drop(dying);
        let wait = async {
            while super::rig::count(&first, "does not take over") == said {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(crate::support::DEADLINE, wait).await.expect("noticed");
        house.ada().await;
    }
    load.goes_on(50).await;
    assert_eq!(ready(&house).await, 200);
    let _second = upgraded(&house, first).await;
    house.ada().await;
    assert!(load.without_a_failure().await >= 90);
}

/// Says one thing to the process that serves and gives its answer. The sockets that come along are dropped.
async fn said(stream: &mut BufReader<UnixStream>, word: &str) -> String {
    stream.write_all(format!("{word}\n").as_bytes()).await.expect("sent");
    let mut line = String::new();
    stream.read_line(&mut line).await.expect("read");
    line.trim_end().to_owned()
}

#[tokio::test]
async fn a_next_process_that_dies_before_it_serves_leaves_everything_as_it_was() {
    let house = House::new().await;
    let first = house.started().await;
    let ada = house.ada().await;
    let load = Load::start(house.proxy, &house.cookie(&ada), |answer| answer.status == 200);
    load.goes_on(20).await;
    let path = house.path("upgrade.sock");
    let mut next = BufReader::new(UnixStream::connect(&path).await.expect("somebody listens"));
    assert!(said(&mut next, "anteroom-upgrade 1").await.starts_with("sockets "));
    assert_eq!(said(&mut next, "prepared").await, "yours");
    assert_eq!(said(&mut next, "ready").await, "leaving");
    // It has shown its own socket already; then it dies.
    std::fs::remove_file(&path).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    drop(next);
    says(&first, "does not take over; this one goes on serving").await;
    house.ada().await;
    load.goes_on(50).await;
    assert_eq!(ready(&house).await, 200);
    let _second = upgraded(&house, first).await;
    house.ada().await;
    assert!(load.without_a_failure().await >= 70);
}

/// A next process that the test plays, up to where it has the store.
async fn with_the_store(house: &House) -> BufReader<UnixStream> {
    let mut next =
        BufReader::new(UnixStream::connect(house.path("upgrade.sock")).await.expect("somebody listens"));
    assert!(said(&mut next, "anteroom-upgrade 1").await.starts_with("sockets "));
    assert_eq!(said(&mut next, "prepared").await, "yours");
    next
}

#[tokio::test]
async fn everything_is_in_the_store_that_the_next_process_gets_and_it_is_told_to_let_go() {
    let house = House::new().await;
    let first = house.started().await;
    let ada = house.ada().await;
    assert_eq!(house.ask(&ada, "/").await.status, 200);
    let mut next = with_the_store(&house).await;
    let store = EmbeddedStore::open(&house.path("data/accounts.redb")).expect("it is free");
    let seen = store.activity(Timestamp::default()).await.expect("read");
    assert!(!seen.is_empty(), "when her session was last used is not known");
    drop(store);
    assert_eq!(said(&mut next, "something else").await, "back");
    says(&first, "does not take over; this one goes on serving").await;
    house.ada().await;
}

#[tokio::test]
async fn sigterm_lets_a_next_process_finish_that_has_the_store() {
    for dies in [false, true] {
        let house = House::new().await;
        let mut first = house.started().await;
        house.ada().await;
        let path = house.path("upgrade.sock");
        let mut next = with_the_store(&house).await;
        first.signal(Signal::SIGTERM);
        // It goes on serving until then.
        assert_eq!(ready(&house).await, 200);
        // The next one shows its own socket.
        std::fs::remove_file(&path).unwrap();
        let shown = std::os::unix::net::UnixListener::bind(&path).unwrap();
        if dies {
            drop(next);
            says(&first, "does not take over, and this one leaves").await;
        } else {
            assert_eq!(said(&mut next, "ready").await, "leaving");
            next.write_all(b"serving\n").await.expect("sent");
            says(&first, TAKEN_OVER).await;
        }
        assert_eq!(first.wait_for_exit().await.code(), Some(0), "{}", first.output());
        assert!(path.exists(), "the file is the next one's");
        drop(shown);
        assert!(!first.output().contains("could not be saved"), "{}", first.output());
        // The next process finds the file of one that is gone.
        std::fs::remove_file(&path).unwrap();
        drop(house.started().await);
    }
}

#[tokio::test]
async fn sigterm_does_not_wait_for_a_next_process_that_is_not_prepared() {
    let house = House::new().await;
    let mut first = house.started().await;
    let path = house.path("upgrade.sock");
    let mut next = BufReader::new(UnixStream::connect(&path).await.expect("somebody listens"));
    assert!(said(&mut next, "anteroom-upgrade 1").await.starts_with("sockets "));
    first.signal(Signal::SIGTERM);
    assert_eq!(first.wait_for_exit().await.code(), Some(0));
    assert!(!path.exists());
}

#[tokio::test]
async fn a_process_serves_when_the_previous_one_dies_after_it_has_let_go() {
    let house = House::new().await;
    let listener = UnixListener::bind(house.path("upgrade.sock")).unwrap();
    let next = house.start();
    let mut previous = BufReader::new(listener.accept().await.unwrap().0);
    for (word, answer) in [("anteroom-upgrade 1", "sockets []\n"), ("prepared", "yours\n"), ("ready", "")] {
        let mut line = String::new();
        previous.read_line(&mut line).await.unwrap();
        assert_eq!(line.trim_end(), word);
        previous.write_all(answer.as_bytes()).await.unwrap();
    }
    drop(previous);
    says(&next, "\"listening\"").await;
    house.ada().await;
}

/// Who stops an upgrade half-way wants the old version, not none.
#[tokio::test]
async fn sigterm_before_it_serves_leaves_everything_to_the_previous_one() {
    for steps in 1..=3 {
        let house = House::new().await;
        let listener = UnixListener::bind(house.path("upgrade.sock")).unwrap();
        let mut next = house.start();
        let mut previous = BufReader::new(listener.accept().await.unwrap().0);
        let words = [("anteroom-upgrade 1", "sockets []\n"), ("prepared", "yours\n"), ("ready", "")];
        for (step, (word, answer)) in words.into_iter().take(steps).enumerate() {
            let mut line = String::new();
            previous.read_line(&mut line).await.unwrap();
            assert_eq!(line.trim_end(), word);
            if step + 1 < steps {
                previous.write_all(answer.as_bytes()).await.unwrap();
            }
        }
        next.signal(Signal::SIGTERM);
        assert_eq!(next.wait_for_exit().await.code(), Some(0), "{}", next.output());
        let mut rest = String::new();
        previous.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "", "it says no more");
        assert!(next.output().contains("told to leave before it served"), "{}", next.output());
        assert!(EmbeddedStore::open(&house.path("data/accounts.redb")).is_ok(), "the store is free");
    }
}

fn with_config(house: &House, name: &str) -> Process {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_anteroom"));
    command.args(["run", "--config", name]).current_dir(house.folder.path());
    Process::start("anteroom", command, "cargo build")
}
