//! Faults on demand, and what the emulator refuses to do at all.

use anteroom::emulator::{Emulator, EmulatorError, Endpoint, Fault, Options, Switches};

use super::support::{approving, client};

#[tokio::test]
async fn faults_happen_and_can_be_taken_back() {
    let world = approving().await;
    let fault = |fault: Fault| {
        world.emulator.set_switches(|switches| *switches = Switches::default());
        world.emulator.set_switches(|switches| drop(switches.faults.insert(Endpoint::Token, fault)));
    };
    fault(Fault::Html502);
    let answer = world.exchange("x", &[]).await;
    assert!(
        answer.status == 502
            && answer.body.contains("<html>")
            && answer.header("content-type") == "text/html"
    );
    fault(Fault::Status { status: 503 });
    assert_eq!(world.exchange("x", &[]).await.status, 503);
    fault(Fault::NotJson);
    assert!(world.exchange("x", &[]).await.body.contains("<b>"));
    fault(Fault::Redirect { to: "http://127.0.0.1:9/steal".to_owned() });
    let answer = world.exchange("x", &[]).await;
    assert_eq!((answer.status, answer.location()), (302, "http://127.0.0.1:9/steal"));
    fault(Fault::RateLimited { retry_after_secs: 7 });
    let answer = world.exchange("x", &[]).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "7"));
    assert_eq!(answer.header("ratelimit-reason"), "jira-burst-based");
    assert!(answer.header("x-ratelimit-reset").ends_with('Z'));
    fault(Fault::Endless);
    let mut endless = world.http.post(world.url("/oauth/token")).send().await.unwrap();
    for _ in 0..100 {
        assert!(endless.chunk().await.unwrap().is_some());
    }
    drop(endless);
    for broken in [Fault::Drop, Fault::TlsAlert] {
        fault(broken.clone());
        let fresh = client();
        assert!(fresh.post(world.url("/oauth/token")).send().await.is_err(), "{broken:?}");
        // Others are not touched, and the switch can be thrown back over HTTP.
        assert_eq!(fresh.get(world.url("/.well-known/jwks.json")).send().await.unwrap().status(), 200);
        let back = fresh.put(world.url("/_emulator/switches")).body(r#"{"faults":{}}"#).send().await.unwrap();
        assert_eq!(back.status(), 200);
        assert_eq!(world.exchange("x", &[]).await.status, 403);
    }
}

#[tokio::test]
async fn wrong_methods_paths_and_sizes_are_refused() {
    let world = approving().await;
    assert_eq!(world.get("/oauth/token").await.status, 405);
    for path in ["/oauth/authorize", "/token", "/userinfo", "/_emulator/nothing"] {
        assert_eq!(world.get(path).await.status, 404, "{path}");
    }
    let huge = world.http.post(world.url("/oauth/token")).body("x".repeat(70_000));
    assert_eq!(world.send(huge).await.status, 413);
}

#[tokio::test]
async fn only_loopback_may_listen_and_only_known_people_approve() {
    for address in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
        let options = Options { listen: address.parse().unwrap(), ..Options::loopback() };
        let error = Emulator::start(options).await.err().unwrap();
        assert!(
            matches!(&error, EmulatorError::Listen(_)) && error.to_string().contains("loopback"),
            "{error}"
        );
    }
    let options = Options { approve: Some("nobody@example.com".to_owned()), ..Options::loopback() };
    assert!(matches!(Emulator::start(options).await, Err(EmulatorError::UnknownSubject(_))));
}
