//! A site to decide for, and people who ask: everything through the public API, nothing that waits.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use anteroom::atlassian::{AtlassianError, Identify, Place};
use anteroom::auth::audit::{Audit, AuditEvent};
use anteroom::auth::live::Presenter;
use anteroom::auth::{Auth, Landings, NewUserUntil, Parts, RequestFacts, Settings};
use anteroom::clock::{Clock, SystemClock, Timestamp};
use anteroom::entropy::SystemEntropy;
use anteroom::gate::{Access, Hosts, Methods, Origin, Origins, PathPattern, Route, Routes};
use anteroom::identity::assertion::Signer;
use anteroom::identity::headers::{Claim, Layout, Preset};
use anteroom::identity::{AccountId, Email, EmailVerified, Person};
use anteroom::metrics::{Metrics, Mode};
use anteroom::pages::{Branding, Pages};
use anteroom::policy::AccessPolicy;
use anteroom::secret::SecretString;
use anteroom::session::cookie::{self, CookieNames};
use anteroom::session::seal::{KeyRing, Purpose, Sealer};
use anteroom::session::{Lifetimes, Session, SessionId};
use anteroom::sign_in::{CodeGrant, VerifiedIdentity};
use anteroom::store::{Ended, MemoryStore, Seen, Store};
use async_trait::async_trait;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue, Method};

const LIFETIMES: Lifetimes = Lifetimes { idle: Duration::from_secs(3600), max: Duration::from_secs(86_400) };

/// How much a site has to carry.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// Route rules, a third of each kind of pattern.
    pub(crate) rules: u64,
    /// Sessions that were ended and must stay so.
    pub(crate) ended: u64,
    /// People with a session, all of them active.
    pub(crate) people: u64,
    /// Whether the assertion is signed.
    pub(crate) assertion: bool,
}

/// A site, and the key to make sessions for it.
pub(crate) struct Site {
    pub(crate) auth: Auth,
    people: u64,
    names: CookieNames,
    sealer: Sealer,
}

impl Site {
    pub(crate) fn with(load: Load) -> Self {
        let keys = || KeyRing::new(&[SecretString::from("a-session-secret-0123456789-abcdefgh")]).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let auth =
            runtime.block_on(async { Auth::new(parts(keys(), load, store(load).await)).await.unwrap() });
        let sealer = keys().sealer(Purpose::Session);
        Self { auth, people: load.people, names: CookieNames::new(true), sealer }
    }

    /// Request number `n` as a browser sends it, with four cookies of the app around ours. People take turns; each number
    /// has a cookie of its own, as if its session had just been sealed anew.
    pub(crate) fn request(&self, n: u64) -> HeaderMap {
        let mut headers: HeaderMap =
            BROWSER.iter().map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_static(v))).collect();
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&n.to_le_bytes());
        let sealed =
            cookie::seal(&session(n % self.people), &self.names, "app.example.com", &self.sealer, nonce)
                .unwrap();
        let line = format!("{}; {}={sealed}; {}", COOKIES.0, self.names.session(), COOKIES.1);
        headers.insert(COOKIE, line.parse().unwrap());
        headers
    }
}

/// What the shell says of a request.
pub(crate) fn facts(headers: &HeaderMap) -> RequestFacts<'_> {
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (method, path) = (&Method::GET, "/projects/alpha/boards/42");
    RequestFacts {
        method,
        path,
        query: Some("view=list"),
        host: "app.example.com",
        headers,
        client,
        crowd: false,
        mode: Mode::Proxy,
        request_id: "0123456789abcdef",
    }
}

