//! What people live through behind a gateway, in a real Chromium: a deep link, the way in, a session that ends, the way
//! out and the back button.
//!
//! Screenshots land in `tests/screenshots/`; look at them after changing a page.

use std::time::Duration;

use serde_json::json;

use super::super::browser::{calm, sign_in_as};
use super::super::support::browser::{Browser, Options};
use super::super::support::site::Plan;
use super::echo::{self, shown};
use super::world::{Program, World};

const DEEP: &str = "/board/a%20b?id=1&x=%2F%26&y=%25";

#[tokio::test(flavor = "multi_thread")]
async fn in_and_out_through_nginx() {
    in_and_out(Program::Nginx, "nginx").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_and_out_through_traefik() {
    in_and_out(Program::Traefik, "traefik").await;
}

async fn in_and_out(program: Program, name: &str) {
    let world = World::with(program, "localhost", &[], Plan::default(), echo::answer).await;
    let browser = Browser::start(Options::default()).await;
    sign_in(&world, &browser, name).await;
    identity(&world, &browser).await;
    session_ends(&world, &browser).await;
    sign_out(&world, &browser, name).await;
}

async fn sign_in(world: &World, browser: &Browser, name: &str) {
    browser.goto(&world.site.url(DEEP)).await;
    browser.wait_for_text("Continue with Atlassian").await;
    assert_eq!(world.reached(), 0, "nothing reaches the app without a session");
    calm_on_both(browser, &format!("{name}-sign-in")).await;
    sign_in_as(browser, "Ada Lovelace").await;
    browser.wait_for_text("Welcome").await;
    calm_on_both(browser, &format!("{name}-welcome")).await;
    browser.click_text("Continue to").await;
    browser.wait_for_text("Hello, Ada Lovelace").await;
    assert_eq!(browser.url().await, world.site.url(DEEP), "the page asked for, and no other");
    on_both(browser, async |width| browser.screenshot(&format!("{name}-app-{width}")).await).await;
}

async fn identity(world: &World, browser: &Browser) {
    let got = shown(browser).await;
    for (name, value) in [
        ("target", DEEP),
        ("host", &world.site.host()),
        ("x-anteroom-email", "ada@example.com"),
        ("x-anteroom-email-verified", "true"),
        ("x-anteroom-name", "Ada Lovelace"),
        ("x-anteroom-new-user", "true"),
    ] {
        assert_eq!(got.get(name).map(String::as_str), Some(value), "{name}: {got:#?}");
    }
    assert!(
        got.contains_key("x-anteroom-account-id") && got.contains_key("x-anteroom-assertion"),
        "{got:#?}"
    );
    let cookies = got.get("cookie").map(String::as_str).unwrap_or_default();
    assert!(!world.program.keeps_our_cookies_from_the_app() || !cookies.contains("anteroom"), "{cookies}");
}

async fn session_ends(world: &World, browser: &Browser) {
    let ask = "const done = arguments[arguments.length - 1];\
        fetch('/api/things', { method: 'POST', body: '{}' }).then(async answer => done([\
          answer.status, answer.redirected, answer.headers.get('content-type'),\
          (await answer.json()).sign_in_url || '']))";
    let fine: (u16, bool, String, String) = browser.evaluate_async(ask).await;
    assert_eq!(fine, (200, false, "application/json".into(), String::new()));
    world.later(Duration::from_secs(31 * 60));
    let reached = world.reached();
    let ended: (u16, bool, String, String) = browser.evaluate_async(ask).await;
    let way_in = world.site.url("/_anteroom/sign-in");
    assert_eq!(
        ended,
        (401, false, "application/json".into(), way_in),
        "no redirect that a script cannot read"
    );
    assert_eq!(world.reached(), reached, "nothing reaches the app");
    browser.reload().await;
    // Atlassian still knows who is there and what was accepted.
    browser.click_text("Continue with Atlassian").await;
    browser.wait_for_text("Hello, Ada Lovelace").await;
    assert_eq!(browser.url().await, world.site.url(DEEP));
    assert_eq!(shown(browser).await["x-anteroom-new-user"], "false", "welcomed once only");
}

async fn sign_out(world: &World, browser: &Browser, name: &str) {
    browser.click_text("Sign out").await;
    browser.wait_for_text("Stay signed in").await;
    calm_on_both(browser, &format!("{name}-sign-out")).await;
    browser.click_css("form button").await;
    browser.wait_for_text("You are signed out").await;
    calm_on_both(browser, &format!("{name}-signed-out")).await;
    let left = browser.cookies().await;
    assert!(left.iter().all(|cookie| !cookie.name.starts_with("anteroom")), "{left:?}");
    let reached = world.reached();
    // To the question whether to sign out, which is settled; then to the app's page, which this browser no longer has.
    browser.back().await;
    browser.wait_for_text("You are signed out").await;
    browser.back().await;
    browser.wait_for_text("Continue with Atlassian").await;
    assert_eq!(world.reached(), reached, "nothing reaches the app");
}

async fn calm_on_both(browser: &Browser, name: &str) {
    on_both(browser, async |width| calm(browser, &format!("{name}-{width}")).await).await;
}

/// On a phone, then on a desktop again.
pub(super) async fn on_both(browser: &Browser, look: impl AsyncFn(u32)) {
    for (width, height) in [(320, 640), (1280, 800)] {
        let screen =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        browser.devtools("Emulation.setDeviceMetricsOverride", screen).await;
        assert_eq!(browser.width().await, width);
        look(width).await;
    }
}
