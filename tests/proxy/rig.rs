//! A proxy with a core of its own and no Atlassian: sessions are sealed here, as a sign-in would have sealed them.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anteroom::atlassian::{AtlassianError, Identify};
use anteroom::auth::audit::{Audit, AuditEvent};
use anteroom::auth::live::Presenter;
use anteroom::auth::{Auth, Landings, NewUserUntil, Parts};
use anteroom::clock::{Clock, SystemClock, Timestamp};
use anteroom::entropy::{Entropy, SystemEntropy};
use anteroom::gate::{Access, Hosts, Methods, Origin, Origins, PathPattern, Route, Routes};
use anteroom::identity::headers::{Claim, Layout, Preset};
use anteroom::identity::{AccountId, Email, EmailVerified, Person};
use anteroom::metrics::Metrics;
use anteroom::ops::access_log::{AccessEntry, AccessLog};
use anteroom::ops::listen::{Listen, Listener};
use anteroom::pages::{Branding, Pages};
use anteroom::policy::AccessPolicy;
use anteroom::proxy::settings::{Server, Upstream};
use anteroom::proxy::{Drained, Proxy, Replacer, Settings};
use anteroom::secret::SecretString;
use anteroom::session::cookie::{CookieNames, seal};
use anteroom::session::seal::{KeyRing, Purpose};
use anteroom::session::{Lifetimes, Session, SessionId};
use anteroom::sign_in::{CodeGrant, VerifiedIdentity};
use anteroom::store::memory::MemoryStore;
use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::DEADLINE;
use crate::support::raw::{RawResponse, exchange};
use crate::support::secrets;

/// What a proxy of the tests is set to.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) presets: Vec<Preset>,
    pub(crate) drain_deadline: Duration,
    /// Sign-ins that a client may begin in a minute; any number when nothing is said.
    pub(crate) sign_in_rate: Option<NonZeroU32>,
}

/// In front of this address: `https` public scheme, `/public/` public, `/never/` denied, everything else signed-in.
pub(crate) fn plan(upstream: SocketAddr) -> Plan {
    let server = Server::Tcp { host: upstream.ip().to_string(), port: upstream.port() };
    let upstream = Upstream { servers: vec![server], keep_alive_pool: 16, ..Upstream::default() };
    Plan {
        settings: Settings::to(upstream, true),
        presets: vec![Preset::Anteroom, Preset::Remote],
        drain_deadline: Duration::from_secs(20),
        sign_in_rate: None,
    }
}

impl Plan {
    /// The only upstream, to be changed.
    pub(crate) fn upstream(&mut self) -> &mut Upstream {
        self.settings.upstreams.first_mut().unwrap()
    }
}

/// A running proxy.
pub(crate) struct Rig {
    pub(crate) address: SocketAddr,
    pub(crate) auth: Arc<Auth>,
    /// `name=value` of a session of Ada's, who is no new user.
    pub(crate) cookie: String,
    /// The same, but new.
    pub(crate) new_user: String,
    /// One line per finished request.
    pub(crate) log: Arc<Log>,
    pub(crate) clock: Arc<MovableClock>,
    /// Puts other settings in force.
    pub(crate) replacer: Replacer,
    plan: Plan,
    shutdown: watch::Sender<bool>,
    serving: Option<JoinHandle<Drained>>,
}

impl Rig {
    pub(crate) async fn in_front_of(upstream: SocketAddr) -> Self {
        Self::start(plan(upstream)).await
    }

    pub(crate) async fn start(plan: Plan) -> Self {
        Self::at(&Listen::Tcp(([127, 0, 0, 1], 0).into()), plan).await
    }

    /// Not everywhere has an address; then it is `0.0.0.0:0`.
    pub(crate) async fn at(place: &Listen, plan: Plan) -> Self {
        let sealer = keys().sealer(Purpose::Session);
        let clock = Arc::new(MovableClock::default());
        let names = CookieNames::new(true);
        let entropy: Box<dyn Entropy> = Box::new(SystemEntropy);
        let cookie = |new_user| {
            let value =
                seal(&session(new_user, entropy.bytes()), &names, "app.example", &sealer, entropy.bytes())
                    .unwrap();
            format!("{}={value}", names.session())
        };
        let (cookie, new_user) = (cookie(false), cookie(true));
        secrets::listen();
        [&cookie, &new_user].iter().for_each(|cookie| secrets::note_set_cookie(cookie));
        secrets::note("proxy-tests-secret-0123456789-abcdef");
        let auth = Arc::new(Auth::new(parts(&plan, everybody(), &clock)).await.unwrap());
        let log = Arc::new(Log::default());
        let listener = Listener::bind(place).await.unwrap();
        let address = listener.local_addr().unwrap_or(([0, 0, 0, 0], 0).into());
        let proxy =
            Proxy::new(plan.settings.clone(), Arc::clone(&auth), Arc::clone(&log) as Arc<dyn AccessLog>)
                .unwrap();
        let replacer = proxy.replacer();
        let (shutdown, stop) = watch::channel(false);
        let serving = Some(tokio::spawn(proxy.serve(listener, stop, plan.drain_deadline)));
        Self { address, auth, cookie, new_user, log, clock, replacer, plan, shutdown, serving }
    }

    /// Whether the metrics have this line.
    pub(crate) fn counted(&self, line: &str) -> bool {
        self.auth.metrics().expose().lines().any(|l| l == line)
    }

