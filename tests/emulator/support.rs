//! A started emulator with a clock that tests move, and a browserless client for it.

use std::sync::Arc;
use std::time::Duration;

use anteroom::clock::{ManualClock, Timestamp};
use anteroom::emulator::{Emulator, JournalEntry, Options};
use anteroom::entropy::SeededEntropy;
use serde_json::Value;

pub const CLIENT: &str = "anteroomdemoclient00000000000001";
pub const SECRET: &str = "ATOAdemo-secret-of-the-emulator-and-nothing-else-0001";
pub const ONE_SITE: (&str, &str) =
    ("anteroomdemoclient00000000000002", "ATOAdemo-secret-of-the-emulator-and-nothing-else-0002");
pub const PRIVATE: &str = "anteroomdemoclient00000000000003";
pub const CALLBACK: &str = "http://localhost:4180/api/auth/callback/atlassian";
pub const ADA: &str = "557058:ada00000-0000-4000-8000-000000000001";
pub const ENGINES: &str = "11111111-aaaa-4aaa-8aaa-000000000001";
pub const COMPILERS: &str = "22222222-bbbb-4bbb-8bbb-000000000002";
/// RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub struct World {
    pub emulator: Emulator,
    pub clock: Arc<ManualClock>,
    pub http: reqwest::Client,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn location(&self) -> &str {
        self.header("location")
    }

    /// A query parameter of `Location`.
    pub fn sent_on(&self, name: &str) -> Option<String> {
        let base = url::Url::parse("http://base.invalid/").unwrap();
        let url = base.join(self.location()).unwrap();
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// Log-in pages ask.
pub async fn asking() -> World {
    start(None).await
}

/// Ada is logged in and consents to everything.
pub async fn approving() -> World {
    start(Some("ada@example.com")).await
}

pub async fn start(approve: Option<&str>) -> World {
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)));
    let emulator = Emulator::start(Options {
        approve: approve.map(str::to_owned),
        clock: Arc::clone(&clock) as _,
        entropy: Arc::new(SeededEntropy::new(1)),
        ..Options::loopback()
    });
    World { emulator: emulator.await.unwrap(), clock, http: client() }
}

/// Follows no redirect; gives up after 20 seconds.
pub fn client() -> reqwest::Client {
    // A second install is refused, which is as good.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(20))
        .no_proxy()
        .build()
        .unwrap()
}

/// Form encoding.
pub fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The parameters of a correct authorize request, with some replaced, added, or (empty) left out.
pub fn ask<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut pairs = vec![
        ("client_id", CLIENT),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("audience", "api.atlassian.com"),
        ("scope", "read:me"),
        ("prompt", "consent"),
        ("state", "s-1"),
    ];
    for change in changes {
        pairs.retain(|(name, _)| *name != change.0);
        pairs.push(*change);
    }
    pairs.retain(|(_, value)| !value.is_empty());
    pairs
}

impl World {
    pub fn url(&self, target: &str) -> url::Url {
        self.emulator.base_url().join(target).unwrap()
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.send(self.http.get(self.url(target))).await
    }

    pub async fn api(&self, target: &str, token: &str) -> Answer {
        self.send(self.http.get(self.url(target)).bearer_auth(token)).await
    }

    pub async fn post(&self, target: &str, pairs: &[(&str, &str)]) -> Answer {
        let request = self.http.post(self.url(target));
        let kind = "application/x-www-form-urlencoded";
        self.send(request.header("content-type", kind).body(form(pairs))).await
    }

    pub async fn authorize(&self, changes: &[(&str, &str)]) -> Answer {
        self.get(&format!("/authorize?{}", form(&ask(changes)))).await
    }

    /// A code for these scopes.
    pub async fn code(&self, scope: &str) -> String {
        let answer = self.authorize(&[("scope", scope)]).await;
        answer.sent_on("code").unwrap_or_else(|| panic!("no code: {}", answer.location()))
    }

    /// Exchanges a code, with some fields replaced, added, or (empty) left out.
    pub async fn exchange(&self, code: &str, changes: &[(&str, &str)]) -> Answer {
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT),
            ("client_secret", SECRET),
            ("code", code),
            ("redirect_uri", CALLBACK),
        ];
        for change in changes {
            pairs.retain(|(name, _)| *name != change.0);
            pairs.push(*change);
        }
        pairs.retain(|(_, value)| !value.is_empty());
        self.post("/oauth/token", &pairs).await
    }

    /// Tokens for these scopes.
    pub async fn tokens(&self, scope: &str) -> Value {
        let code = self.code(scope).await;
        let answer = self.exchange(&code, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// An access token for these scopes.
    pub async fn access(&self, scope: &str) -> String {
        text(&self.tokens(scope).await, "access_token")
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        let pairs = [
            ("grant_type", "refresh_token"),
            ("client_id", CLIENT),
            ("client_secret", SECRET),
            ("refresh_token", token),
        ];
        self.post("/oauth/token", &pairs).await
    }

    /// The latest journal entry.
    pub fn last(&self) -> JournalEntry {
        self.emulator.journal().pop().unwrap()
    }
}

/// A member of an object, as text.
pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

/// The cookie that an answer sets, as a browser sends it back.
pub fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}
