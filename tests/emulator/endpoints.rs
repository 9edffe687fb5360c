//! Endpoint by endpoint: what is accepted, what is validated, what goes wrong.

use anteroom::emulator::{
    CodeShape, Emulator, EmulatorError, Endpoint, Fault, GrantKind, Options, Pkce, PromptNone, Revoke,
    Switches, TokenType,
};
use serde_json::{Value, json};

use super::support::{
    ADA, Answer, CALLBACK, CHALLENGE, CLIENT, COMPILERS, ENGINES, ONE_SITE, PRIVATE, SECRET, VERIFIER,
    approving, asking, start, text,
};

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
        let page = world.get(&answer.location().to_owned()).await;
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
    let cookie = super::support::cookie(&log_in);
    let authorize = async |changes: &[(&str, &str)]| {
        let target = format!("/authorize?{}", super::support::form(&super::support::ask(changes)));
        world.send(world.http.get(world.url(&target)).header("cookie", &cookie)).await
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
    let accept = super::support::form(&[("id", &id), ("decision", "accept")]);
    let post = world.http.post(world.url("/authorize/consent")).header("cookie", &cookie);
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

#[tokio::test]
async fn the_token_call_takes_form_and_json_and_basic() {
    let world = approving().await;
    let code = world.code("read:me offline_access").await;
    let body = json!({"grant_type": "authorization_code", "client_id": CLIENT, "client_secret": SECRET, "code": code,
        "redirect_uri": CALLBACK});
    let post = world.http.post(world.url("/oauth/token"));
    let answer = world.send(post.header("content-type", "application/json").body(body.to_string())).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let tokens = answer.json();
    assert_eq!((tokens["expires_in"].as_u64(), &tokens["token_type"]), (Some(3600), &json!("Bearer")));
    assert_eq!(tokens["scope"], "offline_access read:me");
    assert!(tokens["refresh_token"].is_string() && tokens.get("id_token").is_none());
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!((world.last().body_kind, world.last().field("code").map(str::to_owned)), ("json", Some(code)));

    let code = world.code("read:me").await;
    let pairs = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", CALLBACK)];
    let post = world.http.post(world.url("/oauth/token")).basic_auth(CLIENT, Some(SECRET));
    let kind = "application/x-www-form-urlencoded";
    let answer = world.send(post.header("content-type", kind).body(super::support::form(&pairs))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.json().get("refresh_token").is_none(), "no offline_access, no refresh token");
}

#[tokio::test]
async fn a_bad_code_is_refused_whoever_asks() {
    let world = approving().await;
    let refusal = |answer: &Answer| (answer.status, text(&answer.json(), "error"));
    let grant = (403, "invalid_grant".to_owned());
    for changes in [&[][..], &[("client_id", "never-registered")], &[("client_secret", "wrong")]] {
        assert_eq!(refusal(&world.exchange("made-up", changes).await), grant, "{changes:?}");
    }
    let code = world.code("read:me").await;
    for changes in [
        &[("client_id", ONE_SITE.0), ("client_secret", ONE_SITE.1)][..],
        &[("redirect_uri", "http://localhost:4180/other")],
        &[("redirect_uri", "")],
    ] {
        assert_eq!(refusal(&world.exchange(&code, changes).await), grant, "{changes:?}");
    }
    let wrong = world.exchange(&code, &[("client_secret", "wrong")]).await;
    assert_eq!(
        (wrong.status, wrong.json()),
        (401, json!({"error": "access_denied", "error_description": "Unauthorized"}))
    );
    // None of that used the code up.
    assert_eq!(world.exchange(&code, &[]).await.status, 200);
    assert_eq!(refusal(&world.exchange(&code, &[]).await), grant);
    assert_eq!(world.last().outcome.as_deref(), Some("code already used"));
    world.emulator.set_switches(|switches| switches.code_error_status = 400);
    assert_eq!(world.exchange(&code, &[]).await.status, 400);

    let other = world.exchange(&code, &[("grant_type", "client_credentials")]).await;
    assert_eq!(refusal(&other), (403, "unauthorized_client".to_owned()));
}

#[tokio::test]
async fn a_challenge_needs_its_verifier() {
    let world = approving().await;
    let challenged = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
    let code = world.authorize(&challenged).await.sent_on("code").unwrap();
    assert_eq!(world.exchange(&code, &[]).await.status, 403);
    assert_eq!(world.exchange(&code, &[("code_verifier", "wrong")]).await.status, 403);
    assert_eq!(world.exchange(&code, &[("code_verifier", VERIFIER)]).await.status, 200);

    let code = world.code("read:me").await;
    assert_eq!(world.exchange(&code, &[("code_verifier", "unasked")]).await.status, 200);

    world.emulator.set_switches(|switches| switches.pkce = Pkce::Ignored);
    let code = world.authorize(&challenged).await.sent_on("code").unwrap();
    assert_eq!(world.exchange(&code, &[]).await.status, 200);
}

#[tokio::test]
async fn shapes_follow_their_switches() {
    let world = approving().await;
    let token_len = async || world.access("read:me").await.len();
    assert!((2560..2700).contains(&token_len().await));
    for (bytes, range) in [(0, 1024..1200), (8192, 8192..8300), (100_000, 8192..8300)] {
        world.emulator.set_switches(|switches| switches.access_token_bytes = bytes);
        assert!(range.contains(&token_len().await), "{bytes}");
    }
    for (shape, dots, range) in
        [(CodeShape::Jwt, 2, 500..1000), (CodeShape::Opaque, 0, 32..33), (CodeShape::Huge, 2, 6144..6300)]
    {
        world.emulator.set_switches(|switches| switches.code_shape = shape);
        let code = world.code("read:me").await;
        assert_eq!(code.matches('.').count(), dots, "{shape:?}");
        assert!(range.contains(&code.len()), "{shape:?}: {}", code.len());
    }
    for (kind, value) in [
        (TokenType::Bearer, json!("Bearer")),
        (TokenType::Lowercase, json!("bearer")),
        (TokenType::Omitted, Value::Null),
    ] {
        world.emulator.set_switches(|switches| switches.token_type = kind);
        assert_eq!(world.tokens("read:me").await["token_type"], value);
    }
    world.emulator.set_switches(|switches| switches.scopes_reversed = true);
    assert_eq!(world.tokens("offline_access read:me").await["scope"], "read:me offline_access");
}

#[tokio::test]
async fn access_tokens_verify_against_the_published_key() {
    let world = approving().await;
    let token = world.access("read:me").await;
    let discovery = world.get("/.well-known/openid-configuration").await.json();
    let jwks_uri = url::Url::parse(discovery["jwks_uri"].as_str().unwrap()).unwrap();
    let jwks: jsonwebtoken::jwk::JwkSet =
        serde_json::from_value(world.get(jwks_uri.path()).await.json()).unwrap();
    let kid = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(jwks.find(&kid).unwrap()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.set_audience(&[CLIENT]);
    validation.set_issuer(&[discovery["issuer"].as_str().unwrap()]);
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap().claims;
    assert_eq!(claims["sub"], ADA);
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3600);
    assert_eq!(discovery["code_challenge_methods_supported"], json!(["S256"]));
    assert!(discovery.get("end_session_endpoint").is_none());
}

#[tokio::test]
async fn me_has_the_documented_fields() {
    let world = approving().await;
    let token = world.access("read:me").await;
    let me = world.api("/me", &token).await.json();
    for (name, value) in [
        ("account_id", json!(ADA)),
        ("account_type", json!("atlassian")),
        ("account_status", json!("active")),
        ("email", json!("ada@example.com")),
        ("email_verified", json!(true)),
        ("name", json!("Ada Lovelace")),
        ("nickname", json!("ada")),
        ("zoneinfo", json!("Europe/London")),
    ] {
        assert_eq!(me[name], value, "{name}");
    }
    assert_eq!(me["extended_profile"]["job_title"], "Programmer");

    for target in
        ["/me", "/oauth/token/accessible-resources", &format!("/ex/jira/{ENGINES}/rest/api/3/myself")]
    {
        let missing = world.get(target).await;
        assert_eq!((missing.status, missing.json()), (401, json!({"code": 401, "message": "Unauthorized"})));
        assert_eq!(world.api(target, "made-up").await.status, 401);
    }
    let without = world.access("read:jira-user").await;
    let scope = json!({"code": 401, "message": "Unauthorized; scope does not match"});
    assert_eq!(world.api("/me", &without).await.json(), scope);
    world.emulator.set_switches(|switches| switches.me_scope_status = 403);
    assert_eq!(world.api("/me", &without).await.status, 403);
}

#[tokio::test]
async fn every_demo_account_shows_its_peculiarity() {
    let mut seen = Vec::new();
    for (subject, name, value) in [
        ("mallory@outside.example", "email", json!("mallory@outside.example")),
        ("nour@example.com", "name", json!("نور الهدى")),
        ("nour@example.com", "picture", Value::Null),
        ("casey@example.com", "account_type", json!("customer")),
        ("clara@example.com", "account_status", json!("closed")),
        ("557058:00e3a110-0000-4000-8000-000000000007", "email", Value::Null),
        ("uma@example.com", "email_verified", json!(false)),
        ("gus@example.com", "email_verified", Value::Null),
        ("robin@example.com", "name", json!("Robin\r\nX-Injected: yes")),
    ] {
        let world = start(Some(subject)).await;
        let token = world.access("read:me").await;
        let me = world.api("/me", &token).await.json();
        assert_eq!(me[name], value, "{subject}");
        seen.push(me["account_id"].clone());
        world.emulator.stop().await;
    }
    seen.dedup();
    assert_eq!(seen.len(), 8);
}

#[tokio::test]
async fn sites_are_listed_per_product() {
    let world = approving().await;
    let list = async |token: String| {
        let mut entries: Vec<(String, String)> =
            (world.api("/oauth/token/accessible-resources", &token).await.json())
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| (text(entry, "id"), entry["scopes"].to_string()))
                .collect();
        entries.sort();
        entries
    };
    let pair = |id: &str, scope: &str| (id.to_owned(), format!("[\"{scope}\"]"));
    assert_eq!(list(world.access("read:me").await).await, []);
    assert_eq!(
        list(world.access("read:me read:jira-user read:confluence-user").await).await,
        [
            pair(ENGINES, "read:confluence-user"),
            pair(ENGINES, "read:jira-user"),
            pair(COMPILERS, "read:jira-user")
        ]
    );
    let token = world.access("read:jira-user").await;
    let orders: std::collections::BTreeSet<String> = {
        let mut orders = std::collections::BTreeSet::new();
        for _ in 0..20 {
            orders.insert(world.api("/oauth/token/accessible-resources", &token).await.body);
        }
        orders
    };
    assert_eq!(orders.len(), 2, "the order changes");
    world.emulator.set_switches(|switches| switches.resources_forbidden = true);
    let answer = world.api("/oauth/token/accessible-resources", &token).await;
    assert_eq!(answer.json(), json!({"code": 403, "message": "Unauthorized"}));
}