    /// Waits until they have it.
    pub(crate) async fn wait_until_counted(&self, line: &str) {
        let counted = async {
            while !self.counted(line) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(DEADLINE, counted).await;
        assert!(in_time.is_ok(), "no {line} in\n{}", self.auth.metrics().expose());
    }

    /// Begins the drain.
    pub(crate) fn stop(&self) {
        self.shutdown.send(true).unwrap();
    }

    /// Waits for the end of the drain.
    pub(crate) async fn stopped(&mut self) -> Drained {
        self.serving.take().unwrap().await.unwrap()
    }

    /// A signed-in request, as text: `line` is method and target, `headers` end with CRLF each.
    pub(crate) fn signed_in(&self, line: &str, headers: &str) -> String {
        format!("{line} HTTP/1.1\r\nHost: app.example\r\nCookie: {}\r\n{headers}\r\n", self.cookie)
    }

    /// Puts other rules in force, as a reload does.
    pub(crate) async fn admit(&self, access: AccessPolicy) {
        let auth = Auth::new(parts(&self.plan, access, &self.clock)).await.unwrap();
        self.replacer.replace(self.plan.settings.clone(), Arc::new(auth)).unwrap();
    }

    /// Signs out with the form, as people do.
    pub(crate) async fn sign_out(&self, cookie: &str) {
        let head = format!("/_anteroom/sign-out HTTP/1.1\r\nHost: app.example\r\nCookie: {cookie}\r\n");
        let page = exchange(self.address, format!("GET {head}\r\n")).await.text();
        let csrf =
            page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let body = format!("csrf={csrf}");
        let form = "Content-Type: application/x-www-form-urlencoded";
        let post = format!("POST {head}{form}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        assert_eq!(exchange(self.address, post).await.status, 303);
    }

    /// A signed-in GET on a connection of its own.
    pub(crate) async fn get(&self, target: &str, headers: &str) -> RawResponse {
        exchange(self.address, self.signed_in(&format!("GET {target}"), headers)).await
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
        secrets::verify();
    }
}

fn session(new_user: bool, id: [u8; 16]) -> Session {
    let now = SystemClock.now();
    Session {
        id: SessionId::from_bytes(id),
        person: Person {
            account_id: AccountId::parse("557058:ada").unwrap(),
            email: Some(Email::parse("ada@example.com").unwrap()),
            email_verified: EmailVerified::True,
            name: Some("Ada Lovelace".into()),
            picture: None,
        },
        started: now,
        expires: now.plus(MAX),
        new_user,
    }
}

fn keys() -> KeyRing {
    KeyRing::new(&[SecretString::from("proxy-tests-secret-0123456789-abcdef")]).unwrap()
}

/// The rules that the rig begins with.
pub(crate) fn everybody() -> AccessPolicy {
    AccessPolicy { any_account: true, ..Default::default() }
}

fn parts(plan: &Plan, access: AccessPolicy, clock: &Arc<MovableClock>) -> Parts {
    let route = |path: &str, access| Route {
        path: PathPattern::Prefix(path.into()),
        methods: Methods::Any,
        hosts: Hosts::Any,
        access,
    };
    let callback = "/api/auth/callback/atlassian";
    Parts {
        settings: anteroom::auth::Settings {
            origins: Arc::new(Origins::new(Origin::parse("https://app.example").unwrap(), Vec::new())),
            cookie_domain: None,
            callback_path: callback.into(),
            callback_url: format!("https://app.example{callback}"),
            scopes: "read:me".into(),
            pkce: true,
            sign_in_page: true,
            landings: Landings::default(),
            new_user_until: NewUserUntil::SessionEnd,
            sign_in_rate: plan.sign_in_rate,
            lifetimes: Lifetimes { idle: IDLE, max: MAX },
        },
        keys: keys(),
        routes: Routes::new(&[route("/public/", Access::Public), route("/never/", Access::Deny)]).unwrap(),
        access,
        presenter: Presenter { layout: Layout::new(&plan.presets, &[], Claim::AccountId), signer: None },
        atlassian: Arc::new(NoAtlassian),
        store: Arc::new(MemoryStore::new()),
        pages: Pages::new(Branding::default()),
        metrics: Arc::new(Metrics::new()),
        audit: Arc::new(NoAudit),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        entropy: Arc::new(SystemEntropy),
    }
}

/// How long the rig's sessions live unused, and at all.
pub(crate) const IDLE: Duration = Duration::from_secs(3600);
pub(crate) const MAX: Duration = Duration::from_secs(86_400);

/// The system's clock, until it is moved.
#[derive(Debug, Default)]
pub(crate) struct MovableClock(AtomicU64);

impl MovableClock {
    pub(crate) fn advance(&self, span: Duration) {
        self.0.fetch_add(span.as_secs(), Ordering::SeqCst);
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(Duration::from_secs(self.0.load(Ordering::SeqCst)))
    }
}

/// Nobody signs in here.
struct NoAtlassian;

#[async_trait]
impl Identify for NoAtlassian {
    fn authorize_url(&self, state: &str, _challenge: Option<&str>, _choose: bool) -> String {
        format!("https://atlassian.test/authorize?state={state}")
    }

    async fn identify(&self, _grant: CodeGrant) -> Result<VerifiedIdentity, AtlassianError> {
        panic!("no outbound call may be made here")
    }
}

struct NoAudit;

impl Audit for NoAudit {
    fn record(&self, _: Timestamp, _: std::net::IpAddr, _: &str, _: &AuditEvent<'_>) {}
}

/// The access log, as its entries' `Debug`.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Vec<String>>);

impl Log {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl AccessLog for Log {
    fn record(&self, entry: &AccessEntry<'_>) {
        let line = format!("{entry:?}");
        secrets::check("the access log", &line);
        self.0.lock().unwrap().push(line);
    }
}
