//! `/ex/jira/{cloudid}/…` and `/ex/confluence/{cloudid}/…`: the product calls that tell who somebody is and which groups
//! they are in.
//!
//! Shapes follow the published OpenAPI descriptions (Jira Cloud v3, Confluence Cloud v1). Checks in order: token, cloud
//! id, scope, permission.

mod confluence;
mod jira;

use super::bearer::{self, Bearer, SCOPE_MISMATCH};
use super::fixture::{Product, Site};
use super::reply::Reply;
use super::request::Request;
use super::scopes::Needed;
use super::world::World;

/// A call that has passed the gateway.
struct Call<'a> {
    world: &'a World,
    request: &'a Request,
    bearer: Bearer,
    site: Site,
}

/// Scope, permission, answer: one product call.
struct Route {
    path: &'static str,
    needed: Needed,
    answer: fn(&Call<'_>) -> Reply,
}

/// Any gateway path.
pub(super) fn handle(world: &World, request: &Request) -> Reply {
    let bearer = match bearer::check(world, request) {
        Ok(bearer) => bearer,
        Err(refusal) => return refusal,
    };
    let mut parts = request.path.trim_start_matches("/ex/").splitn(3, '/');
    let (product, cloud_id, rest) =
        (parts.next(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (product, routes, rest) = match product {
        Some("jira") => (Product::Jira, jira::ROUTES, jira::unversioned(rest)),
        Some("confluence") => (Product::Confluence, confluence::ROUTES, Some(rest)),
        _ => return Reply::gateway(404, "Not Found"),
    };
    let site = world
        .fixture
        .site(cloud_id)
        .filter(|site| bearer.sites.contains(&site.id) && site.products.contains(&product));
    let Some(site) = site.cloned() else {
        let status = world.switches.foreign_site_status;
        let message = if status == 404 { "Not Found" } else { "Unauthorized" };
        return Reply::gateway(status, message).said("cloud id outside the token");
    };
    let Some(route) = rest.and_then(|rest| routes.iter().find(|route| route.path == rest)) else {
        return Reply::gateway(404, "Not Found").said("the emulator does not have this call");
    };
    if !route.needed.met_by(&bearer.scopes) {
        return Reply::gateway(401, SCOPE_MISMATCH);
    }
    (route.answer)(&Call { world, request, bearer, site })
}

impl Call<'_> {
    /// Whether a comma-separated `expand` names this.
    fn expands(&self, name: &str) -> bool {
        self.request.query("expand").is_some_and(|list| list.split(',').any(|item| item.trim() == name))
    }

    /// The product's address of a path on this site.
    fn link(&self, path: &str) -> String {
        format!("{}{path}", self.site.url)
    }

    /// A non-negative number of the query, or the default.
    fn number(&self, name: &str, default: usize) -> usize {
        self.request.query(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    }
}
