//! `GET /authorize`: what is accepted, and where each fault ends.

use anteroom::emulator::PromptNone;

use super::support::{ADA, CALLBACK, CHALLENGE, PRIVATE, approving, ask, asking, cookie, form, start};

#[tokio::test]
async fn log_in_comes_before_any_validation() {
    let world = asking().await;
    for changes in [
        &[("client_id", "nobody")][..],
        &[("scope", "openid")],
        &[("redirect_uri", "http://evil.example/")],
        &[],
    ] {
        let answer = world.authorize(changes).await;
        assert_eq!(answer.status, 302);
        assert!(answer.location().starts_with("/login?continue=%2Fauthorize%3F"), "{}", answer.location());
    }
}

#[tokio::test]
async fn authorize_faults_end_on_the_error_page_and_never_at_the_callback() {
    let world = start(Some("grace@example.com")).await;
    let slash = format!("{CALLBACK}/");
    let upper = CALLBACK.replace("localhost", "LOCALHOST");
    let query = format!("{CALLBACK}?a=1");
    let callback = "is not in the list of allowed callback URLs";
    let incomplete = "incomplete or invalid";
    for (changes, error, needle) in [
        (&[("client_id", "nobody")][..], "unauthorized_client", "Failed to retrieve client"),
        (&[("client_id", "")], "unauthorized_client", "Failed to retrieve client"),
        (&[("client_id", PRIVATE)], "unauthorized_client", "not shared"),
        (&[("redirect_uri", slash.as_str())], "unauthorized_client", callback),
        (&[("redirect_uri", upper.as_str())], "unauthorized_client", callback),
        (&[("redirect_uri", query.as_str())], "unauthorized_client", callback),
        (
            &[("redirect_uri", "http://localhost:4181/api/auth/callback/atlassian")],
            "unauthorized_client",
            callback,
        ),
        (&[("redirect_uri", "")], "unauthorized_client", "Callback URL mismatch."),
        (&[("response_type", "token")], "invalid_request", incomplete),
        (&[("response_type", "")], "invalid_request", incomplete),
        (&[("audience", "")], "invalid_request", incomplete),
        (&[("audience", "https://api.atlassian.com")], "invalid_request", incomplete),
        (&[("scope", "")], "invalid_request", incomplete),
        (&[("code_challenge", CHALLENGE), ("code_challenge_method", "plain")], "invalid_request", incomplete),
        (&[("scope", "read:me openid")], "invalid_request", "There's nothing here"),
        (&[("scope", "read:me,offline_access")], "invalid_scope", "read:me,offline_access"),
        (
            &[("scope", "read:me write:jira-work")],
            "invalid_scope",
            "not been added to the app: write:jira-work",
        ),
        // Grace's only site has no Confluence.
        (&[("scope", "read:me read:confluence-user")], "access_denied", "a Confluence & User identity site"),
    ] {
        let answer = world.authorize(changes).await;
        assert_eq!(answer.status, 302, "{changes:?}");
        assert!(answer.location().starts_with("/error?"), "{changes:?}: {}", answer.location());
        assert_eq!(answer.sent_on("error").as_deref(), Some(error), "{changes:?}");
        let description = answer.sent_on("error_description").unwrap();
        assert!(description.contains(needle), "{changes:?}: {description}");
        let page = world.get(answer.location()).await;
        assert!(
            page.body.contains("What to do") && page.body.contains("This is an emulator"),
            "{}",
            page.body
        );
    }
}

#[tokio::test]
async fn the_owner_may_use_a_private_app() {
    let world = approving().await;
    let answer = world.authorize(&[("client_id", PRIVATE)]).await;
    assert!(answer.location().starts_with(CALLBACK));
}

#[tokio::test]
async fn consent_leads_to_the_callback_as_registered() {
    let world = approving().await;
    let answer = world.authorize(&[("state", "a b&c=d/é")]).await;
    assert!(answer.location().starts_with(&format!("{CALLBACK}?code=")), "{}", answer.location());
    assert_eq!(answer.sent_on("state").as_deref(), Some("a b&c=d/é"));
    let answer = world.authorize(&[("state", "")]).await;
    assert_eq!(answer.sent_on("state"), None);

    let with_query = "https://app.example/cb?tenant=1";
    world.emulator.fixture_mut(|fixture| fixture.apps[0].callbacks = vec![with_query.to_owned()]);
    let answer = world.authorize(&[("redirect_uri", with_query)]).await;
    assert!(answer.location().starts_with("https://app.example/cb?tenant=1&code="), "{}", answer.location());
}

#[tokio::test]
async fn prompt_decides_whether_people_are_asked() {
    let world = asking().await;
    let log_in = world.post("/login", &[("account_id", ADA), ("continue", "/authorize?x")]).await;
    let session = cookie(&log_in);
    let authorize = async |changes: &[(&str, &str)]| {
        let target = format!("/authorize?{}", form(&ask(changes)));
        world.send(world.http.get(world.url(&target)).header("cookie", &session)).await
    };
    // No grant yet.
    assert_eq!(authorize(&[("prompt", "")]).await.status, 200);
    let none = authorize(&[("prompt", "none")]).await;
    assert_eq!(none.sent_on("error").as_deref(), Some("consent_required"));
    assert!(none.location().starts_with(CALLBACK));
    assert_eq!(none.sent_on("state").as_deref(), Some("s-1"));
    let logged_out = world.authorize(&[("prompt", "none")]).await;
    assert_eq!(logged_out.sent_on("error").as_deref(), Some("login_required"));
    // An unregistered callback is no place to tell it.
    let foreign = world.authorize(&[("prompt", "none"), ("redirect_uri", "http://evil.example/")]).await;
    assert!(foreign.location().starts_with("/error?"));
    world.emulator.set_switches(|switches| switches.prompt_none = PromptNone::ErrorPage);
    assert!(authorize(&[("prompt", "none")]).await.location().starts_with("/error?"));

    let page = authorize(&[("prompt", "")]).await;
    let id = super::pages::hidden(&page.body, "id");
    let accept = form(&[("id", &id), ("decision", "accept")]);
    let post = world.http.post(world.url("/authorize/consent")).header("cookie", &session);
    let accepted =
        world.send(post.header("content-type", "application/x-www-form-urlencoded").body(accept)).await;
    assert!(accepted.sent_on("code").is_some());
    // Granted: asked only when prompt says so or when scopes grow.
    assert!(authorize(&[("prompt", "")]).await.sent_on("code").is_some());
    assert!(authorize(&[("prompt", "none")]).await.sent_on("code").is_some());
    assert_eq!(authorize(&[("prompt", "consent")]).await.status, 200);
    assert_eq!(authorize(&[("prompt", ""), ("scope", "read:me read:jira-user")]).await.status, 200);
    assert!(authorize(&[("prompt", "login")]).await.location().starts_with("/login?"));
}
