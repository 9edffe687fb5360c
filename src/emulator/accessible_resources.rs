//! `GET /oauth/token/accessible-resources`: which sites does the token reach?
//!
//! One entry per product, so the same cloud id comes twice when scopes span Jira and Confluence; the order is
//! meaningless and therefore shuffled; guests, and tokens without a product scope, get an empty list.

use serde_json::{Value, json};

use super::bearer;
use super::fixture::{Product, Site};
use super::reply::Reply;
use super::request::Request;
use super::scopes::{self, Scopes};
use super::world::World;

/// The list.
pub(super) fn list(world: &World, request: &Request) -> Reply {
    let bearer = match bearer::check(world, request) {
        Ok(_) if world.switches.resources_forbidden => return Reply::gateway(403, "Unauthorized"),
        Ok(bearer) => bearer,
        Err(refusal) => return refusal,
    };
    let mut entries = Vec::new();
    for site in world.fixture.sites.iter().filter(|site| bearer.sites.contains(&site.id)) {
        // A guest's site is in the grant but not in the list.
        if !bearer.user.sites.contains(&site.id) {
            continue;
        }
        let granted = scopes::products(&bearer.scopes);
        entries.extend(
            site.products
                .iter()
                .filter(|product| granted.contains(product))
                .map(|product| entry(site, *product, &bearer.scopes)),
        );
    }
    shuffle(&mut entries, |bound| world.below(bound));
    let outcome = format!("{} entries", entries.len());
    Reply::json(200, &Value::Array(entries)).said(outcome)
}

fn entry(site: &Site, product: Product, scopes: &Scopes) -> Value {
    let of_product: Vec<_> = scopes.iter().filter(|scope| scopes::product(scope) == Some(product)).collect();
    let mut entry = json!({"id": site.id, "name": site.name, "url": site.url, "scopes": of_product});
    if let (Some(avatar), Some(object)) = (&site.avatar_url, entry.as_object_mut()) {
        object.insert("avatarUrl".to_owned(), json!(avatar));
    }
    entry
}

/// Fisher–Yates.
fn shuffle<T>(items: &mut [T], below: impl Fn(usize) -> usize) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last.saturating_add(1)));
    }
}
