//! How many streams are open, and how many were ended by us? By kind, and why.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Metrics, Open};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    kind: &'static str,
    reason: &'static str,
}

/// The series.
#[derive(Debug)]
pub(super) struct Streams {
    open: Family<KindLabels, Gauge>,
    ended: Family<EndLabels, Counter>,
}

impl Streams {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let (open, ended) = (Family::default(), Family::default());
        registry.register("streams_open", "Open streams, by kind", Family::clone(&open));
        let help = "Streams and bodies that were ended, by kind and reason";
        registry.register("streams_ended", help, Family::clone(&ended));
        Self { open, ended }
    }
}

impl Metrics {
    /// Counts a stream as long as the value lives: `websocket`, `event_stream` or `grpc`.
    pub fn stream(&self, kind: &'static str) -> Open {
        Open::new(&self.streams.open.get_or_create(&KindLabels { kind }))
    }

    /// Counts what was ended by us, `body` among the kinds.
    pub fn stream_ended(&self, kind: &'static str, reason: &'static str) {
        self.streams.ended.get_or_create(&EndLabels { kind, reason }).inc();
    }
}
