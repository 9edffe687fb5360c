//! What may one client cost us by beginning sign-ins, and all of them by completing them at once?

use std::num::NonZeroU32;

use super::hand_off::{WIKI, with_apps};
use super::*;

async fn site(apps: bool) -> Site {
    let mut plan = if apps { with_apps() } else { Plan::default() };
    plan.settings.sign_in_rate = NonZeroU32::new(3);
    Site::with(plan).await
}

fn at(client: &str) -> Browser {
    Browser { client: Some(client.parse().unwrap()), ..Browser::default() }
}

/// Turned away, with nothing to keep and a time to come back.
fn turned_away(reply: &Reply, wait: &str) {
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS, "{}", text(reply));
    assert_eq!(reply.headers.get("retry-after").unwrap(), wait);
    assert!(reply.headers.get(SET_COOKIE).is_none() && text(reply).contains("signin.too_many"));
}

#[tokio::test]
async fn a_client_begins_so_many_sign_ins_a_minute() {
    let site = site(false).await;
    for _ in 0..3 {
        at("192.0.2.1").leave(&site, "/_anteroom/start").await;
    }
    for again in ["/_anteroom/start", "/_anteroom/start?switch=1", "/_anteroom/start?return_to=/x"] {
        turned_away(&at("192.0.2.1").get(&site, again).await.reply(), "20");
    }
    assert!(site.audit.0.lock().unwrap().is_empty(), "a flood must not fill the audit log");
    assert!(site.auth.metrics().expose().contains("anteroom_limits_total{limit=\"sign_in_rate\"} 3"));
    // Others are not held up, and the page with the button is free.
    at("192.0.2.2").leave(&site, "/_anteroom/start").await;
    assert_eq!(at("192.0.2.1").get(&site, "/_anteroom/sign-in").await.reply().status, StatusCode::OK);
    site.clock.advance(Duration::from_secs(20));
    at("192.0.2.1").leave(&site, "/_anteroom/start").await;
    turned_away(&at("192.0.2.1").get(&site, "/_anteroom/start").await.reply(), "20");
    site.clock.advance(Duration::from_secs(600));
    site.auth.tidy(site.clock.now()).await.unwrap();
    at("192.0.2.1").leave(&site, "/_anteroom/start").await;
}

/// One of them must not use up what everybody behind the hop has, nor be without an end.
#[tokio::test]
async fn those_whom_a_hop_does_not_name_share_a_larger_budget() {
    let site = site(false).await;
    let crowd = || Browser { crowd: true, ..at("10.0.0.1") };
    for _ in 0..30 {
        crowd().leave(&site, "/_anteroom/start").await;
    }
    turned_away(&crowd().get(&site, "/_anteroom/start").await.reply(), "2");
    // Whom a hop names, and another hop's, have their own.
    at("10.0.0.1").leave(&site, "/_anteroom/start").await;
    Browser { crowd: true, ..at("10.0.0.2") }.leave(&site, "/_anteroom/start").await;
}

/// Restarts by the callback begin a sign-in too; so does the way from an app's host.
#[tokio::test]
async fn no_way_in_is_forgotten() {
    let site = site(true).await;
    let mut browser = at("192.0.2.1");
    let callback = browser.leave(&site, "/_anteroom/start").await;
    let stranger = at("192.0.2.1").get(&site, &callback).await.reply();
    assert!(location(&stranger).starts_with("https://atlassian.test/"), "it starts over once");
    at("192.0.2.1").leave(&site, "/_anteroom/start").await;
    let restart = at("192.0.2.1").get(&site, &callback).await.reply();
    assert_eq!(restart.status, StatusCode::TOO_MANY_REQUESTS);
    let start = format!("{WIKI}/_anteroom/start");
    turned_away(&at("192.0.2.1").open(&site, &start).await.reply(), "20");
    assert!(at("192.0.2.3").open(&site, &start).await.reply().status.is_redirection());
    // The sign-in that had begun goes on.
    assert!(location(&browser.get(&site, &callback).await.reply()).starts_with('/'));
}

#[tokio::test]
async fn without_a_rate_there_is_no_limit() {
    let site = Site::standard().await;
    for _ in 0..500 {
        at("192.0.2.1").leave(&site, "/_anteroom/start").await;
    }
}

#[tokio::test]
async fn a_crowd_is_completed_in_turn_or_told_to_come_back() {
    let site = Site::standard().await;
    let mut browser = Browser::default();
    let callback = browser.leave(&site, "/_anteroom/start").await;
    let crowd = site.auth.exchanges.acquire_many(64).await.unwrap();
    let busy = browser.get(&site, &callback).await.reply();
    assert_eq!((busy.status, site.asked()), (StatusCode::SERVICE_UNAVAILABLE, 0));
    assert!(text(&busy).contains("atlassian.unavailable") && !browser.has_session());
    assert!(site.auth.metrics().expose().contains("anteroom_limits_total{limit=\"exchanges\"} 1"));
    let callback = browser.leave(&site, "/_anteroom/start").await;
    let (waits, ()) = tokio::join!(browser.get(&site, &callback), async {
        tokio::task::yield_now().await;
        drop(crowd);
    });
    assert!(waits.reply().status.is_redirection());
    assert!(browser.has_session());
}
