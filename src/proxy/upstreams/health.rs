//! Is a server well? It is asked now and then, over connections made as those for requests are.
//!
//! Every address of every server is asked by itself; all at once, and not in step with other replicas. What follows from
//! the answers is [`Backend`]'s to say.

use std::sync::Arc;

use http::{Uri, Version};
use pingora::connectors::ConnectorOptions;
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::protocols::http::client::HttpSession;
use pingora::upstreams::peer::HttpPeer;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::app::Upstream;
use super::backend::Backend;
use super::failure::of_connection;
use super::tls::NOBODY;
use crate::entropy::jittered;
use crate::proxy::settings::HealthCheck;

/// Asks all servers of an upstream, for ever. Returns when nothing is set to be asked.
pub(super) async fn watch(upstream: Arc<Upstream>) {
    let Some(check) = upstream.health().cloned() else { return };
    let mut options = ConnectorOptions::new(1);
    options.ca_file = Some(NOBODY.into());
    let connector: Arc<Connector> = Arc::new(Connector::new(Some(options)));
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
    let host = upstream.pool().own_host(&backend).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let question = status(&connector, &peer, host, upstream.peers().tls(), &check.path);
    let answer = match timeout(check.timeout, question).await {
        Ok(Ok(status @ 200..=399)) => Ok(status),
        Ok(Ok(status)) => Err(format!("its health check was answered with {status}")),
        Ok(Err(error)) => Err(format!("its health check failed: {}", of_connection(&error))),
        Err(_) => Err("its health check was not answered in time".to_owned()),
    };
    let change = backend.checked(answer.is_ok(), &check);
    upstream.pool().note(&backend, change, &answer.err().unwrap_or_default());
}

async fn status(
    connector: &Connector,
    peer: &HttpPeer,
    host: &str,
    tls: bool,
    path: &str,
) -> pingora::Result<u16> {
    let (mut session, _new) = connector.get_http_session(peer).await?;
    let mut header = RequestHeader::build("GET", path.as_bytes(), None)?;
    header.insert_header("User-Agent", concat!("anteroom/", env!("CARGO_PKG_VERSION"), " (health check)"))?;
    if matches!(session, HttpSession::H2(_)) {
        let scheme = if tls { "https" } else { "http" };
        let parts = Uri::builder().scheme(scheme).authority(host).path_and_query(path).build();
        header.set_uri(
            parts.map_err(|_| pingora::Error::explain(pingora::ErrorType::InternalError, "no URI"))?,
        );
        header.set_version(Version::HTTP_2);
    } else {
        header.insert_header("Host", host)?;
        header.insert_header("Connection", "close")?;
    }
    session.write_request_header(Box::new(header)).await?;
    session.finish_request_body().await?;
    session.read_response_header().await?;
    let status = session.response_header().map_or(0, |header| header.status.as_u16());
    session.shutdown().await;
    Ok(status)
}