#[tokio::test]
async fn the_gateway_checks_site_scope_and_permission() {
    let world = approving().await;
    world.emulator.fixture_mut(|fixture| {
        for scope in ["read:application-role:jira", "read:group:jira", "read:user:jira", "read:avatar:jira"] {
            fixture.apps[0].scopes.push(scope.to_owned());
        }
    });
    let jira = format!("/ex/jira/{ENGINES}/rest/api/3");
    let wiki = format!("/ex/confluence/{ENGINES}/wiki/rest/api/user");
    let all = world.access("read:me read:jira-user read:jira-work read:confluence-user").await;
    for (target, pointer, expected) in [
        (format!("{jira}/myself"), "/groups", json!({"size": 2, "items": []})),
        (
            format!("{jira}/myself?expand=groups,applicationRoles"),
            "/groups/items/1/name",
            json!("engine-operators"),
        ),
        (
            format!("{jira}/myself?expand=groups,applicationRoles"),
            "/applicationRoles/items/0/key",
            json!("jira-software"),
        ),
        (format!("/ex/jira/{ENGINES}/rest/api/2/myself"), "/emailAddress", json!("ada@example.com")),
        (
            format!("{jira}/user/groups?accountId={ADA}"),
            "/0/groupId",
            json!("aaaaaaaa-0000-4000-8000-000000000001"),
        ),
        (
            format!("{jira}/mypermissions?permissions=ADMINISTER"),
            "/permissions/ADMINISTER/havePermission",
            json!(true),
        ),
        (format!("{wiki}/current"), "/accountId", json!(ADA)),
        (format!("{wiki}/current?expand=isExternalCollaborator"), "/isExternalCollaborator", json!(false)),
        (
            format!("{wiki}/memberof?accountId={ADA}&limit=1"),
            "/_links/next",
            json!(format!("/rest/api/user/memberof?accountId={ADA}&limit=1&start=1")),
        ),
        (
            format!("{wiki}/memberof?accountId={ADA}&limit=1&start=1"),
            "/results/0/name",
            json!("engine-operators"),
        ),
    ] {
        let answer = world.api(&target, &all).await;
        assert_eq!(
            (answer.status, answer.json().pointer(pointer)),
            (200, Some(&expected)),
            "{target}: {}",
            answer.body
        );
    }
    for (target, status) in [
        (format!("{jira}/user/groups"), 400),
        (format!("{jira}/user/groups?accountId=nobody"), 404),
        (format!("{jira}/mypermissions"), 400),
        (format!("{jira}/mypermissions?permissions=NOSUCH"), 400),
        (format!("{jira}/project"), 404),
        (format!("/ex/confluence/{COMPILERS}/wiki/rest/api/user/current"), 404),
        ("/ex/jira/99999999-0000-4000-8000-000000000000/rest/api/3/myself".to_owned(), 404),
        ("/ex/bitbucket/x/y".to_owned(), 404),
    ] {
        assert_eq!(world.api(&target, &all).await.status, status, "{target}");
    }
    let me_only = world.access("read:me").await;
    let answer = world.api(&format!("{jira}/myself"), &me_only).await;
    assert_eq!(answer.json()["message"], "Unauthorized; scope does not match");
    // One granular scope of four is not enough; all four are.
    let partial = world.access("read:user:jira").await;
    assert_eq!(world.api(&format!("{jira}/myself"), &partial).await.status, 401);
    let full =
        world.access("read:application-role:jira read:group:jira read:user:jira read:avatar:jira").await;
    assert_eq!(world.api(&format!("{jira}/myself"), &full).await.status, 200);
    // Ordinary users may not browse groups.
    world.emulator.fixture_mut(|fixture| fixture.users[0].browse_users = false);
    let groups = world.api(&format!("{jira}/user/groups?accountId={ADA}"), &full).await;
    assert_eq!(groups.status, 403);
    world.emulator.set_switches(|switches| switches.foreign_site_status = 401);
    assert_eq!(world.api(&format!("/ex/jira/{CLIENT}/rest/api/3/myself"), &full).await.status, 401);
}

