//! A gateway between browsers, Anteroom and an app: the real program, the printed configuration, an app that records.

use std::sync::Arc;
use std::time::Duration;

use anteroom::clock::{Clock, ManualClock, SystemClock};
use tempfile::TempDir;

use super::super::support::gateway::nginx::Nginx;
use super::super::support::gateway::{caddy, envoy, free_address, haproxy, nginx, printed, traefik};
use super::super::support::person::Person;
use super::super::support::process::Process;
use super::super::support::raw::{RawClient, RawResponse};
use super::super::support::site::{Gateway, Plan, Site};
use super::super::support::upstream::{Answer, Request, Upstream};

/// The gateways that people run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// Debian's nginx.
    Nginx,
    /// The newest nginx.
    NewNginx,
    Traefik,
    Caddy,
    /// Envoy asking over HTTP.
    Envoy,
    /// Envoy asking over gRPC.
    EnvoyGrpc,
    Haproxy,
}

impl Program {
    /// What `anteroom config` is given for it.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Nginx | Self::NewNginx => &["nginx"],
            Self::Traefik => &["traefik"],
            Self::Caddy => &["caddy"],
            Self::Envoy => &["envoy"],
            Self::EnvoyGrpc => &["envoy", "--format", "grpc"],
            Self::Haproxy => &["haproxy"],
        }
    }

    /// Whether it can take Anteroom's cookies away before the app. Traefik would need a plug-in.
    pub(super) fn keeps_our_cookies_from_the_app(self) -> bool {
        self != Self::Traefik
    }

    /// Whether it can demand the assertion in an answer. Traefik takes any 2xx for a yes.
    pub(super) fn sees_who_answers(self) -> bool {
        self != Self::Traefik
    }
}

/// The three of them, and the browser's way in.
pub(super) struct World {
    pub(super) program: Program,
    pub(super) site: Site,
    pub(super) app: Upstream,
    pub(super) gateway: Process,
    pub(super) clock: Arc<ManualClock>,
    address: std::net::SocketAddr,
    _folder: TempDir,
}

const ROUTES: &str = "[[routes]]\nprefix = \"/public\"\nmethods = [\"GET\", \"HEAD\"]\naccess = \"public\"\n\
                      [[routes]]\nprefix = \"/closed\"\naccess = \"deny\"\n";
/// What gateways prove themselves with.
const KEY: &str = "a-gateway-key-0123456789-abcdefghijklmn";

impl World {
    /// For everybody whom this TOML lets in; Ada is logged in at Atlassian.
    pub(super) async fn of(program: Program, access: &str) -> Self {
        Self::with(program, "localhost", &[], Plan::ada().config(&format!("{access}\n{ROUTES}")), answer)
            .await
    }

    /// With these hosts, the central one first, and this app. Sessions idle for half an hour at most.
    pub(super) async fn with(
        program: Program,
        central: &'static str,
        apps: &'static [&'static str],
        plan: Plan,
        app: fn(&Request) -> Answer,
    ) -> Self {
        let (address, folder, app) = (free_address(), TempDir::new().unwrap(), Upstream::with(app).await);
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let settings = format!("trusted_proxies = [\"127.0.0.1\"]\nkey = \"{KEY}\"");
        let plan = Plan {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            session: format!("idle_timeout = \"30m\"\n{}", plan.session),
            gateway: Some(Gateway { settings, central, apps, ..Gateway::on(address.port()) }),
            ..plan
        };
        let site = Site::with(plan).await;
        let gateway = start(program, &site, &app, address, &folder).await;
        Self { program, site, app, gateway, clock, address, _folder: folder }
    }

    /// For everybody.
    pub(super) async fn open(program: Program) -> Self {
        Self::of(program, "[access]\nallow_any_atlassian_account = true").await
    }

    /// `http://wiki.localhost:PORT`, for this host.
    pub(super) fn origin(&self, host: &str) -> String {
        format!("http://{host}:{}", self.address.port())
    }

    /// One request through the gateway, byte for byte.
    pub(super) async fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> RawResponse {
        self.ask_host(method, target, &self.site.host(), headers).await
    }

    /// As [`Self::ask`], for any host.
    pub(super) async fn ask_host(
        &self,
        method: &str,
        target: &str,
        host: &str,
        headers: &[(&str, &str)],
    ) -> RawResponse {
        let mut client = self.connect(method, target, host, headers).await;
        client.response_to(method).await
    }

    /// A connection on which this request has been sent.
    pub(super) async fn connect(
        &self,
        method: &str,
        target: &str,
        host: &str,
        headers: &[(&str, &str)],
    ) -> RawClient {
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut client = RawClient::connect(self.address).await;
        client.send(format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n")).await;
        client
    }

    /// How many requests have reached the app.
    pub(super) fn reached(&self) -> usize {
        self.app.requests().iter().filter(|request| request.target() != "/favicon.ico").count()
    }

    /// What the app got last.
    pub(super) fn seen(&self) -> Request {
        self.app.last()
    }

    /// Ada, signed in with the whole browser dance, back at the page that she asked for.
    pub(super) async fn ada(&self, target: &str) -> Person {
        let mut ada = Person::new();
        let page = ada.visit(&self.site.url(target)).await;
        let start = format!("/_anteroom/start?{}", page.url.query().unwrap_or_default());
        let landed = ada.visit(&self.site.url(&start)).await;
        let wanted = [target.split('?').next().unwrap_or_default(), "/_anteroom/welcome"];
        assert!(wanted.contains(&landed.url.path()), "{:?} {}: {}", self.program, landed.url, landed.body);
        ada
    }

    /// The cookie line of a browser that is signed in.
    pub(super) async fn session(&self) -> String {
        self.ada("/").await.cookie_line(&self.site.url(""))
    }

    pub(super) fn later(&self, span: Duration) {
        self.clock.advance(span);
    }
}

async fn start(
    program: Program,
    site: &Site,
    app: &Upstream,
    address: std::net::SocketAddr,
    folder: &TempDir,
) -> Process {
    let (at, file) = (folder.path(), folder.path().join("anteroom.toml"));
    std::fs::write(&file, &site.toml).unwrap();
    let (listen, anteroom, app) = (address.to_string(), site.address().to_string(), app.url());
    let flags = ["--listen", &listen, "--anteroom", &anteroom, "--upstream", &app];
    let print = |arguments: &[&str]| printed(&file, &[arguments, &flags].concat());
    let (text, host, key) = (print(program.arguments()), site.host(), Some(KEY));
    assert!(!text.contains(KEY), "the key is never printed");
    match program {
        Program::Nginx => nginx::start(Nginx::System, at, &text, address, &host, key).await,
        Program::NewNginx => nginx::start(Nginx::New, at, &text, address, &host, key).await,
        Program::Traefik => traefik::start(at, &text, address, &host, key).await,
        Program::Caddy => caddy::start(at, &text, address, &host, key).await,
        Program::Envoy | Program::EnvoyGrpc => envoy::start(at, &text, address, &host, key).await,
        Program::Haproxy => {
            let lua = print(&["haproxy", "--format", "lua"]);
            haproxy::start(at, &text, &lua, address, &host, key).await
        }
    }
}

/// The app: two cookies of its own, and a socket that echoes.
fn answer(request: &Request) -> Answer {
    match request.header("Upgrade") {
        Some(_) => Answer::raw(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        )
        .then_echo(),
        None => Answer::raw(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: one=1; Path=/; HttpOnly; SameSite=Lax\r\n\
             Set-Cookie: two=\"2,2\"; Path=/x; Expires=Wed, 09 Jun 2032 10:18:14 GMT\r\n\r\nok",
        ),
    }
}
