//! Discovery and JWKS, as auth.atlassian.com publishes them.
//!
//! A trap on purpose: the document advertises OpenID Connect, which console apps cannot use. `openid` in a scope ends on
//! the error page, and no token answer has an `id_token`.

use serde_json::json;

use super::reply::Reply;
use super::world::World;

/// `/.well-known/openid-configuration`.
pub(super) fn document(world: &World) -> Reply {
    let origin = &world.origin;
    Reply::json(
        200,
        &json!({
            "issuer": origin,
            "authorization_endpoint": format!("{origin}/authorize"),
            "token_endpoint": format!("{origin}/oauth/token"),
            "device_authorization_endpoint": format!("{origin}/oauth/device/code"),
            "userinfo_endpoint": format!("{origin}/userinfo"),
            "mfa_challenge_endpoint": format!("{origin}/mfa/challenge"),
            "jwks_uri": format!("{origin}/.well-known/jwks.json"),
            "registration_endpoint": format!("{origin}/oidc/register"),
            "revocation_endpoint": format!("{origin}/oauth/revoke"),
            "scopes_supported": ["openid", "profile", "offline_access", "name", "given_name", "family_name", "nickname",
                "email", "email_verified", "picture", "created_at", "identities", "phone", "address"],
            "response_types_supported": ["code", "token", "id_token", "code token", "code id_token", "token id_token",
                "code token id_token"],
            "code_challenge_methods_supported": ["S256"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["HS256", "RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "request_uri_parameter_supported": false,
            "request_parameter_supported": false,
        }),
    )
}

/// `/.well-known/jwks.json`.
pub(super) fn jwks(world: &World) -> Reply {
    match world.signing_key() {
        Ok(key) => Reply::json(200, &key.jwks()),
        Err(error) => Reply::gateway(500, &error.to_string()),
    }
}
