//! What nobody gets out of a hand-off: somebody else's session, their own session in somebody else's browser, a session
//! that is over, a way off the operator's hosts, or a loop.

use super::hand_off::{CI, WIKI, apps, sign_in_at, with_apps};
use super::*;

/// Ada, signed in at the central host and at the wiki.
async fn ada_at_the_wiki(site: &Site) -> Browser {
    let mut browser = Browser::default();
    sign_in_at(&mut browser, site, &format!("{WIKI}/")).await.1.permit();
    browser
}

/// The address that brings a browser with a session at the central host its cookie for an app.
pub(super) async fn code_for(site: &Site, browser: &mut Browser, app: &str, path: &str) -> String {
    let start: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
    let reply = browser.open(site, &format!("{app}/_anteroom/start?return_to={start}")).await.reply();
    let ticket = location(&reply).to_owned();
    let reply = browser.open(site, &ticket).await.reply();
    let code = location(&reply).to_owned();
    assert!(code.starts_with(&format!("{app}/_anteroom/finish?code=")), "{code}");
    browser.host = app.trim_start_matches("https://").into();
    code
}

fn parameter_of(url: &str) -> &str {
    url.split_once('=').unwrap().1
}

/// Opens a code where it must not work: no session there.
async fn refused(site: &Site, browser: &mut Browser, code: &str) -> Reply {
    let reply = browser.open(site, code).await.reply();
    assert!(!browser.has_session(), "{} {}", reply.status, text(&reply));
    reply
}

#[tokio::test]
async fn a_code_works_once() {
    let site = apps().await;
    let mut browser = ada_at_the_wiki(&site).await;
    let code = code_for(&site, &mut browser, CI, "/p").await;
    let mut before = browser.clone();
    assert_eq!(location(&browser.open(&site, &code).await.reply()), "/p");
    assert!(browser.has_session());
    assert_eq!(location(&browser.open(&site, &code).await.reply()), "/p", "the back button just goes on");
    let reply = refused(&site, &mut before, &code).await;
    assert!(text(&reply).contains("signin.state_replayed"), "the same cookies again");
    assert_eq!(before.flows(), 0, "and they are gone");
    assert!(text(&reply).contains("/_anteroom/sign-in?return_to=%2Fp"), "a way to try again");
}

#[tokio::test]
async fn a_code_is_for_one_host() {
    let site = apps().await;
    let mut browser = ada_at_the_wiki(&site).await;
    let code = code_for(&site, &mut browser, CI, "/p").await;
    let flows = browser.cookies();
    let mut evil = Browser { host: "wiki.example".into(), ..Default::default() };
    flows.iter().for_each(|(name, value)| evil.plant(name, value));
    let reply = refused(&site, &mut evil, &code.replace(CI, WIKI)).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert!(text(&reply).contains("signin.hand_off_refused"));
    // Nor does a waiting browser's cookie count at another host than the one that set it.
    let code = code_for(&site, &mut browser, CI, "/p").await;
    let cookies: Vec<_> = browser.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let opened = |host| {
        let headers = HeaderMap::from_iter([(COOKIE, cookies.join("; ").parse().unwrap())]);
        let code = site.auth.cookies.open_code(parameter_of(&code), "ci.example:8443").unwrap();
        let own = crate::session::cookie::scan(&headers, site.auth.cookie_names());
        site.auth.cookies.find_awaiting(&own, &code, host).is_some()
    };
    assert!(opened("ci.example:8443") && !opened("wiki.example"));
}

/// Login CSRF: Mallory's code in Ada's browser; and its mirror, Ada's code in Mallory's browser.
#[tokio::test]
async fn a_code_is_for_one_browser() {
    let site = apps().await;
    let mut mallory = ada_at_the_wiki(&site).await;
    let code = code_for(&site, &mut mallory, CI, "/p").await;
    let mut victim = Browser::default();
    let reply = refused(&site, &mut victim, &code).await;
    assert!(location(&reply).starts_with("https://app.example/_anteroom/hand-off?ticket="), "it starts over");
    // A flow of the victim's own does not help, under whichever name.
    let own: Vec<_> = victim.cookies().into_iter().collect();
    let wanted = mallory.cookies().into_keys().find(|name| name.contains("-flow-")).unwrap();
    victim.plant(&wanted, &own[0].1);
    refused(&site, &mut victim, &code).await;
    // Whoever was first has used it up: what a victim's browser has shown to a log is worth nothing any more.
    let reply = refused(&site, &mut mallory, &code).await;
    assert!(text(&reply).contains("signin.state_replayed"));
}

