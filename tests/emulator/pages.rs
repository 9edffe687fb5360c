//! Log-in and consent as a browser without scripts meets them.

use std::time::Duration;

use super::support::{ADA, Answer, CALLBACK, COMPILERS, ENGINES, ONE_SITE, World, ask, asking, cookie, form};

/// The value of a hidden field.
pub fn hidden(page: &str, name: &str) -> String {
    let rest = page
        .split(&format!("name=\"{name}\" value=\""))
        .nth(1)
        .unwrap_or_else(|| panic!("no {name}: {page}"));
    rest.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")
}

struct Browser<'a> {
    world: &'a World,
    cookie: String,
}

impl Browser<'_> {
    async fn get(&self, target: &str) -> Answer {
        self.world.send(self.world.http.get(self.world.url(target)).header("cookie", &self.cookie)).await
    }

    async fn post(&self, target: &str, pairs: &[(&str, &str)]) -> Answer {
        let request = self.world.http.post(self.world.url(target)).header("cookie", &self.cookie);
        let kind = "application/x-www-form-urlencoded";
        self.world.send(request.header("content-type", kind).body(form(pairs))).await
    }

    /// The consent page for these changes, and its id.
    async fn consent(&self, changes: &[(&str, &str)]) -> (Answer, String) {
        let page = self.get(&format!("/authorize?{}", form(&ask(changes)))).await;
        assert_eq!(page.status, 200, "{}", page.location());
        let id = hidden(&page.body, "id");
        (page, id)
    }
}

async fn logged_in<'a>(world: &'a World, account_id: &str) -> Browser<'a> {
    let answer = world.post("/login", &[("account_id", account_id), ("continue", "/authorize?x=1")]).await;
    assert_eq!((answer.status, answer.location()), (303, "/authorize?x=1"));
    assert!(answer.header("set-cookie").ends_with("; Path=/; HttpOnly; SameSite=Lax"));
    Browser { world, cookie: cookie(&answer) }
}

