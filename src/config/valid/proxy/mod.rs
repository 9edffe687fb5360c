//! `[proxy]`, checked: one listener, the apps behind it, and limits that leave room to work.

mod health;
mod limits;
mod origins;
mod pick;
mod probes;
mod server;
mod tls;
mod upstream;
mod upstreams;

use super::listen::{self, Listen};
use super::peers;
use super::public_url::PublicUrl;
use super::sites::Sites;
use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::{RawClientHeader, RawProxy};
use crate::identity::headers::Layout;
use crate::net::TrustedProxies;
use crate::net::hops::ClientHeader;

pub use health::{Ejection, HealthCheck};
pub use limits::{Limits, Timeouts, UpstreamTimeouts};
pub use origins::WebSocketOrigins;
pub use probes::Probes;
pub use server::Server;
pub use tls::{CertificateFiles, ClientCertificates, Tls};
pub use upstream::{Balance, Protocol, Upstream, UpstreamTls};

/// Where requests arrive and where they go.
#[derive(Clone, Debug, PartialEq)]
pub struct Proxy {
    /// Where to listen.
    pub listen: Listen,
    /// The apps behind; at least one. One for certain hosts stands before one for all; no two are for the same host and
    /// path.
    pub upstreams: Vec<Upstream>,
    /// The hops in front whose word about the client counts; may be nobody.
    pub trusted: TrustedProxies,
    /// In which header they say whom a request is from.
    pub client_header: ClientHeader,
    /// The peers that begin every connection with a PROXY header; may be nobody.
    pub proxy_protocol: TrustedProxies,
    /// Whether upstreams get `Forwarded` too.
    pub forwarded: bool,
    /// From which pages a WebSocket may be opened.
    pub websocket_origins: WebSocketOrigins,
    /// Whether clients may speak HTTP/2.
    pub http2: bool,
    /// TLS towards clients, if any.
    pub tls: Option<Tls>,
    /// Which health checks are handed on to the app, if any.
    pub probes: Option<Probes>,
    /// How long to wait for clients.
    pub timeouts: Timeouts,
    /// How much clients may ask for.
    pub limits: Limits,
}

/// What `[proxy]` has to fit to.
pub(super) struct Around<'a> {
    /// Unless they are wrong themselves.
    pub(super) sites: Option<&'a Sites>,
    /// Unless that is wrong itself.
    pub(super) public_url: Option<&'a PublicUrl>,
    /// The names that carry identities, unless they are wrong themselves.
    pub(super) identity: Option<&'a Layout>,
    /// Whether it may be left out: gateways ask.
    pub(super) optional: bool,
}

impl Around<'_> {
    /// Nothing to fit to.
    const fn nothing() -> Self {
        Self { sites: None, public_url: None, identity: None, optional: false }
    }
}

const TRUSTED: &str = "proxy.trusted_proxies";
const PROXY_PROTOCOL: &str = "proxy.proxy_protocol";

