//! One sign-in for several apps: how a browser gets from any of them to its page, with at most one click.

use super::*;
use crate::gate::ReturnTo;

pub(super) const WIKI: &str = "https://wiki.example";
pub(super) const CI: &str = "https://ci.example:8443";

pub(super) fn with_apps() -> Plan {
    let mut plan = Plan::default();
    plan.settings.origins = origins(&[WIKI, CI]);
    plan.settings.landings.welcome = false;
    plan
}

pub(super) async fn apps() -> Site {
    Site::with(with_apps()).await
}

/// The link of a page that leads to `path`.
fn link(page: &Reply, path: &str) -> String {
    let text = text(page);
    let links = text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let found = links.map(|link| link.replace("&#38;", "&").replace("&amp;", "&")).find(|l| l.contains(path));
    found.unwrap_or_else(|| panic!("no link to {path} in {text}"))
}

/// From an address through the button of the sign-in page to the end.
pub(super) async fn sign_in_at(browser: &mut Browser, site: &Site, url: &str) -> (String, Got) {
    let (at, got) = browser.travel(site, url).await;
    assert!(at.starts_with("https://app.example/_anteroom/sign-in?"), "{at}");
    let button = link(&got.reply(), "/_anteroom/start");
    browser.travel(site, &button).await
}

fn session_of(permit: &SessionPermit) -> String {
    permit.session().unwrap().session().id.to_string()
}

#[tokio::test]
async fn one_sign_in_serves_two_apps_and_the_second_needs_no_click() {
    let mut plan = with_apps();
    plan.settings.landings.welcome = true;
    let site = Site::with(plan).await;
    let mut browser = Browser::default();
    let (at, got) = sign_in_at(&mut browser, &site, &format!("{WIKI}/page?x=1&y=%2F")).await;
    assert_eq!(
        at,
        "https://app.example/_anteroom/welcome?app=wiki.example&return_to=%2Fpage%3Fx%3D1%26y%3D%252F"
    );
    let onward = link(&got.reply(), "/_anteroom/start");
    let (at, got) = browser.travel(&site, &onward).await;
    assert_eq!(at, format!("{WIKI}/page?x=1&y=%2F"));
    let wiki = got.permit();
    let (at, got) = browser.travel(&site, &format!("{CI}/board")).await;
    assert_eq!(at, format!("{CI}/board"));
    let ci = got.permit();
    let central = browser.open(&site, "https://app.example/x").await.permit();
    assert_eq!(session_of(&wiki), session_of(&ci), "one session under several cookies");
    assert_eq!(session_of(&wiki), session_of(&central));
    assert_eq!(site.asked(), 1);
    let set = site.auth.identity_headers(&wiki, "wiki.example").unwrap();
    assert!(set.iter().any(|(name, value)| name == "x-anteroom-new-user" && value == "true"));
    let noted = site.audit.0.lock().unwrap().join("\n");
    for app in [WIKI, CI] {
        assert!(noted.contains("HandedOff") && noted.contains(app), "{noted}");
    }
    assert!(site.auth.metrics().expose().contains("anteroom_hand_offs_total{outcome=\"success\"} 2"));
    for host in ["wiki.example", "ci.example:8443", "app.example"] {
        browser.host = host.into();
        assert_eq!(browser.flows(), 0, "no flow cookie is left at {host}");
    }
    let (at, _) = sign_in_at(&mut Browser::default(), &site, &format!("{WIKI}/page")).await;
    assert_eq!(at, format!("{WIKI}/page"), "welcomed once only");
}

#[tokio::test]
async fn every_hop_stays_out_of_caches_and_referrers() {
    let site = apps().await;
    let mut browser = Browser::default();
    sign_in_at(&mut browser, &site, &format!("{WIKI}/")).await;
    let mut next = format!("{CI}/_anteroom/start?return_to=%2Fboard");
    for want in [
        "https://app.example/_anteroom/hand-off?ticket=",
        "https://ci.example:8443/_anteroom/finish?code=",
        "/board",
    ] {
        let reply = browser.open(&site, &next).await.reply();
        assert_eq!(
            (reply.status, &reply.headers["cache-control"]),
            (StatusCode::FOUND, &"no-store".parse().unwrap())
        );
        assert_eq!(reply.headers["referrer-policy"], "no-referrer", "{want}");
        next = location(&reply).into();
        assert!(next.starts_with(want), "{next}");
        assert!(next.len() < 2000, "{} bytes", next.len());
    }
}

