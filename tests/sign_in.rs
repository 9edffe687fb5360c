//! Every named situation at Atlassian, met by a whole Anteroom: where does the person end, and what do they read?
//!
//! What Atlassian keeps to itself never reaches the callback; what it does tell ends on a page of ours with its code.

use anteroom::emulator::{Endpoint, Fault, Scenario};

use crate::support::person::{Page, Person};
use crate::support::site::{CALLBACK, Plan, SECRET, Site};

/// Where a sign-in ended.
#[derive(Debug, PartialEq)]
enum End {
    /// At the app, signed in.
    SignedIn,
    /// On Atlassian's own error page: the callback never heard of it.
    AtAtlassian,
    /// On our page with this status and code.
    Told(u16, &'static str),
}

async fn sign_in(site: &Site) -> (Person, Page) {
    let mut person = Person::new();
    let page = person.visit(&site.url("/_anteroom/start?return_to=%2Fheaders")).await;
    (person, page)
}

fn end(site: &Site, page: &Page, codes: &[&'static str]) -> End {
    if page.url.path() == "/error" {
        return End::AtAtlassian;
    }
    assert!(page.url.as_str().starts_with(&site.url("")), "{}", page.url);
    if page.status.is_success() && page.url.path() == "/_anteroom/welcome" {
        return End::SignedIn;
    }
    let code = codes.iter().find(|code| page.body.contains(**code));
    End::Told(page.status.as_u16(), code.copied().unwrap_or_else(|| panic!("no code on {}", page.body)))
}

/// What each scenario comes to; the refresh ones concern clients that keep tokens, which Anteroom does not.
fn expected(scenario: Scenario) -> End {
    use End::{AtAtlassian, SignedIn, Told};
    match scenario {
        Scenario::Happy
        | Scenario::Guest
        | Scenario::RefreshRace2Replicas
        | Scenario::RefreshDeadA
        | Scenario::RefreshDeadB
        | Scenario::PasswordChanged
        | Scenario::TokenTypeOmitted
        | Scenario::HugeCode
        | Scenario::HugeToken
        | Scenario::EmailAbsent
        | Scenario::EmailUnverified
        | Scenario::ScopeNarrowedByOtherApp
        | Scenario::DupCloudid => SignedIn,
        Scenario::Decline | Scenario::XssInError => Told(403, "signin.declined"),
        Scenario::CallbackMismatch
        | Scenario::ScopeNotAdded
        | Scenario::UnsharedApp
        | Scenario::NoSite
        | Scenario::AdminBlock => AtAtlassian,
        Scenario::WrongSecret => Told(502, "atlassian.refused_client"),
        Scenario::CodeReplay => Told(400, "atlassian.refused_code"),
        Scenario::StateMissing => Told(400, "signin.malformed_callback"),
        Scenario::StateForged => Told(400, "signin.state_mismatch"),
        Scenario::CustomerAccount => Told(403, "access.account_type"),
        Scenario::ClosedAccount => Told(403, "access.account_status"),
        Scenario::RateLimited | Scenario::AtlassianDown | Scenario::Slow | Scenario::Html502 => {
            Told(503, "atlassian.unavailable")
        }
    }
}

const CODES: &[&str] = &[
    "signin.declined",
    "signin.malformed_callback",
    "signin.state_mismatch",
    "atlassian.refused_client",
    "atlassian.refused_code",
    "atlassian.unavailable",
    "atlassian.unintelligible",
    "access.account_type",
    "access.account_status",
];

#[tokio::test]
async fn every_named_scenario_ends_as_it_should() {
    for scenario in Scenario::ALL {
        let site = Site::with(Plan { atlassian: "timeout = \"1s\"".into(), ..Plan::ada() }).await;
        site.emulator.enter(*scenario);
        let (person, page) = sign_in(&site).await;
        assert_eq!(end(&site, &page, CODES), expected(*scenario), "{scenario}: {}", page.body);
        let session = person.cookies(&site.url("")).contains_key("anteroom");
        assert_eq!(session, expected(*scenario) == End::SignedIn, "{scenario}: a session only for who is let in");
        assert!(!page.body.contains("<script"), "{scenario}");
        nothing_secret(&site, &page, *scenario);
    }
}

/// Codes, tokens and secrets stay between the servers.
fn nothing_secret(site: &Site, page: &Page, scenario: Scenario) {
    let journal = site.emulator.journal();
    let mut secrets = vec![SECRET.to_owned()];
    for entry in &journal {
        secrets.extend(["code", "client_secret", "code_verifier"].iter().filter_map(|f| entry.field(f)).map(str::to_owned));
        secrets.extend(entry.authorization.iter().map(|a| a.trim_start_matches("Bearer ").to_owned()));
    }
    let log = site.log.lines().join("\n");
    for secret in secrets.iter().filter(|s| !s.is_empty()) {
        assert!(!page.body.contains(secret.as_str()), "{scenario}: a secret on the page");
        assert!(!log.contains(secret.as_str()), "{scenario}: a secret in the log");
    }
    assert!(!log.contains("state="), "{scenario}: a query in the log");
}

#[tokio::test]
async fn the_exchange_is_what_atlassian_documents() {
    let site = Site::with(Plan::ada()).await;
    sign_in(&site).await;
    let journal = site.emulator.journal();
    let authorize = journal.iter().find(|e| e.path == "/authorize").expect("an authorize request");
    assert_eq!(authorize.query("audience"), Some("api.atlassian.com"));
    assert_eq!(authorize.query("scope"), Some("read:me"));
    assert_eq!(authorize.query("response_type"), Some("code"));
    assert_eq!(authorize.query("redirect_uri"), Some(site.url(CALLBACK).as_str()));
    assert_eq!(authorize.query("code_challenge_method"), Some("S256"));
    let token = journal.iter().find(|e| e.path == "/oauth/token").expect("an exchange");
    assert_eq!((token.body_kind, token.authorization.as_deref()), ("form", None), "credentials in the form body");
    assert_eq!(token.field("grant_type"), Some("authorization_code"));
    assert!(token.field("code_verifier").is_some() && token.field("client_secret").is_some());
}

#[tokio::test]
async fn pkce_can_be_switched_off() {
    let site = Site::with(Plan { atlassian: "pkce = false".into(), ..Plan::ada() }).await;
    let (_, page) = sign_in(&site).await;
    assert_eq!(end(&site, &page, CODES), End::SignedIn);
    let journal = site.emulator.journal();
    assert!(journal.iter().all(|e| e.query("code_challenge").is_none() && e.field("code_verifier").is_none()));
}

#[tokio::test]
async fn a_redirected_exchange_takes_the_secret_nowhere() {
    let site = Site::with(Plan::ada()).await;
    let elsewhere = crate::support::upstream::Upstream::start().await;
    let to = elsewhere.url();
    site.emulator.set_switches(|s| {
        s.faults.insert(Endpoint::Token, Fault::Redirect { to });
    });
    let (_, page) = sign_in(&site).await;
    assert_eq!(end(&site, &page, CODES), End::Told(502, "atlassian.unintelligible"));
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_person_sees_the_page_they_asked_for() {
    let site = Site::with(Plan::ada()).await;
    let mut person = Person::new();
    let hops = person.hops(&site.url("/headers?x=1&y=%2F")).await;
    assert_eq!(hops.last().unwrap().url.path(), "/_anteroom/sign-in");
    let link = "/_anteroom/start?return_to=%2Fheaders%3Fx%3D1%26y%3D%252F";
    let page = person.visit(&site.url(link)).await;
    assert_eq!(page.url.path(), "/_anteroom/welcome");
    let page = person.visit(&site.url(link)).await;
    assert_eq!((page.url.path(), page.url.query()), ("/headers", Some("x=1&y=%2F")));
    assert!(page.body.contains("x-anteroom-account-id"), "{}", page.body);
}

#[tokio::test]
async fn the_upstream_acknowledges_a_new_user_once() {
    let site = Site::with(Plan::ada()).await;
    let (mut person, _) = sign_in(&site).await;
    let new_user = |page: &Page| page.json().to_string().contains(r#"["x-anteroom-new-user","true"]"#);
    assert!(new_user(&person.get(&site.url("/headers")).await));
    let provisioned = person.get(&site.url("/provision")).await;
    assert!(!provisioned.headers.contains_key("x-anteroom-provisioned"), "not the browser's business");
    assert!(!new_user(&person.get(&site.url("/headers")).await));
}

#[tokio::test]
async fn names_in_any_script_arrive_and_cannot_inject() {
    for (email, want) in [
        ("nour@example.com", r#"["x-anteroom-name","%D9%86%D9%88%D8%B1 %D8%A7%D9%84%D9%87%D8%AF%D9%89"]"#),
        ("robin@example.com", r#"["x-anteroom-name","Robin  X-Injected: yes"]"#),
    ] {
        let site = Site::with(Plan { approve: Some(email.into()), ..Plan::default() }).await;
        let (mut person, _) = sign_in(&site).await;
        let body = person.get(&site.url("/headers")).await.json().to_string();
        assert!(body.contains(want), "{body}");
        assert!(!body.to_lowercase().contains(r#"["x-injected""#));
    }
}

#[tokio::test]
async fn an_assertion_verifies_against_the_published_keys() {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
    let site = Site::with(Plan::ada()).await;
    let (mut person, _) = sign_in(&site).await;
    let assertion = async |person: &mut Person| {
        let headers = person.get(&site.url("/headers")).await.json();
        let pairs = headers.as_array().unwrap().clone();
        let pair = pairs.iter().find(|p| p[0] == "x-anteroom-assertion").expect("an assertion");
        pair[1].as_str().unwrap().to_owned()
    };
    let token = assertion(&mut person).await;
    assert_eq!(token, assertion(&mut person).await, "signed once, not per request");
    let discovery = person.get(&site.url("/.well-known/anteroom")).await.json();
    let jwks = person.get(discovery["jwks_uri"].as_str().unwrap()).await;
    let keys: JwkSet = serde_json::from_str(&jwks.body).unwrap();
    let kid = decode_header(&token).unwrap().kid.unwrap();
    let mut rules = Validation::new(Algorithm::ES256);
    rules.set_audience(&[discovery["audience"].as_str().unwrap()]);
    rules.set_issuer(&[discovery["issuer"].as_str().unwrap()]);
    let key = DecodingKey::from_jwk(keys.find(&kid).unwrap()).unwrap();
    let claims = decode::<serde_json::Value>(&token, &key, &rules).unwrap().claims;
    assert_eq!(claims["email"], "ada@example.com");
    assert!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap() <= 300);
}

#[tokio::test]
async fn nothing_is_asked_of_atlassian_before_somebody_signs_in() {
    let site = Site::with(Plan::ada()).await;
    let mut person = Person::new();
    person.visit(&site.url("/")).await;
    assert!(site.emulator.journal().is_empty());
}
