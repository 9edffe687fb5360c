//! `POST /oauth/token` and `/oauth/revoke`: codes and refresh tokens in, tokens out.
//!
//! JSON and form bodies; credentials in the body or as HTTP Basic. The grant is looked at before the credentials, so a
//! made-up code answers the same for a real and an invented client; only a good code or refresh token reveals a wrong
//! secret, as 401 `access_denied`. Error pairs: see each branch; RFC 6749 §5.2 for the shape.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header;
use serde_json::{Map, Value, json};

use crate::secret;

use super::grants::Ticket;
use super::keys::KeyError;
use super::reply::Reply;
use super::request::Request;
use super::scopes::{self, Scopes};
use super::switches::{Pkce, RefreshError, Revoke, TokenType};
use super::world::World;

/// `POST /oauth/token`.
pub(super) fn exchange(world: &mut World, request: &Request) -> Reply {
    match request.field("grant_type") {
        Some("authorization_code") => exchange_code(world, request),
        Some("refresh_token") => refresh(world, request),
        other => Reply::oauth(403, "unauthorized_client", "Grant type not allowed for the client.")
            .said(format!("grant type {other:?}")),
    }
}

fn exchange_code(world: &mut World, request: &Request) -> Reply {
    let status = world.switches.code_error_status;
    let refuse = |why: &str| Reply::oauth(status, "invalid_grant", "Invalid authorization code").said(why);
    let (client_id, client_secret) = credentials(request);
    let text = request.field("code").unwrap_or_default();
    let Some(code) = world.book.code(text).cloned() else { return refuse("code unknown") };
    let age = world.now().since(code.issued).as_secs();
    if code.spent {
        return refuse("code already used");
    }
    if age >= world.switches.code_ttl_secs {
        return refuse("code expired");
    }
    if code.ticket.client_id != client_id {
        return refuse("code of another client");
    }
    if !world.book.stands(&code.ticket) {
        return refuse("grant revoked");
    }
    if !secret_matches(world, &client_id, &client_secret) {
        return wrong_secret();
    }
    if request.field("redirect_uri") != Some(code.redirect_uri.as_str()) {
        return refuse("redirect_uri differs from the authorize request");
    }
    if world.switches.pkce == Pkce::Checked
        && !verifier_matches(code.challenge.as_deref(), request.field("code_verifier"))
    {
        return refuse("code_verifier does not match");
    }
    world.book.spend(text);
    issue(world, code.ticket, None)
}

fn refresh(world: &mut World, request: &Request) -> Reply {
    let (client_id, client_secret) = credentials(request);
    let text = request.field("refresh_token").unwrap_or_default().to_owned();
    let refuse = |world: &World, why: &str| {
        match world.switches.refresh_error {
            RefreshError::A => Reply::oauth(403, "invalid_grant", "Unknown or invalid refresh token."),
            RefreshError::B => Reply::oauth(403, "unauthorized_client", "refresh_token is invalid"),
        }
        .said(why)
    };
    let ticket = match world.book.refresh(&text, world.now(), &world.switches) {
        Ok(ticket) if ticket.client_id == client_id => ticket.clone(),
        Ok(_) => return refuse(world, "refresh token of another client"),
        Err(why) => return refuse(world, why),
    };
    if !secret_matches(world, &client_id, &client_secret) {
        return wrong_secret();
    }
    issue(world, ticket, Some(&text))
}

fn wrong_secret() -> Reply {
    Reply::oauth(401, "access_denied", "Unauthorized").said("wrong client secret")
}

/// `POST /oauth/revoke`.
pub(super) fn revoke(world: &mut World, request: &Request) -> Reply {
    let holder = world.book.holder(request.field("token").unwrap_or_default()).cloned();
    match (world.switches.revoke, holder) {
        (Revoke::Refused, _) => {
            Reply::oauth(400, "invalid_request", "Token revocation failed").said("refused")
        }
        (Revoke::Effective, Some(ticket)) => {
            world.book.revoke(&ticket.client_id, &ticket.account_id);
            Reply::empty(200).said("grant revoked")
        }
        _ => Reply::empty(200).said("no effect"),
    }
}

