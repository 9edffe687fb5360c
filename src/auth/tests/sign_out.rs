//! The session ends on the server, by a POST that only its owner's page can make.

use super::*;

async fn signed_in(site: &Site) -> Browser {
    let mut browser = Browser::default();
    browser.sign_in(site, "/_anteroom/start").await;
    browser
}

/// The token in the form of the page that asks.
async fn token(site: &Site, browser: &mut Browser) -> String {
    let page = text(&browser.get(site, "/_anteroom/sign-out").await.reply());
    let at = page.find("name=\"csrf\"").unwrap();
    let value = page[at..].split("value=\"").nth(1).unwrap();
    value.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn post_with_the_token_ends_it_for_good() {
    let site = Site::standard().await;
    let mut browser = signed_in(&site).await;
    let stolen = browser.clone();
    let body = format!("csrf={}", token(&site, &mut browser).await);
    let reply = browser.send(&site, Method::POST, "/_anteroom/sign-out", body.as_bytes()).await.reply();
    assert_eq!((reply.status, location(&reply)), (StatusCode::SEE_OTHER, "/_anteroom/signed-out"));
    assert!(browser.cookies().is_empty(), "{:?}", browser.cookies());
    assert_eq!(reply.headers["clear-site-data"], "\"cache\"", "the back button finds no page of the app");
    assert!(matches!(stolen.clone().get(&site, "/").await, Got::Answer(_)), "the old cookie is dead");
    let page = browser.get(&site, "/_anteroom/signed-out").await.reply();
    assert!(text(&page).contains("id.atlassian.com"), "honest about the session at Atlassian");
}

#[tokio::test]
async fn nothing_else_ends_it() {
    let site = Site::standard().await;
    let mut browser = signed_in(&site).await;
    let good = token(&site, &mut browser).await;
    let mut other = signed_in(&site).await;
    let foreign = token(&site, &mut other).await;
    browser.get(&site, "/_anteroom/sign-out").await.reply();
    for body in [
        String::new(),
        "csrf=".into(),
        "csrf=AAAA".into(),
        format!("csrf={foreign}"),
        format!("csrf={good}&csrf={good}"),
    ] {
        let reply = browser.send(&site, Method::POST, "/_anteroom/sign-out", body.as_bytes()).await.reply();
        assert_eq!(reply.status, 403, "{body}");
    }
    browser.headers = vec![("origin", "https://evil.example")];
    let body = format!("csrf={good}");
    assert_eq!(
        browser.send(&site, Method::POST, "/_anteroom/sign-out", body.as_bytes()).await.reply().status,
        403
    );
    browser.headers.clear();
    assert!(matches!(browser.get(&site, "/").await, Got::Forwarded(_)), "still signed in");
}

#[tokio::test]
async fn what_chromium_sends_under_no_referrer_ends_it() {
    let site = Site::standard().await;
    let mut browser = signed_in(&site).await;
    let body = format!("csrf={}", token(&site, &mut browser).await);
    browser.headers =
        vec![("origin", "null"), ("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate")];
    let reply = browser.send(&site, Method::POST, "/_anteroom/sign-out", body.as_bytes()).await.reply();
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn without_a_session_there_is_nothing_to_end() {
    let site = Site::standard().await;
    let mut nobody = Browser::default();
    for method in [Method::GET, Method::POST] {
        let reply = nobody.send(&site, method, "/_anteroom/sign-out", b"").await.reply();
        assert_eq!(location(&reply), "/_anteroom/signed-out");
    }
}

/// Its form arrives without the session's cookie, which is `SameSite=Lax`.
#[tokio::test]
async fn another_site_cannot_make_a_browser_forget_its_session() {
    let site = Site::standard().await;
    for (header, forgets) in [
        (("sec-fetch-site", "same-origin"), true),
        (("sec-fetch-site", "cross-site"), false),
        (("sec-fetch-site", "same-site"), false),
        (("origin", "https://evil.example"), false),
    ] {
        let mut browser = Browser { headers: vec![header], ..Default::default() };
        let reply = browser.send(&site, Method::POST, "/_anteroom/sign-out", b"").await.reply();
        assert_eq!(location(&reply) == "/_anteroom/signed-out", forgets, "{}", location(&reply));
        for name in ["set-cookie", "clear-site-data"] {
            assert_eq!(reply.headers.contains_key(name), forgets, "{name}: {header:?}");
        }
    }
}

#[tokio::test]
async fn a_store_that_is_down_is_said_and_the_session_is_over_here() {
    let up = Site::standard().await;
    let mut browser = signed_in(&up).await;
    let down = Site::with(Plan { store: Arc::new(Down::default()), ..Default::default() }).await;
    let held = browser.clone();
    let body = format!("csrf={}", token(&down, &mut browser).await);
    let reply = browser.send(&down, Method::POST, "/_anteroom/sign-out", body.as_bytes()).await.reply();
    assert_eq!(reply.status, 503);
    assert!(browser.cookies().is_empty() && matches!(held.clone().get(&down, "/").await, Got::Answer(_)));
}

#[tokio::test]
async fn a_restart_brings_no_session_back() {
    let store = Arc::new(MemoryStore::new());
    let same_store = || Plan { store: Arc::clone(&store) as Arc<dyn Store>, ..Default::default() };
    let site = Site::with(same_store()).await;
    let mut browser = signed_in(&site).await;
    let stolen = browser.clone();
    let mut other = signed_in(&site).await;
    let body = format!("csrf={}", token(&site, &mut browser).await);
    browser.send(&site, Method::POST, "/_anteroom/sign-out", body.as_bytes()).await.reply();
    let restarted = Site::with(same_store()).await;
    assert!(matches!(stolen.clone().get(&restarted, "/").await, Got::Answer(_)), "ended for good");
    assert!(matches!(other.get(&restarted, "/").await, Got::Forwarded(_)), "nobody else is signed out");
}

/// A slow answer of the app must not put the cookie of an ended session over the one that came after it.
#[tokio::test]
async fn an_ended_session_is_not_sealed_again() {
    let site = Site::standard().await;
    let mut browser = signed_in(&site).await;
    let slow = browser.get(&site, "/slow").await.permit();
    let body = format!("csrf={}", token(&site, &mut browser).await);
    browser.send(&site, Method::POST, "/_anteroom/sign-out", body.as_bytes()).await.reply();
    assert_eq!(site.auth.provisioned(&slow, "app.example").await, None);
}

#[tokio::test]
async fn an_end_that_the_store_did_not_take_is_tried_again() {
    let store = Arc::new(Down::default());
    let site = Site::with(Plan { store: Arc::clone(&store) as Arc<dyn Store>, ..Default::default() }).await;
    let up = Site::standard().await;
    let mut browser = signed_in(&up).await;
    let held = browser.clone();
    let body = format!("csrf={}", token(&site, &mut browser).await);
    browser.send(&site, Method::POST, "/_anteroom/sign-out", body.as_bytes()).await.reply();
    site.auth.tidy(Timestamp::default()).await.unwrap_err();
    store.up.store(true, Ordering::SeqCst);
    site.auth.tidy(Timestamp::default()).await.unwrap();
    let restarted = Site::with(Plan { store: store as Arc<dyn Store>, ..Default::default() }).await;
    assert!(matches!(held.clone().get(&restarted, "/").await, Got::Answer(_)), "a restart knows of it");
}

#[tokio::test]
async fn it_takes_half_finished_sign_ins_along() {
    let site = Site::standard().await;
    let mut browser = signed_in(&site).await;
    browser.leave(&site, "/_anteroom/start?switch=1").await;
    assert_eq!(browser.flows(), 1);
    let body = format!("csrf={}", token(&site, &mut browser).await);
    browser.send(&site, Method::POST, "/_anteroom/sign-out", body.as_bytes()).await.reply();
    assert!(browser.cookies().is_empty(), "{:?}", browser.cookies());
}
