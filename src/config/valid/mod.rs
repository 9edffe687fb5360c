//! The configuration as valid: one file per section, from the raw types to domain types. What is here is never checked
//! again.

mod access;
mod atlassian;
mod headers;
mod ops;
mod pages;
mod proxy;
mod public_url;
mod routes;
mod secrets;
mod session;
mod store;

pub use atlassian::{Atlassian, Prompt};
pub use headers::Headers;
pub use ops::{Level, LogFormat, Ops};
pub use pages::{Branding, Landing, Pages};
pub use proxy::{Limits, Proxy, Scheme, Timeouts, Upstream};
pub use public_url::PublicUrl;
pub use session::{NewUser, NewUserUntil, Session};
pub use store::StoreUrl;

use super::Config;
use super::check::Check;
use super::raw::RawConfig;

/// Checks every section, then builds the whole: `None` when anything was wrong.
pub(super) fn config(raw: &RawConfig, check: &mut Check<'_>) -> Option<Config> {
    let public_url = public_url::check(raw.public_url.as_deref(), check);
    let atlassian = atlassian::check(&raw.atlassian, check);
    let proxy = proxy::check(&raw.proxy, check);
    let access = access::check(&raw.access, check);
    let routes = routes::check(&raw.routes, check);
    let headers = headers::check(&raw.headers, public_url.as_ref(), check);
    let session = session::check(&raw.session, check);
    let pages = pages::check(&raw.pages, public_url.as_ref(), routes.as_ref(), check);
    let store = store::check(&raw.store, check);
    let ops = ops::check(&raw.ops, check);
    ops::apart(&raw.ops, proxy.as_ref(), ops.as_ref(), check);
    if !check.is_clean() {
        return None;
    }
    Some(Config {
        public_url: public_url?,
        atlassian: atlassian?,
        proxy: proxy?,
        access: access?,
        routes: routes?,
        headers: headers?,
        session: session?,
        new_user: NewUser { until: raw.new_user.until.into() },
        pages: pages?,
        store: store?,
        ops: ops?,
    })
}