fn issue(world: &mut World, ticket: Ticket, of: Option<&str>) -> Reply {
    let now = world.now();
    let ttl = world.switches.access_token_ttl_secs;
    let granted = world.book.scopes(&ticket, &world.switches);
    let Ok(access) = access_token(world, &ticket, &granted) else {
        return Reply::gateway(500, "The emulator has no signing key");
    };
    world.book.add_access(access.clone(), ticket.clone(), now, now.plus(Duration::from_secs(ttl)));
    let mut answer = Map::new();
    let mut set = |name: &str, value: Value| answer.insert(name.to_owned(), value);
    set("access_token", json!(access));
    set("expires_in", json!(ttl));
    let token_type = match world.switches.token_type {
        TokenType::Bearer => Some("Bearer"),
        TokenType::Lowercase => Some("bearer"),
        TokenType::Omitted => None,
    };
    if let Some(token_type) = token_type {
        set("token_type", json!(token_type));
    }
    if granted.contains("offline_access") {
        let text = world.token(48);
        world.book.add_refresh(text.clone(), ticket, now, of);
        set("refresh_token", json!(text));
    }
    let scope = match world.switches.scopes_reversed {
        true => scopes::join(granted.iter().rev()),
        false => scopes::join(granted.iter()),
    };
    set("scope", json!(scope));
    Reply::json(200, &Value::Object(answer)).said("granted")
}

fn access_token(world: &World, ticket: &Ticket, granted: &Scopes) -> Result<String, KeyError> {
    let now = world.now().as_secs();
    let mut claims = json!({
        "iss": world.origin,
        "aud": ticket.client_id,
        "sub": ticket.account_id,
        "jti": world.token(16),
        "iat": now,
        "nbf": now,
        "exp": now.saturating_add(world.switches.access_token_ttl_secs),
        "scope": scopes::join(granted.iter()),
        "https://id.atlassian.com/atl_token_type": "ACCESS",
    });
    let least = world.switches.access_token_bytes.clamp(1024, 8192);
    let more = json!({
        "client_id": ticket.client_id,
        "client_auth_type": "POST",
        "https://id.atlassian.com/verified": true,
        "https://auth.atlassian.com/systemAccountId": format!("712020:{}", world.token(18)),
        "https://atlassian.com/oauthClientId": ticket.client_id,
        "https://atlassian.com/3lo": true,
        "https://atlassian.com/firstParty": false,
    });
    // Only a token of realistic size has room for the namespaced claims.
    if let (true, Value::Object(more), Value::Object(claims)) = (least >= 2048, more, &mut claims) {
        claims.extend(more);
    }
    let claims = claims.as_object().cloned().unwrap_or_default();
    world.signing_key()?.sign(claims, least, &world.token(300))
}

/// Client id and secret from HTTP Basic (RFC 6749 §2.3.1: form-encoded first), or else from the body.
fn credentials(request: &Request) -> (String, String) {
    let basic = || {
        let (scheme, encoded) = request.header(&header::AUTHORIZATION)?.split_once(' ')?;
        let bytes = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let text = String::from_utf8(bytes).ok()?;
        let (id, secret) = text.split_once(':')?;
        let decode = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
        Some((decode(id), decode(secret)))
    };
    let field = |name: &str| request.field(name).unwrap_or_default().to_owned();
    basic().unwrap_or_else(|| (field("client_id"), field("client_secret")))
}

fn secret_matches(world: &World, client_id: &str, offered: &str) -> bool {
    world
        .fixture
        .app(client_id)
        .is_some_and(|app| secret::equal(app.client_secret.as_bytes(), offered.as_bytes()))
}

/// RFC 7636 §4.6, S256. Without a challenge a verifier is ignored.
fn verifier_matches(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    challenge.is_none_or(|challenge| {
        verifier.is_some_and(|verifier| {
            URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes())) == challenge
        })
    })
}
