//! `proxy.upstream` and `[[proxy.upstreams]]`, checked: the one or the other, and each upstream by itself.

use http::HeaderName;

use super::upstream::{Keys, Upstream};
use super::{Around, UpstreamTimeouts, health, limits, pick, upstream};
use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::{RawProxy, RawUpstream};
use crate::config::valid::hosts::{self, For};
use crate::config::valid::set_headers;
use crate::gate::Hosts;
use crate::identity::headers::Layout;

const ONE: &str = "proxy.upstream";
const MANY: &str = "proxy.upstreams";

/// Every upstream with the place of its servers; none when it is `off`.
pub(super) fn check(
    raw: &RawProxy,
    off: bool,
    all: Option<UpstreamTimeouts>,
    around: &Around<'_>,
    check: &mut Check<'_>,
) -> Option<Vec<(KeyPath, Upstream)>> {
    match (&raw.upstream, raw.upstreams.is_empty()) {
        (Some(_), false) => both(check),
        (Some(text), true) => short(raw, text, all, check).map(|one| vec![one]),
        (None, false) => many(raw, all, around, check),
        (None, true) if off => {
            check.readable("proxy.upstream_ca_file", raw.upstream_ca_file.as_deref())?;
            Some(Vec::new())
        }
        (None, true) => check.missing(
            ONE,
            "Anteroom would not know where to send requests",
            "write the address of the app, for example upstream = \"http://127.0.0.1:8080\" (or, if a gateway is to ask \
             Anteroom, a table [forward_auth])",
        ),
    }
}

fn both<T>(check: &mut Check<'_>) -> Option<T> {
    let mistake = Mistake::new(
        "config.upstream-both",
        "`proxy.upstream` and `[[proxy.upstreams]]` are both there",
        "Which of the two counts would be a guess",
        "move the one in `upstream` to a table [[proxy.upstreams]] with servers = [\"…\"], or remove the tables",
    );
    check.wrong(&KeyPath::of(ONE), mistake.showing_the_value())
}

/// The short form: one upstream for everything.
fn short(
    raw: &RawProxy,
    text: &str,
    all: Option<UpstreamTimeouts>,
    check: &mut Check<'_>,
) -> Option<(KeyPath, Upstream)> {
    let keys = Keys {
        servers: KeyPath::of(ONE),
        list: false,
        server_name: KeyPath::of("proxy.upstream_server_name"),
        ca_file: KeyPath::of("proxy.upstream_ca_file"),
        table: KeyPath::of("proxy"),
    };
    let wanted = RawUpstream {
        servers: vec![text.to_owned()],
        server_name: raw.upstream_server_name.clone(),
        ca_file: raw.upstream_ca_file.clone(),
        ..RawUpstream::default()
    };
    one(&wanted, &keys, raw.pass_host, all, &Around::nothing(), check)
}

fn many(
    raw: &RawProxy,
    all: Option<UpstreamTimeouts>,
    around: &Around<'_>,
    check: &mut Check<'_>,
) -> Option<Vec<(KeyPath, Upstream)>> {
    for (name, set) in [
        ("upstream_server_name", raw.upstream_server_name.is_some()),
        ("upstream_ca_file", raw.upstream_ca_file.is_some()),
    ] {
        if set {
            let mistake = Mistake::new(
                "config.upstream-both",
                format!("`proxy.{name}` is for `proxy.upstream`, and there are `[[proxy.upstreams]]`"),
                "It would not count",
                "move it to the tables that need it, as server_name or ca_file",
            );
            check.wrong::<()>(&KeyPath::of("proxy").key(name), mistake.showing_the_value());
        }
    }
    let mut upstreams = Vec::new();
    for (index, wanted) in raw.upstreams.iter().enumerate() {
        let table = KeyPath::of(MANY).at(index);
        let keys = Keys {
            servers: table.key("servers"),
            list: true,
            server_name: table.key("server_name"),
            ca_file: table.key("ca_file"),
            table,
        };
        let pass_host = wanted.pass_host.unwrap_or(raw.pass_host);
        upstreams.push(one(wanted, &keys, pass_host, all, around, check));
    }
    let mut upstreams = upstreams.into_iter().collect::<Option<Vec<_>>>()?;
    pick::apart(&upstreams, check);
    if let Some(sites) = around.sites {
        pick::gaps(&upstreams, sites, check);
        pick::shadowed(&upstreams, sites, check);
    }
    // Stable: otherwise in the order of the file.
    upstreams.sort_by_key(|(_, upstream)| upstream.hosts == Hosts::Any);
    Some(upstreams)
}

