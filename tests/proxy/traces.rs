//! What does a collector get to see? One tree per request, continued from trusted hops alone, with nothing secret in it.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anteroom::net::{TraceParent, TrustedProxies};
use anteroom::ops::{Traces, TracingSettings};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;

use super::rig::{Rig, plan};
use crate::support::person::Person;
use crate::support::site::{Plan as SitePlan, Site};
use crate::support::upstream::Upstream;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const QUIET: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

/// Takes what is sent to `/v1/traces`, as a real one would.
struct Collector {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<Span>>>,
    services: Arc<Mutex<BTreeSet<String>>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (spans, services) =
            (Arc::<Mutex<Vec<Span>>>::default(), Arc::<Mutex<BTreeSet<String>>>::default());
        let (kept, names) = (Arc::clone(&spans), Arc::clone(&services));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, names) = (Arc::clone(&kept), Arc::clone(&names));
                let answer = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let (kept, names) = (Arc::clone(&kept), Arc::clone(&names));
                    async move {
                        assert_eq!(request.uri().path(), "/v1/traces");
                        assert_eq!(request.headers()["content-type"], "application/x-protobuf");
                        assert_eq!(request.headers()["x-collector-key"], "the-key-of-the-collector");
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        for resource in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
                            names.lock().unwrap().insert(format!("{:?}", resource.resource));
                            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
                            kept.lock().unwrap().extend(spans);
                        }
                        Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::default()))
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer),
                );
            }
        });
        Self { address, spans, services }
    }

    fn settings(&self) -> TracingSettings {
        TracingSettings {
            endpoint: format!("http://{}", self.address),
            sample: 1.0,
            headers: vec![("x-collector-key".into(), "the-key-of-the-collector".into())],
        }
    }

    /// Collects on this thread, where the whole of a test runs.
    fn traces(&self) -> (Traces, DefaultGuard) {
        let traces = Traces::start(&self.settings()).unwrap();
        let subscriber = tracing_subscriber::registry().with(traces.layer());
        (traces, tracing::subscriber::set_default(subscriber))
    }

    fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }
}

async fn close(traces: Traces) {
    tokio::task::spawn_blocking(move || traces.close(Duration::from_secs(20))).await.unwrap();
}

