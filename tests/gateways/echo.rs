//! An app that shows what it was sent: who is there, according to the gateway, and which cookies came along.

use std::collections::BTreeMap;

use super::super::support::browser::Browser;
use super::super::support::upstream::{Answer, Request};

/// A page with every header, or JSON below `/api`.
pub(super) fn answer(request: &Request) -> Answer {
    let (kind, body) = match request.target() {
        target if target.starts_with("/api") => ("application/json", "{\"fine\":true}".to_owned()),
        _ => ("text/html; charset=utf-8", page(request)),
    };
    Answer::raw(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn page(request: &Request) -> String {
    let name = request.header("X-Anteroom-Name").unwrap_or("nobody");
    let lines = request.head.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    let shown: String = [("target".to_owned(), request.target().to_owned())]
        .into_iter()
        .chain(lines)
        .map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>", escape(&name), escape(&value)))
        .collect();
    format!(
        "<!doctype html><html lang=en><title>The app</title>\
         <meta name=viewport content='width=device-width'><link rel=icon href='data:,'>\
         <style>dd {{ margin: 0; overflow-wrap: anywhere }}</style>\
         <main><h1>Hello, {}</h1><p><a href='/_anteroom/sign-out'>Sign out</a></p><dl>{shown}</dl></main>",
        escape(name)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// What the page on the screen says that the app was sent: lower-case names, and `target`.
pub(super) async fn shown(browser: &Browser) -> BTreeMap<String, String> {
    browser.wait_for_text("Hello, ").await;
    browser
        .evaluate(
            "return Object.fromEntries([...document.querySelectorAll('dt')]\
             .map(name => [name.textContent, name.nextElementSibling.textContent]))",
        )
        .await
}
