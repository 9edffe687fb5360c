//! Sign-ins as scenarios: a site, browsers that keep cookies, and an Atlassian that says what it is told to say.

mod decision;
mod departure;
mod hand_off;
mod hand_off_attacks;
mod rate;
mod sign_in;
mod sign_out;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, Method, StatusCode};

use super::audit::{Audit, AuditEvent};
use super::*;
use crate::atlassian::AtlassianError;
use crate::clock::{ManualClock, Timestamp};
use crate::entropy::SystemEntropy;
use crate::gate::Route;
use crate::identity::headers::{Claim, Preset};
use crate::identity::{AccountId, Email, EmailVerified, Person, Profile};
use crate::pages::Branding;
use crate::policy::AccessPolicy;
use crate::secret::SecretString;
use crate::session::Lifetimes;
use crate::session::seal::KeyRing;
use crate::sign_in::{CodeGrant, VerifiedIdentity};
use crate::store::memory::MemoryStore;
use crate::store::{Account, Ended, Novelty, Seen};

pub(super) const CALLBACK: &str = "/api/auth/callback/atlassian";

/// Answers every code with the profile that is set.
pub(super) struct FakeAtlassian {
    pub(super) says: Mutex<Result<Profile, AtlassianError>>,
    pub(super) asked: AtomicUsize,
}

#[async_trait]
impl Identify for FakeAtlassian {
    fn authorize_url(&self, state: &str, challenge: Option<&str>, choose_account: bool) -> String {
        let challenge = challenge.unwrap_or("none");
        format!(
            "https://atlassian.test/authorize?state={state}&challenge={challenge}&choose={choose_account}"
        )
    }

    async fn identify(&self, grant: CodeGrant) -> Result<VerifiedIdentity, AtlassianError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let says = self.says.lock().unwrap().clone();
        says.map(|profile| grant.identified(profile))
    }
}

#[derive(Default)]
pub(super) struct Recorder(pub(super) Mutex<Vec<String>>);

impl Audit for Recorder {
    fn record(&self, _: Timestamp, _: IpAddr, _: &str, event: &AuditEvent<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

/// A profile that differs from Ada's in nothing yet.
pub(super) fn ada() -> Profile {
    Profile {
        person: Person {
            account_id: AccountId::parse("557058:ada").unwrap(),
            email: Some(Email::parse("ada@example.com").unwrap()),
            email_verified: EmailVerified::True,
            name: Some("Ada Lovelace".into()),
            picture: None,
        },
        account_type: Some("atlassian".into()),
        account_status: Some("active".into()),
    }
}

pub(super) struct Site {
    pub(super) auth: Arc<Auth>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) atlassian: Arc<FakeAtlassian>,
    pub(super) audit: Arc<Recorder>,
}

/// What a scenario changes about the site.
pub(super) struct Plan {
    pub(super) settings: Settings,
    pub(super) access: AccessPolicy,
    pub(super) routes: Vec<Route>,
    pub(super) store: Arc<dyn Store>,
}

impl Default for Plan {
    fn default() -> Self {
        let lifetimes = Lifetimes { idle: Duration::from_secs(3600), max: Duration::from_secs(86_400) };
        Self {
            settings: Settings {
                origins: origins(&[]),
                cookie_domain: None,
                callback_path: CALLBACK.into(),
                callback_url: format!("https://app.example{CALLBACK}"),
                scopes: "read:me".into(),
                pkce: true,
                sign_in_page: true,
                landings: Landings { welcome: true, ..Default::default() },
                new_user_until: NewUserUntil::SessionEnd,
                sign_in_rate: None,
                lifetimes,
            },
            access: AccessPolicy { any_account: true, ..Default::default() },
            routes: Vec::new(),
            store: Arc::new(MemoryStore::new()),
        }
    }
}

impl Site {
    pub(super) async fn standard() -> Self {
        Self::with(Plan::default()).await
    }

    pub(super) async fn with(plan: Plan) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)));
        let atlassian = Arc::new(FakeAtlassian { says: Mutex::new(Ok(ada())), asked: AtomicUsize::new(0) });
        let audit = Arc::new(Recorder::default());
        let keys = KeyRing::new(&[SecretString::from("a-session-secret-0123456789-abcdefgh")]).unwrap();
        let parts = Parts {
            settings: plan.settings,
            keys,
            routes: Routes::new(&plan.routes).unwrap(),
            access: plan.access,
            presenter: Presenter {
                layout: Layout::new(&[Preset::Anteroom], &[], Claim::AccountId),
                signer: None,
            },
            atlassian: Arc::clone(&atlassian) as Arc<dyn Identify>,
            store: plan.store,
            pages: Pages::new(Branding::default()),
            metrics: Arc::new(Metrics::new()),
            audit: Arc::clone(&audit) as Arc<dyn Audit>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Arc::new(SystemEntropy),
        };
        Self { auth: Arc::new(Auth::new(parts).await.unwrap()), clock, atlassian, audit }
    }

    pub(super) fn atlassian_says(&self, says: Result<Profile, AtlassianError>) {
        *self.atlassian.says.lock().unwrap() = says;
    }

    pub(super) fn asked(&self) -> usize {
        self.atlassian.asked.load(Ordering::SeqCst)
    }
}

