//! Who is at the browser? A page with everybody in the fixture; picking one is the whole log-in.

use http::header;

use super::pages;
use super::reply::Reply;
use super::request::Request;
use super::world::World;

/// The browser session's cookie. Ports share cookies, so the name says whose it is.
pub(super) const COOKIE: &str = "atlassian-emulator-session";

/// `GET /login?continue=`.
pub(super) fn page(world: &World, request: &Request) -> Reply {
    pages::login(200, &world.fixture.users, safe(request.query("continue")), None)
}

/// `POST /login`: `account_id`, `continue`.
pub(super) fn submit(world: &mut World, request: &Request) -> Reply {
    let onward = safe(request.field("continue"));
    let chosen = request.field("account_id").unwrap_or_default();
    let Some(user) = world.fixture.users.iter().find(|user| user.account_id == chosen) else {
        return pages::login(400, &world.fixture.users, onward, Some("Pick one of these accounts."))
            .said("nobody picked");
    };
    let (account_id, session) = (user.account_id.clone(), world.token(24));
    world.sessions.insert(session.clone(), account_id);
    Reply::redirect(303, onward)
        .with(header::SET_COOKIE, format!("{COOKIE}={session}; Path=/; HttpOnly; SameSite=Lax"))
        .said("logged in")
}

/// `GET /logout?continue=`.
pub(super) fn logout(world: &mut World, request: &Request) -> Reply {
    switch(world, request, safe(request.query("continue")))
}

/// Ends the browser session and asks who is there.
pub(super) fn switch(world: &mut World, request: &Request, onward: &str) -> Reply {
    if let Some(session) = request.cookie(COOKIE) {
        world.sessions.remove(session);
    }
    Reply { status: 303, ..redirect(onward) }
        .with(header::SET_COOKIE, format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"))
        .said("logged out")
}

/// 302 to the log-in page.
pub(super) fn redirect(onward: &str) -> Reply {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("continue", onward).finish();
    Reply::redirect(302, &format!("/login?{query}"))
}

/// Only the authorize page is worth going on to; anything else is the start page.
fn safe(onward: Option<&str>) -> &str {
    onward.filter(|path| path.starts_with("/authorize?")).unwrap_or("/")
}
