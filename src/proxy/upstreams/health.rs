//! Is a server well? It is asked now and then, over connections made as those for requests are.
//!
//! Every address of every server is asked by itself; all at once, and not in step with other replicas. What follows from
//! the answers is [`Backend`]'s to say.

use std::sync::Arc;

use http::{HeaderValue, Method};
use pingora::connectors::http::Connector;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::app::Upstream;
use super::backend::Backend;
use super::failure::of_connection;
use super::question::{self, Answer, Question};
use crate::entropy::jittered;
use crate::proxy::settings::HealthCheck;

/// Asks all servers of an upstream, for ever. Returns when nothing is set to be asked.
pub(super) async fn watch(upstream: Arc<Upstream>) {
    let Some(check) = upstream.health().cloned() else { return };
    let connector = Arc::new(question::connector());
    loop {
        if upstream.pool().backends().is_empty() {
            upstream.pool().look_up().await;
        }
        let mut questions = JoinSet::new();
        for backend in upstream.pool().backends().iter() {
            questions.spawn(ask(
                Arc::clone(&upstream),
                Arc::clone(backend),
                Arc::clone(&connector),
                check.clone(),
            ));
        }
        while questions.join_next().await.is_some() {}
        sleep(jittered(check.interval)).await;
    }
}

async fn ask(upstream: Arc<Upstream>, backend: Arc<Backend>, connector: Arc<Connector>, check: HealthCheck) {
    let Some(peer) = upstream.peers().health(&backend.address) else { return };
    let user_agent =
        HeaderValue::from_static(concat!("anteroom/", env!("CARGO_PKG_VERSION"), " (health check)"));
    let (host, target, method) = (upstream.own_host(&backend), &*check.path, &Method::GET);
    let question = Question { method, target, host, user_agent: &user_agent, most: 0 };
    let question = question::ask(&connector, &peer, upstream.speaks_tls(), question);
    let answer = match timeout(check.timeout, question).await {
        Ok(Ok(Answer { status: 200..=399, .. })) => Ok(()),
        Ok(Ok(Answer { status, .. })) => Err(format!("its health check was answered with {status}")),
        Ok(Err(error)) => Err(format!("its health check failed: {}", of_connection(&error))),
        Err(_) => Err("its health check was not answered in time".to_owned()),
    };
    let change = backend.checked(answer.is_ok(), &check);
    upstream.pool().note(&backend, change, &answer.err().unwrap_or_default());
}
