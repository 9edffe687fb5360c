//! Codes, access tokens, refresh tokens and consent pages, aged by a clock that the test moves.

use std::time::Duration;

use serde_json::json;

use super::support::{ADA, World, approving, text};

const DAY: u64 = 86_400;

impl World {
    fn advance(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }

    async fn first_refresh(&self) -> String {
        text(&self.tokens("read:me offline_access").await, "refresh_token")
    }

    async fn refreshed(&self, token: &str) -> Result<String, String> {
        let answer = self.refresh(token).await;
        match answer.status {
            200 => Ok(text(&answer.json(), "refresh_token")),
            403 => Err(self.last().outcome.unwrap()),
            other => panic!("{other}: {}", answer.body),
        }
    }
}

#[tokio::test]
async fn a_code_lives_a_minute() {
    let world = approving().await;
    for (age, status) in [(59, 200), (60, 403)] {
        let code = world.code("read:me").await;
        world.advance(age);
        assert_eq!(world.exchange(&code, &[]).await.status, status, "{age}");
    }
    world.emulator.set_switches(|switches| switches.code_ttl_secs = 5);
    let code = world.code("read:me").await;
    world.advance(5);
    assert_eq!(world.exchange(&code, &[]).await.status, 403);
}

#[tokio::test]
async fn an_access_token_lives_an_hour() {
    let world = approving().await;
    let token = world.access("read:me").await;
    world.advance(3599);
    assert_eq!(world.api("/me", &token).await.status, 200);
    world.advance(1);
    let expired = world.api("/me", &token).await;
    assert_eq!(expired.json(), json!({"code": 401, "message": "Unauthorized"}));
    assert_eq!(world.last().outcome.as_deref(), Some("token expired"));
}

#[tokio::test]
async fn a_refresh_token_rotates_and_its_predecessor_works_for_ten_minutes() {
    let world = approving().await;
    let first = world.first_refresh().await;
    let second = world.refreshed(&first).await.unwrap();
    assert_ne!(first, second);
    world.advance(599);
    let sibling = world.refreshed(&first).await.unwrap();
    world.advance(1);
    assert_eq!(world.refreshed(&first).await.unwrap_err(), "refresh token rotated, leeway over");
    // No breach detection: both descendants live on.
    assert!(world.refreshed(&second).await.is_ok() && world.refreshed(&sibling).await.is_ok());
}

#[tokio::test]
async fn an_unused_refresh_token_dies_and_use_renews_it() {
    let world = approving().await;
    let idle = world.first_refresh().await;
    let mut used = world.first_refresh().await;
    for _ in 0..5 {
        world.advance(80 * DAY);
        used = world.refreshed(&used).await.unwrap();
    }
    assert_eq!(world.refreshed(&idle).await.unwrap_err(), "refresh token unused for too long");
    world.advance(90 * DAY - 1);
    used = world.refreshed(&used).await.unwrap();
    world.advance(90 * DAY);
    assert!(world.refreshed(&used).await.is_err());
}

#[tokio::test]
async fn an_absolute_lifetime_can_be_switched_on() {
    let world = approving().await;
    world.emulator.set_switches(|switches| switches.refresh_absolute_secs = Some(365 * DAY));
    let mut token = world.first_refresh().await;
    for _ in 0..4 {
        world.advance(80 * DAY);
        token = world.refreshed(&token).await.unwrap();
    }
    world.advance(45 * DAY);
    assert_eq!(world.refreshed(&token).await.unwrap_err(), "refresh token family too old");
}

#[tokio::test]
async fn a_password_change_kills_what_came_before() {
    let world = approving().await;
    let before = world.tokens("read:me offline_access").await;
    world.emulator.change_password(ADA);
    assert!(world.refreshed(&text(&before, "refresh_token")).await.is_err());
    let after = world.first_refresh().await;
    assert!(world.refreshed(&after).await.is_ok());
}

#[tokio::test]
async fn a_new_consent_replaces_the_scopes_of_older_tokens() {
    let world = approving().await;
    let wide = world.tokens("read:me read:jira-user offline_access").await;
    let narrow = world.tokens("read:jira-user offline_access").await;
    assert_eq!(narrow["scope"], "offline_access read:jira-user");
    assert_eq!(world.api("/me", &text(&wide, "access_token")).await.status, 401);
    let refreshed = world.refresh(&text(&wide, "refresh_token")).await.json();
    assert_eq!(refreshed["scope"], "offline_access read:jira-user");
}

#[tokio::test]
async fn a_refresh_wants_the_right_client_and_secret() {
    let world = approving().await;
    let token = world.first_refresh().await;
    let send = async |id: &str, secret: &str| {
        let pairs = [
            ("grant_type", "refresh_token"),
            ("client_id", id),
            ("client_secret", secret),
            ("refresh_token", &token),
        ];
        world.post("/oauth/token", &pairs).await
    };
    let (one_site, its_secret) = super::support::ONE_SITE;
    assert_eq!(send(one_site, its_secret).await.status, 403);
    let wrong = send(super::support::CLIENT, "wrong").await;
    assert_eq!((wrong.status, &wrong.json()["error"]), (401, &json!("access_denied")));
    assert!(world.refreshed(&token).await.is_ok());
}
