//! What people live through, in a real Chromium: from the first visit to the back button after signing out.
//!
//! Screenshots land in `tests/screenshots/`; look at them after changing a page.

use std::sync::Arc;
use std::time::Duration;

use anteroom::clock::{Clock, ManualClock, SystemClock};

use crate::support::browser::{Browser, Options};
use crate::support::site::{Plan, Site};

const ONLY_EXAMPLE: &str = "[access]\nemail_domains = [\"example.com\"]";

/// From the sign-in page through Atlassian's two pages, as the person with this name.
pub(crate) async fn sign_in_as(browser: &Browser, name: &str) {
    browser.click_text("Continue with Atlassian").await;
    browser.wait_for_text("Pick the account").await;
    browser.click_text(name).await;
    browser.wait_for_text("would like to").await;
    browser.click_text("Accept").await;
}

/// Saves a screenshot of a page that has to fit its screen and break no accessibility rule.
pub(crate) async fn calm(browser: &Browser, name: &str) {
    browser.screenshot(name).await;
    assert!(!browser.scrolls_sideways().await, "{name} scrolls sideways");
    let violations = browser.violations().await;
    assert!(violations.is_empty(), "{name}: {violations:#?}");
}

#[tokio::test]
async fn first_visit_then_straight_through() {
    let site = Site::start().await;
    let browser = Browser::start(Options::default()).await;
    browser.goto(&site.url("/?board=7")).await;
    browser.wait_for_text("Continue with Atlassian").await;
    calm(&browser, "sign-in").await;
    sign_in_as(&browser, "Ada Lovelace").await;
    browser.wait_for_text("Welcome").await;
    calm(&browser, "welcome").await;
    browser.click_text("Continue to").await;
    browser.wait_for_text("Hello, Ada Lovelace").await;
    browser.wait_for_url("/?board=7").await;
    browser.screenshot("app").await;
    // A second visit goes straight through, and so does a new tab.
    browser.new_tab().await;
    browser.goto(&site.url("/")).await;
    browser.wait_for_text("Hello, Ada Lovelace").await;
    // The page's own script opens a WebSocket through the proxy.
    browser.wait_for_text("open").await;
    browser.click_text("Send").await;
    browser.wait_for_text("Hello through the proxy").await;
}

#[tokio::test]
async fn it_works_without_script_and_by_keyboard() {
    use thirtyfour::Key;
    let site = Site::start().await;
    let browser = Browser::start(Options::default().without_script()).await;
    browser.goto(&site.url("/headers")).await;
    for _ in 0..6 {
        browser.press(Key::Tab).await;
        if browser.focused().await == "Continue with Atlassian" {
            break;
        }
    }
    assert_eq!(browser.focused().await, "Continue with Atlassian");
    browser.press(Key::Enter).await;
    browser.wait_for_url("/login").await;
    browser.click_text("Ada Lovelace").await;
    browser.click_text("Accept").await;
    browser.wait_for_url("/_anteroom/welcome").await;
}

#[tokio::test]
async fn cancel_at_consent_then_try_again() {
    let site = Site::start().await;
    let browser = Browser::start(Options::default()).await;
    browser.goto(&site.url("/")).await;
    browser.click_text("Continue with Atlassian").await;
    browser.click_text("Ada Lovelace").await;
    browser.wait_for_text("would like to").await;
    browser.click_text("Cancel").await;
    browser.wait_for_text("signin.declined").await;
    calm(&browser, "declined").await;
    browser.click_text("Try again").await;
    browser.click_text("Continue with Atlassian").await;
    browser.click_text("Accept").await;
    browser.wait_for_text("Welcome").await;
}

#[tokio::test]
async fn an_account_that_may_not_come_in_then_another_one() {
    let site = Site::with(Plan::default().config(ONLY_EXAMPLE)).await;
    let browser = Browser::start(Options::default()).await;
    browser.goto(&site.url("/headers")).await;
    sign_in_as(&browser, "Mallory Outside").await;
    browser.wait_for_text("access.rule_denied").await;
    browser.wait_for_text("mallory@outside.example").await;
    calm(&browser, "not-allowed").await;
    browser.click_text("Use another account").await;
    browser.click_text("Continue with Atlassian").await;
    browser.wait_for_text("would like to").await;
    browser.click_text("Use another account").await;
    browser.click_text("Grace Hopper").await;
    browser.click_text("Accept").await;
    browser.click_text("Continue to").await;
    browser.wait_for_text("grace@example.com").await;
}