/// Chromium 140's headers for a navigation.
const BROWSER: [(&str, &str); 14] = [
    ("host", "app.example.com"),
    ("connection", "keep-alive"),
    ("sec-ch-ua", r#""Chromium";v="140", "Not=A?Brand";v="24""#),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", r#""Linux""#),
    ("upgrade-insecure-requests", "1"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-user", "?1"),
    ("sec-fetch-dest", "document"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("accept-language", "en-GB,en;q=0.9,de;q=0.8"),
];
const COOKIES: (&str, &str) = (
    "_ga=GA1.1.1234567890.1700000000; theme=dark",
    "csrftoken=J8zq1mXv0c2yQeR4tLwP9sKd; sessionid=4f8c1d2e3a5b6c7d8e9f0a1b2c3d4e5f",
);

fn session(n: u64) -> Session {
    let now = SystemClock.now();
    Session {
        id: id(n),
        person: Person {
            account_id: AccountId::parse(&format!("557058:{n:08}-1234-4cde-8f01-23456789abcd")).unwrap(),
            email: Some(Email::parse(&format!("ada{n}@example.com")).unwrap()),
            email_verified: EmailVerified::True,
            name: Some("Ada Lovelace".into()),
            picture: Some("https://secure.gravatar.com/avatar/0123456789abcdef0123456789abcdef".into()),
        },
        started: now,
        expires: now.plus(LIFETIMES.max),
        new_user: false,
    }
}

/// IDs are random in life: spread over all bits (Fibonacci hashing).
fn id(n: u64) -> SessionId {
    let spread = u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    SessionId::from_bytes(spread.to_le_bytes())
}

async fn store(load: Load) -> Arc<dyn Store> {
    let (store, now) = (MemoryStore::new(), SystemClock.now());
    let until = now.plus(LIFETIMES.max);
    // Numbers that no request uses: these are other people's sessions.
    for n in 0..load.ended {
        store.end_session(Ended { id: id(u64::MAX - n), until }).await.unwrap();
    }
    let seen: Vec<Seen> = (0..load.people).map(|n| Seen { id: id(n), at: now, until }).collect();
    store.save_activity(&seen).await.unwrap();
    Arc::new(store)
}

fn routes(count: u64) -> Routes {
    let route = |n: u64| {
        let path = match n % 3 {
            0 => PathPattern::Exact(format!("/projects/p{n}/status")),
            1 => PathPattern::Prefix(format!("/projects/p{n}/public")),
            _ => PathPattern::Glob(format!("/projects/p{n}/*/feed")),
        };
        Route { path, methods: Methods::Any, hosts: Hosts::Any, access: Access::Public }
    };
    Routes::new(&(0..count).map(route).collect::<Vec<_>>()).unwrap()
}

fn parts(keys: KeyRing, load: Load, store: Arc<dyn Store>) -> Parts {
    let origin = "https://app.example.com";
    let signer = || Signer::new(&keys.assertion_seeds(), origin.into(), Some("app".into())).unwrap();
    Parts {
        presenter: Presenter {
            layout: Layout::new(&[Preset::Anteroom], &[], Claim::AccountId),
            signer: load.assertion.then(signer),
        },
        settings: Settings {
            origins: Arc::new(Origins::new(Origin::parse(origin).unwrap(), Vec::new())),
            cookie_domain: None,
            callback_path: "/api/auth/callback/atlassian".into(),
            callback_url: format!("{origin}/api/auth/callback/atlassian"),
            scopes: "read:me".into(),
            pkce: true,
            sign_in_page: true,
            landings: Landings::default(),
            new_user_until: NewUserUntil::SessionEnd,
            sign_in_rate: None,
            lifetimes: LIFETIMES,
        },
        keys,
        routes: routes(load.rules),
        access: AccessPolicy { any_account: true, ..Default::default() },
        atlassian: Arc::new(Nobody),
        store,
        pages: Pages::new(Branding::default()),
        metrics: Arc::new(Metrics::new()),
        audit: Arc::new(Nobody),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    }
}

/// No decision asks Atlassian or writes down anything about people.
struct Nobody;

#[async_trait]
impl Identify for Nobody {
    fn authorize_url(&self, _: &str, _: Option<&str>, _: bool) -> String {
        String::new()
    }

    async fn identify(&self, _: CodeGrant) -> Result<VerifiedIdentity, AtlassianError> {
        Err(AtlassianError::Unavailable { place: Place::Token, cause: "nobody is there".into() })
    }
}

impl Audit for Nobody {
    fn record(&self, _: Timestamp, _: IpAddr, _: &str, _: &AuditEvent<'_>) {}
}