#[tokio::test]
async fn the_sign_in_page_is_the_central_hosts() {
    let site = apps().await;
    for (target, want) in [
        ("/page?a=1", "/_anteroom/start?return_to=%2Fpage%3Fa%3D1"),
        ("/", "/_anteroom/start"),
        ("/_anteroom/sign-in?return_to=%2Fp&switch=1", "/_anteroom/start?return_to=%2Fp&switch=1"),
        ("/_anteroom/sign-in?app=ci.example:8443&return_to=%2Fp", "/_anteroom/start?return_to=%2Fp"),
        ("/_anteroom/welcome?return_to=%2Fp", "/_anteroom/sign-in?return_to=%2Fp"),
    ] {
        let reply = Browser::default().open(&site, &format!("{WIKI}{target}")).await.reply();
        assert_eq!(location(&reply), want, "{target}");
    }
    let mut plan = with_apps();
    plan.settings.sign_in_page = false;
    let site = Site::with(plan).await;
    let (at, got) = Browser::default().travel(&site, &format!("{WIKI}/page")).await;
    assert!(at == format!("{WIKI}/page") && matches!(got, Got::Forwarded(_)), "no page, no click: {at}");
}

#[tokio::test]
async fn ten_tabs_of_an_app_all_end_where_they_should() {
    let site = apps().await;
    let mut browser = Browser::default();
    let mut buttons = Vec::new();
    for tab in 0..10 {
        let (_, got) = browser.travel(&site, &format!("{WIKI}/tab/{tab}")).await;
        buttons.push(link(&got.reply(), "/_anteroom/start"));
        site.clock.advance(Duration::from_secs(1));
        browser.host = "wiki.example".into();
        assert!(browser.flows() <= 5, "never more than five alive");
    }
    for (tab, button) in buttons.iter().enumerate() {
        browser.host = "app.example".into();
        let (at, got) = browser.travel(&site, button).await;
        assert_eq!(at, format!("{WIKI}/tab/{tab}"));
        got.permit();
    }
    assert_eq!(site.asked(), 1);
    // Now side by side at an app that needs no click: the first codes have lost their cookie when they come.
    let mut codes = Vec::new();
    for tab in 0..10 {
        codes.push(hand_off_attacks::code_for(&site, &mut browser, CI, &format!("/tab/{tab}")).await);
        site.clock.advance(Duration::from_secs(1));
    }
    for (tab, code) in codes.iter().enumerate() {
        let (at, got) = browser.travel(&site, code).await;
        assert_eq!(at, format!("{CI}/tab/{tab}"));
        got.permit();
    }
}

#[tokio::test]
async fn twenty_minutes_at_the_sign_in_page_cost_nothing() {
    let site = apps().await;
    let mut browser = Browser::default();
    let (_, got) = browser.travel(&site, &format!("{WIKI}/page")).await;
    let button = link(&got.reply(), "/_anteroom/start");
    site.clock.advance(Duration::from_secs(20 * 60));
    assert_eq!(browser.travel(&site, &button).await.0, format!("{WIKI}/page"));
    // A ticket that stayed on its way that long is not answered, but its page is found.
    let ticket = browser.open(&site, &format!("{CI}/_anteroom/start?return_to=%2Fb")).await.reply();
    site.clock.advance(Duration::from_secs(15 * 60));
    let reply = browser.open(&site, location(&ticket)).await.reply();
    let want = "https://app.example/_anteroom/sign-in?app=ci.example%3A8443&return_to=%2Fb";
    assert_eq!(location(&reply), want);
    assert_eq!(browser.travel(&site, want).await.0, format!("{CI}/b"));
}