#[tokio::test]
async fn an_account_level_grant_gains_sites_and_a_resource_level_token_does_not() {
    for (kind, expected) in [(GrantKind::Account, 200), (GrantKind::Resource, 404)] {
        let world = approving().await;
        world.emulator.fixture_mut(|fixture| {
            fixture.apps[0].grant = kind;
            fixture.users[0].sites = vec![ENGINES.to_owned()];
        });
        let old = world.access("read:jira-user").await;
        let target = format!("/ex/jira/{COMPILERS}/rest/api/3/myself");
        assert_eq!(world.api(&target, &old).await.status, 404);
        world
            .emulator
            .fixture_mut(|fixture| fixture.users[0].sites = vec![COMPILERS.to_owned(), ENGINES.to_owned()]);
        let new = world.access("read:jira-user").await;
        assert_eq!(world.api(&target, &new).await.status, 200);
        assert_eq!(world.api(&target, &old).await.status, expected, "{kind:?}");
    }
}

#[tokio::test]
async fn revocation_has_three_faces() {
    let world = approving().await;
    let token = world.access("read:me").await;
    assert_eq!(world.post("/oauth/revoke", &[("token", &token)]).await.status, 200);
    assert_eq!(world.api("/me", &token).await.status, 200, "no effect by default");
    world.emulator.set_switches(|switches| switches.revoke = Revoke::Refused);
    assert_eq!(world.post("/oauth/revoke", &[("token", &token)]).await.status, 400);
    world.emulator.set_switches(|switches| switches.revoke = Revoke::Effective);
    assert_eq!(world.post("/oauth/revoke", &[("token", &token)]).await.status, 200);
    assert_eq!(world.api("/me", &token).await.status, 401);
    // A new consent does not bring the old token back.
    let new = world.access("read:me").await;
    assert_eq!((world.api("/me", &token).await.status, world.api("/me", &new).await.status), (401, 200));
    world.emulator.set_switches(|switches| switches.revoked_status = 403);
    assert!(world.emulator.revoke_grant(CLIENT, ADA) && !world.emulator.revoke_grant(CLIENT, ADA));
    assert_eq!(world.api("/me", &new).await.status, 403);
}

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
        let fresh = super::support::client();
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
