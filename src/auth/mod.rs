//! The one decision of every mode, and the endpoints behind it.
//!
//! [`Auth::check`] is called for every request and never waits: it opens the session cookie, asks
//! [`decide`] and either hands out a [`Permit`] or says what to answer. Everything that waits (the store, Atlassian) happens in
//! [`Auth::serve`], on Anteroom's own paths.

pub mod audit;
mod callback;
mod cookies;
pub mod departure;
mod end;
mod endpoint;
mod hand_off;
mod identity_api;
mod landing;
pub mod live;
mod onward;
mod parts;
mod provisioned;
mod rate;
pub mod sessions;
mod sign_out;
mod start;
#[cfg(test)]
mod tests;
mod upkeep;
mod visible;

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::sync::Semaphore;

use self::audit::Audit;
use self::live::Presenter;
use self::parts::Around;
use self::sessions::{Presented, Sessions};
use crate::atlassian::Identify;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::gate::{Asker, CanonicalPath, Origin, OriginId, Origins, Permit, Routes, Verdict, decide};
use crate::identity::headers::{HeaderSet, Layout};
use crate::metrics::{Decision, Metrics, Mode};
use crate::pages::{Pages, Problem};
use crate::reply::Reply;
use crate::session::cookie::CookieNames;
use crate::session::seal::Purpose;
use crate::store::{Store, StoreError};

pub use end::End;
pub use endpoint::Endpoint;
pub use landing::{Landing, Landings, NewUserUntil};
pub use live::LiveSession;
pub use parts::{Choices, Parts, Settings};

/// What a shell knows of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path as the client wrote it and as the upstream would get it: no query.
    pub path: &'a str,
    /// The query, without `?`.
    pub query: Option<&'a str>,
    /// Host and port as the client named them.
    pub host: &'a str,
    /// All headers, as received.
    pub headers: &'a HeaderMap,
    /// Whom it is from, as far as that is known; `0.0.0.0` on a Unix socket where nobody is named.
    pub client: IpAddr,
    /// Whether that is a hop that names nobody, and so stands for everybody behind it.
    pub crowd: bool,
    /// Who asks: our own proxy, or a gateway.
    pub mode: Mode,
    /// Names the request in logs and on error pages.
    pub request_id: &'a str,
}

/// Leave to pass, resting on a live session if there is one.
pub type SessionPermit = Permit<Arc<LiveSession>>;

/// What to do with a request.
#[derive(Debug)]
pub enum Check {
    /// Forward it, with the permit's identity.
    Forward(SessionPermit),
    /// It is for Anteroom itself: call [`Auth::serve`].
    Own(Endpoint),
    /// Answer this.
    Answer(Reply),
}

/// The authentication core of one app.
pub struct Auth {
    settings: Settings,
    routes: Routes,
    sessions: Sessions,
    cookies: cookies::FlowCookies,
    csrf: Vec<aws_lc_rs::hmac::Key>,
    presenter: Presenter,
    nobody: Arc<HeaderSet>,
    atlassian: Arc<dyn Identify>,
    store: Arc<dyn Store>,
    pages: Pages,
    metrics: Arc<Metrics>,
    audit: Arc<dyn Audit>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    gate: Arc<departure::Gate>,
    sign_in_rate: Option<rate::SignInRate>,
    budgets: Arc<rate::Budgets>,
    /// Sign-ins that may be completed at Atlassian at the same time.
    exchanges: Arc<Semaphore>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("origins", &self.settings.origins).finish_non_exhaustive()
    }
}

impl Auth {
    /// Puts the parts together and loads what the store remembers of sessions. No other I/O.
    pub async fn new(parts: Parts) -> Result<Self, StoreError> {
        let Parts { settings, keys, routes, access, presenter, atlassian, pages, .. } = parts;
        let Parts { store, metrics, audit, clock, entropy, .. } = parts;
        metrics.sign_ins_may_fail(&Problem::FOR_THE_OPERATOR.map(Problem::code));
        let choices = Choices { settings, keys, routes, access, presenter, atlassian, pages };
        let (gate, budgets) = Default::default();
        let exchanges = Arc::new(Semaphore::new(callback::EXCHANGES));
        let around = Around { store, metrics, audit, clock, entropy, gate, budgets, exchanges };
        let auth = Self::put_together(choices, around, |sessions| sessions);
        let now = auth.clock.now();
        auth.sessions.load(&auth.store.ended_sessions(now).await?, &auth.store.activity(now).await?);
        Ok(auth)
    }

