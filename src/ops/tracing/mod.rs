//! Where do spans go? To an OTLP collector, if the operator names one; a build has the feature `otel` for that.
//!
//! A request's span continues the trace of a trusted hop and names its own place in it to the upstream (W3C Trace Context,
//! <https://www.w3.org/TR/trace-context/>). What is in spans is decided in [`crate::span`]. Sending happens on a thread of
//! its own, in batches; a collector that is slow or gone costs spans, never requests, and one line of log a minute.

#[cfg(feature = "otel")]
mod export;
#[cfg(feature = "otel")]
mod place;

use std::time::Duration;

use tracing::Span;

use crate::net::TraceParent;
use crate::secret::SecretString;

/// Where spans go, and how many of them.
#[derive(Clone, Debug)]
pub struct TracingSettings {
    /// The collector's base address (`http://127.0.0.1:4318`); `/v1/traces` is added.
    pub endpoint: String,
    /// The share of traces that begin here and are recorded, 0 to 1. Who continues a hop's trace does as that hop does.
    pub sample: f64,
    /// Sent along with every batch, such as a collector's key.
    pub headers: Vec<(String, SecretString)>,
}

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracingError {
    /// Built without it.
    #[error(
        "this build of Anteroom cannot send traces, as [ops.tracing] asks it to: it was made without the cargo feature \
         `otel`. Make one with `cargo build --release --features otel`, or remove [ops.tracing]"
    )]
    NotBuilt,
    /// The settings.
    #[error("`ops.tracing.endpoint` cannot be used: {0}; it should look like http://127.0.0.1:4318")]
    Endpoint(String),
    /// The system.
    #[error("the part that sends traces does not start: {0}")]
    Start(String),
}

/// What sends spans. Keep it to the end of the process and [`Traces::close`] it then.
#[derive(Debug)]
pub struct Traces {
    #[cfg(feature = "otel")]
    provider: opentelemetry_sdk::trace::SdkTracerProvider,
}

impl Traces {
    /// Starts the thread that sends. Nothing is sent until [`Traces::layer`] is part of a subscriber.
    #[cfg(feature = "otel")]
    pub fn start(settings: &TracingSettings) -> Result<Self, TracingError> {
        Ok(Self { provider: export::provider(settings)? })
    }

    /// Says that this build cannot.
    #[cfg(not(feature = "otel"))]
    pub fn start(_: &TracingSettings) -> Result<Self, TracingError> {
        Err(TracingError::NotBuilt)
    }

    /// What takes our spans, and nobody else's.
    pub fn layer<S>(&self) -> Box<dyn tracing_subscriber::Layer<S> + Send + Sync>
    where
        S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a> + Send + Sync,
    {
        #[cfg(feature = "otel")]
        return export::layer(&self.provider);
        #[cfg(not(feature = "otel"))]
        Box::new(tracing_subscriber::layer::Identity::new())
    }

    /// Sends what waits, for at most this long, and stops. Blocks.
    pub fn close(self, within: Duration) {
        #[cfg(feature = "otel")]
        if self.provider.shutdown_with_timeout(within).is_err() {
            tracing::warn!("the last traces could not be sent in time");
        }
        #[cfg(not(feature = "otel"))]
        let _none = within;
    }
}

/// Makes a request's span part of a trace that a trusted hop began. Before anything asks for [`place`].
pub fn continue_from(span: &Span, parent: Option<TraceParent>) {
    #[cfg(feature = "otel")]
    if !span.is_disabled()
        && let Some(parent) = parent
    {
        place::continue_from(span, parent);
    }
    #[cfg(not(feature = "otel"))]
    let _nowhere = (span, parent);
}

/// Where a span stands in its trace: what its children are told. None where no spans are collected.
pub fn place(span: &Span) -> Option<TraceParent> {
    #[cfg(feature = "otel")]
    return if span.is_disabled() { None } else { place::place(span) };
    #[cfg(not(feature = "otel"))]
    {
        let _nowhere = span;
        None
    }
}
