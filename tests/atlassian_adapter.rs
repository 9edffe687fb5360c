//! Does the adapter say to Atlassian what Atlassian expects, and take every answer for what it is? Against scripted
//! bytes, since half of these answers no emulator would give.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anteroom::atlassian::{Atlassian, AtlassianError, Identify, Outcome, Place, Settings, SetupError};
use anteroom::clock::Timestamp;
use anteroom::policy::AccessPolicy;
use anteroom::secret::SecretString;
use anteroom::sign_in::{Callback, CodeGrant, Pending, Scopes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::{Url, form_urlencoded};

use crate::support::upstream::{Answer, Request, Upstream};

const SECRET: &str = "ATOA-s3cret&=+%/";
const CODE: &str = "c0de.with/odd+chars=";
const TOKEN: &str = "t0ken.abc-_";

type Calls = Arc<Mutex<Vec<(Place, Outcome)>>>;

/// An app at this base URL.
fn settings(base: &str) -> Settings {
    Settings {
        auth_url: Url::parse(base).unwrap(),
        api_url: Url::parse(base).unwrap(),
        audience: "api.atlassian.com".into(),
        client_id: "cl1ent".into(),
        client_secret: SecretString::from(SECRET),
        redirect_uri: Url::parse("https://app.example/api/auth/callback/atlassian").unwrap(),
        scopes: Scopes::default(),
        prompt: None,
        https_proxy: None,
        timeout: Settings::DEFAULT_TIMEOUT,
        observe: Box::new(|_, _, _| ()),
    }
}

/// An adapter that talks to this base URL; what it told about its calls.
fn adapter(base: &str, change: impl FnOnce(&mut Settings)) -> (Atlassian, Calls) {
    let calls = Calls::default();
    let told = Arc::clone(&calls);
    let mut settings = settings(base);
    settings.observe = Box::new(move |place, outcome, _| told.lock().unwrap().push((place, outcome)));
    change(&mut settings);
    assert!(!format!("{settings:?}").contains("s3cret"));
    let atlassian = Atlassian::new(settings).unwrap();
    assert!(!format!("{atlassian:?}").contains("s3cret"));
    (atlassian, calls)
}

/// What a browser's callback leaves in our hands.
fn grant(verifier: Option<[u8; 32]>) -> CodeGrant {
    let now = Timestamp::from_secs(1_000);
    let pending = Pending::begin(anteroom::gate::Destination::default(), 0, [1; 16], verifier, now);
    let mut query = form_urlencoded::Serializer::new(String::new());
    let query = query.extend_pairs([("code", CODE), ("state", "s")]).finish();
    let callback = Callback::parse(&query).unwrap();
    let state = pending.state();
    pending.finish(callback, &state, now).unwrap()
}

fn reply(status: &str, kind: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::raw(format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

fn json(status: &str, body: &str) -> Answer {
    reply(status, "application/json", body)
}

fn token() -> Answer {
    json("200 OK", &format!(r#"{{"access_token":"{TOKEN}","expires_in":3600,"scope":"read:me"}}"#))
}

fn me() -> Answer {
    json("200 OK", r#"{"account_id":"557058:ada","name":"Ada","email":"ada@example.com"}"#)
}

/// A double that gives these answers at the two places.
async fn double(token: Answer, me: Answer) -> Upstream {
    Upstream::with(move |request| match request.target() {
        "/oauth/token" => token.clone(),
        "/me" => me.clone(),
        other => panic!("nobody should ask for {other}"),
    })
    .await
}

/// What comes of one sign-in against these answers, with little patience where that is the point.
async fn outcome(token: Answer, me: Answer, patience: Duration) -> (AtlassianError, Vec<(Place, Outcome)>) {
    let server = double(token, me).await;
    let (atlassian, calls) = adapter(&server.url(), |s| s.timeout = patience);
    let error = atlassian.identify(grant(Some([2; 32]))).await.unwrap_err();
    let said = format!("{error} {error:?}");
    for secret in ["s3cret", "c0de", "t0ken", "127.0.0.1", "<html>", "sorry"] {
        assert!(!said.contains(secret), "{said}");
    }
    let calls = calls.lock().unwrap().clone();
    (error, calls)
}

const PATIENT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_sign_in_is_one_exchange_and_one_profile() {
    let server = double(token(), me()).await;
    let (atlassian, calls) = adapter(&server.url(), |_| ());
    let identity = atlassian.identify(grant(Some([2; 32]))).await.unwrap();
    let admitted = AccessPolicy { any_account: true, ..AccessPolicy::default() }.admit(identity).unwrap();
    assert_eq!(admitted.person().account_id.as_str(), "557058:ada");
    assert_eq!(*calls.lock().unwrap(), [(Place::Token, Outcome::Ok), (Place::Me, Outcome::Ok)]);

    let [exchange, profile] = &server.requests()[..] else { panic!("two requests") };
    assert_eq!((exchange.method(), exchange.target()), ("POST", "/oauth/token"));
    assert_eq!(exchange.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(exchange.header("authorization"), None, "the secret is in the body only");
    let agent = concat!("anteroom/", env!("CARGO_PKG_VERSION"));
    assert_eq!(exchange.header("user-agent"), Some(agent));
    assert_eq!(
        form(exchange),
        [
            ("client_id", "cl1ent"),
            ("client_secret", SECRET),
            ("code", CODE),
            ("code_verifier", "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI"),
            ("grant_type", "authorization_code"),
            ("redirect_uri", "https://app.example/api/auth/callback/atlassian"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    assert_eq!((profile.method(), profile.target()), ("GET", "/me"));
    assert_eq!(profile.header("authorization"), Some(&*format!("Bearer {TOKEN}")));
    assert!(profile.body.is_empty());
}

/// The form in the body, sorted.
fn form(request: &Request) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = form_urlencoded::parse(&request.body).into_owned().collect();
    pairs.sort();
    pairs
}

#[tokio::test]
async fn a_verifier_is_sent_only_when_a_challenge_was() {
    let server = double(token(), me()).await;
    let (atlassian, _) = adapter(&server.url(), |_| ());
    atlassian.identify(grant(None)).await.unwrap();
    assert!(!server.saw("code_verifier"));
}

#[test]
fn authorize_urls_to_the_byte() {
    let scopes =
        |texts: &[&str]| Scopes::parse(&texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>()).unwrap();
    let (plain, _) = adapter("https://auth.atlassian.com", |_| ());
    assert_eq!(
        plain.authorize_url("st4te", None, false),
        "https://auth.atlassian.com/authorize?response_type=code&client_id=cl1ent&state=st4te\
         &redirect_uri=https%3A%2F%2Fapp.example%2Fapi%2Fauth%2Fcallback%2Fatlassian&scope=read%3Ame\
         &audience=api.atlassian.com"
    );
    let (full, _) = adapter("https://auth.example/tenant/", |s| {
        s.prompt = Some("login".into());
        s.scopes = scopes(&["read:jira-user", "read:me"]);
    });
    let url = full.authorize_url("a&b=c d", Some("ch4llenge"), false);
    assert_eq!(
        url,
        "https://auth.example/tenant/authorize?response_type=code&client_id=cl1ent&state=a%26b%3Dc+d\
         &redirect_uri=https%3A%2F%2Fapp.example%2Fapi%2Fauth%2Fcallback%2Fatlassian\
         &scope=read%3Ajira-user+read%3Ame&audience=api.atlassian.com\
         &code_challenge=ch4llenge&code_challenge_method=S256&prompt=login"
    );
    assert!(full.authorize_url("s", None, true).ends_with("&prompt=consent"));
    assert!(plain.authorize_url("s", None, true).ends_with("&prompt=consent"));
    assert!(!url.contains("secret"));
}

#[test]
fn a_base_url_must_be_one() {
    for bad in ["mailto:a@b.example", "ftp://auth.example", "https://user@auth.example"] {
        let error = Atlassian::new(settings(bad)).unwrap_err();
        assert!(matches!(error, SetupError::NotABase(_)), "{error}");
    }
}

fn absurd(place: Place, cause: &str) -> AtlassianError {
    AtlassianError::Unintelligible { place, cause: cause.into() }
}

fn unavailable(place: Place, cause: &str) -> AtlassianError {
    AtlassianError::Unavailable { place, cause: cause.into() }
}

#[tokio::test]
async fn every_refusal_of_a_code_means_one_thing() {
    let no_json = |status: u16| absurd(Place::Token, &format!("status {status}, not the JSON of RFC 6749"));
    let foreign = |status: u16| {
        absurd(Place::Token, &format!("status {status}, an error code that does not belong here"))
    };
    let no_token = absurd(Place::Token, "status 200, without a usable access token");
    let html = "<html>sorry</html>";
    for (answer, want) in [
        (
            json("401 Unauthorized", r#"{"error":"access_denied","error_description":"Unauthorized"}"#),
            AtlassianError::ClientRefused,
        ),
        (json("403 Forbidden", r#"{"error":"access_denied"}"#), AtlassianError::ClientRefused),
        (json("401 Unauthorized", r#"{"error":"invalid_client"}"#), AtlassianError::ClientRefused),
        (json("401 Unauthorized", r#"{"error":"unauthorized_client"}"#), AtlassianError::ClientRefused),
        (
            json("403 Forbidden", r#"{"error":"invalid_grant","error_description":"sorry"}"#),
            AtlassianError::CodeRefused,
        ),
        (json("400 Bad Request", r#"{"error":"invalid_grant"}"#), AtlassianError::CodeRefused),
        (json("400 Bad Request", r#"{"error":"invalid_request"}"#), AtlassianError::CodeRefused),
        (json("403 Forbidden", r#"{"error":"unauthorized_client"}"#), AtlassianError::CodeRefused),
        (json("400 Bad Request", r#"{"error":"invalid_scope"}"#), foreign(400)),
        (json("400 Bad Request", r#"{"error":"sorry<html>"}"#), foreign(400)),
        (json("401 Unauthorized", r#"{"code":401,"message":"sorry"}"#), no_json(401)),
        (reply("403 Forbidden", "text/html", html), no_json(403)),
        (json("404 Not Found", ""), no_json(404)),
        (json("400 Bad Request", "[]"), no_json(400)),
        (reply("200 OK", "text/html", html), no_json(200)),
        (json("200 OK", ""), no_json(200)),
        (json("200 OK", "{}"), no_token.clone()),
        (json("200 OK", r#"{"error":"sorry"}"#), no_token.clone()),
        (json("200 OK", r#"{"access_token":"t0ken","token_type":"mac"}"#), no_token.clone()),
        (json("200 OK", r#"{"access_token":"t0ken"#), no_token),
        (reply("502 Bad Gateway", "text/html", html), unavailable(Place::Token, "status 502")),
        (
            json("503 Service Unavailable", r#"{"error":"access_denied"}"#),
            unavailable(Place::Token, "status 503"),
        ),
        (json("429 Too Many Requests", "{}"), unavailable(Place::Token, "status 429")),
    ] {
        let shown = format!("{answer:?}");
        let (error, calls) = outcome(answer, me(), PATIENT).await;
        assert_eq!(error, want, "{shown}");
        assert_eq!(calls, [(Place::Token, Outcome::from(&Err::<(), _>(want)))], "no profile without a token");
    }
}

#[tokio::test]
async fn every_refusal_of_a_profile_means_one_thing() {
    let scope = AtlassianError::ScopeMissing(Place::Me);
    for (answer, want) in [
        (
            json("401 Unauthorized", r#"{"code":401,"message":"Unauthorized; scope does not match"}"#),
            scope.clone(),
        ),
        (json("403 Forbidden", r#"{"code":403,"message":"sorry"}"#), scope),
        (
            json("401 Unauthorized", r#"{"code":401,"message":"Unauthorized"}"#),
            absurd(Place::Me, "status 401 for a token that was issued just now"),
        ),
        (json("200 OK", "[]"), absurd(Place::Me, "not a JSON object")),
        (json("200 OK", "{}"), absurd(Place::Me, "no usable account ID")),
        (reply("502 Bad Gateway", "text/html", "<html>sorry</html>"), unavailable(Place::Me, "status 502")),
        (json("429 Too Many Requests", "{}"), unavailable(Place::Me, "status 429")),
        (
            Answer::raw("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"),
            absurd(Place::Me, "status 302, a redirect, which is not followed"),
        ),
    ] {
        let shown = format!("{answer:?}");
        let (error, calls) = outcome(token(), answer, PATIENT).await;
        assert_eq!(error, want, "{shown}");
        assert_eq!(calls, [(Place::Token, Outcome::Ok), (Place::Me, Outcome::from(&Err::<(), _>(want)))]);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_secret() {
    let elsewhere = Upstream::start().await;
    for status in
        ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent"]
    {
        let location = format!("{}/oauth/token", elsewhere.url());
        let answer = format!("HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let (error, _) = outcome(Answer::raw(answer), me(), PATIENT).await;
        let number = &status[..3];
        assert_eq!(
            error,
            absurd(Place::Token, &format!("status {number}, a redirect, which is not followed"))
        );
    }
    assert_eq!(elsewhere.connections(), 0, "the secret went elsewhere");
}

#[tokio::test]
async fn oversized_answers_are_cut() {
    let padding = |bytes: usize| " ".repeat(bytes);
    let too_long = |body: &str, pad: usize| json("200 OK", &format!("{}{body}", padding(pad)));
    let token_body = format!(r#"{{"access_token":"{TOKEN}"}}"#);
    let (error, _) = outcome(too_long(&token_body, 64 << 10), me(), PATIENT).await;
    assert_eq!(error, absurd(Place::Token, "the answer has more than 65536 bytes"));
    let (error, _) = outcome(token(), too_long(r#"{"account_id":"a"}"#, 256 << 10), PATIENT).await;
    assert_eq!(error, absurd(Place::Me, "the answer has more than 262144 bytes"));

    // Without a length that could be looked at first, and without an end.
    let endless = Answer::raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        .then(padding(70 << 10))
        .then_hang();
    let (error, _) = outcome(endless, me(), PATIENT).await;
    assert_eq!(error, absurd(Place::Token, "the answer has more than 65536 bytes"));

    let server = double(too_long(&token_body, 60 << 10), me()).await;
    adapter(&server.url(), |_| ()).0.identify(grant(None)).await.unwrap();
}

#[tokio::test]
async fn patience_ends() {
    let short = Duration::from_millis(150);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"acc";
    for (token_answer, me_answer, place) in [
        (Answer::default().then_hang(), me(), Place::Token),
        (Answer::raw(head).then_hang(), me(), Place::Token),
        (token(), Answer::default().then_hang(), Place::Me),
        (token(), Answer::raw(head).then_hang(), Place::Me),
    ] {
        let (error, _) = outcome(token_answer, me_answer, short).await;
        assert_eq!(error, unavailable(place, "no complete answer in time"));
    }
}

#[tokio::test]
async fn broken_connections_are_unavailability() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"acc";
    for (token_answer, me_answer, at) in [
        (Answer::default().then_close(), me(), Place::Token),
        (Answer::raw(head).then_close(), me(), Place::Token),
        (Answer::raw("SSH-2.0-OpenSSH\r\n").then_close(), me(), Place::Token),
        (token(), Answer::raw(head).then_close(), Place::Me),
    ] {
        let (error, _) = outcome(token_answer, me_answer, PATIENT).await;
        assert!(matches!(&error, AtlassianError::Unavailable { place, .. } if *place == at), "{error:?}");
    }
    // Nobody there: the port was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (atlassian, _) = adapter(&format!("http://{free}"), |_| ());
    let error = atlassian.identify(grant(None)).await.unwrap_err();
    assert_eq!(error, unavailable(Place::Token, "no connection (connection refused)"));
    // Somebody there who does not speak TLS: hears the client's first bytes and answers in plain text.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let plain = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = vec![0; 4096];
        let n = stream.read(&mut heard).await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        heard.truncate(n);
        heard
    });
    let (atlassian, _) = adapter(&format!("https://{address}"), |_| ());
    let error = atlassian.identify(grant(None)).await.unwrap_err();
    assert_eq!(error, unavailable(Place::Token, "the TLS handshake failed"));
    assert!(!String::from_utf8_lossy(&plain.await.unwrap()).contains("s3cret"));
}