/// Keeps cookies as a browser does, host by host, and asks as a navigation unless told otherwise.
#[derive(Clone, Default)]
pub(super) struct Browser {
    /// By host, or by `.domain` for what the hosts of a domain share.
    jars: BTreeMap<String, BTreeMap<String, String>>,
    /// Hosts whose cookies it does not keep; the empty one stands for all.
    pub(super) blocks: Option<&'static str>,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    /// The host in the address bar; `app.example` when empty.
    pub(super) host: String,
    /// Where it is; loopback when nothing is said.
    pub(super) client: Option<IpAddr>,
    /// Whether a hop brings it that does not say whom it is from.
    pub(super) crowd: bool,
}

/// What came of a request.
#[derive(Debug)]
pub(super) enum Got {
    Forwarded(SessionPermit),
    Answer(Reply),
}

impl Got {
    pub(super) fn reply(self) -> Reply {
        match self {
            Self::Answer(reply) => reply,
            Self::Forwarded(_) => panic!("forwarded"),
        }
    }

    pub(super) fn permit(self) -> SessionPermit {
        match self {
            Self::Forwarded(permit) => permit,
            Self::Answer(reply) => panic!("answered {} {}", reply.status, text(&reply)),
        }
    }
}

pub(super) fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

pub(super) fn location(reply: &Reply) -> &str {
    assert!(reply.status.is_redirection(), "{} {}", reply.status, text(reply));
    reply.headers.get(LOCATION).unwrap().to_str().unwrap()
}

impl Browser {
    pub(super) async fn get(&mut self, site: &Site, target: &str) -> Got {
        self.send(site, Method::GET, target, b"").await
    }

