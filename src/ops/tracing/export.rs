//! How do spans reach the collector? OTLP over HTTP with protobuf, through the HTTP client that the binary has anyway
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).
//!
//! The collector's answer is never followed anywhere else, and proxies of the environment are not used. `OTEL_SERVICE_NAME`,
//! `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_BSP_*` count as the SDK reads them; the address and the share are the
//! configuration's.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter as Otlp, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use reqwest::blocking::Client;
use tokio::time::Instant;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::registry::LookupSpan;

use super::{TracingError, TracingSettings};
use crate::secret::ExposeSecret;
use crate::span;

/// For one batch.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a collector that does not take spans is worth a line.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

pub(super) fn provider(settings: &TracingSettings) -> Result<SdkTracerProvider, TracingError> {
    let base = settings.endpoint.trim_end_matches('/');
    let headers: HashMap<_, _> = settings
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.expose_secret().to_owned()))
        .collect();
    let exporter = Otlp::builder()
        .with_http()
        .with_http_client(client(base.starts_with("http://"))?)
        .with_endpoint(format!("{base}/v1/traces"))
        .with_timeout(PATIENCE)
        .with_headers(headers)
        .build()
        .map_err(|error| TracingError::Endpoint(error.to_string()))?;
    Ok(SdkTracerProvider::builder()
        .with_resource(resource())
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample))))
        .with_batch_exporter(Remarking { inner: exporter, said: Mutex::new(Said::default()) })
        .build())
}

pub(super) fn layer<S>(provider: &SdkTracerProvider) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("anteroom"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false);
    // Events stay in the log: they are other people's words.
    Box::new(layer.with_filter(Targets::new().with_target(span::TARGET, LevelFilter::INFO)))
}

/// Its own thread makes it, for it may not be made where others wait for their turn.
fn client(plain: bool) -> Result<Client, TracingError> {
    let make = move || {
        // reqwest takes the process-wide provider of cryptography; whoever came first has set the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .user_agent(concat!("anteroom/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .timeout(PATIENCE);
        // A collector beside us needs no CA certificates, and a minimal container has none.
        let builder = if plain { builder.tls_certs_only([]) } else { builder };
        builder.build().map_err(|error| error.to_string())
    };
    let made = std::thread::Builder::new().name("traces".into()).spawn(make);
    let made = made
        .map_err(|error| error.to_string())
        .and_then(|thread| thread.join().unwrap_or_else(|_| Err("its HTTP client could not be made".into())));
    made.map_err(TracingError::Start)
}

/// Who we are: `anteroom`, unless the environment says otherwise.
fn resource() -> Resource {
    let found = Resource::builder().build();
    let named = found.get(&"service.name".into()).map(|name| name.to_string()).unwrap_or_default();
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let builder = Resource::builder().with_attribute(version);
    if named.is_empty() || named.starts_with("unknown_service") {
        builder.with_service_name("anteroom").build()
    } else {
        builder.build()
    }
}

/// Says now and then that spans are lost.
#[derive(Debug)]
struct Remarking<E> {
    inner: E,
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    last: Option<Instant>,
    lost: usize,
}

impl<E: SpanExporter> SpanExporter for Remarking<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.inner.export(batch).await;
        if let Err(error) = &result {
            self.lost(spans, error);
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E> Remarking<E> {
    fn lost(&self, spans: usize, error: &dyn Error) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.lost = said.lost.saturating_add(spans);
        if said.last.is_some_and(|last| last.elapsed() < COMPLAIN_EVERY) {
            return;
        }
        said.last = Some(Instant::now());
        let spans = std::mem::take(&mut said.lost);
        tracing::warn!(spans, %error, "the collector did not take these traces; they are lost, requests are not held up");
    }
}
