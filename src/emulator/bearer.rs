//! Whose token is this, and what may it do? The API's front door.
//!
//! A missing, unknown or expired token is 401; a revoked one 401 or 403 by switch; a missing scope 401 with the
//! gateway's own words, which never name the scope.

use std::collections::BTreeSet;

use super::fixture::User;
use super::grants::BadToken;
use super::reply::Reply;
use super::request::Request;
use super::scopes::Scopes;
use super::world::World;

/// The words of the gateway for a missing scope.
pub(super) const SCOPE_MISMATCH: &str = "Unauthorized; scope does not match";

/// A good token's holder and reach.
#[derive(Debug)]
pub(super) struct Bearer {
    /// The account.
    pub(super) user: User,
    /// Scopes it has today.
    pub(super) scopes: Scopes,
    /// Cloud ids it reaches today.
    pub(super) sites: BTreeSet<String>,
}

/// The request's bearer token, looked up.
pub(super) fn check(world: &World, request: &Request) -> Result<Bearer, Reply> {
    let unauthorized = |why: &str| Reply::gateway(401, "Unauthorized").said(why);
    let token = request.bearer().ok_or_else(|| unauthorized("no bearer token"))?;
    let ticket = world.book.bearer(token, world.now()).map_err(|bad| match bad {
        BadToken::Unknown => unauthorized("token unknown"),
        BadToken::Expired => unauthorized("token expired"),
        BadToken::Revoked => {
            Reply::gateway(world.switches.revoked_status, "Unauthorized").said("grant revoked")
        }
    })?;
    let user = world.fixture.user(&ticket.account_id).ok_or_else(|| unauthorized("account is gone"))?;
    Ok(Bearer {
        user: user.clone(),
        scopes: world.book.scopes(ticket, &world.switches),
        sites: world.book.sites(ticket),
    })
}