#[tokio::test]
async fn two_tabs_that_sign_in_side_by_side() {
    let site = Site::start().await;
    let browser = Browser::start(Options::default()).await;
    let first = browser.tab().await;
    browser.goto(&site.url("/json?tab=1")).await;
    browser.click_text("Continue with Atlassian").await;
    browser.wait_for_text("Pick the account").await;
    let second = browser.new_tab().await;
    browser.goto(&site.url("/json?tab=2")).await;
    sign_in_as(&browser, "Ada Lovelace").await;
    browser.click_text("Continue to").await;
    browser.wait_for_url("/json?tab=2").await;
    browser.switch_to(&first).await;
    browser.click_text("Ada Lovelace").await;
    // Consent is already given; the tab goes where it wanted.
    browser.wait_for_url("/json?tab=1").await;
    browser.switch_to(&second).await;
    browser.reload().await;
    browser.wait_for_url("/json?tab=2").await;
}

#[tokio::test]
async fn sign_out_and_the_back_button() {
    let site = Site::start().await;
    let browser = Browser::start(Options::default()).await;
    browser.goto(&site.url("/")).await;
    sign_in_as(&browser, "Ada Lovelace").await;
    browser.click_text("Continue to").await;
    browser.wait_for_text("Hello, Ada Lovelace").await;
    browser.click_text("Sign out").await;
    browser.wait_for_text("Stay signed in").await;
    calm(&browser, "sign-out").await;
    browser.click_css("form button").await;
    browser.wait_for_text("You are signed out").await;
    browser.wait_for_text("still open").await;
    calm(&browser, "signed-out").await;
    assert!(
        browser.cookies().await.iter().all(|c| !c.name.starts_with("anteroom")),
        "no cookie of ours is left"
    );
    // To the question whether to sign out, which is settled; then to the app's page, which this browser no longer has.
    browser.back().await;
    browser.wait_for_text("You are signed out").await;
    browser.back().await;
    browser.wait_for_text("Continue with Atlassian").await;
}

#[tokio::test]
async fn a_session_that_ends_during_an_xhr() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let plan = Plan {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        session: "idle_timeout = \"30m\"".into(),
        ..Plan::default()
    };
    let site = Site::with(plan).await;
    let browser = Browser::start(Options::default()).await;
    browser.goto(&site.url("/")).await;
    sign_in_as(&browser, "Ada Lovelace").await;
    browser.click_text("Continue to").await;
    browser.wait_for_text("Hello, Ada Lovelace").await;
    let ask = "const done = arguments[arguments.length - 1];\
        fetch('/json').then(async r => done([r.status, r.redirected, (await r.json()).sign_in_url || '']))";
    let (status, redirected, _): (u16, bool, String) = browser.evaluate_async(ask).await;
    assert_eq!((status, redirected), (200, false));
    clock.advance(Duration::from_secs(31 * 60));
    let (status, redirected, url): (u16, bool, String) = browser.evaluate_async(ask).await;
    assert_eq!((status, redirected), (401, false), "no redirect that a script could not read");
    assert_eq!(url, site.url("/_anteroom/sign-in"));
    browser.reload().await;
    browser.wait_for_text("Continue with Atlassian").await;
}

#[tokio::test]
async fn small_dark_and_right_to_left() {
    for (name, options, dir) in [
        ("320", Options::default().size(320, 640), "ltr"),
        ("320-dark", Options::default().size(320, 640).dark(), "ltr"),
        ("1280-dark", Options::default().dark(), "ltr"),
        ("320-rtl", Options::default().size(320, 640).language("ar,en;q=0.5"), "rtl"),
        ("1280-rtl-dark", Options::default().language("ar").dark(), "rtl"),
    ] {
        let site = Site::with(Plan::default().config(ONLY_EXAMPLE)).await;
        let browser = Browser::start(options).await;
        browser.goto(&site.url("/headers")).await;
        assert_eq!(browser.evaluate::<String>("return document.documentElement.dir").await, dir);
        calm(&browser, &format!("sign-in-{name}")).await;
        browser.click_css("main a").await;
        browser.wait_for_text("Pick the account").await;
        browser.click_text("Mallory Outside").await;
        browser.click_text("Accept").await;
        browser.wait_for_text("access.rule_denied").await;
        calm(&browser, &format!("not-allowed-{name}")).await;
        browser.close().await;
    }
}
