//! What is written down about each request? Never a query, a cookie, a header value beyond the user agent.

use std::net::IpAddr;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::metrics::Decision;

/// One finished request.
#[derive(Clone, Copy, Debug)]
pub struct AccessEntry<'a> {
    /// When it ended.
    pub time: Timestamp,
    /// Its name.
    pub request_id: &'a str,
    /// Who asked.
    pub client: IpAddr,
    /// The method; empty when no request could be read.
    pub method: &'a str,
    /// The path, without the query.
    pub path: &'a str,
    /// The status sent; 0 when none was.
    pub status: u16,
    /// Bytes of body sent.
    pub bytes_out: u64,
    /// From the first byte of the answer being prepared to its end.
    pub duration: Duration,
    /// How it was decided; `None` when it was no request.
    pub decision: Option<Decision>,
    /// The account, on signed-in requests.
    pub account_id: Option<&'a str>,
    /// `User-Agent`.
    pub user_agent: Option<&'a str>,
    /// What the upstream answered.
    pub upstream_status: Option<u16>,
    /// How long the upstream took to answer.
    pub upstream_duration: Option<Duration>,
}

/// Where entries go. Called on the request's own thread: must not block.
pub trait AccessLog: Send + Sync {
    /// Takes an entry.
    fn record(&self, entry: &AccessEntry<'_>);
}