#[tokio::test]
async fn another_account_takes_the_place_of_the_first_everywhere() {
    let site = apps().await;
    let mut browser = Browser::default();
    sign_in_at(&mut browser, &site, &format!("{WIKI}/")).await;
    browser.travel(&site, &format!("{CI}/")).await;
    let mut old = browser.clone();
    let grace = |name: &str| {
        let mut profile = ada();
        profile.person.account_id = AccountId::parse(name).unwrap();
        profile
    };
    site.clock.advance(Duration::from_secs(5));
    site.atlassian_says(Ok(grace("557058:grace")));
    let switch = format!("{WIKI}/_anteroom/sign-in?return_to=%2Fpage&switch=1");
    let (at, got) = browser.travel(&site, &switch).await;
    assert_eq!(at, "https://app.example/_anteroom/sign-in?app=wiki.example&return_to=%2Fpage&switch=1");
    let button = link(&got.reply(), "/_anteroom/start");
    assert!(button.ends_with("switch=1"));
    let (at, got) = browser.travel(&site, &button).await;
    assert_eq!(at, format!("{WIKI}/page"));
    let account = |permit: &SessionPermit| permit.session().unwrap().session().person.account_id.to_string();
    assert_eq!(account(&got.permit()), "557058:grace");
    assert_eq!(account(&browser.travel(&site, &format!("{CI}/x")).await.1.permit()), "557058:grace");
    assert!(matches!(old.open(&site, &format!("{CI}/x")).await, Got::Answer(_)), "the old session is over");

    // An app whose session is not the central host's: signing in anew replaces that one too.
    browser.host = "app.example".into();
    browser.forget("__Host-anteroom");
    site.clock.advance(Duration::from_secs(5));
    site.atlassian_says(Ok(grace("557058:alan")));
    let mut old = browser.clone();
    let (_, got) = browser.travel(&site, &switch).await;
    let button = link(&got.reply(), "/_anteroom/start");
    let (at, got) = browser.travel(&site, &button).await;
    assert_eq!((at, account(&got.permit())), (format!("{WIKI}/page"), "557058:alan".to_owned()));
    assert!(matches!(old.open(&site, &format!("{WIKI}/x")).await, Got::Answer(_)), "it is over");
}

#[tokio::test]
async fn a_session_is_not_asked_for_twice() {
    let site = apps().await;
    let mut browser = Browser::default();
    sign_in_at(&mut browser, &site, &format!("{WIKI}/")).await;
    for (url, want) in [
        (format!("{WIKI}/_anteroom/start?return_to=%2Fp"), "/p"),
        (format!("{WIKI}/_anteroom/sign-in?return_to=%2Fp"), "/p"),
        ("https://app.example/_anteroom/start?return_to=%2Fp".into(), "/p"),
        ("https://app.example/_anteroom/start?return_to=%2Fp&fresh=1".into(), "/p"),
        (
            "https://app.example/_anteroom/sign-in?app=WIKI.example:443&return_to=%2Fp".into(),
            "https://wiki.example/_anteroom/start?return_to=%2Fp",
        ),
        (
            "https://app.example/_anteroom/start?app=ci.example:8443".into(),
            "https://ci.example:8443/_anteroom/start",
        ),
    ] {
        assert_eq!(location(&browser.open(&site, &url).await.reply()), want, "{url}");
    }
}

