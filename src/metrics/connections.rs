//! What is counted of connections before there is a request?

use super::{FileLabels, Metrics, OutcomeLabels, ReasonLabels};

impl Metrics {
    /// Counts what was refused on an HTTP/2 connection before any decision.
    pub fn http2_refused(&self, reason: &'static str) {
        self.http2_refusals.get_or_create_owned(&ReasonLabels { reason }).inc();
    }

    /// Counts a connection that was closed before any request.
    pub fn connection_refused(&self, reason: &'static str) {
        self.connections_refused.get_or_create_owned(&ReasonLabels { reason }).inc();
    }

    /// Counts a TLS handshake.
    pub fn tls_handshake(&self, outcome: &'static str) {
        self.tls_handshakes.get_or_create_owned(&OutcomeLabels { outcome }).inc();
    }

    /// Sets when each certificate runs out, in seconds since 1970, by its file; those of before are gone.
    pub fn tls_certificates(&self, expiries: impl IntoIterator<Item = (String, i64)>) {
        self.tls_certificates.clear();
        for (file, expires) in expiries {
            self.tls_certificates.get_or_create_owned(&FileLabels { file }).set(expires);
        }
    }
}
