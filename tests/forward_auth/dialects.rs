//! Each dialect's answers: yes with everything an app may be told, no in a status that its gateway understands.

use super::super::support::site::Plan;
use super::rig::{ALL, Dialect, HTTP, Question, SCRIPT, sign_in, site};

/// What a gateway has to copy, whoever asks.
const IDENTITY: [&str; 7] = [
    "x-anteroom-account-id",
    "x-anteroom-email",
    "x-anteroom-email-verified",
    "x-anteroom-name",
    "x-anteroom-picture",
    "x-anteroom-new-user",
    "x-anteroom-assertion",
];

#[tokio::test(flavor = "multi_thread")]
async fn without_a_session() {
    let site = site(Plan::ada()).await;
    let way_in = site.url("/_anteroom/sign-in?return_to=%2Fboard%3Fid%3D1%26x%3D%252F");
    for (dialect, question, status, location) in [
        (Dialect::Nginx, Question::to("/board?id=1&x=%2F"), 401, Some(way_in.as_str())),
        (Dialect::Forward, Question::to("/board?id=1&x=%2F"), 302, Some(&way_in)),
        (Dialect::Envoy, Question::to("/board?id=1&x=%2F"), 302, Some(&way_in)),
        (Dialect::Grpc, Question::to("/board?id=1&x=%2F"), 302, Some(&way_in)),
        (Dialect::Forward, Question::to("/board?id=1&x=%2F").method("HEAD"), 302, Some(&way_in)),
        (Dialect::Nginx, Question::to("/api").headers(SCRIPT), 401, None),
        (Dialect::Forward, Question::to("/api").headers(SCRIPT), 401, None),
        (Dialect::Envoy, Question::to("/api").headers(SCRIPT), 401, None),
        (Dialect::Forward, Question::to("/api").method("DELETE").headers(SCRIPT), 401, None),
        (Dialect::Nginx, Question::to("/api").method("POST").headers(SCRIPT), 401, None),
        (Dialect::Forward, Question::to("/rpc").headers(&[("Content-Type", "application/grpc")]), 401, None),
        (Dialect::Envoy, Question::to("/rpc").headers(&[("Content-Type", "application/grpc")]), 401, None),
        (Dialect::Grpc, Question::to("/api").headers(SCRIPT), 401, None),
        (Dialect::Grpc, Question::to("/rpc").headers(&[("Content-Type", "application/grpc")]), 401, None),
        (Dialect::Nginx, Question::to("/rpc").headers(&[("Content-Type", "application/grpc")]), 401, None),
    ] {
        let answer = question.ask(dialect, &site).await;
        let context = format!("{dialect:?} {question:?}: {}", answer.text());
        assert_eq!(answer.status, status, "{context}");
        assert_eq!(answer.header("location"), location, "{context}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{context}");
        assert!(
            status != 401 || answer.header("www-authenticate").is_some() || context.contains("rpc"),
            "{context}"
        );
        assert!(answer.header("x-anteroom-account-id").is_none(), "{context}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_session() {
    let site = site(Plan::ada()).await;
    let cookie = sign_in(&site).await;
    let foreign = format!("{}; {cookie}", "a".repeat(8000));
    for dialect in HTTP {
        for question in [
            Question::to("/board").with(&[("Cookie", &cookie)]),
            Question::to("/board").with(&[("Cookie", &foreign)]),
            Question::to("/board?x=%00").method("POST").headers(&[("Cookie", &cookie)]),
            Question::to("/socket").headers(&[("Upgrade", "websocket"), ("Cookie", &cookie)]),
        ] {
            let answer = question.ask(dialect, &site).await;
            assert_eq!((answer.status, answer.body.len()), (200, 0), "{dialect:?} {question:?}");
            let sent: Vec<&str> = answer.head.headers.iter().map(|(name, _)| name.as_str()).collect();
            let wanted: Vec<&str> =
                ["cache-control"].into_iter().chain(IDENTITY).chain(["content-length"]).collect();
            assert_eq!(sent, wanted, "nothing else may reach the app: {dialect:?}");
            assert!(answer.head.headers.iter().all(|(_, value)| !value.is_empty()));
            assert_eq!(answer.header("x-anteroom-email"), Some("ada@example.com"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let assertion = answer.header("x-anteroom-assertion").unwrap().len();
            assert!(answer.head.raw.len() <= 3500 && answer.head.raw.len() - assertion <= 1500);
        }
    }
    let head =
        Question::to("/board").method("HEAD").with(&[("Cookie", &cookie)]).ask(Dialect::Envoy, &site).await;
    assert_eq!(head.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn public_and_closed_routes_and_the_original_method() {
    let routes = "[access]\nallow_any_atlassian_account = true\n\
                  [[routes]]\npath = \"/health\"\nmethods = [\"GET\"]\naccess = \"public\"\n\
                  [[routes]]\nprefix = \"/closed\"\naccess = \"deny\"\n";
    let site = site(Plan::ada().config(routes)).await;
    let cookie = sign_in(&site).await;
    for dialect in ALL {
        let public = Question::to("/health?x=1").headers(SCRIPT).ask(dialect, &site).await;
        assert_eq!(public.status, 200, "{dialect:?}");
        assert!(IDENTITY.iter().all(|name| public.header(name) == Some("-")), "{dialect:?} {public:?}");
        for question in [
            Question::to("/health").method("POST").headers(SCRIPT),
            Question::to("/healthx").headers(SCRIPT),
            Question::to("/x?/health").headers(SCRIPT),
        ] {
            assert_eq!(question.ask(dialect, &site).await.status, 401, "{dialect:?} {question:?}");
        }
        let closed = Question::to("/closed/x").with(&[("Cookie", &cookie)]).ask(dialect, &site).await;
        assert_eq!(closed.status, 403, "{dialect:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_session_is_cleared_with_one_cookie() {
    let site = site(Plan::ada()).await;
    let cookie = sign_in(&site).await;
    let stale =
        format!("{}x; anteroom-loop=junk; anteroom-flow-00000000=junk", cookie.split(';').next().unwrap());
    for dialect in ALL {
        let answer = Question::to("/board").with(&[("Cookie", &stale)]).ask(dialect, &site).await;
        let set = answer.head.all("set-cookie");
        assert_eq!(set.len(), 1, "{dialect:?} {set:?}");
        assert!(set[0].starts_with("anteroom=; ") && set[0].contains("Max-Age=0"), "{set:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_pages_are_here_and_nothing_else() {
    let site = site(Plan::ada()).await;
    let cookie = sign_in(&site).await;
    let host = site.host();
    let get = |path: &str, cookie: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nCookie: {cookie}\r\n\r\n")
    };
    for (path, status) in [
        ("/_anteroom/sign-out", 200),
        ("/_anteroom/me", 200),
        ("/_anteroom/jwks.json", 200),
        ("/.well-known/anteroom", 200),
        ("/_anteroom/nothing", 404),
        ("/", 404),
        ("/board", 404),
        ("/_anteroom/verify/other", 404),
    ] {
        let answer = super::super::support::raw::exchange(site.address(), get(path, &cookie)).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.header("x-anteroom-account-id").is_none(), "{path}");
    }
    for dialect in ALL {
        for own in
            ["/_anteroom/start", "/_anteroom/verify/nginx", "/%5fanteroom/me", "/api/auth/callback/atlassian"]
        {
            let answer = Question::to(own).with(&[("Cookie", &cookie)]).ask(dialect, &site).await;
            assert_eq!(answer.status, 403, "{dialect:?} {own}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_counted_and_logged_as_the_original_request() {
    let site = site(Plan::ada()).await;
    let cookie = sign_in(&site).await;
    Question::to("/board?secret=1").with(&[("Cookie", &cookie)]).ask(Dialect::Forward, &site).await;
    let lines = site.log.lines();
    let line = lines.iter().rfind(|line| line.contains("/board")).unwrap_or_else(|| panic!("{lines:?}"));
    for part in ["client: 198.51.100.7", "method: \"GET\"", "path: \"/board\"", "status: 200", "signed_in"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(!line.contains("secret"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_an_account_is_called() {
    for (who, name, email) in [
        ("nour@example.com", "%D9%86%D9%88%D8%B1%20%D8%A7%D9%84%D9%87%D8%AF%D9%89", "nour@example.com"),
        ("557058:00e3a110-0000-4000-8000-000000000007", "Noel Nomail", "-"),
        ("robin@example.com", "Robin  X-Injected: yes", "robin@example.com"),
    ] {
        let site = site(Plan { approve: Some(who.into()), ..Plan::default() }).await;
        let cookie = sign_in(&site).await;
        for dialect in ALL {
            let answer = Question::to("/x").with(&[("Cookie", &cookie)]).ask(dialect, &site).await;
            let text = answer.header("x-anteroom-name").unwrap().replace("%20", " ");
            assert_eq!((answer.status, text), (200, name.replace("%20", " ")), "{who}");
            assert_eq!(answer.header("x-anteroom-email"), Some(email), "{who}");
            assert_eq!(answer.header("x-injected"), None, "{who}");
            let size: usize = answer.head.headers.iter().map(|(n, v)| n.len() + v.len() + 4).sum();
            let assertion = answer.header("x-anteroom-assertion").unwrap().len();
            assert!(size <= 3500 && size - assertion <= 1500, "{who}: {size} bytes");
        }
    }
}
