//! From the button to the session: what works, what starts over, and what is refused before Atlassian is asked.

use super::*;
use crate::gate::ReturnTo;
use crate::policy::DenyReason;

const START: &str = "/_anteroom/start";

#[tokio::test]
async fn the_first_sign_in_is_welcomed_and_the_second_goes_straight_through() {
    let site = Site::standard().await;
    let mut browser = Browser::default();
    let start = "/_anteroom/start?return_to=%2Fboard%3Fid%3D1";
    assert_eq!(browser.sign_in(&site, start).await, "/_anteroom/welcome?return_to=%2Fboard%3Fid%3D1");
    let welcome = browser.get(&site, "/_anteroom/welcome?return_to=%2Fboard%3Fid%3D1").await.reply();
    assert!(text(&welcome).contains("/board?id=1"), "the way onward");
    let permit = browser.get(&site, "/board?id=1").await.permit();
    assert_eq!(header(&site, &permit, "x-anteroom-new-user").as_deref(), Some("true"));

    let mut elsewhere = Browser::default();
    assert_eq!(elsewhere.sign_in(&site, start).await, "/board?id=1");
    let permit = elsewhere.get(&site, "/board").await.permit();
    assert_eq!(header(&site, &permit, "x-anteroom-new-user").as_deref(), Some("false"));
    assert_eq!((browser.flows(), elsewhere.flows()), (0, 0), "no flow cookie is left behind");
}

#[tokio::test]
async fn the_session_cookie_is_small_and_closed() {
    let site = Site::standard().await;
    let mut browser = Browser::default();
    let callback = browser.leave(&site, START).await;
    let reply = browser.get(&site, &callback).await.reply();
    let lines = reply.headers.get_all(SET_COOKIE);
    let line = lines.iter().map(|l| l.to_str().unwrap()).find(|l| l.starts_with("__Host-anteroom=")).unwrap();
    assert!(
        line.len() < 1024 && line.contains("; HttpOnly; SameSite=Lax; Secure") && line.contains("Path=/;")
    );
    assert!(!line.contains("Domain") && !line.contains("ada"));
}

#[tokio::test]
async fn state_is_checked_before_anything_is_asked_of_atlassian() {
    let site = Site::standard().await;
    let mut ours = Browser::default();
    let callback = ours.leave(&site, START).await;
    let mut victim = Browser::default();
    let state = callback.split_once("state=").unwrap().1;
    for (target, status) in [
        (format!("{CALLBACK}?code=c&state=forged"), 400),
        (format!("{CALLBACK}?code=c&state={}", &state[..state.len() - 2]), 400),
        (format!("{CALLBACK}?code=c"), 400),
        (format!("{CALLBACK}?code=a&code=b&state={state}"), 400),
        (format!("{CALLBACK}?code=a&state={state}&state={state}"), 400),
        // Another browser's flow: no cookie here, so a flow of its own begins.
        (callback.clone(), 302),
        (format!("{CALLBACK}?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E"), 403),
        (format!("{CALLBACK}?error=%25s%25n%3Cscript%3E&state=x"), 400),
    ] {
        let reply = victim.get(&site, &target).await.reply();
        assert_eq!(reply.status.as_u16(), status, "{target}");
        assert!(!text(&reply).contains("<script") && !text(&reply).contains("%25s"), "{target}");
        assert!(!victim.has_session());
    }
    assert_eq!(site.asked(), 0, "nobody was asked");
}

#[tokio::test]
async fn a_state_works_once() {
    let site = Site::standard().await;
    let mut browser = Browser::default();
    let callback = browser.leave(&site, START).await;
    let before = browser.clone();
    browser.get(&site, &callback).await.reply();
    assert_eq!(site.asked(), 1);
    // The back button, with the session: just go on.
    assert_eq!(location(&browser.get(&site, &callback).await.reply()), "/");
    // The same cookies and the same URL again, without the session.
    let reply = before.clone().get(&site, &callback).await.reply();
    assert_eq!(reply.status, 400);
    assert!(text(&reply).contains("signin.state_replayed"));
    assert_eq!(site.asked(), 1);
}