/// The secret decides, not the cookie's name: two flows of one tag.
#[tokio::test]
async fn the_cookie_must_hold_the_secret_behind_the_code() {
    use crate::session::hand_off::Awaiting;
    let site = apps().await;
    let mut browser = ada_at_the_wiki(&site).await;
    let now = site.clock.now();
    let (ours, theirs) = ([1; 32], [2; 32]);
    let destination = crate::gate::Destination::parse(site.auth.origins(), Some("ci.example:8443"), None);
    let ticket = Awaiting::begin(None, [9; 16], theirs, now).ticket(destination, 1, false);
    let ticket = site.auth.cookies.seal_ticket(&ticket, &SystemEntropy).unwrap();
    let hand_off = format!("https://app.example/_anteroom/hand-off?ticket={ticket}");
    let code = location(&browser.open(&site, &hand_off).await.reply()).to_owned();
    for (secret, admitted) in [(ours, false), (theirs, true)] {
        let mut browser = Browser { host: "ci.example:8443".into(), ..Default::default() };
        let awaiting = Awaiting::begin(None, [9; 16], secret, now);
        let line = site.auth.cookies.seal_awaiting(&awaiting, "ci.example:8443", &SystemEntropy).unwrap();
        browser.keep(&line);
        // Another store each time, so that only the secret decides.
        let site = apps().await;
        browser.open(&site, &code).await.reply();
        assert_eq!(browser.has_session(), admitted);
    }
}

#[tokio::test]
async fn a_code_lives_for_a_minute() {
    let site = apps().await;
    let mut browser = ada_at_the_wiki(&site).await;
    for (seconds, works) in [(60, true), (61, false)] {
        let mut browser = browser.clone();
        let code = code_for(&site, &mut browser, CI, "/p").await;
        site.clock.advance(Duration::from_secs(seconds));
        let reply = browser.open(&site, &code).await.reply();
        assert_eq!(browser.has_session(), works, "after {seconds} s");
        if !works {
            let again = location(&reply).to_owned();
            assert_eq!(browser.travel(&site, &again).await.0, format!("{CI}/p"), "starting over helps once");
        }
    }
    let code = code_for(&site, &mut browser, CI, "/p").await;
    site.clock.advance(Duration::from_secs(61));
    let ticket = location(&browser.open(&site, &code).await.reply()).to_owned();
    let code = location(&browser.open(&site, &ticket).await.reply()).to_owned();
    site.clock.advance(Duration::from_secs(61));
    let reply = refused(&site, &mut browser, &code).await;
    assert!(text(&reply).contains("signin.flow_expired"), "the second time it explains itself");
}

#[tokio::test]
async fn a_session_that_is_over_is_not_handed_over() {
    let site = apps().await;
    let mut browser = ada_at_the_wiki(&site).await;
    let code = code_for(&site, &mut browser, CI, "/p").await;
    let session = browser.open(&site, "https://app.example/").await.permit();
    site.auth.sessions.end(session.session().unwrap().session());
    let again = location(&refused(&site, &mut browser, &code).await).to_owned();
    let (at, _) = browser.travel(&site, &again).await;
    assert_eq!(at, "https://app.example/_anteroom/sign-in?app=ci.example%3A8443&return_to=%2Fp");
    // Nor one whose rule the operator has taken out meanwhile.
    let mut browser = ada_at_the_wiki(&site).await;
    let code = code_for(&site, &mut browser, CI, "/p").await;
    let nobody = AccessPolicy::default();
    let stricter = Site::with(Plan { access: nobody, ..with_apps() }).await;
    refused(&stricter, &mut browser, &code).await;
}

