//! Where does a span stand in its trace? Between W3C's words and OpenTelemetry's types.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::net::TraceParent;

pub(super) fn continue_from(span: &Span, parent: TraceParent) {
    let flags = if parent.sampled() { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let (trace, caller) = (TraceId::from_bytes(parent.trace_id()), SpanId::from_bytes(parent.parent_id()));
    let there = SpanContext::new(trace, caller, flags, true, TraceState::default());
    // Fails where spans are collected by somebody else: then there is no trace to continue.
    let _elsewhere = span.set_parent(Context::new().with_remote_span_context(there));
}

pub(super) fn place(span: &Span) -> Option<TraceParent> {
    let context = span.context();
    let span = context.span();
    let here = span.span_context();
    here.is_valid()
        .then(|| TraceParent::of(here.trace_id().to_bytes(), here.span_id().to_bytes(), here.is_sampled()))
}