#[tokio::test]
async fn ten_flows_side_by_side_all_end_where_they_should() {
    let site = Site::standard().await;
    let mut browser = Browser::default();
    let mut callbacks = Vec::new();
    for tab in 0..10 {
        callbacks.push(browser.leave(&site, &format!("/_anteroom/start?return_to=%2Ftab%2F{tab}")).await);
        site.clock.advance(Duration::from_secs(1));
        assert!(browser.flows() <= 5, "never more than five alive");
    }
    for (tab, callback) in callbacks.iter().enumerate() {
        let mut reply = browser.get(&site, callback).await.reply();
        if location(&reply).starts_with("https://atlassian.test/") {
            // Its cookie had to make room: it started over once, for the same page.
            let again = callback_of(location(&reply));
            reply = browser.get(&site, &again).await.reply();
        }
        let end = location(&reply).replace("/_anteroom/welcome?return_to=%2Ftab%2F", "/tab/");
        assert_eq!(end, format!("/tab/{tab}"));
    }
    assert_eq!(site.asked(), 1, "one sign-in served all ten");
    assert_eq!(browser.flows(), 0);
}

#[tokio::test]
async fn a_flow_left_too_long_starts_over_once() {
    let site = Site::standard().await;
    let mut browser = Browser::default();
    let callback = browser.leave(&site, "/_anteroom/start?return_to=%2Fboard").await;
    site.clock.advance(Duration::from_secs(15 * 60));
    let reply = browser.get(&site, &callback).await.reply();
    let again = callback_of(location(&reply));
    site.clock.advance(Duration::from_secs(15 * 60));
    let reply = browser.get(&site, &again).await.reply();
    assert!(text(&reply).contains("signin.flow_expired"), "the second time it explains itself");
    assert_eq!(site.asked(), 0);
}

#[tokio::test]
async fn a_browser_without_cookies_is_told_so() {
    let site = Site::standard().await;
    let mut browser = Browser { blocks: Some(""), ..Default::default() };
    let callback = browser.leave(&site, START).await;
    let reply = browser.get(&site, &callback).await.reply();
    let again = callback_of(location(&reply));
    let reply = browser.get(&site, &again).await.reply();
    assert!(text(&reply).contains("signin.cookies_blocked"));
}

#[tokio::test]
async fn signing_in_without_ever_arriving_is_a_loop() {
    let mut plan = Plan::default();
    plan.settings.sign_in_page = false;
    let site = Site::with(plan).await;
    let mut browser = Browser::default();
    for _ in 0..3 {
        browser.sign_in(&site, START).await;
        browser.forget("__Host-anteroom");
    }
    let reply = browser.get(&site, START).await.reply();
    assert_eq!(reply.status, 400);
    assert!(text(&reply).contains("signin.too_many_redirects"));
    assert!(
        location(&browser.get(&site, START).await.reply()).starts_with("https://atlassian.test"),
        "one may try again"
    );
}

#[tokio::test]
async fn another_account_takes_over_and_the_old_session_dies() {
    let site = Site::standard().await;
    let mut browser = Browser::default();
    browser.sign_in(&site, START).await;
    let planted = browser.clone();
    site.clock.advance(Duration::from_secs(5));
    assert_eq!(location(&browser.get(&site, START).await.reply()), "/", "no second flow by accident");
    let reply = browser.get(&site, "/_anteroom/start?switch=1").await.reply();
    assert!(location(&reply).ends_with("choose=true"));
    let grace = AccountId::parse("557058:grace").unwrap();
    let mut profile = ada();
    profile.person.account_id = grace;
    site.atlassian_says(Ok(profile));
    let callback = callback_of(location(&reply));
    browser.get(&site, &callback).await.reply();
    let permit = browser.get(&site, "/").await.permit();
    assert_eq!(header(&site, &permit, "x-anteroom-account-id").as_deref(), Some("557058:grace"));
    assert!(
        matches!(planted.clone().get(&site, "/").await, Got::Answer(_)),
        "the cookie it came with is dead"
    );
}

