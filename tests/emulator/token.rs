//! `POST /oauth/token` and `/oauth/revoke`: shapes, refusals, proof of possession.

use anteroom::emulator::{CodeShape, Pkce, Revoke, TokenType};
use serde_json::{Value, json};

use super::support::{
    ADA, Answer, CALLBACK, CHALLENGE, CLIENT, ONE_SITE, SECRET, VERIFIER, approving, form, text,
};

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
    let answer = world.send(post.header("content-type", kind).body(form(&pairs))).await;
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
