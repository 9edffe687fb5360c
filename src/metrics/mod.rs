//! What is counted? Every series of `/metrics`, with its label sets resolved once, so that counting is one atomic add.
//!
//! No series has a label that a client can make up (no user, email, path). Prometheus naming, base units.
//! <https://prometheus.io/docs/practices/naming/>

mod connections;
mod decision;
mod entrance;
mod exemplar;
mod sign_ins;
mod streams;

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::net::Limit;
pub use decision::{Decision, Mode};
pub use entrance::Entrance;
use entrance::Unreadable;
pub use exemplar::Exemplar;

/// The boundaries of OpenTelemetry's `http.server.request.duration`, in seconds.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    decision: &'static str,
    mode: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SignInLabels {
    outcome: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    endpoint: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FileLabels {
    file: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpstreamLabels {
    upstream: String,
    server: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
}

/// Every series.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<CodeLabels, Counter>,
    codes: Vec<OnceLock<Counter>>,
    duration: HistogramWithExemplars<Exemplar>,
    unreadable: Unreadable,
    decisions: Vec<Counter>,
    sign_ins_started: Counter,
    sign_ins: Family<SignInLabels, Counter>,
    hand_offs: Family<OutcomeLabels, Counter>,
    atlassian: Family<CallLabels, Histogram, fn() -> Histogram>,
    sign_outs: Counter,
    store_errors: Counter,
    upstream_errors: Counter,
    upstream_healthy: Family<UpstreamLabels, Gauge>,
    gateway_refusals: Family<ReasonLabels, Counter>,
    probes: Family<OutcomeLabels, Counter>,
    http2_refusals: Family<ReasonLabels, Counter>,
    connections_refused: Family<ReasonLabels, Counter>,
    tls_handshakes: Family<OutcomeLabels, Counter>,
    tls_certificates: Family<FileLabels, Gauge>,
    limits: [Counter; Limit::ALL.len()],
    log_lines_dropped: Counter,
    reloads: Family<OutcomeLabels, Counter>,
    reload_succeeded: Gauge<u64, AtomicU64>,
    reload_succeeded_at: Gauge<u64, AtomicU64>,
    /// Connections that are open now.
    pub connections: Gauge,
    /// Upgraded connections (WebSocket) that are open now.
    pub websockets: Gauge,
    streams: streams::Streams,
    sessions_live: Gauge<i64>,
    ready: Gauge<u64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All series at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("anteroom");
        macro_rules! register {
            ($name:literal, $help:literal, $metric:expr) => {{
                let metric = $metric;
                registry.register($name, $help, metric.clone());
                metric
            }};
        }
        let histogram: fn() -> Histogram = || Histogram::new(SECONDS);
        let requests = register!("http_requests", "Requests answered, by status", Family::default());
        let duration = HistogramWithExemplars::new(SECONDS.into_iter());
        registry.register_with_unit(
            "http_request_duration",
            "Time to the end of the answer",
            Unit::Seconds,
            duration.clone(),
        );
        let decided: Family<DecisionLabels, Counter> =
            register!("authz_decisions", "Decisions, by outcome and mode", Family::default());
        let labelled = |mode: Mode, decision: Decision| {
            decided.get_or_create_owned(&DecisionLabels { decision: decision.as_str(), mode: mode.as_str() })
        };
        let limited: Family<LimitLabels, Counter> =
            register!("limits", "Clients that ran into a limit", Family::default());
        let atlassian = Family::new_with_constructor(histogram);
        registry.register_with_unit(
            "idp_request_duration",
            "Calls to Atlassian",
            Unit::Seconds,
            atlassian.clone(),
        );
        let tls_certificates = Family::<FileLabels, Gauge>::default();
        registry.register_with_unit(
            "tls_certificate_expiry_timestamp",
            "When a certificate runs out",
            Unit::Seconds,
            tls_certificates.clone(),
        );
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The running build", Info::new(version));
        Self {
            requests,
            codes: (0..1000).map(|_| OnceLock::new()).collect(),
            duration,
            unreadable: Unreadable::new(&mut registry),
            decisions: Mode::ALL
                .iter()
                .flat_map(|mode| Decision::ALL.iter().map(|decision| labelled(*mode, *decision)))
                .collect(),
            sign_ins_started: register!("signins_started", "Browsers sent to Atlassian", Counter::default()),
            sign_ins: register!("signins", "Callbacks, by outcome and reason", Family::default()),
            hand_offs: register!(
                "hand_offs",
                "Sessions handed to an app's host, by outcome",
                Family::default()
            ),
            atlassian,
            sign_outs: register!("signouts", "Sessions ended by their owner", Counter::default()),
            store_errors: register!("session_store_errors", "Store calls that failed", Counter::default()),
            upstream_errors: register!(
                "upstream_errors",
                "Requests the upstream did not answer",
                Counter::default()
            ),
            upstream_healthy: register!(
                "upstream_healthy",
                "1 when a server of an upstream takes requests",
                Family::default()
            ),
            gateway_refusals: register!(
                "forward_auth_refusals",
                "Questions of gateways that got no decision, by reason",
                Family::default()
            ),
            probes: register!("probes", "Probes of the app, by outcome", Family::default()),
            http2_refusals: register!(
                "http2_refusals",
                "HTTP/2 requests and connections refused before any decision, by reason",
                Family::default()
            ),
            connections_refused: register!(
                "connections_refused",
                "Connections closed before any request, by reason",
                Family::default()
            ),
            tls_handshakes: register!("tls_handshakes", "TLS handshakes, by outcome", Family::default()),
            tls_certificates,
            limits: Limit::ALL
                .map(|limit| limited.get_or_create_owned(&LimitLabels { limit: limit.as_str() })),
            log_lines_dropped: register!(
                "log_lines_dropped",
                "Log lines lost to a full queue",
                Counter::default()
            ),
            reloads: register!(
                "config_reloads",
                "Attempts to read the configuration anew, by outcome",
                Family::default()
            ),
            reload_succeeded: register!(
                "config_last_reload_successful",
                "1 when the latest attempt to read the configuration succeeded",
                Gauge::default()
            ),
            reload_succeeded_at: register!(
                "config_last_reload_success_timestamp_seconds",
                "When the configuration in force was last read",
                Gauge::default()
            ),
            connections: register!("connections", "Open client connections", Gauge::default()),
            websockets: register!("websockets", "Open WebSockets", Gauge::default()),
            streams: streams::Streams::new(&mut registry),
            sessions_live: register!(
                "sessions_active",
                "Sessions in use within the idle timeout",
                Gauge::default()
            ),
            ready: register!("ready", "1 when the process takes traffic", Gauge::default()),
            registry,
        }
    }

    /// Counts an answered request.
    pub fn request(&self, code: u16, took: Duration) {
        self.request_of(code, took, None);
    }

    /// Counts an answered request, and keeps `example` as the latest of those that took about as long.
    pub fn request_of(&self, code: u16, took: Duration, example: Option<Exemplar>) {
        if let Some(slot) = self.codes.get(usize::from(code)) {
            slot.get_or_init(|| self.requests.get_or_create_owned(&CodeLabels { code })).inc();
        }
        self.duration.observe(took.as_secs_f64(), example, None);
    }

    /// Counts what arrived and was no request.
    pub fn unreadable(&self, at: Entrance) {
        self.unreadable.count(at);
    }

    /// Counts a probe of the app: `passed`, `failed`, `unanswered` or `refused`.
    pub fn probe(&self, outcome: &'static str) {
        self.probes.get_or_create_owned(&OutcomeLabels { outcome }).inc();
    }

    /// Counts a decision.
    pub fn decision(&self, decision: Decision, mode: Mode) {
        // Variants count from zero in the order of `ALL`.
        if let Some(counter) = self.decisions.get(mode as usize * Decision::ALL.len() + decision as usize) {
            counter.inc();
        }
    }

    /// Records a call to Atlassian.
    pub fn atlassian(&self, endpoint: &'static str, outcome: &'static str, took: Duration) {
        self.atlassian.get_or_create(&CallLabels { endpoint, outcome }).observe(took.as_secs_f64());
    }

    /// Counts a session that its owner ended.
    pub fn sign_out(&self) {
        self.sign_outs.inc();
    }

    /// Counts a store failure.
    pub fn store_error(&self) {
        self.store_errors.inc();
    }

    /// Counts an upstream failure.
    pub fn upstream_error(&self) {
        self.upstream_errors.inc();
    }

    /// The gauge of one server of an upstream: 1 when it takes requests.
    pub fn upstream_healthy(&self, upstream: &str, server: &str) -> Gauge {
        let labels = UpstreamLabels { upstream: upstream.to_owned(), server: server.to_owned() };
        self.upstream_healthy.get_or_create_owned(&labels)
    }

    /// Forgets a server that is no more.
    pub fn upstream_gone(&self, upstream: &str, server: &str) {
        let labels = UpstreamLabels { upstream: upstream.to_owned(), server: server.to_owned() };
        self.upstream_healthy.remove(&labels);
    }

    /// Counts a question of a gateway that got no decision.
    pub fn gateway_refused(&self, reason: &'static str) {
        self.gateway_refusals.get_or_create_owned(&ReasonLabels { reason }).inc();
    }

    /// Counts a client that ran into a limit.
    pub fn limit(&self, limit: Limit) {
        // Variants count from zero in the order of `ALL`.
        if let Some(counter) = self.limits.get(limit as usize) {
            counter.inc();
        }
    }

    /// Counts log lines that were dropped.
    pub fn log_line_dropped(&self) {
        self.log_lines_dropped.inc();
    }

    /// Notes that the configuration was read: `applied`, `unchanged` or `failed`, at `now` in seconds. The first time is
    /// the start of the process, which is no reload: [`Metrics::configured`].
    pub fn reloaded(&self, outcome: &'static str, now: u64) {
        self.reloads.get_or_create(&OutcomeLabels { outcome }).inc();
        match outcome {
            "failed" => drop(self.reload_succeeded.set(0)),
            _ => self.configured(now),
        }
    }

    /// Notes that what is in force was read well, at `now` in seconds.
    pub fn configured(&self, now: u64) {
        self.reload_succeeded.set(1);
        self.reload_succeeded_at.set(now);
    }

    /// Sets the number of sessions in use.
    pub fn sessions_live(&self, count: usize) {
        self.sessions_live.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Sets whether the process takes traffic.
    pub fn ready(&self, ready: bool) {
        self.ready.set(u64::from(ready));
    }

    /// The exposition, in the OpenMetrics text format.
    pub fn expose(&self) -> String {
        let mut out = String::new();
        // Writing into a String does not fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}

/// One more in a gauge for as long as this lives.
#[derive(Debug)]
pub struct Open(Gauge);

impl Open {
    /// Counts one in.
    pub fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposition_names() {
        let metrics = Metrics::new();
        metrics.request(200, Duration::from_millis(3));
        metrics.request_of(200, Duration::from_millis(30), Some(Exemplar::trace([0xab; 16])));
        metrics.request_of(200, Duration::from_secs(30), Exemplar::request("0123456789abcdef"));
        metrics.unreadable(Entrance::Ops);
        metrics.decision(Decision::Denied, Mode::Proxy);
        metrics.decision(Decision::Own, Mode::ForwardAuth);
        metrics.sign_in("success", "email_domains");
        metrics.limit(Limit::Exchanges);
        metrics.atlassian("token", "ok", Duration::from_millis(80));
        let text = metrics.expose();
        for line in [
            "anteroom_http_requests_total{code=\"200\"} 3",
            "anteroom_http_request_duration_seconds_bucket{le=\"0.005\"} 1\n",
            "seconds_bucket{le=\"0.05\"} 2 # {trace_id=\"abababababababababababababababab\"} 0.03\n",
            "seconds_bucket{le=\"+Inf\"} 3 # {request_id=\"0123456789abcdef\"} 30.0\n",
            "anteroom_unreadable_requests_total{entrance=\"ops\"} 1",
            "anteroom_unreadable_requests_total{entrance=\"proxy\"} 0",
            "anteroom_authz_decisions_total{decision=\"denied\",mode=\"proxy\"} 1",
            "anteroom_authz_decisions_total{decision=\"own\",mode=\"forward_auth\"} 1",
            "anteroom_signins_total{outcome=\"success\",reason=\"email_domains\"} 1",
            "anteroom_limits_total{limit=\"exchanges\"} 1",
            "anteroom_limits_total{limit=\"header_read\"} 0",
            "anteroom_idp_request_duration_seconds_count{endpoint=\"token\",outcome=\"ok\"} 1",
            "anteroom_build_info{version=",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
