//! One sign-in for several hosts, in a real Chromium behind nginx: each host with a cookie of its own, or all with one.

use std::collections::BTreeMap;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::json;
use thirtyfour::Cookie;

use super::super::browser::{calm, sign_in_as};
use super::super::support::browser::{Browser, Options};
use super::super::support::raw::RawResponse;
use super::super::support::site::Plan;
use super::browser::on_both;
use super::echo::{self, shown};
use super::world::{Program, World};

const CENTRAL: &str = "auth.localhost";
const WIKI: &str = "wiki.localhost";
const CI: &str = "ci.localhost";
const DEEP: &str = "/page/a%20b?id=1&x=%2F%26&y=%25";
const NAVIGATION: [(&str, &str); 2] = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];

async fn three_hosts() -> World {
    World::with(Program::Nginx, CENTRAL, &[WIKI, CI], Plan::default(), echo::answer).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sign_in_for_three_hosts() {
    let world = three_hosts().await;
    let browser = Browser::start(Options::default()).await;
    sign_in_at_the_wiki(&world, &browser).await;
    let wiki = identity(&world, &browser, WIKI, DEEP).await;
    let at_wiki = session_cookie(&browser, WIKI).await;

    let ci_page = format!("{}/job?branch=a%2Fb&n=1", world.origin(CI));
    browser.goto(&ci_page).await;
    let ci = identity(&world, &browser, CI, "/job?branch=a%2Fb&n=1").await;
    assert_eq!(browser.url().await, ci_page, "signed in without another click");
    assert_eq!(wiki["sub"], ci["sub"]);
    let at_ci = session_cookie(&browser, CI).await;
    browser.goto(&format!("{}/", world.origin(CENTRAL))).await;
    identity(&world, &browser, CENTRAL, "/").await;
    let at_central = session_cookie(&browser, CENTRAL).await;
    cookies_stay_on_their_host(&world, &[(WIKI, at_wiki), (CI, at_ci), (CENTRAL, at_central)]).await;

    browser.goto(&format!("{}/", world.origin(CI))).await;
    sign_out_by_another_site(&world, &browser).await;
    browser.goto(&format!("{}/", world.origin(CI))).await;
    sign_out(&browser).await;
    for host in [WIKI, CENTRAL, CI] {
        browser.goto(&format!("{}{DEEP}", world.origin(host))).await;
        browser.wait_for_text("Continue with Atlassian").await;
        assert!(browser.url().await.starts_with(&world.origin(CENTRAL)), "{}", browser.url().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_tabs_at_once_all_end_where_they_should() {
    let world = three_hosts().await;
    let browser = Browser::start(Options::default()).await;
    browser.goto(&format!("{}/_anteroom/signed-out", world.origin(CENTRAL))).await;
    let first = browser.tab().await;
    let tabs = ten_tabs(&world, &browser, WIKI).await;
    for tab in &tabs {
        browser.switch_to(tab).await;
        browser.wait_for_text("Continue with Atlassian").await;
    }
    sign_in_as(&browser, "Ada Lovelace").await;
    browser.click_text("Continue to").await;
    browser.wait_for_text("Hello, Ada Lovelace").await;
    for (number, tab) in tabs.iter().enumerate() {
        browser.switch_to(tab).await;
        match number {
            // This is the tab of the sign-in.
            9 => {}
            // The page as it stood there, or loaded again.
            0..5 => browser.click_text("Continue with Atlassian").await,
            _ => browser.reload().await,
        }
    }
    all_arrived(&browser, &tabs, &world.origin(WIKI)).await;
    browser.switch_to(&first).await;
    let tabs = ten_tabs(&world, &browser, CI).await;
    all_arrived(&browser, &tabs, &world.origin(CI)).await;
}

/// Opens `/tab/0` to `/tab/9` of a host, all at the same time.
async fn ten_tabs(world: &World, browser: &Browser, host: &str) -> Vec<thirtyfour::WindowHandle> {
    let before = browser.driver().windows().await.unwrap();
    let base = world.origin(host);
    browser
        .evaluate::<()>(&format!(
            "for (let n = 0; n < 10; n++) window.open('{base}/tab/' + n + '?a=1&b=%252F', '_blank', 'noopener')"
        ))
        .await;
    let all = browser.driver().windows().await.unwrap();
    let tabs: Vec<_> = all.into_iter().filter(|tab| !before.contains(tab)).collect();
    assert_eq!(tabs.len(), 10);
    tabs
}

/// Each of ten tabs shows the app, and no two the same page of it.
async fn all_arrived(browser: &Browser, tabs: &[thirtyfour::WindowHandle], origin: &str) {
    let mut arrived = Vec::new();
    for tab in tabs {
        browser.switch_to(tab).await;
        browser.wait_for_text("Hello, Ada Lovelace").await;
        arrived.push(browser.url().await);
    }
    arrived.sort();
    let wanted: Vec<_> = (0..10).map(|n| format!("{origin}/tab/{n}?a=1&b=%252F")).collect();
    assert_eq!(arrived, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finish_link_is_for_one_browser() {
    let world = three_hosts().await;
    let ada = Browser::start(Options::default()).await;
    sign_in_at_the_wiki(&world, &ada).await;
    ada.goto(&format!("{}/", world.origin(CENTRAL))).await;
    let central = pair(&session_cookie(&ada, CENTRAL).await);
    ada.close().await;
    let (unused, waiting) = finish_link(&world, &central).await;
    let (used, also_waiting) = finish_link(&world, &central).await;
    let taken = visit(&world, CI, &used, &also_waiting).await;
    assert!(taken.cookies().iter().any(|cookie| cookie.starts_with("anteroom=")), "{taken:?}");

    let stranger = Browser::start(Options::default()).await;
    for link in [&unused, &used, &unused] {
        stranger.goto(link).await;
        stranger.wait_for_text("Continue with Atlassian").await;
        nobody_there(&world, &stranger).await;
    }
    let late = visit(&world, CI, &unused, &waiting).await;
    assert!(late.text().contains("signin.state_replayed"), "used up by whoever came first: {late:?}");
    assert!(late.cookies().iter().all(|cookie| !cookie.starts_with("anteroom=")), "{late:?}");

    let cut = unused.get(..unused.len() - 9).unwrap();
    for link in [cut, &format!("{}/_anteroom/hand-off?ticket=AAAA", world.origin(CENTRAL))] {
        stranger.goto(link).await;
        stranger.wait_for_text("signin.hand_off_refused").await;
        nobody_there(&world, &stranger).await;
    }
    stranger.goto(cut).await;
    for scheme in ["light", "dark"] {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        stranger.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
        let name = |width| format!("hand-off-refused-{width}-{scheme}");
        on_both(&stranger, async |width| calm(&stranger, &name(width)).await).await;
    }
    stranger.click_text("Start again").await;
    stranger.wait_for_text("Continue with Atlassian").await;
}

/// A link that brings a session to the CI's host, and the cookie that has to wait for it there.
async fn finish_link(world: &World, central: &str) -> (String, String) {
    let start = format!("{}/_anteroom/start?return_to=%2Fjob", world.origin(CI));
    let start = visit(world, CI, &start, "").await;
    let waiting = start.cookies().into_iter().find(|cookie| cookie.contains("-flow-")).expect("a cookie");
    let answer = visit(world, CENTRAL, start.header("location").expect("a ticket"), central).await;
    let link = answer.header("location").expect("a code").to_owned();
    assert!(link.starts_with(&format!("{}/_anteroom/finish?code=", world.origin(CI))), "{link}");
    (link, waiting)
}

/// A navigation, byte for byte, to an address of this host.
async fn visit(world: &World, host: &str, url: &str, cookies: &str) -> RawResponse {
    let origin = world.origin(host);
    let target = url.strip_prefix(&origin).unwrap_or_else(|| panic!("{url} is not at {host}"));
    let headers = [&NAVIGATION[..], &[("Cookie", cookies)]].concat();
    world.ask_host("GET", target, origin.trim_start_matches("http://"), &headers).await
}

/// This browser has a session nowhere.
async fn nobody_there(world: &World, browser: &Browser) {
    let jar = browser.devtools("Network.getAllCookies", json!({})).await;
    let ours =
        jar["cookies"].as_array().expect("a list").iter().filter(|cookie| cookie["name"] == "anteroom");
    assert_eq!(ours.count(), 0, "{jar}");
    assert_eq!(world.reached(), 2, "the app saw Ada alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_cookie_for_a_whole_domain() {
    let (central, wiki, ci) = ("auth.site.localhost", "wiki.site.localhost", "ci.site.localhost");
    let plan = Plan { session: "cookie_domain = \"site.localhost\"".into(), ..Plan::default() };
    let apps = &["wiki.site.localhost", "ci.site.localhost"];
    let world = World::with(Program::Nginx, central, apps, plan, echo::answer).await;
    let browser = Browser::start(Options::default()).await;
    let page = format!("{}{DEEP}", world.origin(wiki));
    browser.goto(&page).await;
    sign_in_as(&browser, "Ada Lovelace").await;
    browser.click_text("Continue to").await;
    identity(&world, &browser, wiki, DEEP).await;
    assert_eq!(browser.url().await, page);
    let at_wiki = the_cookie(&browser).await;
    assert_eq!(at_wiki.domain.as_deref(), Some(".site.localhost"));
    browser.goto(&format!("{}{DEEP}", world.origin(ci))).await;
    identity(&world, &browser, ci, DEEP).await;
    assert_eq!(the_cookie(&browser).await.value, at_wiki.value, "one for all");
    let log = world.site.log.lines().join("\n");
    assert!(log.contains("SignedIn") && !log.contains("HandedOff"), "{log}");
    sign_out(&browser).await;
    for host in [wiki, central, ci] {
        browser.goto(&format!("{}{DEEP}", world.origin(host))).await;
        browser.wait_for_text("Continue with Atlassian").await;
    }
    let replayed = visit(&world, wiki, &page, &pair(&at_wiki)).await;
    assert_eq!(replayed.status, 302, "the session is over, not just its cookie gone");
}

/// From a deep link at the wiki, through every page, back to it.
async fn sign_in_at_the_wiki(world: &World, browser: &Browser) {
    let page = format!("{}{DEEP}", world.origin(WIKI));
    browser.goto(&page).await;
    browser.wait_for_text("Continue with Atlassian").await;
    assert!(browser.url().await.starts_with(&world.origin(CENTRAL)), "the central host asks");
    sign_in_as(browser, "Ada Lovelace").await;
    browser.wait_for_text("Welcome").await;
    browser.click_text("Continue to").await;
    browser.wait_for_text("Hello, Ada Lovelace").await;
    assert_eq!(browser.url().await, page);
}

async fn sign_out(browser: &Browser) {
    browser.click_text("Sign out").await;
    browser.wait_for_text("Stay signed in").await;
    browser.click_css("form button").await;
    browser.wait_for_text("You are signed out").await;
}

/// A form on a page of the CI, sent to the wiki: it ends nothing, and the person is asked.
async fn sign_out_by_another_site(world: &World, browser: &Browser) {
    let script = format!(
        "const form = document.createElement('form'); form.method = 'post';\
         form.action = '{}/_anteroom/sign-out'; document.body.append(form); form.submit()",
        world.origin(WIKI)
    );
    browser.evaluate::<()>(&script).await;
    browser.wait_for_url(&world.origin(WIKI)).await;
    browser.click_text("Stay signed in").await;
    browser.wait_for_text("Hello, Ada Lovelace").await;
    session_cookie(browser, WIKI).await;
}

/// What the app behind this host was told of Ada: gives the verified claims of the assertion.
async fn identity(
    world: &World,
    browser: &Browser,
    host: &str,
    target: &str,
) -> BTreeMap<String, serde_json::Value> {
    let (got, origin) = (shown(browser).await, world.origin(host));
    for (name, value) in [
        ("target", target),
        ("host", origin.trim_start_matches("http://")),
        ("x-anteroom-email", "ada@example.com"),
        ("x-anteroom-name", "Ada Lovelace"),
    ] {
        assert_eq!(got.get(name).map(String::as_str), Some(value), "{name}: {got:#?}");
    }
    assert!(!got.contains_key("cookie"), "our cookies are not the app's: {got:#?}");
    let keys = visit(world, host, &format!("{origin}/_anteroom/jwks.json"), "").await;
    let keys: JwkSet = serde_json::from_slice(&keys.body).expect("keys");
    let token = &got["x-anteroom-assertion"];
    let key = jsonwebtoken::decode_header(token).unwrap().kid.and_then(|kid| keys.find(&kid).cloned());
    let mut rules = Validation::new(Algorithm::ES256);
    rules.set_audience(&[origin]);
    rules.set_issuer(&[world.origin(world.site.host().split(':').next().unwrap())]);
    let key = DecodingKey::from_jwk(&key.expect("its key is published")).unwrap();
    let claims = jsonwebtoken::decode::<BTreeMap<String, serde_json::Value>>(token, &key, &rules);
    let claims = claims.unwrap_or_else(|error| panic!("at {host}: {error}")).claims;
    assert_eq!(claims["sub"], got["x-anteroom-account-id"].as_str());
    assert_eq!(claims["email"], "ada@example.com");
    claims
}

async fn the_cookie(browser: &Browser) -> Cookie {
    let all = browser.cookies().await;
    let mut ours = all.iter().filter(|cookie| cookie.name == "anteroom");
    let (Some(one), None) = (ours.next(), ours.next()) else { panic!("not one session cookie: {all:?}") };
    one.clone()
}

/// The session's cookie on the page's host, which must be that host's alone.
async fn session_cookie(browser: &Browser, host: &str) -> Cookie {
    let cookie = the_cookie(browser).await;
    // One with a `Domain` would begin with a dot.
    assert_eq!(cookie.domain.as_deref(), Some(host));
    cookie
}

fn pair(cookie: &Cookie) -> String {
    format!("{}={}", cookie.name, cookie.value)
}

/// Each is good on its own host and on no other.
async fn cookies_stay_on_their_host(world: &World, jar: &[(&str, Cookie)]) {
    for (owner, cookie) in jar {
        for (host, other) in jar {
            let answer = visit(world, host, &format!("{}/x", world.origin(host)), &pair(cookie)).await;
            let want = if host == owner { 200 } else { 302 };
            assert_eq!(answer.status, want, "the cookie of {owner} at {host}");
            assert_eq!(cookie.value == other.value, host == owner);
        }
    }
}
