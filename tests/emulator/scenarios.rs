//! Every named scenario, observed from outside as a client would meet it.

use std::time::Duration;

use anteroom::emulator::Scenario;
use serde_json::{Value, json};

use super::support::{ADA, Answer, CALLBACK, ENGINES, World, approving, text};

const SITES: &str = "/oauth/token/accessible-resources";

/// The error and description of the page on which an authorize request ended.
fn stranded(answer: &Answer) -> (String, String) {
    assert!(answer.location().starts_with("/error?"), "{}", answer.location());
    (answer.sent_on("error").unwrap(), answer.sent_on("error_description").unwrap())
}

async fn me(world: &World) -> Value {
    let token = world.access("read:me").await;
    world.api("/me", &token).await.json()
}

async fn observe(scenario: Scenario, world: &World) {
    match scenario {
        Scenario::Happy => assert_eq!(me(world).await["account_id"], ADA),
        Scenario::Decline => {
            let answer = world.authorize(&[]).await;
            assert!(answer.location().starts_with(CALLBACK));
            assert_eq!(answer.sent_on("error").as_deref(), Some("access_denied"));
            assert_eq!(answer.sent_on("state").as_deref(), Some("s-1"));
        }
        Scenario::CallbackMismatch => {
            let (error, description) = stranded(&world.authorize(&[]).await);
            assert_eq!(error, "unauthorized_client");
            assert!(description.starts_with("Callback URL mismatch."));
        }
        Scenario::ScopeNotAdded => {
            let (error, description) = stranded(&world.authorize(&[]).await);
            assert!(
                error == "invalid_scope"
                    && description.contains("User identity API")
                    && description.contains("read:me")
            );
        }
        Scenario::UnsharedApp => assert_eq!(stranded(&world.authorize(&[]).await).0, "unauthorized_client"),
        Scenario::NoSite => assert!(stranded(&world.authorize(&[]).await).1.starts_with("Access denied.")),
        Scenario::AdminBlock => {
            let (_, description) = stranded(&world.authorize(&[]).await);
            assert!(
                description.contains("site admin must authorize this app for the site engines.atlassian.net")
            );
        }
        Scenario::Guest => {
            let token = world.access("read:me read:confluence-user").await;
            assert_eq!(world.api(SITES, &token).await.json(), json!([]));
            let member = format!("/ex/confluence/{ENGINES}/wiki/rest/api/user/memberof?accountId={ADA}");
            assert_eq!(world.api(&member, &token).await.status, 403);
        }
        Scenario::WrongSecret => {
            let code = world.code("read:me").await;
            let answer = world.exchange(&code, &[]).await;
            assert_eq!((answer.status, text(&answer.json(), "error")), (401, "access_denied".to_owned()));
        }
        Scenario::CodeReplay => {
            let code = world.code("read:me").await;
            let answer = world.exchange(&code, &[]).await;
            assert_eq!((answer.status, text(&answer.json(), "error")), (403, "invalid_grant".to_owned()));
        }
        Scenario::StateMissing => {
            let answer = world.authorize(&[]).await;
            assert!(answer.sent_on("code").is_some() && answer.sent_on("state").is_none());
        }
        Scenario::StateForged => {
            let answer = world.authorize(&[]).await;
            assert!(
                answer.sent_on("code").is_some()
                    && answer.sent_on("state").is_some_and(|state| state != "s-1")
            );
        }
        Scenario::RefreshRace2Replicas => {
            let tokens = world.tokens("read:me offline_access").await;
            assert_eq!(tokens["expires_in"], 60);
            let shared = text(&tokens, "refresh_token");
            let (one, two) = tokio::join!(world.refresh(&shared), world.refresh(&shared));
            let mut both = [one.status, two.status];
            both.sort_unstable();
            assert_eq!(both, [200, 403]);
        }
        Scenario::RefreshDeadA | Scenario::RefreshDeadB => {
            let refresh = text(&world.tokens("read:me offline_access").await, "refresh_token");
            let answer = world.refresh(&refresh).await;
            let body = match scenario {
                Scenario::RefreshDeadA => {
                    json!({"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."})
                }
                _ => json!({"error": "unauthorized_client", "error_description": "refresh_token is invalid"}),
            };
            assert_eq!((answer.status, answer.json()), (403, body));
        }
        Scenario::PasswordChanged => {
            world.emulator.enter(Scenario::Happy);
            let before = text(&world.tokens("read:me offline_access").await, "refresh_token");
            world.emulator.enter(scenario);
            assert_eq!(world.refresh(&before).await.status, 403);
            let after = text(&world.tokens("read:me offline_access").await, "refresh_token");
            assert_eq!(world.refresh(&after).await.status, 200);
            world.emulator.enter(Scenario::Happy);
            assert_eq!(world.refresh(&before).await.status, 403, "what is dead stays dead");
        }
        Scenario::ScopeNarrowedByOtherApp => {
            let tokens = world.tokens("read:me read:jira-user").await;
            assert_eq!(tokens["scope"], "read:me");
            let answer = world
                .api(&format!("/ex/jira/{ENGINES}/rest/api/3/myself"), &text(&tokens, "access_token"))
                .await;
            assert_eq!(answer.json()["message"], "Unauthorized; scope does not match");
        }
        Scenario::TokenTypeOmitted => assert!(world.tokens("read:me").await.get("token_type").is_none()),
        Scenario::HugeCode => {
            let code = world.code("read:me").await;
            assert!(code.len() >= 6144);
            assert_eq!(world.exchange(&code, &[]).await.status, 200);
        }
        Scenario::HugeToken => {
            let token = world.access("read:me").await;
            assert!(token.len() >= 8192);
            assert_eq!(world.api("/me", &token).await.status, 200);
        }
        Scenario::EmailAbsent => {
            let me = me(world).await;
            assert!(me.get("email").is_none() && me.get("email_verified").is_none());
        }
        Scenario::EmailUnverified => assert_eq!(me(world).await["email_verified"], false),
        Scenario::CustomerAccount => assert_eq!(me(world).await["account_type"], "customer"),
        Scenario::ClosedAccount => assert_eq!(me(world).await["account_status"], "closed"),
        Scenario::DupCloudid => {
            let token = world.access("read:jira-user read:confluence-user").await;
            let sites = world.api(SITES, &token).await.json();
            let ids: Vec<_> = sites.as_array().unwrap().iter().map(|site| text(site, "id")).collect();
            assert_eq!(ids.iter().filter(|id| *id == ENGINES).count(), 2);
            assert_eq!(ids.len(), 4);
        }
        Scenario::RateLimited => {
            let token = world.access("read:me").await;
            for target in ["/me", SITES] {
                let answer = world.api(target, &token).await;
                assert_eq!((answer.status, answer.header("retry-after")), (429, "30"));
            }
        }
        Scenario::AtlassianDown => {
            let code = world.code("read:me").await;
            let post = world.http.post(world.url("/oauth/token")).body(format!("code={code}"));
            assert!(post.send().await.is_err());
            assert_eq!(world.last().outcome.as_deref(), Some("fault: drop"));
        }
        Scenario::Slow => {
            for target in ["/oauth/token", "/me"] {
                let hasty =
                    world.http.post(world.url(target)).timeout(Duration::from_millis(200)).send().await;
                assert!(hasty.unwrap_err().is_timeout(), "{target}");
            }
        }
        Scenario::Html502 => {
            let code = world.code("read:me").await;
            for answer in [world.exchange(&code, &[]).await, world.api("/me", "any").await] {
                assert!(answer.status == 502 && answer.body.starts_with("<html>"));
            }
        }
        Scenario::XssInError => {
            let answer = world.authorize(&[]).await;
            assert!(answer.location().starts_with(CALLBACK));
            assert!(answer.sent_on("error_description").unwrap().contains("<script>"));
        }
    }
}

#[tokio::test]
async fn every_scenario_is_what_its_name_says() {
    let world = approving().await;
    for scenario in Scenario::ALL.iter().copied() {
        world.emulator.enter(scenario);
        observe(scenario, &world).await;
    }
    world.emulator.enter(Scenario::Happy);
    observe(Scenario::Happy, &world).await;
}
