//! What do people see? Log-in, consent, error and start page, server-rendered, no script.
//!
//! Guarantees: every page says that this is an emulator, and escapes what it shows; names keep their own direction.
//! No trademark of Atlassian is drawn.

mod explain;

use askama::Template;

use super::fixture::{App, Distribution, GrantKind, Site, User};
use super::reply::Reply;
use super::request::Request;
use super::scopes::{self, Scopes};
use super::world::World;

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ title }} – Atlassian emulator</title>
<link rel="stylesheet" href="/_emulator/style.css">
</head>
<body>
<p class="banner"><strong>This is an emulator,</strong> not Atlassian. No password is needed and nothing leaves this computer.</p>
<main>
<h1>{{ title }}</h1>
{{ body|safe }}
</main>
</body>
</html>
"#
)]
struct Layout<'a> {
    title: &'a str,
    body: &'a str,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<p>Pick the account that you want to be.</p>
{% if let Some(notice) = notice %}<p class="notice" role="alert">{{ notice }}</p>{% endif %}
<form method="post" action="/login">
<input type="hidden" name="continue" value="{{ onward }}">
<ul class="accounts">
{% for row in rows %}<li><button name="account_id" value="{{ row.user.account_id }}">
<span class="avatar" aria-hidden="true">{{ row.initial }}</span>
<span class="who"><bdi class="name">{{ row.user.name }}</bdi>
<span class="mail">{% if let Some(email) = row.user.email %}<bdi>{{ email }}</bdi>{% else %}no email{% endif %}</span></span>
{% if !row.marks.is_empty() %}<span class="marks">{% for mark in row.marks %}<span class="mark">{{ mark }}</span>{% endfor %}</span>{% endif %}
</button></li>
{% endfor %}</ul>
</form>
"#
)]
struct Login<'a> {
    rows: Vec<Row<'a>>,
    onward: &'a str,
    notice: Option<&'a str>,
}

struct Row<'a> {
    user: &'a User,
    initial: String,
    marks: Vec<&'a str>,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"{% if private %}<p class="notice"><strong>Developer mode:</strong> {{ app.name }} is not shared; only its owner can use it.</p>
{% else if !app.reviewed %}<p class="notice"><strong>Not reviewed:</strong> nobody has reviewed {{ app.name }}. Go on only if you trust its developer.</p>{% endif %}
<p class="signed-in">Signed in as <bdi class="name">{{ user.name }}</bdi>{% if let Some(email) = user.email %} <span class="mail">(<bdi>{{ email }}</bdi>)</span>{% endif %}</p>
<p><bdi class="name">{{ app.name }}</bdi> would like to:</p>
{% for (api, words) in apis %}<h2>{{ api }}</h2>
<ul class="scopes">{% for (scope, text) in words %}<li>{{ text }} <code>{{ scope }}</code></li>{% endfor %}</ul>
{% endfor %}<form method="post" action="/authorize/consent">
<input type="hidden" name="id" value="{{ id }}">
{% if picker %}<fieldset{% if site_missing %} aria-describedby="pick"{% endif %}>
<legend>Use the app on one site</legend>
{% if site_missing %}<p class="notice" role="alert" id="pick">Choose a site first.</p>{% endif %}
{% for site in sites %}<label><input type="radio" name="site" value="{{ site.id }}" required> {{ site.url }}</label>
{% endfor %}</fieldset>
{% else if !sites.is_empty() %}<p>On your sites: {% for site in sites %}{% if !loop.first %}, {% endif %}{{ site.name }}{% endfor %}.</p>
{% endif %}<div class="actions">
<button class="primary" name="decision" value="accept">Accept</button>
<button name="decision" value="cancel" formnovalidate>Cancel</button>
</div>
<p><button class="link" name="decision" value="switch" formnovalidate>Use another account</button></p>
</form>
"#
)]
struct Consent<'a> {
    id: &'a str,
    user: &'a User,
    app: &'a App,
    apis: Vec<(&'a str, Vec<(&'a str, &'a str)>)>,
    sites: &'a [Site],
    picker: bool,
    private: bool,
    site_missing: bool,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<dl>
<dt>Error</dt><dd><code>{{ error }}</code></dd>
<dt>What Atlassian says</dt><dd>{{ description }}</dd>
</dl>
{% if let Some(help) = help %}<h2>What it means</h2>
<p>{{ help.meaning }}</p>
<h2>What to do</h2>
<p>{{ help.remedy }}</p>
{% endif %}<p class="aside">At the real Atlassian people see such a page too, and the app never hears of it.</p>
<p><a href="/logout">Log in as somebody else</a></p>
"#
)]
struct ErrorPage<'a> {
    error: &'a str,
    description: &'a str,
    help: Option<explain::Help>,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<p>An offline stand-in for <code>auth.atlassian.com</code> and <code>api.atlassian.com</code>, for development and tests.
