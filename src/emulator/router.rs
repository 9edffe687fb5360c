//! Which endpoint answers? Host check, journal, latency and faults around one table of paths.
//!
//! `/_emulator` is never slowed down nor broken, so that a fault can always be switched off.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderName, Method, header};
use hyper::body::Incoming;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::journal::JournalEntry;
use super::reply::{Body, Reply};
use super::request::Request;
use super::server::{Dropped, Handler};
use super::switches::{Endpoint, Fault};
use super::world::World;
use super::{accessible_resources, authorize, control, discovery, gateway, login, me, pages, token};

/// The emulator's handler.
pub(super) struct Router {
    world: Arc<Mutex<World>>,
}

/// How a request ends.
enum End {
    Reply(Box<Reply>),
    Drop(&'static str),
}

impl Router {
    /// Serves this world.
    pub(super) fn new(world: Arc<Mutex<World>>) -> Self {
        Self { world }
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: &Request) -> End {
        if let Some(refusal) = control::foreign(request, &self.lock().origin) {
            return End::Reply(Box::new(refusal));
        }
        if request.path.starts_with("/_emulator/") {
            return End::Reply(Box::new(control::handle(&mut self.lock(), request)));
        }
        let endpoint = endpoint(&request.path);
        let latency = self.lock().switches.latency(endpoint);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let mut world = self.lock();
        let fault = world.switches.fault(endpoint).cloned();
        match fault.map(|fault| faulty(&fault, &world)) {
            Some(end) => end,
            None => End::Reply(Box::new(dispatch(&mut world, request))),
        }
    }
}

impl Handler for Router {
    async fn admit(&self, stream: &mut TcpStream) -> bool {
        if !self.lock().switches.faults.values().any(|fault| *fault == Fault::TlsAlert) {
            return true;
        }
        let mut start = [0; 1024];
        let seen = tokio::time::timeout(Duration::from_secs(5), stream.peek(&mut start)).await;
        let length = seen.ok().and_then(Result::ok).unwrap_or(0);
        let head = String::from_utf8_lossy(start.get(..length).unwrap_or_default()).into_owned();
        let path = head.split(' ').nth(1).and_then(|target| target.split('?').next()).unwrap_or("/");
        let alert = !path.starts_with("/_emulator/")
            && self.lock().switches.fault(endpoint(path)) == Some(&Fault::TlsAlert);
        if alert {
            // TLS record: alert, version 1.2, fatal handshake_failure (RFC 5246 §7.2). The client may be gone already.
            let _sent = stream.write_all(&[21, 3, 3, 0, 2, 2, 40]).await;
        }
        !alert
    }

