//! At which entrance did something arrive that was no request? Each engine answers that by itself, before any code of
//! ours sees it; counted all the same.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Which listener could not read a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// The reverse proxy's.
    Proxy,
    /// The one that gateways ask.
    ForwardAuth,
    /// That of health and metrics.
    Ops,
    /// That of probes of the app.
    Probes,
}

impl Entrance {
    const ALL: [Self; 4] = [Self::Proxy, Self::ForwardAuth, Self::Ops, Self::Probes];

    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::ForwardAuth => "forward_auth",
            Self::Ops => "ops",
            Self::Probes => "probes",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    entrance: &'static str,
}

/// A counter for each.
#[derive(Debug)]
pub(super) struct Unreadable([Counter; 4]);

impl Unreadable {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let family: Family<Labels, Counter> = Family::default();
        let name = "unreadable_requests";
        registry.register(name, "What arrived and was no request, by entrance", family.clone());
        Self(Entrance::ALL.map(|at| family.get_or_create_owned(&Labels { entrance: at.as_str() })))
    }

    pub(super) fn count(&self, at: Entrance) {
        // Variants count from zero in the order of `ALL`.
        if let Some(counter) = self.0.get(at as usize) {
            counter.inc();
        }
    }
}
