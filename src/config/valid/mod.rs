//! The configuration as valid: one file per section, from the raw types to domain types. What is here is never checked
//! again.

mod access;
mod atlassian;
mod cookie_domain;
mod forward_auth;
mod headers;
mod hosts;
mod listen;
mod listeners;
mod ops;
mod pages;
mod peers;
mod proxy;
mod public_url;
mod routes;
mod secrets;
mod session;
mod set_headers;
mod sites;
mod size;
mod store;

pub use atlassian::{Atlassian, Prompt};
pub use forward_auth::{Dialect, ForwardAuth};
pub use headers::{Audience, Headers};
pub use listen::Listen;
pub use ops::{AccessLogSchema, Level, LogFormat, Ops, Tracing};
pub use pages::{Branding, Landing, Pages};
pub use proxy::{
    Balance, CertificateFiles, ClientCertificates, Ejection, HealthCheck, Limits, Probes, Protocol, Proxy,
    Server, Timeouts, Tls, Upstream, UpstreamTimeouts, UpstreamTls, WebSocketOrigins,
};
pub use public_url::PublicUrl;
pub use session::{NewUser, NewUserUntil, Session};
pub use store::StoreUrl;

use super::check::Check;
use super::key::KeyPath;
use super::raw::RawConfig;
use super::{Config, ReadFrom};

/// Checks every section, then builds the whole: `None` when anything was wrong.
pub(super) fn config(raw: &RawConfig, read_from: ReadFrom, check: &mut Check<'_>) -> Option<Config> {
    let public_url = public_url::check(raw.public_url.as_deref(), check);
    let sites = sites::check(public_url.as_ref(), &raw.app_urls, check);
    let atlassian = atlassian::check(&raw.atlassian, check);
    // A table that could not be read was meant to be there.
    let gateways = raw.forward_auth.is_some() || check.unreadable(&KeyPath::of("forward_auth"));
    let forward_auth = forward_auth::check(raw.forward_auth.as_ref(), check);
    let access = access::check(&raw.access, check);
    let sign_in_rate = access::sign_in_rate(&raw.access, check);
    let routes = routes::check(&raw.routes, sites.as_ref(), check);
    let as_oauth2_proxy =
        matches!(&forward_auth, Some(Some(forward_auth)) if forward_auth.oauth2_proxy.is_some());
    let headers = headers::check(&raw.headers, as_oauth2_proxy, check);
    let around = proxy::Around {
        sites: sites.as_ref(),
        public_url: public_url.as_ref(),
        identity: headers.as_ref().map(|headers| &headers.layout),
        optional: gateways,
    };
    let proxy = proxy::check(&raw.proxy, &around, check);
    let session = session::check(&raw.session, sites.as_ref(), check);
    let new_user = session::new_user(raw.new_user.until, matches!(proxy, Some(None)), check);
    let site = pages::Site {
        public_url: public_url.as_ref(),
        callback_path: &raw.atlassian.callback_path,
        routes: routes.as_ref().map(|(compiled, _)| compiled),
    };
    let pages = pages::check(&raw.pages, &site, check);
    let store = store::check(&raw.store, check);
    let ops = ops::check(&raw.ops, check);
    let listeners = [
        ("proxy.listen", proxy.as_ref().and_then(|proxy| Some(proxy.as_ref()?.listen.clone()))),
        (
            "proxy.probes.listen",
            proxy.as_ref().and_then(|proxy| Some(Listen::Tcp(proxy.as_ref()?.probes.as_ref()?.listen))),
        ),
        ("forward_auth.listen", forward_auth.as_ref().and_then(|on| Some(on.as_ref()?.listen.clone()))),
        ("ops.listen", ops.as_ref().and_then(|ops| ops.listen.map(Listen::Tcp))),
        ("ops.upgrade_socket", ops.as_ref().and_then(Ops::upgrade_listen)),
    ];
    listeners::apart(&listeners, check);
    if !check.is_clean() {
        return None;
    }
    let (routes, route_table) = routes?;
    Some(Config {
        public_url: public_url?,
        app_urls: sites?.apps(),
        atlassian: atlassian?,
        proxy: proxy?,
        forward_auth: forward_auth?,
        access: access?,
        sign_in_rate: sign_in_rate?,
        routes,
        route_table,
        headers: headers?,
        session: session?,
        new_user,
        pages: pages?,
        store: store?,
        ops: ops?,
        read_from,
    })
}
