//! `GET /authorize` and the consent form: may this app act for this person?
//!
//! Order (as observed at auth.atlassian.com): log-in first, validation second, consent third. A redirect to the callback
//! happens for a consent, a decline, and an impossible `prompt=none`; for nothing else.

mod check;
pub(super) mod pending;

use std::collections::BTreeSet;
use std::time::Duration;

use http::header;
use serde_json::{Map, json};

pub(super) use self::check::{Ask, Checked, Refusal};
use self::pending::PendingConsent;
use super::fixture::{GrantKind, User};
use super::grants::Code;
use super::pages;
use super::reply::Reply;
use super::request::Request;
use super::switches::{CodeShape, Decision, PromptNone, StateEcho};
use super::world::World;
use super::{login, scopes};

/// `GET /authorize`.
pub(super) fn start(world: &mut World, request: &Request) -> Reply {
    let ask = Ask::read(request);
    let prompt = ask.prompt.as_deref().unwrap_or_default();
    let fresh_log_in = world.approve.is_none() && matches!(prompt, "login" | "select_account");
    let user = world.logged_in(request.cookie(login::COOKIE)).cloned();
    let Some(user) = user.filter(|_| !fresh_log_in) else {
        return if prompt == "none" {
            impossible_prompt(world, &ask, "login_required")
        } else {
            // Asked once: the way back has no `prompt=login` that would ask again.
            login::redirect(&without_prompt(request, fresh_log_in)).said("not logged in")
        };
    };
    let checked = match check::check(&world.fixture, &world.switches, &user, &ask) {
        Ok(checked) => checked,
        Err(refusal) => return to_error_page(&refusal),
    };
    if prompt != "consent" && granted(world, &user, &ask) {
        let sites: BTreeSet<_> = checked.sites.iter().map(|site| site.id.clone()).collect();
        return accept(world, &user, &ask, &checked, &sites, 302);
    }
    if prompt == "none" {
        return impossible_prompt(world, &ask, "consent_required");
    }
    match (world.approve.is_some(), world.switches.decision) {
        (true, Decision::Accept) => {
            let picked = if checked.app.grant == GrantKind::Resource { 1 } else { usize::MAX };
            let sites: BTreeSet<_> = checked.sites.iter().take(picked).map(|site| site.id.clone()).collect();
            accept(world, &user, &ask, &checked, &sites, 302)
        }
        (true, Decision::Decline) => decline(world, &ask, 302),
        (false, _) => ask_for_consent(world, &user, ask, checked),
    }
}

/// `POST /authorize/consent`: `id`, `decision` = accept, cancel or switch, and `site` where one is to be picked.
pub(super) fn consent(world: &mut World, request: &Request) -> Reply {
    let now = world.now();
    world.consents.retain(|_, pending| pending.expires > now);
    let user = world.logged_in(request.cookie(login::COOKIE)).cloned();
    let id = request.field("id").unwrap_or_default();
    let pending = world.consents.get(id).cloned();
    let (Some(user), Some(pending)) = (user, pending) else { return stale() };
    if user.account_id != pending.account_id {
        return stale();
    }
    let PendingConsent { ask, checked, .. } = &pending;
    match request.field("decision") {
        Some("accept") => {
            let picked = request.field("site").unwrap_or_default();
            let all = checked.sites.iter().map(|site| site.id.clone());
            let sites: BTreeSet<_> = match checked.app.grant {
                GrantKind::Account => all.collect(),
                GrantKind::Resource => all.filter(|site| site == picked).collect(),
            };
            if checked.app.grant == GrantKind::Resource && sites.is_empty() {
                return consent_page(400, id, &user, &pending, true).said("no site picked");
            }
            world.consents.remove(id);
            accept(world, &user, ask, checked, &sites, 303)
        }
        Some("switch") => {
            let again = format!("/authorize?{}", query_of(ask));
            world.consents.remove(id);
            login::switch(world, request, &again)
        }
        Some("cancel") => {
            world.consents.remove(id);
            decline(world, ask, 303)
        }
        _ => stale(),
    }
}

/// Too old, sent twice, or the account was switched in another tab.
fn stale() -> Reply {
    to_error_page(&Refusal {
        cause: "stale-consent",
        error: "invalid_request",
        description: "Incorrect request parameters".to_owned(),
    })
}

fn to_error_page(refusal: &Refusal) -> Reply {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("error", refusal.error)
        .append_pair("error_description", &refusal.description)
        .append_pair("cause", refusal.cause)
        .finish();
    Reply::redirect(302, &format!("/error?{query}")).said(format!("refused: {}", refusal.cause))
}

/// Whether consent can be skipped: the grant already covers all that is asked.
fn granted(world: &World, user: &User, ask: &Ask) -> bool {
    world
        .book
        .grant(&ask.client_id, &user.account_id)
        .is_some_and(|grant| grant.scopes.is_superset(&ask.scopes))
}

