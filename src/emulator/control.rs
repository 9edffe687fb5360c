//! `/_emulator/…`: reading the journal and throwing switches over HTTP, and the check that keeps strangers out.
//!
//! Guarantees: a request whose `Host` is not a loopback name is refused on every path, so a web page cannot reach the
//! emulator by DNS rebinding; here, and on the page forms, a foreign `Origin` is refused too.

use std::net::IpAddr;

use http::{Method, header};
use serde_json::{Map, Value, json};
use url::Url;

use super::pages;
use super::reply::Reply;
use super::request::Request;
use super::scenario::Scenario;
use super::switches::Switches;
use super::world::World;

/// The refusal of a foreign `Host` or `Origin`; `None` lets the request pass.
pub(super) fn foreign(request: &Request, origin: &str) -> Option<Reply> {
    let host = request.header(&header::HOST).unwrap_or_default();
    let host_is_loopback = Url::parse(&format!("http://{host}/")).is_ok_and(|url| loopback(&url));
    if !host_is_loopback {
        let message = "The emulator answers only on loopback names: 127.0.0.1, [::1], localhost";
        return Some(Reply::gateway(421, message).said("foreign Host"));
    }
    let guarded = request.path.starts_with("/_emulator/")
        || (request.method == Method::POST
            && matches!(request.path.as_str(), "/login" | "/authorize/consent"));
    let sent = request.headers.get(header::ORIGIN).filter(|_| guarded)?;
    let ours = sent.to_str().ok().and_then(|text| Url::parse(text).ok()).is_some_and(|url| {
        let port = Url::parse(origin).ok().and_then(|ours| ours.port_or_known_default());
        loopback(&url) && url.port_or_known_default() == port
    });
    (!ours).then(|| Reply::gateway(403, "This request comes from another origin").said("foreign Origin"))
}

fn loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(url::Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

/// Any `/_emulator/` path.
pub(super) fn handle(world: &mut World, request: &Request) -> Reply {
    match (request.path.as_str(), request.method.as_str()) {
        ("/_emulator/style.css", "GET" | "HEAD") => pages::style(),
        ("/_emulator/journal", "GET") => Reply::json(200, &json!({"entries": world.journal.all()})),
        ("/_emulator/journal", "DELETE") => {
            world.journal.clear();
            Reply::empty(204)
        }
        ("/_emulator/scenario", "GET") => {
            let all: Vec<_> = Scenario::ALL.iter().map(|scenario| scenario.name()).collect();
            Reply::json(200, &json!({"scenario": world.scenario().name(), "scenarios": all}))
        }
        ("/_emulator/scenario", "POST") => enter(world, request),
        ("/_emulator/switches", "GET") => Reply::json(200, &json!(world.switches)),
        ("/_emulator/switches", "PUT") => put_switches(world, request),
        ("/_emulator/journal" | "/_emulator/scenario" | "/_emulator/switches", _) => {
            Reply::gateway(405, "Method Not Allowed")
        }
        _ => Reply::gateway(404, "Not Found"),
    }
}

fn enter(world: &mut World, request: &Request) -> Reply {
    let name = request.query("name").or_else(|| request.field("name")).unwrap_or_default();
    match name.parse::<Scenario>() {
        Ok(scenario) => {
            world.enter(scenario);
            Reply::json(200, &json!({"scenario": scenario.name()}))
        }
        Err(error) => Reply::gateway(404, &error.to_string()),
    }
}

/// Replaces the named switches and keeps the others.
fn put_switches(world: &mut World, request: &Request) -> Reply {
    let merged = || {
        let changes: Map<String, Value> = serde_json::from_slice(&request.raw)?;
        let mut switches = serde_json::to_value(&world.switches)?;
        if let Some(object) = switches.as_object_mut() {
            object.extend(changes);
        }
        serde_json::from_value::<Switches>(switches)
    };
    match merged() {
        Ok(switches) => {
            world.switches = switches;
            Reply::json(200, &json!(world.switches))
        }
        Err(error) => Reply::gateway(400, &format!("These are not switches: {error}")),
    }
}