    /// The same core under another configuration: it knows the same sessions and shares the store; nothing that the
    /// other one had opened, rendered or admitted counts here. Either may go on serving what began with it.
    #[must_use]
    pub fn renewed(&self, choices: Choices) -> Self {
        let around = Around {
            store: Arc::clone(&self.store),
            metrics: Arc::clone(&self.metrics),
            audit: Arc::clone(&self.audit),
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            gate: Arc::clone(&self.gate),
            budgets: Arc::clone(&self.budgets),
            exchanges: Arc::clone(&self.exchanges),
        };
        Self::put_together(choices, around, |sessions| sessions.knowing(&self.sessions))
    }

    fn put_together(choices: Choices, around: Around, knowing: impl FnOnce(Sessions) -> Sessions) -> Self {
        let Choices { settings, keys, routes, access, presenter, atlassian, pages } = choices;
        let Around { store, metrics, audit, clock, entropy, gate, budgets, exchanges } = around;
        let own = CookieNames::new(settings.origins.central().secure());
        let names = match &settings.cookie_domain {
            Some(domain) => own.shared_by(domain),
            None => own,
        };
        let (origins, sealer) = (Arc::clone(&settings.origins), keys.sealer(Purpose::Session));
        let sessions = Sessions::new(names.clone(), origins, sealer, settings.lifetimes, access);
        Self {
            cookies: cookies::FlowCookies::new(names, &keys),
            csrf: keys.csrf_keys(),
            sign_in_rate: settings
                .sign_in_rate
                .map(|per_minute| rate::SignInRate::new(per_minute, Arc::clone(&budgets))),
            settings,
            routes,
            sessions: knowing(sessions),
            nobody: Arc::new(presenter.layout.nobody()),
            presenter,
            atlassian,
            store,
            pages,
            metrics,
            audit,
            clock,
            entropy,
            gate,
            budgets,
            exchanges,
        }
    }

    /// May this request pass? Never waits.
    pub fn check(&self, facts: &RequestFacts<'_>) -> Check {
        let Ok(path) = CanonicalPath::parse(facts.path) else {
            self.metrics.decision(Decision::BadTarget, facts.mode);
            return Check::Answer(self.bad_request(facts));
        };
        if let Some(endpoint) = Endpoint::of(&path, &self.settings.callback_path) {
            self.metrics.decision(Decision::Own, facts.mode);
            return Check::Own(endpoint);
        }
        let origins = &self.settings.origins;
        let Ok(access) = self.routes.access(facts.method, origins.of_host(facts.host), &path) else {
            self.metrics.decision(Decision::BadTarget, facts.mode);
            return Check::Answer(self.bad_request(facts));
        };
        let presented = self.present(facts);
        let dead = matches!(presented, Presented::Dead);
        match decide(access, presented.live(), || Asker::of(facts.method, facts.path, facts.headers)) {
            Verdict::Forward(permit) => {
                let decision = if permit.session().is_some() { Decision::SignedIn } else { Decision::Public };
                self.metrics.decision(decision, facts.mode);
                Check::Forward(permit)
            }
            Verdict::SignIn => self.refuse(facts, Decision::SignIn, self.to_sign_in(facts), dead),
            Verdict::Unauthenticated(asker) => {
                self.refuse(facts, Decision::Unauthenticated, self.unauthenticated(facts, asker), dead)
            }
            Verdict::Denied(asker) => self.refuse(facts, Decision::Denied, self.denied(facts, asker), false),
        }
    }

