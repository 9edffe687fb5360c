//! Another process takes over while people sign in: who waits, and for whom?

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Somebody who does not wait for the store.
async fn at_once(site: &Site, browser: &mut Browser, target: &str) -> u16 {
    let asking = pin!(browser.get(site, target));
    match poll(asking) {
        Poll::Ready(got) => got.reply().status.as_u16(),
        Poll::Pending => panic!("{target} waits"),
    }
}

#[tokio::test]
async fn a_sign_in_that_hangs_at_atlassian_holds_nobody_up() {
    for taken_over in [false, true] {
        let site = Site::standard().await;
        let (mut ada, mut other) = (Browser::default(), Browser::default());
        other.sign_in(&site, "/_anteroom/start").await;
        let callback = ada.leave(&site, "/_anteroom/start?return_to=%2Fboard").await;
        let (asked, mut tab) = (site.asked(), ada.clone());
        let mut hanging = Box::pin(tab.get(&site, &callback));
        assert!(poll(hanging.as_mut()).is_pending());
        assert_eq!(site.asked(), asked + 1, "it is at Atlassian");

        let Poll::Ready(shut) = poll(pin!(site.auth.shut())) else { panic!("the store is not let go") };
        for target in ["/_anteroom/me", "/_anteroom/sign-in?switch=1", "/_anteroom/sign-out"] {
            assert_eq!(at_once(&site, &mut other, target).await, 200, "{target}");
        }
        let mut signing_out = Box::pin(other.send(&site, Method::POST, "/_anteroom/sign-out", b"csrf=x"));
        assert!(poll(signing_out.as_mut()).is_pending(), "undecided");
        for _ in 0..3 {
            assert!(poll(hanging.as_mut()).is_pending(), "Atlassian has answered: now it waits, too");
        }
        if taken_over {
            shut.for_good();
            assert_eq!(signing_out.await.reply().status, 307, "the other process knows");
            let again = hanging.await.reply();
            assert!(location(&again).starts_with("https://atlassian.test/"), "{again:?}");
            assert!(!tab.has_session() && tab.flows() == 1, "a flow of its own");
        } else {
            drop(shut);
            assert_eq!(signing_out.await.reply().status, 403);
            hanging.await.reply();
            assert!(tab.has_session());
        }
    }
}

#[tokio::test]
async fn every_step_that_uses_the_store_is_refused_once_it_is_elsewhere() {
    let site = Site::standard().await;
    let mut browser = Browser::default();
    let callback = browser.leave(&site, "/_anteroom/start").await;
    let shut = site.auth.shut().await;
    let mut waiting = Box::pin(browser.get(&site, &callback));
    assert!(poll(waiting.as_mut()).is_pending());
    shut.for_good();
    assert_eq!(location(&waiting.await.reply()), callback, "asked again there");
    assert_eq!(site.asked(), 0, "with a code that is still good");
    let again = browser.get(&site, "/_anteroom/me").await.reply();
    assert_eq!(again.status, 307);
}

/// The answer to a request of the app's is not held up for the note that the app knows somebody now.
#[tokio::test]
async fn an_answer_of_the_app_does_not_wait_for_the_store() {
    let mut plan = Plan::default();
    plan.settings.new_user_until = NewUserUntil::Acknowledged;
    let site = Site::with(plan).await;
    let mut ada = Browser::default();
    ada.sign_in(&site, "/_anteroom/start").await;
    let permit = ada.get(&site, "/board").await.permit();
    let shut = site.auth.shut().await;
    assert_eq!(poll(pin!(site.auth.provisioned(&permit, "app.example"))), Poll::Ready(None));
    drop(shut);
    assert!(site.auth.provisioned(&permit, "app.example").await.is_some(), "the next one");
}