Set both base URLs of a client to <code>{{ origin }}</code>.</p>
<dl><dt>Scenario</dt><dd><code>{{ scenario }}</code></dd><dt>Logged in without asking</dt><dd>{% if let Some(subject) = approve %}<bdi>{{ subject }}</bdi>{% else %}nobody{% endif %}</dd></dl>
<h2>Apps</h2>
<ul>{% for app in apps %}<li><bdi>{{ app.name }}</bdi>: client id <code>{{ app.client_id }}</code>{% for url in app.callbacks %}, callback <code>{{ url }}</code>{% endfor %}</li>{% endfor %}</ul>
<h2>For tests</h2>
<ul>
<li><a href="/_emulator/journal">Journal</a> of every request (<code>DELETE</code> clears it)</li>
<li><a href="/_emulator/scenario">Scenarios</a>: <code>POST /_emulator/scenario?name=…</code></li>
<li><a href="/_emulator/switches">Switches</a>: <code>PUT</code> the ones to change</li>
<li><a href="/.well-known/openid-configuration">Discovery</a></li>
</ul>
<p><a href="/login">Log in</a></p>
"#
)]
struct Home<'a> {
    origin: &'a str,
    scenario: &'a str,
    approve: Option<&'a str>,
    apps: &'a [App],
}

/// The log-in page.
pub(super) fn login(status: u16, users: &[User], onward: &str, notice: Option<&str>) -> Reply {
    let rows =
        users.iter().map(|user| Row { user, initial: initial(&user.name), marks: marks(user) }).collect();
    render(status, "Log in to continue", &Login { rows, onward, notice })
}

/// The consent page.
pub(super) fn consent(
    status: u16,
    id: &str,
    user: &User,
    app: &App,
    asked: &Scopes,
    sites: &[Site],
    site_missing: bool,
) -> Reply {
    let of = |api| asked.iter().filter(move |scope| scopes::api(scope) == api);
    let apis = ["User identity API", "Jira API", "Confluence API"].into_iter().filter_map(|api| {
        let words: Vec<_> = of(api).map(|scope| (scope.as_str(), scopes::words(scope))).collect();
        (!words.is_empty()).then_some((api, words))
    });
    let title = format!("{} is requesting access to your Atlassian account", app.name);
    let picker = app.grant == GrantKind::Resource;
    let private = app.distribution == Distribution::Private;
    render(
        status,
        &title,
        &Consent { id, user, app, apis: apis.collect(), sites, picker, private, site_missing },
    )
}

/// `GET /error?error=&error_description=&cause=`.
pub(super) fn error(request: &Request) -> Reply {
    let error = request.query("error").unwrap_or("unknown");
    let description = request.query("error_description").unwrap_or("Something went wrong.");
    let help = explain::cause(request.query("cause").unwrap_or_default());
    render(200, "Something went wrong", &ErrorPage { error, description, help }).said("error page")
}

/// `GET /`.
pub(super) fn home(world: &World) -> Reply {
    let World { origin, approve, fixture, .. } = world;
    let scenario = world.scenario().name();
    render(
        200,
        "Atlassian emulator",
        &Home { origin, scenario, approve: approve.as_deref(), apps: &fixture.apps },
    )
}

/// `GET /_emulator/style.css`.
pub(super) fn style() -> Reply {
    Reply::of(200, "text/css; charset=utf-8", include_str!("style.css"))
}

fn render(status: u16, title: &str, body: &impl Template) -> Reply {
    let page = body.render().and_then(|body| Layout { title, body: &body }.render());
    match page {
        Ok(page) => Reply::html(status, page),
        Err(error) => Reply::gateway(500, &format!("The page does not render: {error}")),
    }
}

fn initial(name: &str) -> String {
    name.chars().find(|c| c.is_alphanumeric()).map(|c| c.to_uppercase().collect()).unwrap_or_default()
}

/// What is unusual about an account, so that a tester can pick it on purpose.
fn marks(user: &User) -> Vec<&str> {
    let kind = (user.account_type != "atlassian").then_some(user.account_type.as_str());
    let status = (user.account_status != "active").then_some(user.account_status.as_str());
    let unverified = (user.email.is_some() && user.email_verified == Some(false)).then_some("unverified");
    let unsaid =
        (user.email.is_some() && user.email_verified.is_none()).then_some("not said whether verified");
    let guest = (!user.guest_of.is_empty()).then_some("guest");
    let odd_name = user.name.chars().any(char::is_control).then_some("line break in name");
    [kind, status, unverified, unsaid, guest, odd_name].into_iter().flatten().collect()
}