#[tokio::test]
async fn nothing_passes_for_something_else() {
    let site = apps().await;
    let mut browser = ada_at_the_wiki(&site).await;
    let mut other = Browser::default();
    let callback = other.leave(&site, "/_anteroom/start").await;
    let state = callback.split_once("state=").unwrap().1.to_owned();
    let flow = other.cookies().into_iter().find(|(name, _)| name.contains("-flow-")).unwrap();
    let start = browser.open(&site, &format!("{CI}/_anteroom/start")).await.reply();
    let ticket = parameter_of(location(&start)).to_owned();
    let waiting = browser.cookies().into_iter().find(|(name, _)| name.contains("-flow-")).unwrap();
    let code = code_for(&site, &mut browser, CI, "/").await;
    let code = parameter_of(&code);
    let wiki = browser.clone().open(&site, &format!("{WIKI}/_anteroom/me")).await;
    assert_eq!(wiki.reply().status, StatusCode::OK);
    for (what, value) in [
        ("nothing", ""),
        ("garbage", "AAAA"),
        ("a state", &state),
        ("a code", code),
        ("a flow cookie", &flow.1),
        ("a waiting browser's cookie", &waiting.1),
        ("two", &format!("{ticket}&ticket={ticket}")),
    ] {
        let hand_off = format!("https://app.example/_anteroom/hand-off?ticket={value}");
        let reply = browser.clone().open(&site, &hand_off).await.reply();
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{what} as a ticket");
        assert!(text(&reply).contains("signin.hand_off_refused"), "{what} as a ticket");
    }
    for (what, value) in [
        ("nothing", ""),
        ("a state", &state),
        ("a ticket", &ticket),
        ("a flow cookie", &flow.1),
        ("two", &format!("{code}&code={code}")),
    ] {
        let mut browser = browser.clone();
        let reply = refused(&site, &mut browser, &format!("{CI}/_anteroom/finish?code={value}")).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{what} as a code");
    }
    for (what, value) in [("a ticket", ticket.as_str()), ("a code", code)] {
        let reply = other.clone().get(&site, &format!("{CALLBACK}?code=c&state={value}")).await.reply();
        assert!(text(&reply).contains("signin.state_mismatch"), "{what} as a state");
    }
    // The cookies of both kinds of flow, each under the name of the other.
    let mut swapped = Browser::default();
    swapped.plant(&flow.0, &waiting.1);
    assert!(location(&swapped.get(&site, &callback).await.reply()).starts_with("https://atlassian.test/"));
    let mut swapped = Browser { host: "ci.example:8443".into(), ..Default::default() };
    let named = site.auth.cookies.open_code(code, "ci.example:8443").unwrap().tag();
    swapped.plant(&format!("__Host-anteroom-flow-{named}"), &flow.1);
    refused(&site, &mut swapped, &format!("{CI}/_anteroom/finish?code={code}")).await;
    assert_eq!(site.asked(), 1, "nobody was asked");
}

#[tokio::test]
async fn a_ticket_of_an_app_that_is_gone_is_none() {
    let site = apps().await;
    let mut browser = ada_at_the_wiki(&site).await;
    let start = browser.open(&site, &format!("{CI}/_anteroom/start")).await.reply();
    let mut plan = with_apps();
    plan.settings.origins = origins(&[WIKI]);
    let smaller = Site::with(plan).await;
    let reply = browser.open(&smaller, location(&start)).await.reply();
    assert!(text(&reply).contains("signin.hand_off_refused"));
}

#[tokio::test]
async fn nobody_is_sent_off_the_operators_hosts() {
    let site = apps().await;
    ada_at_the_wiki(&site).await;
    for (query, want) in [
        ("app=evil.example&return_to=%2Fp", "https://app.example/p"),
        ("app=wiki.example&app=wiki.example&return_to=%2Fp", "https://app.example/p"),
        ("app=wiki.example&app=evil.example&return_to=%2Fp", "https://app.example/p"),
        ("app=wiki.example@evil.example", "https://app.example/"),
        ("app=https://wiki.example", "https://app.example/"),
        ("app=wiki.example%0d%0aX:y", "https://app.example/"),
        ("app=wiki.example&return_to=%2Fp&return_to=%2Fq", "https://wiki.example/"),
        ("app=wiki.example&return_to=https%3A%2F%2Fevil.com", "https://wiki.example/"),
        ("app=wiki.example&return_to=%2F%2Fevil.com", "https://wiki.example/"),
        ("app=wiki.example&return_to=%2F%5Cevil.com", "https://wiki.example/"),
        ("app=wiki.example&return_to=%2F%09%2Fevil.com", "https://wiki.example/"),
        ("app=wiki.example&return_to=.evil.com", "https://wiki.example/"),
        ("app=wiki.example&return_to=@evil.com", "https://wiki.example/"),
        ("app=wiki.example&return_to=:443@evil.com", "https://wiki.example/"),
        ("app=wiki.example&return_to=%2F_anteroom%2Fsign-out", "https://wiki.example/"),
        ("app=wiki.example&return_to=%2F_anteroom%2Ffinish", "https://wiki.example/"),
    ] {
        for endpoint in ["sign-in", "start"] {
            let mut browser = Browser::default();
            let url = format!("https://app.example/_anteroom/{endpoint}?{query}");
            let at = match browser.travel(&site, &url).await {
                (at, Got::Forwarded(_)) => at,
                _ => sign_in_at(&mut browser, &site, &url).await.0,
            };
            assert_eq!(at, want, "{query}");
        }
    }
}

#[tokio::test]
async fn a_callback_of_the_operators_choice_is_no_page_to_come_back_to() {
    let mut plan = with_apps();
    plan.settings.callback_path = "/login/done".into();
    let site = Site::with(plan).await;
    let query = "return_to=%2Flogin%2Fdone%3Fcode%3Dx";
    let reply = Browser::default().get(&site, &format!("/_anteroom/sign-in?{query}")).await.reply();
    assert!(!text(&reply).contains("return_to"), "{}", text(&reply));
    let reply = Browser::default().get(&site, "/_anteroom/sign-in?return_to=%2Flogin%2Fdone2").await.reply();
    assert!(text(&reply).contains("return_to=%2Flogin%2Fdone2"));
}