    pub(super) async fn send(&mut self, site: &Site, method: Method, target: &str, body: &[u8]) -> Got {
        let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
        let (host, mut headers) = (self.at(), HeaderMap::new());
        let navigation = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        for (name, value) in if self.headers.is_empty() { navigation.to_vec() } else { self.headers.clone() }
        {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let cookies = self.cookies();
        if !cookies.is_empty() {
            let line: Vec<String> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
            headers.insert(COOKIE, line.join("; ").parse().unwrap());
        }
        let client = self.client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let (method, host, headers) = (&method, host.as_str(), &headers);
        let (mode, request_id, crowd) = (Mode::Proxy, "r1", self.crowd);
        let facts = RequestFacts { method, path, query, host, headers, client, crowd, mode, request_id };
        let reply = match site.auth.check(&facts) {
            Check::Forward(permit) => return Got::Forwarded(permit),
            Check::Own(endpoint) => site.auth.serve(endpoint, &facts, body).await,
            Check::Answer(reply) => reply,
        };
        reply.headers.get_all(SET_COOKIE).iter().for_each(|line| self.keep(line.to_str().unwrap()));
        Got::Answer(reply)
    }

    /// Opens an address, on whichever host.
    pub(super) async fn open(&mut self, site: &Site, url: &str) -> Got {
        let path = match url.strip_prefix("https://") {
            None => url,
            Some(rest) => {
                let end = rest.find('/').unwrap_or(rest.len());
                self.host = rest[..end].into();
                &rest[end..]
            }
        };
        self.get(site, path).await
    }

    /// Opens an address and follows every redirect, as Ada who agrees at Atlassian at once. Gives the address where it
    /// ended, and what was there.
    pub(super) async fn travel(&mut self, site: &Site, url: &str) -> (String, Got) {
        let mut next = url.to_owned();
        for _ in 0..20 {
            if next.starts_with("https://atlassian.test/") {
                next = format!("https://app.example{}", callback_of(&next));
            }
            match self.open(site, &next).await {
                Got::Answer(reply) if reply.status.is_redirection() => next = location(&reply).to_owned(),
                got => return (format!("https://{}{}", self.at(), path_of(&next)), got),
            }
        }
        panic!("redirected without end, last to {next}");
    }

    fn at(&self) -> String {
        if self.host.is_empty() { "app.example".into() } else { self.host.clone() }
    }

    /// What it sends to the host at hand.
    pub(super) fn cookies(&self) -> BTreeMap<String, String> {
        let host = self.at();
        let name = format!(".{}", host.split(':').next().unwrap());
        let sent = |jar: &str| jar == host || (jar.starts_with('.') && name.ends_with(jar));
        self.jars.iter().filter(|(jar, _)| sent(jar)).flat_map(|(_, jar)| jar.clone()).collect()
    }

    /// Puts a cookie where the host at hand gets it.
    pub(super) fn plant(&mut self, name: &str, value: &str) {
        self.jars.entry(self.at()).or_default().insert(name.into(), value.into());
    }

    /// Takes a cookie away from the host at hand.
    pub(super) fn forget(&mut self, name: &str) {
        self.jars.entry(self.at()).or_default().remove(name);
    }

    pub(super) fn keep(&mut self, line: &str) {
        if self.blocks.is_some_and(|blocked| blocked.is_empty() || blocked == self.at()) {
            return;
        }
        let (pair, attributes) = line.split_once(';').unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        let domain = attributes.split_once("Domain=").map(|(_, domain)| format!(".{domain}"));
        let jar = self.jars.entry(domain.unwrap_or_else(|| self.at())).or_default();
        if attributes.contains("Max-Age=0;") {
            jar.remove(name);
        } else {
            jar.insert(name.into(), value.into());
        }
    }

    /// Whether the host at hand gave it a session.
    pub(super) fn has_session(&self) -> bool {
        self.cookies().contains_key("__Host-anteroom")
    }

    /// Presses the button: gives the callback that Atlassian would send the browser to.
    pub(super) async fn leave(&mut self, site: &Site, start: &str) -> String {
        let reply = self.get(site, start).await.reply();
        callback_of(location(&reply))
    }

    /// The whole way: signed in, and where it ended.
    pub(super) async fn sign_in(&mut self, site: &Site, start: &str) -> String {
        let callback = self.leave(site, start).await;
        let reply = self.get(site, &callback).await.reply();
        location(&reply).to_owned()
    }

    pub(super) fn flows(&self) -> usize {
        self.cookies().keys().filter(|name| name.contains("-flow-")).count()
    }
}

fn path_of(url: &str) -> &str {
    let rest = url.strip_prefix("https://").map(|rest| rest.find('/').map_or("", |at| &rest[at..]));
    rest.unwrap_or(url)
}

/// `https://app.example`, and apps besides.
pub(super) fn origins(apps: &[&str]) -> Arc<Origins> {
    let origin = |text: &str| Origin::parse(text).unwrap();
    Arc::new(Origins::new(origin("https://app.example"), apps.iter().map(|app| origin(app)).collect()))
}

/// The callback that answers an authorize URL.
pub(super) fn callback_of(authorize: &str) -> String {
    let state = authorize.split_once("state=").unwrap().1.split('&').next().unwrap();
    format!("{CALLBACK}?code=a-code&state={state}")
}

/// The value of an identity header under a permit.
pub(super) fn header(site: &Site, permit: &SessionPermit, name: &str) -> Option<String> {
    let set = site.auth.identity_headers(permit, "app.example")?;
    set.iter().find(|(n, _)| n.as_str() == name).map(|(_, v)| v.to_str().unwrap().to_owned())
}

/// A store that is down until it is told otherwise.
#[derive(Default)]
pub(super) struct Down {
    pub(super) up: AtomicBool,
    /// Whether it can hold no more tokens.
    pub(super) full: AtomicBool,
    kept: MemoryStore,
}

macro_rules! while_up {
    ($($name:ident($($arg:ident: $type:ty),*) -> $ok:ty;)*) => {
        #[async_trait]
        impl Store for Down {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$ok, StoreError> {
                if self.up.load(Ordering::SeqCst) {
                    return self.kept.$name($($arg),*).await;
                }
                Err(StoreError { action: stringify!($name), cause: "down".into() })
            })*
            async fn ended_sessions(&self, now: Timestamp) -> Result<Vec<Ended>, StoreError> {
                self.kept.ended_sessions(now).await
            }
            async fn activity(&self, now: Timestamp) -> Result<Vec<Seen>, StoreError> {
                self.kept.activity(now).await
            }
            async fn use_once(&self, token: [u8; 16], now: Timestamp, ttl: Duration) -> Result<bool, StoreError> {
                if self.full.load(Ordering::SeqCst) {
                    return Err(StoreError { action: "use_once", cause: "full".into() });
                }
                self.kept.use_once(token, now, ttl).await
            }
        }
    };
}
while_up! {
    record_sign_in(person: &Person, now: Timestamp) -> Novelty;
    acknowledge(account: &AccountId) -> ();
    account(account: &AccountId) -> Option<Account>;
    end_session(ended: Ended) -> ();
    save_activity(seen: &[Seen]) -> ();
    sweep(now: Timestamp) -> ();
    healthy() -> ();
}