const HOSTS: For = For {
    unknown: "config.upstream-host",
    meaning: "No request would ever be for this upstream",
    empty: "config.upstream-empty",
};

fn one(
    raw: &RawUpstream,
    keys: &Keys,
    pass_host: bool,
    all: Option<UpstreamTimeouts>,
    around: &Around<'_>,
    check: &mut Check<'_>,
) -> Option<(KeyPath, Upstream)> {
    let table = &keys.table;
    let key = |name: &str| table.key(name);
    let hosts = hosts::check(raw.hosts.as_deref(), &key("hosts"), around.sites, HOSTS, check);
    let path = pick::path(&raw.path, &key("path"), true, check);
    let rewrite = match &raw.rewrite {
        Some(text) => pick::path(text, &key("rewrite"), false, check).map(Some),
        None => Some(None),
    };
    let name = match (&raw.name, &hosts, &path) {
        (Some(text), ..) => pick::name(text, &key("name"), check),
        (None, Some(hosts), Some(path)) => Some(pick::name_of(hosts, path, around.sites)),
        _ => None,
    };
    let servers = upstream::servers(&raw.servers, keys, check);
    if raw.servers.is_empty() {
        let mistake = Mistake::new(
            "config.upstream-empty",
            "the upstream has no servers",
            "Anteroom would not know where to send requests",
            "add servers = [\"http://127.0.0.1:8080\"]",
        );
        check.wrong::<()>(table, mistake);
    }
    let spoken = servers.as_ref().map(|(scheme, servers)| {
        let tls = upstream::tls(raw, *scheme, servers, keys, check);
        (tls, upstream::protocol(raw.protocol, *scheme, table, check))
    });
    let refused = |name: &HeaderName| refused(name, around.identity);
    let headers = set_headers::check(&raw.headers, &raw.headers_files, table, refused, check);
    let timeouts = limits::of_upstream(&raw.timeouts, &key("timeouts"), all, check);
    let health = health::check(raw.health.as_ref(), &key("health"), check);
    let ejection = health::ejection(&raw.ejection, &key("ejection"), check);
    let pool = limits::number(&key("keep_alive_pool"), raw.keep_alive_pool, 1, 100_000, check);
    let ((tls, protocol), (_, servers)) = (spoken?, servers?);
    let upstream = Upstream {
        name: name?,
        hosts: hosts?,
        path: path?,
        rewrite: rewrite?,
        servers,
        tls: tls?,
        protocol: protocol?,
        balance: upstream::balance(raw.balance),
        health: health?,
        ejection: ejection?,
        pass_host,
        headers: headers?,
        timeouts: timeouts?,
        keep_alive_pool: pool?,
    };
    Some((keys.servers.clone(), upstream))
}

/// Names that say how a message is framed, who the client is or who is signed in (RFC 9110 §7.6, RFC 7239): Anteroom sets
/// them, and the client's never arrive.
const NOT_TO_BE_SET: [&str; 22] = [
    "baggage",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-real-ip",
    "x-request-id",
    "x-correlation-id",
];

/// By which some frameworks take another method or path than the request's own.
const REWRITING: [&str; 7] = [
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
];

fn refused(name: &HeaderName, identity: Option<&Layout>) -> Option<&'static str> {
    let dashed = name.as_str().replace(['_', '.'], "-");
    let begins = |with: &str| dashed.starts_with(with);
    if NOT_TO_BE_SET.contains(&dashed.as_str()) || begins("x-forwarded-") || begins("sec-websocket-") {
        Some("Anteroom says itself what is true of it for each request")
    } else if REWRITING.contains(&dashed.as_str()) {
        Some("it would have the app act on another method or path than the access rules were asked about")
    } else if begins("x-anteroom-") || identity.is_some_and(|layout| layout.reserved(name)) {
        Some("it says who is signed in")
    } else {
        None
    }
}
