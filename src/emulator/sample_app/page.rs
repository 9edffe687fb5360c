//! The sample app's one page: who is signed in, by the headers alone.

use askama::Template;
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;

use crate::emulator::reply::Reply;

use super::header_list;

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sample app</title>
<link rel="stylesheet" href="/sample.css">
<script src="/sample.js" defer></script>
</head>
<body>
<p class="banner"><strong>This is a demo.</strong> The app below has no log-in of its own: it reads the headers that Anteroom adds.</p>
<main>
{% if let Some(name) = name %}<h1>Hello, <bdi id="name">{{ name }}</bdi></h1>
{% if new_user %}<p class="new">You are new here. <a href="/provision">Get my place ready</a></p>{% endif %}
<dl>{% for (label, value) in facts %}<div><dt>{{ label }}</dt><dd><bdi>{{ value }}</bdi></dd></div>{% endfor %}</dl>
<p class="links"><a href="/_anteroom/me">My identity as JSON</a> <a href="/_anteroom/sign-out">Sign out</a></p>
{% else %}<h1>Hello, stranger</h1>
<p>No identity header came with this request. Either the page is public, or you reached the app without Anteroom in front.</p>
<p class="links"><a href="/_anteroom/sign-in">Sign in</a></p>
{% endif %}
<section id="echo" hidden>
<h2>WebSocket echo</h2>
<form><label for="message">Message</label> <span class="row"><input id="message" autocomplete="off" value="Hello through the proxy"> <button>Send</button></span></form>
<p>State: <output id="state">connecting</output></p>
<ol id="log" aria-live="polite"></ol>
</section>
<noscript><p>The WebSocket echo needs a script; everything else works without.</p></noscript>
<h2>Headers of this request ({{ headers.len() }})</h2>
<div class="scroll" role="region" aria-label="Headers" tabindex="0"><table>
<thead><tr><th scope="col">Name</th><th scope="col">Value</th></tr></thead>
<tbody>{% for (header, value) in headers %}<tr{% if header.starts_with("x-anteroom-") %} class="ours"{% endif %}><th scope="row">{{ header }}</th><td>{{ value }}</td></tr>
{% endfor %}</tbody>
</table></div>
<p class="links"><a href="/headers">Headers as JSON</a> <a href="/json">JSON</a> <a href="/sse">Event stream</a></p>
</main>
</body>
</html>
"#
)]
struct Home {
    name: Option<String>,
    new_user: bool,
    facts: Vec<(&'static str, String)>,
    headers: Vec<(String, String)>,
}

/// Its own script and style, and the WebSocket back to where it came from.
const POLICY: &str =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'";

/// The page.
pub(super) fn home(headers: &HeaderMap) -> Reply {
    let facts = [
        ("Account ID", "x-anteroom-account-id"),
        ("Email", "x-anteroom-email"),
        ("Email verified", "x-anteroom-email-verified"),
        ("New user", "x-anteroom-new-user"),
        ("Groups", "x-anteroom-groups"),
        ("Roles", "x-anteroom-roles"),
    ];
    let page = Home {
        name: name(headers),
        new_user: text(headers, "x-anteroom-new-user").as_deref() == Some("true"),
        facts: facts.into_iter().filter_map(|(label, name)| Some((label, text(headers, name)?))).collect(),
        headers: header_list(headers),
    };
    match page.render() {
        Ok(page) => {
            Reply::of(200, "text/html; charset=utf-8", page).with(header::CONTENT_SECURITY_POLICY, POLICY)
        }
        Err(error) => Reply::gateway(500, &format!("The page does not render: {error}")),
    }
}

/// The person's name, or else the account ID; `None` without a signed-in user.
pub(super) fn name(headers: &HeaderMap) -> Option<String> {
    text(headers, "x-anteroom-name").or_else(|| text(headers, "x-anteroom-account-id"))
}

/// An identity header, percent-decoded; `-` stands for absent.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    let decoded = percent_decode_str(value).decode_utf8_lossy().into_owned();
    (!decoded.is_empty() && decoded != "-").then_some(decoded)
}
