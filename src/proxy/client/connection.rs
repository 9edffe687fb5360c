//! What do the hooks and the accept loop know of a client's connection? Who is on the other end, how far it has come, and
//! whether it was refused before there was a request.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU64, Ordering};

use http::HeaderValue;

use crate::net::TrustedProxies;
use crate::proxy::chunks::arriving::Standing;
use crate::proxy::streams::watch::Watch;

/// What the hooks and the accept loop know of a connection.
#[derive(Debug)]
pub(in crate::proxy) struct Connection {
    /// Who is on the other end; `0.0.0.0` on a Unix socket, where nobody has an address.
    pub(in crate::proxy) ip: IpAddr,
    /// The same, as `X-Forwarded-For` says it: `unknown` without an address (RFC 7239 §6.2).
    pub(in crate::proxy) forwarded_for: HeaderValue,
    /// Says when what is under way must end.
    pub(in crate::proxy) watch: Arc<Watch>,
    unix: bool,
    pub(super) stage: AtomicU8,
    pub(super) refusal: AtomicU16,
    linger: AtomicBool,
    /// How much of the request's body is still to be read from the socket.
    due: AtomicU64,
    went_on: AtomicBool,
    /// Of the request's body, as far as it comes in chunks.
    pub(in crate::proxy) chunks: Standing,
}

pub(super) const HEADER: u8 = 0;
pub(super) const RESTING: u8 = 1;
pub(super) const SERVING: u8 = 2;

/// The body ends elsewhere than after so many bytes: never, with its chunks, or by HTTP/2's rules.
const UNKNOWN: u64 = u64::MAX;

/// Stands for the 400 that HTTP in the clear gets where TLS is due (the number is nginx's).
pub(super) const PLAIN_HTTP: u16 = 497;

impl Connection {
    /// A new connection from this address, or over a Unix socket; its first header is due.
    pub(in crate::proxy) fn new(peer: Option<IpAddr>) -> Self {
        let known = peer.map(|ip| ip.to_canonical());
        let forwarded_for = known.and_then(|ip| HeaderValue::from_str(&ip.to_string()).ok());
        Self {
            ip: known.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            forwarded_for: forwarded_for.unwrap_or(HeaderValue::from_static("unknown")),
            watch: Watch::new(),
            unix: known.is_none(),
            stage: AtomicU8::new(HEADER),
            refusal: AtomicU16::new(0),
            linger: AtomicBool::new(false),
            due: AtomicU64::new(UNKNOWN),
            went_on: AtomicBool::new(false),
            chunks: Standing::new(),
        }
    }

    /// The address of the other end; a peer on a Unix socket has none.
    pub(in crate::proxy) fn address(&self) -> Option<IpAddr> {
        (!self.unix).then_some(self.ip)
    }

    /// Whether the other end is one of these.
    pub(in crate::proxy) fn is_one_of(&self, peers: &TrustedProxies) -> bool {
        peers.knows((!self.unix).then_some(self.ip))
    }

    /// A header has been read: from here on the hooks answer, and every byte passes as it is. HTTP/2 begins like this.
    pub(in crate::proxy) fn serving(&self) {
        self.stage.store(SERVING, Ordering::Relaxed);
    }

    /// The request is done and the connection kept.
    pub(in crate::proxy) fn resting(&self) {
        self.stage.store(RESTING, Ordering::Relaxed);
        self.due.store(UNKNOWN, Ordering::Relaxed);
    }

    /// So much of the request is still to come.
    pub(super) fn expect(&self, bytes: u64) {
        self.due.store(bytes, Ordering::Relaxed);
    }

    /// Of the request's body, so much has been read.
    pub(super) fn read(&self, bytes: usize) {
        let due = self.due.load(Ordering::Relaxed);
        if due != UNKNOWN {
            self.due.store(due.saturating_sub(u64::try_from(bytes).unwrap_or(UNKNOWN)), Ordering::Relaxed);
        }
    }

    /// Whether the request has been read to its last byte.
    pub(super) fn complete(&self) -> bool {
        self.due.load(Ordering::Relaxed) == 0 || self.chunks.ended() || self.went_on()
    }

    /// The client has sent something behind a request that is not answered yet.
    pub(super) fn go_on(&self) {
        self.went_on.store(true, Ordering::Relaxed);
        self.linger();
    }

    /// Whether it has: then this answer is the last.
    pub(in crate::proxy) fn went_on(&self) -> bool {
        self.went_on.load(Ordering::Relaxed)
    }

    /// The answer comes before the end of the request.
    pub(in crate::proxy) fn linger(&self) {
        self.linger.store(true, Ordering::Relaxed);
    }

    /// The status of the answer that was given without any hook, if that happened.
    pub(in crate::proxy) fn refusal(&self) -> Option<u16> {
        match self.refusal.load(Ordering::Relaxed) {
            0 => None,
            PLAIN_HTTP => Some(400),
            status => Some(status),
        }
    }

    /// The client spoke HTTP in the clear where TLS is due.
    pub(in crate::proxy) fn refuse_plain_http(&self) {
        self.refuse(PLAIN_HTTP);
    }

    pub(super) fn lingers(&self) -> bool {
        self.linger.load(Ordering::Relaxed) || self.refusal().is_some()
    }

    pub(super) fn refuse(&self, status: u16) {
        // The first reason is the one to tell.
        let _kept = self.refusal.compare_exchange(0, status, Ordering::Relaxed, Ordering::Relaxed);
    }
}
