//! `GET /me`: who is this?
//!
//! Fields as documented (developer.atlassian.com/cloud/confluence/oauth-2-3lo-apps, "Use the token to call the User
//! identity API") plus `email_verified` and `last_updated`, which real answers have been seen to carry.

use serde_json::{Map, Value, json};

use super::bearer::{self, SCOPE_MISMATCH};
use super::fixture::User;
use super::reply::Reply;
use super::request::Request;
use super::world::World;

/// The profile; needs `read:me`.
pub(super) fn profile(world: &World, request: &Request) -> Reply {
    match bearer::check(world, request) {
        Ok(bearer) if !bearer.scopes.contains("read:me") => {
            Reply::gateway(world.switches.me_scope_status, SCOPE_MISMATCH)
        }
        Ok(bearer) => Reply::json(200, &Value::Object(fields(&bearer.user))).said("profile"),
        Err(refusal) => refusal,
    }
}

fn fields(user: &User) -> Map<String, Value> {
    let mut me = Map::new();
    let mut set = |name: &str, value: Value| me.insert(name.to_owned(), value);
    set("account_type", json!(user.account_type));
    set("account_id", json!(user.account_id));
    if let Some(email) = &user.email {
        set("email", json!(email));
    }
    if let Some(verified) = user.email_verified {
        set("email_verified", json!(verified));
    }
    set("name", json!(user.name));
    set("picture", json!(user.picture));
    set("account_status", json!(user.account_status));
    set("nickname", json!(user.nickname.as_ref().unwrap_or(&user.name)));
    set("last_updated", json!("2026-01-01T00:00:00.000Z"));
    if let Some(zone) = &user.zoneinfo {
        set("zoneinfo", json!(zone));
    }
    if let Some(locale) = &user.locale {
        set("locale", json!(locale));
    }
    if let Some(extended) = &user.extended_profile {
        set("extended_profile", json!(extended));
    }
    me
}
