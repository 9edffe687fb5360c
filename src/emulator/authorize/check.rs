//! May this authorize request go on to consent? Every check the real service makes after log-in, in its order.
//!
//! Guarantees: a refusal names a cause and never a callback, because none of these faults reach one at Atlassian.

use crate::emulator::fixture::{App, Distribution, Fixture, GrantKind, Site, User};
use crate::emulator::request::Request;
use crate::emulator::scopes::{self, Scopes};
use crate::emulator::switches::Switches;

/// The parameters of an authorize request.
#[derive(Clone, Debug)]
pub(in crate::emulator) struct Ask {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) response_type: String,
    pub(super) audience: String,
    pub(super) scopes: Scopes,
    pub(super) state: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) challenge: Option<String>,
    challenge_method: Option<String>,
}

impl Ask {
    /// As the query has them; absent ones are empty.
    pub(super) fn read(request: &Request) -> Self {
        let text = |name: &str| request.query(name).unwrap_or_default().to_owned();
        let optional = |name: &str| request.query(name).map(str::to_owned);
        Self {
            client_id: text("client_id"),
            redirect_uri: text("redirect_uri"),
            response_type: text("response_type"),
            audience: text("audience"),
            scopes: scopes::parse(request.query("scope").unwrap_or_default()),
            state: optional("state"),
            prompt: optional("prompt"),
            challenge: optional("code_challenge"),
            challenge_method: optional("code_challenge_method"),
        }
    }
}

/// A request in order.
#[derive(Clone, Debug)]
pub(in crate::emulator) struct Checked {
    /// The app that asks.
    pub(super) app: App,
    /// Sites it may be given.
    pub(super) sites: Vec<Site>,
}

/// A fault that stays on the error page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::emulator) struct Refusal {
    /// Machine name, for the page's explanation and the journal.
    pub(super) cause: &'static str,
    /// `error` of the error page.
    pub(super) error: &'static str,
    /// `error_description` of the error page.
    pub(super) description: String,
}

fn refuse<T>(cause: &'static str, error: &'static str, description: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { cause, error, description: description.into() })
}

/// All checks.
pub(super) fn check(
    fixture: &Fixture,
    switches: &Switches,
    user: &User,
    ask: &Ask,
) -> Result<Checked, Refusal> {
    let Some(app) = fixture.app(&ask.client_id) else {
        return refuse("unknown-client", "unauthorized_client", "Failed to retrieve client.");
    };
    if app.distribution == Distribution::Private && app.owner.as_deref() != Some(user.account_id.as_str()) {
        return refuse(
            "unshared-app",
            "unauthorized_client",
            "Failed to retrieve client. The app is not shared.",
        );
    }
    if !app.callbacks.contains(&ask.redirect_uri) {
        let description = format!(
            "Callback URL mismatch. {} is not in the list of allowed callback URLs.",
            ask.redirect_uri
        );
        return refuse("callback-mismatch", "unauthorized_client", description);
    }
    if ask.scopes.contains("openid") {
        return refuse("openid", "invalid_request", "Something went wrong. There's nothing here.");
    }
    let odd_challenge = ask.challenge.is_some() && ask.challenge_method.as_deref() != Some("S256");
    if ask.response_type != "code"
        || ask.audience != switches.audience
        || ask.scopes.is_empty()
        || odd_challenge
    {
        return refuse("incomplete", "invalid_request", "The authorize request was incomplete or invalid.");
    }
    let added = |scope: &&String| *scope == "offline_access" || app.scopes.contains(scope);
    let missing: Vec<&String> = ask.scopes.iter().filter(|scope| !added(scope)).collect();
    if !missing.is_empty() {
        let mut apis: Vec<_> = missing.iter().map(|scope| scopes::api(scope)).collect();
        apis.sort_unstable();
        apis.dedup();
        let description = format!(
            "The app requested {} scopes that have not been added to the app: {}",
            apis.join(" & "),
            scopes::join(missing.into_iter())
        );
        return refuse("scope-not-added", "invalid_scope", description);
    }
    let sites = usable_sites(fixture, switches, user, app, &ask.scopes)?;
    Ok(Checked { app: app.clone(), sites })
}

fn usable_sites(
    fixture: &Fixture,
    switches: &Switches,
    user: &User,
    app: &App,
    asked: &Scopes,
) -> Result<Vec<Site>, Refusal> {
    let products = scopes::products(asked);
    let mine: Vec<&Site> =
        user.sites.iter().chain(&user.guest_of).filter_map(|id| fixture.site(id)).collect();
    let lacks = |product| !mine.iter().any(|site| site.products.contains(product));
    let needs_any = switches.site_always_needed || app.grant == GrantKind::Resource;
    if products.iter().any(lacks) || (needs_any && mine.is_empty()) {
        let mut names: Vec<_> = products.iter().map(|product| product.title()).collect();
        names.push("User identity");
        let description = format!(
            "Access denied. This app requires access to a {} site which you don't have or don't have permission to access.",
            names.join(" & ")
        );
        return refuse("no-site", "access_denied", description);
    }
    let relevant = mine
        .into_iter()
        .filter(|site| products.is_empty() || site.products.iter().any(|product| products.contains(product)));
    let (blocked, open): (Vec<&Site>, Vec<&Site>) = relevant.partition(|site| site.user_apps_blocked);
    match blocked.first() {
        Some(site) if open.is_empty() && (needs_any || !products.is_empty()) => refuse(
            "admin-block",
            "access_denied",
            format!(
                "Your site admin must authorize this app for the site {}.",
                site.url.trim_start_matches("https://")
            ),
        ),
        _ => Ok(open.into_iter().cloned().collect()),
    }
}