#[tokio::test]
async fn signing_out_anywhere_ends_it_everywhere() {
    let site = apps().await;
    let mut browser = Browser::default();
    sign_in_at(&mut browser, &site, &format!("{WIKI}/")).await;
    browser.travel(&site, &format!("{CI}/")).await;
    let me = browser.open(&site, &format!("{CI}/_anteroom/me")).await.reply();
    assert!(text(&me).contains("ada@example.com"));
    let page = text(&browser.open(&site, &format!("{CI}/_anteroom/sign-out")).await.reply());
    let token = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let body = format!("csrf={token}");
    browser.headers = vec![("origin", WIKI)];
    let reply = browser.send(&site, Method::POST, "/_anteroom/sign-out", body.as_bytes()).await.reply();
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "another app's page");
    browser.headers = vec![("origin", CI)];
    let reply = browser.send(&site, Method::POST, "/_anteroom/sign-out", body.as_bytes()).await.reply();
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
    browser.headers.clear();
    for url in ["https://app.example/x".to_owned(), format!("{WIKI}/x"), format!("{CI}/x")] {
        assert!(matches!(browser.clone().open(&site, &url).await, Got::Answer(_)), "{url}");
    }
    let (at, _) = browser.travel(&site, &format!("{WIKI}/x")).await;
    assert!(at.starts_with("https://app.example/_anteroom/sign-in?app=wiki.example"), "{at}");
}

#[tokio::test]
async fn a_shared_cookie_needs_no_hand_off() {
    let mut plan = with_apps();
    plan.settings.cookie_domain = Some("example".into());
    let site = Site::with(plan).await;
    let mut browser = Browser::default();
    let reply = browser.open(&site, &format!("{WIKI}/_anteroom/start?return_to=%2Fp&switch=1")).await.reply();
    let want = "https://app.example/_anteroom/sign-in?app=wiki.example&return_to=%2Fp&switch=1";
    assert_eq!((location(&reply), reply.headers.contains_key(SET_COOKIE)), (want, false));
    let (at, got) = sign_in_at(&mut browser, &site, &format!("{WIKI}/p?x=1")).await;
    assert_eq!(at, format!("{WIKI}/p?x=1"));
    got.permit();
    browser.open(&site, &format!("{CI}/p")).await.permit();
    let central = "https://app.example/_anteroom/start?app=ci.example:8443&return_to=%2Fp";
    assert_eq!(location(&browser.open(&site, central).await.reply()), format!("{CI}/p"));
    for url in ["https://app.example/_anteroom/hand-off".to_owned(), format!("{WIKI}/_anteroom/finish")] {
        assert_eq!(browser.open(&site, &url).await.reply().status, StatusCode::NOT_FOUND, "{url}");
    }
    // A second cookie at one host makes it none there, which the central host cannot see: that must not go round.
    site.clock.advance(Duration::from_secs(61));
    let bounce = "https://app.example/_anteroom/sign-in?app=wiki.example";
    for _ in 0..3 {
        assert_eq!(location(&browser.open(&site, bounce).await.reply()), format!("{WIKI}/"));
    }
    assert!(text(&browser.open(&site, bounce).await.reply()).contains("signin.too_many_redirects"));
}

#[tokio::test]
async fn landing_pages_are_those_of_the_app() {
    let local = |path| Some(Landing::Local(ReturnTo::parse(path).unwrap()));
    let hello = url::Url::parse("https://www.example.com/hello").unwrap();
    for (landings, asked, want) in [
        (Landings { success: local("/home"), ..Default::default() }, "/", format!("{WIKI}/home")),
        (
            Landings { new_user: local("/hello"), ..Default::default() },
            "/p",
            format!("{WIKI}/hello?return_to=%2Fp"),
        ),
    ] {
        let mut plan = with_apps();
        plan.settings.landings = landings;
        let site = Site::with(plan).await;
        let (_, got) = Browser::default().travel(&site, &format!("{WIKI}{asked}")).await;
        let mut browser = Browser::default();
        let button = link(&got.reply(), "/_anteroom/start");
        assert_eq!(browser.travel(&site, &button).await.0, want);
    }
    let mut plan = with_apps();
    plan.settings.landings = Landings { new_user: Some(Landing::External(hello)), ..Default::default() };
    let site = Site::with(plan).await;
    let mut browser = Browser::default();
    let end = browser.sign_in(&site, "/_anteroom/start?app=wiki.example&return_to=%2Fp").await;
    let onward = "https%3A%2F%2Fwiki.example%2F_anteroom%2Fstart%3Freturn_to%3D%252Fp%26fresh%3D1";
    assert_eq!(end, format!("https://www.example.com/hello?return_to={onward}"));
}