#[tokio::test]
async fn of_two_hundred_first_sign_ins_at_once_one_is_new() {
    let site = Arc::new(Site::standard().await);
    let sign_ins = (0..200).map(|_| {
        let site = Arc::clone(&site);
        tokio::spawn(async move {
            let mut browser = Browser::default();
            browser.sign_in(&site, START).await;
            let permit = browser.get(&site, "/").await.permit();
            header(&site, &permit, "x-anteroom-new-user").unwrap()
        })
    });
    let mut flagged = 0;
    for sign_in in sign_ins.collect::<Vec<_>>() {
        flagged += usize::from(sign_in.await.unwrap() == "true");
    }
    assert_eq!(flagged, 1);
}

#[tokio::test]
async fn new_until_the_upstream_says_so() {
    for (until, second_session) in [(NewUserUntil::SessionEnd, "false"), (NewUserUntil::Acknowledged, "true")]
    {
        let mut plan = Plan::default();
        plan.settings.new_user_until = until;
        let site = Site::with(plan).await;
        let (mut first, mut second) = (Browser::default(), Browser::default());
        first.sign_in(&site, START).await;
        second.sign_in(&site, START).await;
        let permit = second.get(&site, "/").await.permit();
        assert_eq!(header(&site, &permit, "x-anteroom-new-user").as_deref(), Some(second_session));

        let permit = first.get(&site, "/").await.permit();
        let cookie = site.auth.provisioned(&permit, "app.example").await.unwrap();
        assert_eq!(header(&site, &permit, "x-anteroom-new-user").as_deref(), Some("false"), "at once");
        assert!(site.auth.provisioned(&permit, "app.example").await.is_none(), "only once");
        first.keep(&cookie);
        let permit = first.get(&site, "/").await.permit();
        assert_eq!(header(&site, &permit, "x-anteroom-new-user").as_deref(), Some("false"));
        let mut third = Browser::default();
        third.sign_in(&site, START).await;
        let permit = third.get(&site, "/").await.permit();
        assert_eq!(header(&site, &permit, "x-anteroom-new-user").as_deref(), Some("false"));
    }
}

#[tokio::test]
async fn who_may_not_come_in_gets_no_session() {
    let example = crate::identity::EmailDomain::parse("example.com").unwrap();
    let access = AccessPolicy { email_domains: vec![example], ..Default::default() };
    let site = Site::with(Plan { access, ..Default::default() }).await;
    let mut outsider = ada();
    outsider.person.email = Some(Email::parse("m@outside.example").unwrap());
    let mut unverified = ada();
    unverified.person.email_verified = EmailVerified::Unknown;
    let customer = Profile { account_type: Some("customer".into()), ..ada() };
    let closed = Profile { account_status: Some("closed".into()), ..ada() };
    for (profile, reason) in [
        (outsider, DenyReason::NoRuleMatches),
        (unverified, DenyReason::EmailUnverified),
        (customer, DenyReason::AccountType),
        (closed, DenyReason::AccountStatus),
    ] {
        site.atlassian_says(Ok(profile));
        let mut browser = Browser::default();
        let callback = browser.leave(&site, "/_anteroom/start?return_to=%2Fboard").await;
        let reply = browser.get(&site, &callback).await.reply();
        assert_eq!(reply.status, 403, "{reason:?}");
        assert!(
            text(&reply).contains("/_anteroom/sign-in?return_to=%2Fboard&#38;switch=1")
                || text(&reply).contains("/_anteroom/sign-in?return_to=%2Fboard&amp;switch=1"),
            "{}",
            text(&reply)
        );
        assert!(!browser.has_session());
        assert!(site.audit.0.lock().unwrap().last().unwrap().contains(reason.as_str()));
    }
}