/// An attribute, as text.
fn attribute(span: &Span, name: &str) -> Option<String> {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let found = span.attributes.iter().find(|pair| pair.key == name)?;
    Some(match found.value.clone()?.value? {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

/// The names of a span's children, sorted.
fn children(spans: &[Span], of: &Span) -> Vec<String> {
    let mut names: Vec<_> =
        spans.iter().filter(|s| s.parent_span_id == of.span_id).map(|s| s.name.clone()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_proxied_request_is_one_tree_below_the_trusted_hop_and_above_the_upstream() {
    for (trusted, says, continued, recorded) in [
        (&["127.0.0.1"][..], TRACE, true, true),
        (&["127.0.0.1"], QUIET, true, false),
        (&["10.0.0.1"], TRACE, false, true),
        (&[], QUIET, false, true),
    ] {
        let (collector, upstream) = (Collector::start().await, Upstream::start().await);
        let (traces, _collecting) = collector.traces();
        let mut plan = plan(upstream.address());
        plan.settings.trusted = TrustedProxies::parse(trusted.iter().copied()).unwrap();
        let mut rig = Rig::start(plan).await;
        let answer = rig.get("/wiki?q=query-of-ada", &format!("traceparent: {says}\r\n")).await;
        assert_eq!(answer.status, 200);
        let told = TraceParent::parse(upstream.last().header("traceparent").unwrap().as_bytes()).unwrap();
        rig.stop();
        rig.stopped().await;
        close(traces).await;
        let line = rig.log.lines().pop().unwrap();

        let hop = TraceParent::parse(says.as_bytes()).unwrap();
        assert_eq!(told.trace_id() == hop.trace_id(), continued, "{trusted:?}");
        assert_eq!(told.sampled(), recorded, "{trusted:?} {says}");
        assert!(line.contains(&format!("trace_id: Some({:?})", told.trace_id())), "{line}");
        let exposed = rig.auth.metrics().expose();
        let spans = collector.spans();
        if !recorded {
            assert!(spans.is_empty() && !exposed.contains("trace_id="), "{spans:?}");
            continue;
        }
        assert!(spans.iter().all(|span| span.trace_id == told.trace_id()));
        let root = spans.iter().find(|span| span.name == "GET" && span.kind == 2).expect("a server span");
        let parent = if continued { hop.parent_id().to_vec() } else { Vec::new() };
        assert_eq!(root.parent_span_id, parent);
        assert_eq!(children(&spans, root), ["GET", "decision"]);
        let outward = spans.iter().find(|span| span.kind == 3).expect("a client span");
        assert_eq!(outward.span_id, told.parent_id());
        for (name, want) in [
            ("http.request.method", "GET"),
            ("url.path", "/wiki"),
            ("url.scheme", "https"),
            ("http.response.status_code", "200"),
            ("anteroom.decision", "signed_in"),
        ] {
            assert_eq!(attribute(root, name).as_deref(), Some(want), "{name}");
        }
        let id = attribute(root, "http.request.id").unwrap();
        assert_eq!(upstream.last().header("x-request-id"), Some(id.as_str()));
        let hex: String = told.trace_id().iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(exposed.contains(&format!("# {{trace_id=\"{hex}\"}}")), "{exposed}");
        let all = format!("{spans:?}");
        for secret in
            ["query-of-ada", rig.cookie.split_once('=').unwrap().1, "ada@example.com", "Ada Lovelace"]
        {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
        assert!(collector.services.lock().unwrap().iter().all(|service| service.contains("anteroom")));
    }
}

#[tokio::test]
async fn a_sign_in_is_one_tree_with_nothing_secret_in_it() {
    let collector = Collector::start().await;
    let (traces, _collecting) = collector.traces();
    let mut site = Site::with(SitePlan { traces: Some(traces), ..SitePlan::ada() }).await;
    let mut person = Person::new();
    person.headers.push(("traceparent", TRACE.into()));
    let page = person.visit(&site.url("/_anteroom/start?return_to=%2Fheaders")).await;
    assert!(page.status.is_success(), "{page:?}");
    // The end of the process sends what waits.
    site.stopped().await;

    let spans = collector.spans();
    let callback = spans
        .iter()
        .find(|span| attribute(span, "url.path").as_deref() == Some(crate::support::site::CALLBACK))
        .expect("the callback");
    assert!(callback.parent_span_id.is_empty(), "nobody trusts a browser's word");
    assert_eq!(
        children(&spans, callback),
        ["atlassian me", "atlassian token", "decision", "store record_sign_in", "store use_once"]
    );
    let theirs = TraceParent::parse(TRACE.as_bytes()).unwrap().trace_id();
    assert!(spans.iter().all(|span| span.trace_id != theirs));

    let mut secrets: Vec<String> = vec!["ada@example.com".into()];
    let origins = [site.url(""), site.emulator.base_url().as_str().trim_end_matches('/').to_owned()];
    secrets.extend(origins.iter().flat_map(|origin| person.cookies(origin).into_values()));
    for entry in site.emulator.journal() {
        secrets.extend(entry.query.into_iter().chain(entry.body).filter_map(|(name, value)| {
            matches!(name.as_str(), "code" | "state" | "client_secret" | "code_verifier" | "code_challenge")
                .then_some(value)
        }));
        secrets.extend(entry.authorization.map(|line| line.trim_start_matches("Bearer ").to_owned()));
    }
    assert!(secrets.len() > 5, "{secrets:?}");
    let all = format!("{spans:?}");
    for secret in secrets {
        assert!(!all.contains(&secret), "{secret} in {all}");
    }
}

/// A collector that is gone costs spans; requests, and the end of the process, do not wait for it.
#[tokio::test]
async fn a_collector_that_is_gone_holds_nobody_up() {
    let gone = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let traces = Traces::start(&TracingSettings { endpoint, sample: 1.0, headers: Vec::new() }).unwrap();
    let _collecting = tracing::subscriber::set_default(tracing_subscriber::registry().with(traces.layer()));
    let upstream = Upstream::start().await;
    let rig = Rig::start(plan(upstream.address())).await;
    for _ in 0..20 {
        assert_eq!(rig.get("/", "").await.status, 200);
    }
    tokio::time::timeout(crate::support::DEADLINE, close(traces)).await.expect("an end");
}
