//! What every store must do, whatever it is made of: one suite, run over each implementation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use super::{Ended, MemoryStore, Novelty, Seen, Store};
use crate::clock::Timestamp;
use crate::identity::{AccountId, Email, EmailVerified, Person};
use crate::session::SessionId;

const UNACKNOWLEDGED: Novelty = Novelty::Known { acknowledged: false };

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn id(n: u8) -> SessionId {
    SessionId::from_bytes([n; 16])
}

pub(super) fn person(id: &str) -> Person {
    Person {
        account_id: AccountId::parse(id).unwrap(),
        email: Some(Email::parse("ada@example.com").unwrap()),
        email_verified: EmailVerified::True,
        name: Some("Ada 😀 Łovelace".into()),
        picture: Some("https://avatar.example/ada.png".into()),
    }
}

async fn an_account_is_new_once(store: &dyn Store) {
    let ada = person("1:ada");
    assert_eq!(store.account(&ada.account_id).await.unwrap(), None);
    assert_eq!(store.record_sign_in(&ada, at(10)).await.unwrap(), Novelty::New);
    assert_eq!(store.record_sign_in(&person("1:bob"), at(10)).await.unwrap(), Novelty::New);

    let renamed = Person { name: None, email: None, email_verified: EmailVerified::Unknown, ..ada };
    assert_eq!(store.record_sign_in(&renamed, at(20)).await.unwrap(), UNACKNOWLEDGED);
    let account = store.account(&renamed.account_id).await.unwrap().unwrap();
    assert_eq!(account.person, renamed);
    assert_eq!((account.first_seen, account.last_sign_in), (at(10), at(20)));
}

async fn an_acknowledgement_stays(store: &dyn Store) {
    let eve = person("2:eve");
    store.acknowledge(&eve.account_id).await.unwrap();
    assert_eq!(
        store.record_sign_in(&eve, at(1)).await.unwrap(),
        Novelty::New,
        "unknown accounts are ignored"
    );
    store.acknowledge(&eve.account_id).await.unwrap();
    store.acknowledge(&eve.account_id).await.unwrap();
    assert_eq!(store.record_sign_in(&eve, at(2)).await.unwrap(), Novelty::Known { acknowledged: true });
    assert!(store.account(&eve.account_id).await.unwrap().unwrap().acknowledged);
    assert!(!store.account(&person("1:ada").account_id).await.unwrap().unwrap().acknowledged);
}

async fn a_crowd_gets_one_new(store: Arc<dyn Store>) {
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let store = Arc::clone(&store);
        crowd.spawn(async move { store.record_sign_in(&person("3:crowd"), at(5)).await.unwrap() });
    }
    let answers = crowd.join_all().await;
    assert_eq!(answers.iter().filter(|n| **n == Novelty::New).count(), 1);
    assert_eq!(answers.iter().filter(|n| **n == UNACKNOWLEDGED).count(), 199);
}

async fn ended_sessions_are_listed_until_they_expire(store: &dyn Store) {
    store.end_session(Ended { id: id(1), until: at(100) }).await.unwrap();
    store.end_session(Ended { id: id(2), until: at(200) }).await.unwrap();
    store.end_session(Ended { id: id(1), until: at(100) }).await.unwrap();
    let listed = async |now| {
        let mut ids: Vec<_> = store.ended_sessions(at(now)).await.unwrap().iter().map(|e| e.id).collect();
        ids.sort();
        ids
    };
    assert_eq!(listed(99).await, [id(1), id(2)]);
    assert_eq!(listed(100).await, [id(2)]);
    assert_eq!(listed(200).await, []);
    assert_eq!(listed(0).await, [id(1), id(2)], "listing drops nothing");
}

async fn activity_only_moves_forward(store: &dyn Store) {
    let seen = |n, secs, until| Seen { id: id(n), at: at(secs), until: at(until) };
    store.save_activity(&[seen(1, 10, 100), seen(2, 11, 200)]).await.unwrap();
    store.save_activity(&[seen(1, 30, 100)]).await.unwrap();
    store.save_activity(&[seen(1, 20, 100)]).await.unwrap();
    store.save_activity(&[]).await.unwrap();
    let mut saved = store.activity(at(0)).await.unwrap();
    saved.sort_by_key(|s| s.id);
    assert_eq!(saved, [seen(1, 30, 100), seen(2, 11, 200)]);
    assert_eq!(store.activity(at(100)).await.unwrap(), [seen(2, 11, 200)]);
}

async fn a_sweep_drops_only_what_has_expired(store: &dyn Store) {
    store.sweep(at(100)).await.unwrap();
    assert_eq!(store.ended_sessions(at(0)).await.unwrap(), [Ended { id: id(2), until: at(200) }]);
    assert_eq!(store.activity(at(0)).await.unwrap().len(), 1);
    assert_eq!(store.record_sign_in(&person("1:ada"), at(9)).await.unwrap(), UNACKNOWLEDGED);
}

async fn a_token_is_used_once(store: Arc<dyn Store>) {
    const TTL: Duration = Duration::from_secs(60);
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let store = Arc::clone(&store);
        crowd.spawn(async move { store.use_once([1; 16], at(1000), TTL).await.unwrap() });
    }
    assert_eq!(crowd.join_all().await.iter().filter(|first| **first).count(), 1);
    assert!(store.use_once([2; 16], at(1000), TTL).await.unwrap());
    store.sweep(at(1059)).await.unwrap();
    assert!(!store.use_once([1; 16], at(1059), TTL).await.unwrap());
    assert!(store.use_once([1; 16], at(1060), TTL).await.unwrap(), "its flow has expired by now");
}

/// Everything, over one store that is empty at first.
pub(super) async fn hold(store: Arc<dyn Store>) {
    store.healthy().await.unwrap();
    an_account_is_new_once(&*store).await;
    an_acknowledgement_stays(&*store).await;
    a_crowd_gets_one_new(Arc::clone(&store)).await;
    ended_sessions_are_listed_until_they_expire(&*store).await;
    activity_only_moves_forward(&*store).await;
    a_sweep_drops_only_what_has_expired(&*store).await;
    a_token_is_used_once(Arc::clone(&store)).await;
    store.healthy().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    hold(Arc::new(MemoryStore::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded() {
    let folder = tempfile::tempdir().unwrap();
    hold(Arc::new(super::EmbeddedStore::open(&folder.path().join("store.redb")).unwrap())).await;
}