#[tokio::test]
async fn log_in_consent_callback() {
    let world = asking().await;
    let to_login = world.authorize(&[]).await;
    let page = world.get(to_login.location()).await;
    assert!(page.body.contains("Ada Lovelace") && page.body.contains("<bdi class=\"name\">نور الهدى</bdi>"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'self'") && !policy.contains("form-action"));
    let onward = hidden(&page.body, "continue");
    let answer = world.post("/login", &[("account_id", ADA), ("continue", &onward)]).await;
    let browser = Browser { world: &world, cookie: cookie(&answer) };
    let consent = browser.get(answer.location()).await;
    for needle in ["Anteroom demo", "Ada Lovelace", "See your profile", "Not reviewed:", "Accept", "Cancel"] {
        assert!(consent.body.contains(needle), "{needle}");
    }
    assert!(!consent.body.contains("type=\"radio\""), "no picker at account level");
    let id = hidden(&consent.body, "id");
    let done = browser.post("/authorize/consent", &[("id", &id), ("decision", "accept")]).await;
    assert_eq!(done.status, 303);
    let code = done.sent_on("code").unwrap();
    assert_eq!(done.sent_on("state").as_deref(), Some("s-1"));
    assert_eq!(world.exchange(&code, &[]).await.status, 200);
    let (private, _) = browser.consent(&[("client_id", super::support::PRIVATE)]).await;
    assert!(private.body.contains("Developer mode:"));
    // The same page again, by the back button.
    let again = browser.post("/authorize/consent", &[("id", &id), ("decision", "accept")]).await;
    assert_eq!(again.sent_on("error_description").as_deref(), Some("Incorrect request parameters"));
}

#[tokio::test]
async fn cancel_goes_back_with_state() {
    let world = asking().await;
    let browser = logged_in(&world, ADA).await;
    let (_, id) = browser.consent(&[]).await;
    let answer = browser.post("/authorize/consent", &[("id", &id), ("decision", "cancel")]).await;
    assert!(answer.location().starts_with(CALLBACK));
    assert_eq!(answer.sent_on("error").as_deref(), Some("access_denied"));
    assert_eq!(answer.sent_on("error_description").as_deref(), Some("User did not authorize the request"));
    assert_eq!(answer.sent_on("state").as_deref(), Some("s-1"));
}

#[tokio::test]
async fn a_resource_level_app_needs_one_of_the_offered_sites() {
    let world = asking().await;
    let browser = logged_in(&world, ADA).await;
    let (page, id) = browser.consent(&[("client_id", ONE_SITE.0), ("scope", "read:me read:jira-user")]).await;
    assert_eq!(page.body.matches("type=\"radio\"").count(), 2);
    assert!(!page.body.contains("Not reviewed:"));
    for site in [None, Some("99999999-0000-4000-8000-000000000000")] {
        let mut pairs = vec![("id", id.as_str()), ("decision", "accept")];
        pairs.extend(site.map(|site| ("site", site)));
        let refused = browser.post("/authorize/consent", &pairs).await;
        assert!(refused.status == 400 && refused.body.contains("Choose a site first"), "{}", refused.body);
    }
    let pairs = [("id", id.as_str()), ("decision", "accept"), ("site", COMPILERS)];
    let code = browser.post("/authorize/consent", &pairs).await.sent_on("code").unwrap();
    let tokens =
        world.exchange(&code, &[("client_id", ONE_SITE.0), ("client_secret", ONE_SITE.1)]).await.json();
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(world.api(&format!("/ex/jira/{COMPILERS}/rest/api/3/myself"), token).await.status, 200);
    assert_eq!(world.api(&format!("/ex/jira/{ENGINES}/rest/api/3/myself"), token).await.status, 404);
}

#[tokio::test]
async fn a_consent_page_goes_stale() {
    let world = asking().await;
    let browser = logged_in(&world, ADA).await;
    let (_, id) = browser.consent(&[]).await;
    world.clock.advance(Duration::from_secs(600));
    let late = browser.post("/authorize/consent", &[("id", &id), ("decision", "accept")]).await;
    assert_eq!(late.sent_on("error").as_deref(), Some("invalid_request"));

    // Another account logged in meanwhile, in another tab.
    let (_, id) = browser.consent(&[]).await;
    let other = logged_in(&world, "5b10a2844c20165700ede21g").await;
    let answer = other.post("/authorize/consent", &[("id", &id), ("decision", "accept")]).await;
    assert!(answer.location().starts_with("/error?"), "{}", answer.location());
    let nobody = world.post("/authorize/consent", &[("id", &id), ("decision", "accept")]).await;
    assert!(nobody.location().starts_with("/error?"));
}

#[tokio::test]
async fn use_another_account_keeps_the_request() {
    let world = asking().await;
    let browser = logged_in(&world, ADA).await;
    let challenge = [("code_challenge", "abc"), ("code_challenge_method", "S256"), ("state", "x&y")];
    let (_, id) = browser.consent(&challenge).await;
    let answer = browser.post("/authorize/consent", &[("id", &id), ("decision", "switch")]).await;
    assert_eq!(answer.status, 303);
    let onward = answer.sent_on("continue").unwrap();
    let url = world.url(&onward);
    let mut kept: Vec<_> = url.query_pairs().into_owned().collect();
    let mut sent: Vec<_> = ask(&challenge).iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    kept.sort();
    sent.sort();
    assert_eq!(kept, sent);
    // The old session is over.
    assert!(browser.get(&onward).await.location().starts_with("/login?"));
}

#[tokio::test]
async fn log_in_goes_nowhere_else_and_pages_escape() {
    let world = asking().await;
    for onward in ["https://evil.example/", "//evil.example/", "/\\evil.example", ""] {
        let answer = world.post("/login", &[("account_id", ADA), ("continue", onward)]).await;
        assert_eq!(answer.location(), "/", "{onward}");
    }
    let nobody = world.post("/login", &[("account_id", "nobody")]).await;
    assert!(nobody.status == 400 && nobody.header("set-cookie").is_empty());
    let page = world.get("/error?error=%3Cb%3E&error_description=%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert!(!page.body.contains("<script") && !page.body.contains("<b>"), "{}", page.body);
    for target in ["/", "/login", "/error"] {
        let page = world.get(target).await;
        assert!(page.body.contains("This is an emulator"), "{target}");
    }
    assert_eq!(world.get("/_emulator/style.css").await.header("content-type"), "text/css; charset=utf-8");
}