/// `Some(None)` when there is no upstream and none is needed. What else is written is checked all the same.
pub(super) fn check(raw: &RawProxy, around: &Around<'_>, check: &mut Check<'_>) -> Option<Option<Proxy>> {
    let listen = listen::check("proxy", &raw.listen, &raw.unix_mode, check);
    let times = limits::timeouts(&raw.timeouts, check);
    let unread = check.unreadable(&KeyPath::of("proxy.upstreams"));
    let off = around.optional && raw.upstream.is_none() && raw.upstreams.is_empty() && !unread;
    let upstreams = upstreams::check(raw, off, times.map(|(_, upstream)| upstream), around, check);
    let meaning = "Whoever is trusted says for which client a request is";
    let trusted = peers::check(TRUSTED, &raw.trusted_proxies, meaning, check);
    let proxy_protocol = peers::check(PROXY_PROTOCOL, &raw.proxy_protocol, meaning, check);
    let websocket_origins = origins::check(&raw.websocket_origins, check);
    let tls = tls::check(raw.tls.as_ref(), check);
    let probes = probes::check(raw.probes.as_ref(), check);
    let limits = limits::check(&raw.limits, check);
    if let (Some(listen), Some(trusted), Some(proxy_protocol)) = (&listen, &trusted, &proxy_protocol) {
        somebody_can_come(listen, trusted, proxy_protocol, check);
    }
    if raw.tls.is_some() && around.public_url.is_some_and(|url| !url.secure()) {
        let mistake = Mistake::new(
            "config.tls-mismatch",
            "`proxy.tls` is there, and `public_url` is http",
            "Browsers would knock without TLS, and cookies are made for http",
            "write public_url = \"https://…\", or remove [proxy.tls]",
        );
        check.warn(&KeyPath::of("public_url"), mistake);
    }
    if let (Some(listen), Some(upstreams)) = (&listen, &upstreams) {
        not_itself(listen, upstreams, check);
    }
    if let (Some(Some(probes)), Some(upstreams), false) = (&probes, &upstreams, off) {
        not_itself(&Listen::Tcp(probes.listen), upstreams, check);
        let upstreams: Vec<_> = upstreams.iter().map(|(_, upstream)| upstream.clone()).collect();
        probes::somebody_answers(probes, &upstreams, check);
    }
    let (upstreams, (timeouts, _), limits) = (upstreams?, times?, limits?);
    let proxy = Proxy {
        listen: listen?,
        upstreams: upstreams.into_iter().map(|(_, upstream)| upstream).collect(),
        trusted: trusted?,
        client_header: match raw.client_header {
            RawClientHeader::XForwardedFor => ClientHeader::XForwardedFor,
            RawClientHeader::Forwarded => ClientHeader::Forwarded,
        },
        proxy_protocol: proxy_protocol?,
        forwarded: raw.forwarded,
        websocket_origins: websocket_origins?,
        http2: raw.http2,
        tls: tls?,
        probes: probes?,
        timeouts,
        limits,
    };
    Some((!off).then_some(proxy))
}

/// Warns of trust that can never count.
fn somebody_can_come(
    listen: &Listen,
    trusted: &TrustedProxies,
    proxy_protocol: &TrustedProxies,
    check: &mut Check<'_>,
) {
    let meaning = "Nobody comes that way: the entry never counts";
    for (key, peers) in [(TRUSTED, trusted), (PROXY_PROTOCOL, proxy_protocol)] {
        if peers.unix() && listen.tcp().is_some() {
            let what = format!("`{key}` names \"unix\", and `proxy.listen` is a TCP address");
            let remedy = "remove it, or listen on \"unix:/path/of.sock\"";
            check.warn(
                &KeyPath::of(key),
                Mistake::new("config.trusted-unix", what, meaning, remedy).showing_the_value(),
            );
        }
    }
    // What stands behind a trusted hop may have an address; who connects to a Unix socket has none.
    if matches!(listen, Listen::Unix { .. }) && !proxy_protocol.networks().is_empty() {
        let mistake = Mistake::new(
            "config.proxy-protocol-unix",
            format!("`{PROXY_PROTOCOL}` names addresses, and `proxy.listen` is a Unix socket"),
            meaning,
            "write proxy_protocol = [\"unix\"] if whoever connects there begins with a PROXY header",
        );
        check.warn(&KeyPath::of(PROXY_PROTOCOL), mistake.showing_the_value());
    }
}

/// Refuses an upstream that is Anteroom's own listener: every request would come back until nothing is left.
fn not_itself(listen: &Listen, upstreams: &[(KeyPath, Upstream)], check: &mut Check<'_>) {
    for (key, upstream) in upstreams {
        if upstream.servers.iter().any(|server| server.is(listen)) {
            let mistake = Mistake::new(
                "config.upstream-loop",
                format!("`{key}` is Anteroom's own listener"),
                "Every request would come back in",
                "write the address of the app, or listen elsewhere",
            );
            check.wrong::<()>(key, mistake.showing_the_value());
        }
    }
}