fn impossible_prompt(world: &World, ask: &Ask, error: &'static str) -> Reply {
    let known =
        world.fixture.app(&ask.client_id).is_some_and(|app| app.callbacks.contains(&ask.redirect_uri));
    if !known || world.switches.prompt_none == PromptNone::ErrorPage {
        return to_error_page(&Refusal {
            cause: "prompt-none",
            error,
            description: "prompt=none cannot be met".to_owned(),
        });
    }
    to_callback(world, ask, &[("error", error), ("error_description", "prompt=none cannot be met")], 302)
        .said(error)
}

fn ask_for_consent(world: &mut World, user: &User, ask: Ask, checked: Checked) -> Reply {
    let id = world.token(24);
    let expires = world.now().plus(Duration::from_secs(world.switches.consent_ttl_secs));
    let pending = PendingConsent { account_id: user.account_id.clone(), ask, checked, expires };
    let page = consent_page(200, &id, user, &pending, false);
    world.consents.insert(id, pending);
    page.said("consent asked")
}

fn consent_page(status: u16, id: &str, user: &User, pending: &PendingConsent, site_missing: bool) -> Reply {
    let PendingConsent { ask, checked, .. } = pending;
    pages::consent(status, id, user, &checked.app, &ask.scopes, &checked.sites, site_missing)
}

fn decline(world: &World, ask: &Ask, status: u16) -> Reply {
    let description = world.switches.decline_description.clone();
    to_callback(world, ask, &[("error", "access_denied"), ("error_description", &description)], status)
        .said("declined")
}

fn accept(
    world: &mut World,
    user: &User,
    ask: &Ask,
    checked: &Checked,
    sites: &BTreeSet<String>,
    status: u16,
) -> Reply {
    let holder = (ask.client_id.as_str(), user.account_id.as_str());
    let ticket = world.book.consent(holder, &ask.scopes, sites, (checked.app.grant, user.password_epoch));
    let text = code_text(world, user, ask);
    let code = Code {
        ticket,
        redirect_uri: ask.redirect_uri.clone(),
        challenge: ask.challenge.clone(),
        issued: world.now(),
        spent: world.switches.code_spent,
    };
    world.book.add_code(text.clone(), code);
    to_callback(world, ask, &[("code", &text)], status).said("code issued")
}

fn code_text(world: &World, user: &User, ask: &Ask) -> String {
    let opaque = world.token(24);
    let (least, filler) = match world.switches.code_shape {
        CodeShape::Opaque => return opaque,
        CodeShape::Jwt => (0, String::new()),
        CodeShape::Huge => (6 * 1024, world.token(300)),
    };
    let now = world.now().as_secs();
    let claims = json!({
        "iss": world.origin, "sub": user.account_id, "aud": ask.client_id, "jti": opaque, "iat": now, "nbf": now,
        "exp": now.saturating_add(world.switches.code_ttl_secs),
        "https://id.atlassian.com/atl_token_type": "AUTH_CODE",
        "scope": scopes::join(ask.scopes.iter()),
    });
    let claims = claims.as_object().cloned().unwrap_or_else(Map::new);
    // Without a key there will be no token either: any code does.
    world.signing_key().and_then(|key| key.sign(claims, least, &filler)).unwrap_or(opaque)
}

/// Back to the registered callback, whose text is kept as it is.
fn to_callback(world: &World, ask: &Ask, parameters: &[(&str, &str)], status: u16) -> Reply {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    let state = match world.switches.state {
        StateEcho::Echoed => ask.state.as_deref(),
        StateEcho::Forged => Some("forged-by-the-emulator"),
        StateEcho::Missing => None,
    };
    query.extend_pairs(state.map(|state| ("state", state)));
    let separator = if ask.redirect_uri.contains('?') { '&' } else { '?' };
    Reply::redirect(status, &format!("{}{separator}{}", ask.redirect_uri, query.finish()))
        .with(header::REFERRER_POLICY, "no-referrer")
}

fn without_prompt(request: &Request, strip: bool) -> String {
    if !strip {
        return request.target.clone();
    }
    let kept = request.query.iter().filter(|(name, _)| name != "prompt");
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
    format!("/authorize?{query}")
}

fn query_of(ask: &Ask) -> String {
    let scope = scopes::join(ask.scopes.iter());
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("client_id", &ask.client_id)
        .append_pair("redirect_uri", &ask.redirect_uri)
        .append_pair("response_type", &ask.response_type)
        .append_pair("audience", &ask.audience)
        .append_pair("scope", &scope);
    if let Some(challenge) = &ask.challenge {
        query.append_pair("code_challenge", challenge).append_pair("code_challenge_method", "S256");
    }
    for (name, value) in [("state", &ask.state), ("prompt", &ask.prompt)] {
        query.extend_pairs(value.iter().map(|value| (name, value)));
    }
    query.finish()
}