    async fn handle(&self, request: http::Request<Incoming>) -> Result<http::Response<Body>, Dropped> {
        let Some(request) = Request::read(request).await else {
            return Ok(Reply::gateway(413, "Request body too large or cut off").into_response());
        };
        let recorded = (!request.path.starts_with("/_emulator/")).then(|| {
            let mut world = self.lock();
            let entry = entry(&request, &world);
            world.journal.open(entry)
        });
        let end = self.answer(&request).await;
        let (status, location, outcome) = match &end {
            End::Reply(reply) => (Some(reply.status), reply.location(), reply.outcome.clone()),
            End::Drop(outcome) => (None, None, Some((*outcome).to_owned())),
        };
        if let Some(id) = recorded {
            self.lock().journal.close(id, status, location, outcome);
        }
        match end {
            End::Reply(reply) => Ok(reply.into_response()),
            End::Drop(_) => Err(Dropped),
        }
    }
}

fn endpoint(path: &str) -> Endpoint {
    match path {
        "/oauth/token" => Endpoint::Token,
        "/oauth/revoke" => Endpoint::Revoke,
        "/oauth/token/accessible-resources" => Endpoint::Resources,
        "/me" => Endpoint::Me,
        _ if path.starts_with("/ex/jira/") => Endpoint::Jira,
        _ if path.starts_with("/ex/confluence/") => Endpoint::Confluence,
        _ if path.starts_with("/.well-known/") => Endpoint::Discovery,
        _ => Endpoint::Authorize,
    }
}

fn dispatch(world: &mut World, request: &Request) -> Reply {
    let get = request.method == Method::GET || request.method == Method::HEAD;
    let post = request.method == Method::POST;
    match request.path.as_str() {
        "/" if get => pages::home(world),
        "/authorize" if get => authorize::start(world, request),
        "/authorize/consent" if post => authorize::consent(world, request),
        "/login" if get => login::page(world, request),
        "/login" if post => login::submit(world, request),
        "/logout" if get => login::logout(world, request),
        "/error" if get => pages::error(request),
        "/favicon.ico" if get => Reply::empty(204),
        "/oauth/token" if post => token::exchange(world, request),
        "/oauth/revoke" if post => token::revoke(world, request),
        "/oauth/token/accessible-resources" if get => accessible_resources::list(world, request),
        "/me" if get => me::profile(world, request),
        "/.well-known/openid-configuration" if get => discovery::document(world),
        "/.well-known/jwks.json" if get => discovery::jwks(world),
        path if get && path.starts_with("/ex/") => gateway::handle(world, request),
        "/authorize" | "/authorize/consent" | "/login" | "/oauth/token" | "/oauth/revoke" | "/me" => {
            Reply::gateway(405, "Method Not Allowed")
        }
        _ => Reply::gateway(404, "Not Found"),
    }
}

fn faulty(fault: &Fault, world: &World) -> End {
    const HTML: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway\
                        </h1></center></body>\r\n</html>\r\n";
    let reply = match fault {
        Fault::Drop => return End::Drop("fault: drop"),
        // Only on a connection that was open before the switch was thrown.
        Fault::TlsAlert => return End::Drop("fault: tls-alert"),
        Fault::Html502 => Reply::of(502, "text/html", HTML).said("fault: html-502"),
        Fault::Status { status } => Reply::gateway(*status, "Switched to fail").said("fault: status"),
        Fault::NotJson => {
            Reply::of(200, "application/json", "Temporarily <b>not</b> JSON").said("fault: not-json")
        }
        Fault::Redirect { to } => Reply::redirect(302, to).said("fault: redirect"),
        Fault::RateLimited { retry_after_secs } => rate_limited(*retry_after_secs, world),
        Fault::Endless => {
            Reply { endless: true, ..Reply::of(200, "application/json", "").said("fault: endless") }
        }
    };
    End::Reply(Box::new(reply))
}

/// 429 as developer.atlassian.com/cloud/jira/platform/rate-limiting describes it.
fn rate_limited(retry_after: u64, world: &World) -> Reply {
    let reset = world.now().plus(Duration::from_secs(retry_after));
    Reply::gateway(429, "Rate limit exceeded")
        .with(header::RETRY_AFTER, retry_after.to_string())
        .with(HeaderName::from_static("ratelimit-reason"), "jira-burst-based")
        .with(HeaderName::from_static("x-ratelimit-limit"), "100")
        .with(HeaderName::from_static("x-ratelimit-remaining"), "0")
        .with(HeaderName::from_static("x-ratelimit-nearlimit"), "true")
        .with(HeaderName::from_static("x-ratelimit-reset"), reset.to_string())
        .said("fault: rate-limited")
}

fn entry(request: &Request, world: &World) -> JournalEntry {
    JournalEntry {
        id: 0,
        at: world.now(),
        method: request.method.to_string(),
        path: request.path.clone(),
        query: request.query.clone(),
        body_kind: request.body_kind,
        body: request.fields.clone(),
        authorization: request.header(&header::AUTHORIZATION).map(str::to_owned),
        user_agent: request.header(&header::USER_AGENT).map(str::to_owned),
        status: None,
        location: None,
        outcome: None,
    }
}