    /// The identity headers that this permit entitles the app behind `host` to.
    pub fn identity_headers(&self, permit: &SessionPermit, host: &str) -> Option<Arc<HeaderSet>> {
        let (live, app) = (permit.session()?, self.settings.origins.of_host(host)?);
        let app = (app, self.settings.origins.get(app).as_str());
        Some(live.headers(&self.presenter, app, self.entropy.as_ref(), self.clock.now()))
    }

    /// The identity headers for a gateway: those of the permit, or all of them without a value.
    pub fn identity_or_nobody(&self, permit: &SessionPermit, host: &str) -> Arc<HeaderSet> {
        self.identity_headers(permit, host).unwrap_or_else(|| Arc::clone(&self.nobody))
    }

    /// The addresses of the apps.
    pub fn origins(&self) -> &Origins {
        &self.settings.origins
    }

    /// Which header names are ours.
    pub fn layout(&self) -> &Layout {
        &self.presenter.layout
    }

    /// Which cookies are ours.
    pub fn cookie_names(&self) -> &CookieNames {
        self.sessions.names()
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    fn refuse(&self, facts: &RequestFacts<'_>, decision: Decision, reply: Reply, dead_cookie: bool) -> Check {
        self.metrics.decision(decision, facts.mode);
        let delete = || self.sessions.delete_cookie();
        Check::Answer(if dead_cookie { reply.with_cookie(&delete()) } else { reply })
    }

    /// The session of a request, which counts on a host that the operator named only: no browser sends it elsewhere, and
    /// an app that builds links from `Host` must not be told who is there along with a host that somebody made up.
    fn present(&self, facts: &RequestFacts<'_>) -> Presented {
        match self.settings.origins.of_host(facts.host) {
            Some(app) => self.sessions.present(facts.headers, app, self.clock.now()),
            None => Presented::Nothing,
        }
    }

    /// The address that a request is for: the central one when nobody named its host.
    fn origin(&self, facts: &RequestFacts<'_>) -> &Origin {
        self.settings.origins.get(self.here(facts))
    }

    fn live_session(&self, facts: &RequestFacts<'_>) -> Option<Arc<LiveSession>> {
        self.present(facts).live()
    }
}

impl Auth {
    /// Answers a request for one of our own paths. `body` is the whole request body, already capped by the shell.
    pub async fn serve(&self, endpoint: Endpoint, facts: &RequestFacts<'_>, body: &[u8]) -> Reply {
        if self.gate.shut_for_good() {
            return departure::ask_again(facts);
        }
        if !self.serves(endpoint, facts) {
            return self.not_found(facts);
        }
        let allow = endpoint.methods();
        if !allow.split(", ").any(|method| method == facts.method.as_str()) {
            return Reply::empty(StatusCode::METHOD_NOT_ALLOWED)
                .with(http::header::ALLOW, HeaderValue::from_static(allow));
        }
        match endpoint {
            Endpoint::SignIn => self.sign_in_page(facts),
            Endpoint::Start => self.start(facts),
            Endpoint::HandOff => self.hand_off(facts),
            Endpoint::Finish => self.inside(facts, self.finish(facts)).await,
            Endpoint::Callback => self.callback(facts).await,
            Endpoint::Welcome => self.welcome(facts),
            Endpoint::SignOut if facts.method == Method::POST => {
                self.inside(facts, self.sign_out(facts, body)).await
            }
            Endpoint::SignOut => self.ask_sign_out(facts),
            Endpoint::SignedOut => self.signed_out(facts),
            Endpoint::Me => self.me(facts),
            Endpoint::Jwks => self.jwks(),
            Endpoint::Discovery => self.discovery(facts),
            Endpoint::Asset => self.asset(facts),
            Endpoint::Unknown => self.not_found(facts),
        }
    }

    /// Whether an endpoint is there on the host at hand. Atlassian sends people to the central one alone.
    fn serves(&self, endpoint: Endpoint, facts: &RequestFacts<'_>) -> bool {
        match endpoint {
            Endpoint::Callback => !self.at_app(facts),
            Endpoint::HandOff => {
                self.hands_off() && self.settings.origins.of_host(facts.host) == Some(OriginId::CENTRAL)
            }
            Endpoint::Finish => self.hands_off() && self.at_app(facts),
            _ => true,
        }
    }
}
