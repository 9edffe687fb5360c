//! How is a probe put to the app? Over connections made as those for requests are, with a header of its own making: nothing of a
//! client's but the method, the path and a kubelet's name.
//!
//! Guarantees: only paths in force are asked for, compared byte by byte; no identity, no cookie and no header that the
//! operator sets for signed-in requests goes on.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use http::{HeaderValue, StatusCode};
use pingora::connectors::http::Connector;
use tokio::time::timeout;

use super::service::Service;
use super::upstreams::{Kind, Question, ask, connector, of_connection};
use crate::ops::probes::{Answered, AskApp, MOST_OF_A_BODY, NoAnswer, Probe};

/// No probe waits longer: the listener is about to close its connection.
const LONGEST: Duration = Duration::from_secs(50);

/// Asks the app in whose settings are in force when the probe arrives.
pub struct Prober {
    in_force: Arc<ArcSwap<Service>>,
    connector: Connector,
}

impl Prober {
    pub(super) fn new(in_force: Arc<ArcSwap<Service>>) -> Self {
        Self { in_force, connector: connector() }
    }
}

impl std::fmt::Debug for Prober {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prober").finish_non_exhaustive()
    }
}

#[async_trait]
impl AskApp for Prober {
    async fn ask(&self, probe: Probe) -> Result<Answered, NoAnswer> {
        let service = self.in_force.load_full();
        if !service.settings.probes.contains(&probe.path) {
            return Err(NoAnswer::UnknownPath);
        }
        let upstream = service.upstreams.of(None, &probe.path).map_err(|_| NoAnswer::UnknownPath)?;
        let failed = |error: pingora::BError| NoAnswer::Failed(of_connection(&error).into_owned());
        let target = upstream.rewritten(&probe.path).map_err(failed)?;
        let (peer, under_way) = upstream
            .peer(Kind::Plain, None, &[])
            .await
            .map_err(|error| NoAnswer::Failed(error.to_string()))?;
        let own = HeaderValue::from_static(concat!("anteroom/", env!("CARGO_PKG_VERSION"), " (probe)"));
        let question = Question {
            method: &probe.method,
            target: target.as_deref().unwrap_or(&probe.path),
            host: upstream.own_host(under_way.backend()),
            user_agent: probe.user_agent.as_ref().unwrap_or(&own),
            most: MOST_OF_A_BODY,
        };
        // One time for all of it: an app that sends a byte now and then holds a place as well.
        let patience = peer.options.read_timeout.map_or(LONGEST, |read| read.min(LONGEST));
        let answer = timeout(patience, ask(&self.connector, &peer, upstream.speaks_tls(), question)).await;
        let answer = answer
            .map_err(|_| NoAnswer::Failed("it took longer than proxy.timeouts.read, or 50 s".into()))?
            .map_err(failed)?;
        let status = StatusCode::from_u16(answer.status).ok().filter(|status| !status.is_informational());
        let status = status.ok_or_else(|| NoAnswer::Failed("its answer has no final status".into()))?;
        Ok(Answered { status, content_type: answer.content_type, body: answer.body })
    }
}
