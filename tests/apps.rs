//! Apps that nobody here wrote, behind Anteroom: a CalDAV server that trusts a header, a WebSocket library's server.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::browser::{Browser, Options};
use crate::support::person::Person;
use crate::support::radicale::Radicale;
use crate::support::site::{Plan, Site};
use crate::support::websocket_app::WebSocketApp;

const AS_RADICALE_WANTS_IT: &str =
    "[access]\nallow_any_atlassian_account = true\n[headers.names]\nemail = [\"X-Remote-User\"]";

#[tokio::test]
async fn radicale_knows_who_signed_in_through_the_browser() {
    let app = Radicale::start().await;
    let site = Site::with(Plan::default().upstream(app.url()).config(AS_RADICALE_WANTS_IT)).await;
    let browser = Browser::start(Options::default()).await;
    browser.goto(&site.url("/.web/")).await;
    browser.click_text("Continue with Atlassian").await;
    browser.click_text("Grace Hopper").await;
    browser.click_text("Accept").await;
    browser.click_text("Continue to").await;
    browser.wait_for_url("/.web/").await;
    browser.screenshot("radicale").await;
    // As its own web page would ask, with a client's claim to be somebody else beside it.
    let ask = "const done = arguments[arguments.length - 1];\
        fetch('/', { method: 'PROPFIND', headers: { 'X-Remote-User': 'admin@example.com', 'X_Remote_User': 'admin' },\
          body: '<propfind xmlns=\"DAV:\"><prop><current-user-principal/></prop></propfind>' })\
        .then(async r => done([r.status, await r.text()]))";
    let (status, body): (u16, String) = browser.evaluate_async(ask).await;
    assert_eq!(status, 207, "{body}");
    assert!(body.contains("/grace%40example.com/") && !body.contains("admin"), "{body}");
}

#[tokio::test]
async fn a_websocket_app_hears_who_is_there_and_echoes() {
    let app = WebSocketApp::start().await;
    let site = Site::with(Plan::ada().upstream(app.url())).await;
    let mut person = Person::new();
    person.visit(&site.url("/_anteroom/start")).await;

    let mut request = format!("ws://{}/headers", site.host()).into_client_request().unwrap();
    let cookie = format!("theme=dark; {}", person.cookie_line(&site.url("")));
    request.headers_mut().insert("cookie", cookie.parse().unwrap());
    request.headers_mut().insert("x-anteroom-email", "admin@example.com".parse().unwrap());
    let stream = tokio::net::TcpStream::connect(site.address()).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();

    let greeting = socket.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(greeting.contains("ada@example.com") && !greeting.contains("admin@example.com"), "{greeting}");
    assert!(greeting.contains(r#"theme=dark""#) && !greeting.contains("anteroom="), "{greeting}");
    for text in ["one", "zwei", "ثلاثة"] {
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap(), text);
    }
    let big = vec![7; 3 << 20];
    socket.send(Message::binary(big.clone())).await.ok();
    socket.send(Message::text("close")).await.ok();
    let mut closed = None;
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Close(frame) = message {
            closed = frame.map(|f| u16::from(f.code));
        }
    }
    // 1009: the library's own limit on a message; its close frame comes through as it was sent.
    assert!(matches!(closed, Some(1009 | 4000)), "{closed:?}");
}

#[tokio::test]
async fn a_websocket_without_a_session_is_refused_before_the_app_hears_of_it() {
    let app = WebSocketApp::start().await;
    let site = Site::with(Plan::ada().upstream(app.url())).await;
    let request = format!("ws://{}/", site.host()).into_client_request().unwrap();
    let stream = tokio::net::TcpStream::connect(site.address()).await.unwrap();
    match tokio_tungstenite::client_async(request, stream).await {
        Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), 401),
        other => panic!("{other:?}"),
    }
}
