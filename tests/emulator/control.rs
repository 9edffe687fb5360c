//! Journal, switches and scenarios over HTTP, and who may reach them.

use anteroom::emulator::{Endpoint, Scenario};
use serde_json::json;

use super::support::{ADA, CALLBACK, SECRET, approving};

#[tokio::test]
async fn the_journal_tells_what_came_and_how_it_ended() {
    let world = approving().await;
    let code = world.code("read:me").await;
    let tokens = world.exchange(&code, &[]).await.json();
    let token = tokens["access_token"].as_str().unwrap();
    world.api("/me?x=a%20b", token).await;
    let entries = world.get("/_emulator/journal").await.json();
    let entries = entries["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 3, "its own paths are not recorded");
    let journal = world.emulator.journal();
    assert_eq!(
        (journal[0].path.as_str(), journal[0].query("state"), journal[0].status),
        ("/authorize", Some("s-1"), Some(302))
    );
    assert!(journal[0].location.as_deref().unwrap().starts_with(CALLBACK));
    assert_eq!(
        (journal[1].field("client_secret"), journal[1].outcome.as_deref()),
        (Some(SECRET), Some("granted"))
    );
    assert_eq!(journal[2].authorization.as_deref(), Some(format!("Bearer {token}").as_str()));
    assert_eq!(entries[2]["query"], json!([["x", "a b"]]));
    assert_eq!(world.send(world.http.delete(world.url("/_emulator/journal"))).await.status, 204);
    assert!(world.emulator.journal().is_empty());
}

#[tokio::test]
async fn a_client_that_gives_up_is_recorded_too() {
    let world = approving().await;
    world.emulator.set_switches(|switches| switches.latency_ms.extend([(Endpoint::Token, 60_000)]));
    let hasty = world.http.post(world.url("/oauth/token")).timeout(std::time::Duration::from_millis(300));
    assert!(hasty.body("grant_type=authorization_code&code=x").send().await.unwrap_err().is_timeout());
    let entry = world.last();
    assert_eq!((entry.path.as_str(), entry.status, entry.field("code")), ("/oauth/token", None, Some("x")));
}

#[tokio::test]
async fn strangers_are_kept_out() {
    let world = approving().await;
    let port = world.emulator.base_url().port().unwrap();
    let (ours, other) = (format!("http://localhost:{port}"), format!("http://localhost:{}", port ^ 1));
    for (path, name, value, status) in [
        ("/_emulator/journal", "host", "evil.example", 421),
        ("/_emulator/journal", "host", "127.0.0.1.evil.example", 421),
        ("/_emulator/journal", "host", "192.0.2.1", 421),
        ("/me", "host", "evil.example", 421),
        ("/authorize", "host", "evil.example:4190", 421),
        ("/_emulator/journal", "host", "localhost:1", 200),
        ("/_emulator/journal", "host", "[::1]:4190", 200),
        ("/_emulator/journal", "host", "emulator.localhost", 200),
        ("/_emulator/journal", "origin", "https://evil.example", 403),
        ("/_emulator/journal", "origin", "null", 403),
        ("/_emulator/journal", "origin", other.as_str(), 403),
        ("/_emulator/journal", "origin", ours.as_str(), 200),
    ] {
        let answer = world.send(world.http.get(world.url(path)).header(name, value)).await;
        assert_eq!(answer.status, status, "{path} {name}: {value}");
    }
    for path in ["/login", "/authorize/consent"] {
        let post = world.http.post(world.url(path)).header("origin", "https://evil.example");
        assert_eq!(world.send(post.body(format!("account_id={ADA}"))).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn switches_are_put_one_by_one() {
    let world = approving().await;
    let put = async |body: &str| {
        world.send(world.http.put(world.url("/_emulator/switches")).body(body.to_owned())).await
    };
    let before = world.emulator.switches();
    assert_eq!(put(r#"{"code_ttl_secs": 5, "latency_ms": {"me": 1}}"#).await.status, 200);
    let after = world.get("/_emulator/switches").await.json();
    assert_eq!((&after["code_ttl_secs"], &after["access_token_ttl_secs"]), (&json!(5), &json!(3600)));
    assert_eq!(world.emulator.switches().latency(Endpoint::Me).as_millis(), 1);
    for wrong in [r#"{"code_tll_secs": 5}"#, r#"{"pkce": "maybe"}"#, "[]", "x"] {
        assert_eq!(put(wrong).await.status, 400, "{wrong}");
    }
    assert_eq!(world.emulator.switches().code_ttl_secs, 5, "a refused change changes nothing");
    world.emulator.enter(Scenario::Happy);
    assert_eq!(world.emulator.switches(), before);
}

#[tokio::test]
async fn scenarios_are_entered_by_name_and_undo_each_other() {
    let world = approving().await;
    let enter = async |name: &str| world.post(&format!("/_emulator/scenario?name={name}"), &[]).await.status;
    let list = world.get("/_emulator/scenario").await.json();
    assert_eq!(list["scenarios"].as_array().unwrap().len(), Scenario::ALL.len());
    assert_eq!(enter("callback-mismatch").await, 200);
    assert_eq!(world.emulator.scenario(), Scenario::CallbackMismatch);
    assert!(!world.emulator.fixture().apps[0].callbacks.contains(&CALLBACK.to_owned()));
    assert!(world.authorize(&[]).await.location().starts_with("/error?"));
    // What a test sets in the fixture outlives the scenario that hides it.
    world.emulator.fixture_mut(|fixture| fixture.apps[0].callbacks.push("http://localhost:9/cb".to_owned()));
    assert!(
        world.authorize(&[("redirect_uri", "http://localhost:9/cb")]).await.location().starts_with("/error?")
    );
    assert_eq!(enter("happy").await, 200);
    assert!(world.authorize(&[]).await.location().starts_with(CALLBACK));
    assert!(
        world
            .authorize(&[("redirect_uri", "http://localhost:9/cb")])
            .await
            .location()
            .starts_with("http://localhost:9/cb?code=")
    );
    assert_eq!(enter("no-such-scenario").await, 404);
}

#[tokio::test]
async fn a_stopped_emulator_is_gone() {
    let world = approving().await;
    let url = world.url("/me");
    world.emulator.stop().await;
    assert!(world.http.get(url).send().await.unwrap_err().is_connect());
}