#[tokio::test]
async fn a_browser_without_cookies_is_told_so_wherever_they_are_blocked() {
    for blocked in ["wiki.example", "app.example", ""] {
        let site = apps().await;
        let mut browser = Browser { blocks: Some(blocked), ..Default::default() };
        let (at, got) = sign_in_at(&mut browser, &site, &format!("{WIKI}/p")).await;
        let reply = got.reply();
        assert!(text(&reply).contains("signin.cookies_blocked"), "{blocked}: {at} {}", text(&reply));
    }
}

#[tokio::test]
async fn a_session_that_never_arrives_is_a_loop() {
    let site = apps().await;
    let mut browser = ada_at_the_wiki(&site).await;
    for _ in 0..3 {
        let (_, got) = browser.travel(&site, &format!("{CI}/p")).await;
        got.permit();
        browser.forget("__Host-anteroom");
    }
    let (_, got) = browser.travel(&site, &format!("{CI}/p")).await;
    assert!(text(&got.reply()).contains("signin.too_many_redirects"));
}

#[tokio::test]
async fn only_navigations_ask_for_a_session_or_take_one() {
    let site = apps().await;
    let mut browser = ada_at_the_wiki(&site).await;
    let code = code_for(&site, &mut browser, CI, "/p").await;
    let start = browser.open(&site, &format!("{CI}/_anteroom/start")).await.reply();
    let ticket = location(&start).to_owned();
    for headers in [
        vec![("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        vec![("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
        vec![("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"), ("sec-purpose", "prefetch")],
    ] {
        let mut quiet = Browser { headers, ..browser.clone() };
        for url in [&format!("{CI}/_anteroom/start"), &ticket, &code] {
            let reply = quiet.open(&site, url).await.reply();
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{url}");
            assert!(!reply.headers.contains_key(SET_COOKIE));
        }
    }
    for (host, target) in [
        ("app.example", ticket.as_str()),
        ("ci.example:8443", code.as_str()),
        ("ci.example:8443", "/_anteroom/start"),
    ] {
        browser.host = host.into();
        for method in [Method::HEAD, Method::POST] {
            let reply = browser.send(&site, method, path_of(target), b"").await.reply();
            assert_eq!((reply.status.as_u16(), &reply.headers["allow"]), (405, &"GET".parse().unwrap()));
        }
    }
    assert_eq!(location(&browser.open(&site, &code).await.reply()), "/p", "nothing of that used it up");
}

#[tokio::test]
async fn each_end_of_a_hand_off_is_on_its_own_host() {
    let (several, alone) = (apps().await, Site::standard().await);
    for (site, url, there) in [
        (&several, "https://app.example/_anteroom/hand-off", true),
        (&several, "https://app.example/_anteroom/finish", false),
        (&several, "https://wiki.example/_anteroom/hand-off", false),
        (&several, "https://wiki.example/_anteroom/finish", true),
        (&several, "https://wiki.example/api/auth/callback/atlassian?error=access_denied", false),
        (&several, "https://app.example/api/auth/callback/atlassian?error=access_denied", true),
        (&several, "https://stranger.example/api/auth/callback/atlassian?error=access_denied", true),
        (&several, "https://stranger.example/_anteroom/hand-off", false),
        (&several, "https://stranger.example/_anteroom/finish", false),
        (&alone, "https://app.example/_anteroom/hand-off", false),
        (&alone, "https://app.example/_anteroom/finish", false),
    ] {
        let reply = Browser::default().open(site, url).await.reply();
        assert_eq!(reply.status != StatusCode::NOT_FOUND, there, "{url}");
    }
}

#[tokio::test]
async fn a_store_that_remembers_no_code_hands_nothing_over() {
    let store = Arc::new(Down::default());
    store.up.store(true, Ordering::SeqCst);
    let site = Site::with(Plan { store: Arc::clone(&store) as Arc<dyn Store>, ..with_apps() }).await;
    let mut browser = ada_at_the_wiki(&site).await;
    let code = code_for(&site, &mut browser, CI, "/p").await;
    store.full.store(true, Ordering::SeqCst);
    assert_eq!(refused(&site, &mut browser, &code).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn error_pages_know_the_way_back() {
    let site = apps().await;
    let mut browser = Browser::default();
    let callback = browser.leave(&site, "/_anteroom/start?app=wiki.example&return_to=%2Fp").await;
    let declined = callback.replace("code=a-code", "error=access_denied");
    let page = text(&browser.get(&site, &declined).await.reply()).replace("&#38;", "&").replace("&amp;", "&");
    assert!(page.contains("/_anteroom/sign-in?app=wiki.example&return_to=%2Fp"), "{page}");
}