#[tokio::test]
async fn what_atlassian_says_wrong_is_told_by_place_and_code() {
    use crate::atlassian::Place;
    let cause = || "reset".to_owned();
    for (error, code) in [
        (AtlassianError::ClientRefused, "atlassian.refused_client"),
        (AtlassianError::ScopeMissing(Place::Me), "atlassian.scope_missing"),
        (AtlassianError::Unavailable { place: Place::Token, cause: cause() }, "atlassian.unavailable"),
        (AtlassianError::Unintelligible { place: Place::Me, cause: cause() }, "atlassian.unintelligible"),
    ] {
        let site = Site::standard().await;
        site.atlassian_says(Err(error));
        let mut browser = Browser::default();
        let callback = browser.leave(&site, START).await;
        let reply = browser.get(&site, &callback).await.reply();
        assert!(text(&reply).contains(code), "{code}: {}", text(&reply));
        assert!(!text(&reply).contains("a-code"));
    }
    let site = Site::standard().await;
    site.atlassian_says(Err(AtlassianError::CodeRefused));
    let mut browser = Browser::default();
    let callback = browser.leave(&site, START).await;
    let reply = browser.get(&site, &callback).await.reply();
    let again = callback_of(location(&reply));
    let reply = browser.get(&site, &again).await.reply();
    assert!(text(&reply).contains("atlassian.refused_code"), "starting over helps once");
}

#[tokio::test]
async fn operators_have_their_own_pages() {
    let mut plan = Plan::default();
    let page = |path| Some(Landing::Local(ReturnTo::parse(path).unwrap()));
    plan.settings.landings =
        Landings { success: page("/home"), error: page("/oops"), new_user: page("/hello"), welcome: true };
    let site = Site::with(plan).await;
    let mut browser = Browser::default();
    assert_eq!(browser.sign_in(&site, "/_anteroom/start?return_to=%2Fb").await, "/hello?return_to=%2Fb");
    assert_eq!(Browser::default().sign_in(&site, START).await, "/home");
    let mut declines = Browser::default();
    let callback = declines.leave(&site, START).await.replace("code=a-code", "error=access_denied");
    let reply = declines.get(&site, &callback).await.reply();
    assert_eq!(location(&reply), "/oops?error=signin.declined&request_id=r1");
}

#[tokio::test]
async fn the_way_back_never_leaves_the_site() {
    let site = Site::standard().await;
    Browser::default().sign_in(&site, START).await;
    for bad in [
        "https%3A%2F%2Fevil.com",
        "%2F%2Fevil.com",
        "%2F%5Cevil.com",
        "%2F%09%2Fevil.com",
        "javascript:x",
        "/x&return_to=/y",
        "%2F_anteroom%2Fstart",
    ] {
        let end = Browser::default().sign_in(&site, &format!("/_anteroom/start?return_to={bad}")).await;
        assert_eq!(end, "/", "{bad}");
    }
}

#[tokio::test]
async fn a_store_that_is_down_stops_sign_ins_and_nothing_else() {
    let up = Site::standard().await;
    let mut signed_in = Browser::default();
    signed_in.sign_in(&up, START).await;
    let down = Site::with(Plan { store: Arc::new(Down::default()), ..Default::default() }).await;
    assert!(matches!(signed_in.get(&down, "/").await, Got::Forwarded(_)), "open sessions go on");
    let mut late = Browser::default();
    let callback = late.leave(&down, START).await;
    let reply = late.get(&down, &callback).await.reply();
    assert_eq!(reply.status, 503);
    assert!(!late.has_session());
}

#[tokio::test]
async fn a_head_uses_no_code_up() {
    let site = Site::standard().await;
    let mut browser = Browser::default();
    let callback = browser.leave(&site, START).await;
    assert_eq!(browser.send(&site, Method::HEAD, &callback, b"").await.reply().status, 405);
    assert_eq!(location(&browser.get(&site, &callback).await.reply()), "/_anteroom/welcome");
}
