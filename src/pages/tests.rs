//! What holds for every page in every language, whatever is put into it.

use scraper::{Html, Selector};

use super::samples::{Cast, every_page};
use super::*;

const EVIL: &str =
    "\"><script>alert(1)</script><img src=https://evil.example/x onerror=alert(1)>' {app} {{ app }}";

const HOSTILE: Cast<'static> = Cast {
    who: Who { name: Some(EVIL), email: Some(EVIL), account_id: EVIL },
    url: "/_anteroom/start?return_to=%2F\"><script>alert(1)</script>",
    csrf: EVIL,
    request_id: EVIL,
    time: EVIL,
    hint: OperatorHint { callback_url: Some(EVIL), requested_scopes: Some(EVIL), missing_scope: Some(EVIL) },
};

fn acme() -> Pages {
    Pages::new(Branding {
        name: "Acme Wiki".into(),
        support: Some("help@example.com".into()),
        demo: true,
        ..Branding::default()
    })
}

fn hostile() -> Pages {
    Pages::new(Branding { name: EVIL.into(), support: Some(EVIL.into()), ..Branding::default() })
}

/// Calls `look` with every page of the cast in every language.
fn each(pages: &Pages, cast: &Cast<'_>, look: impl Fn(&str, Language, &str, &Html)) {
    for language in Language::ALL {
        for (name, page) in every_page(cast) {
            let rendered = pages.render(&page, language);
            let html = std::str::from_utf8(&rendered.body).unwrap();
            look(&name, language, html, &Html::parse_document(html));
        }
    }
}

fn count(document: &Html, selector: &str) -> usize {
    document.select(&Selector::parse(selector).unwrap()).count()
}

fn attributes<'a>(document: &'a Html, name: &'a str) -> impl Iterator<Item = &'a str> {
    document
        .tree
        .nodes()
        .filter_map(move |node| node.value().as_element().and_then(|element| element.attr(name)))
}

#[test]
fn every_page_is_sound_html_with_one_heading_and_its_language() {
    each(&acme(), &Cast::EXAMPLE, |name, language, html, document| {
        assert_eq!(document.errors, Vec::<String>::new(), "{name} {language:?}\n{html}");
        let dir = if language.is_rtl() { "rtl" } else { "ltr" };
        assert_eq!(count(document, &format!("html[lang={}][dir={dir}]", language.tag())), 1, "{name}");
        for one in ["h1", "main", "main h1", "header", "footer", "title", "aside.demo", "meta[name=viewport]"]
        {
            assert_eq!(count(document, one), 1, "{name} {language:?}: {one}");
        }
        assert!(!html.contains("user-scalable") && !html.contains("maximum-scale"), "{name}");
        assert!(!html.contains("{app}"), "{name} {language:?}");
        let text = document.root_element().text().collect::<String>();
        assert!(text.contains("Acme Wiki"), "{name}");
    });
}

#[test]
fn nothing_on_a_page_runs_or_comes_from_elsewhere() {
    for (pages, cast) in [(acme(), Cast::EXAMPLE), (hostile(), HOSTILE)] {
        each(&pages, &cast, |name, language, html, document| {
            let lower = html.to_lowercase();
            for banned in ["<script", "<style", "style=", "javascript:", "<iframe", "http-equiv"] {
                assert!(
                    !lower.contains(banned) || escaped_only(document, banned),
                    "{name} {language:?}: {banned}\n{html}"
                );
            }
            let on_handlers = document.tree.nodes().filter_map(|node| node.value().as_element());
            assert!(on_handlers.flat_map(|e| e.attrs()).all(|(key, _)| !key.starts_with("on")), "{name}");
            for source in attributes(document, "src").chain(document_links(document)) {
                assert!(pages.asset(source).is_some(), "{name}: {source} is not one of our assets");
            }
            for href in attributes(document, "href").chain(attributes(document, "action")) {
                let ours = href.starts_with('/') && !href.starts_with("//");
                assert!(
                    ours || href.starts_with("mailto:") || href == "https://id.atlassian.com/logout",
                    "{name}: {href}"
                );
            }
        });
    }
}

/// `style=` and the like may stand in escaped text, not in elements or attributes.
fn escaped_only(document: &Html, banned: &str) -> bool {
    let elements = ["script", "style", "iframe", "meta[http-equiv]", "[style]"];
    elements.iter().all(|selector| count(document, selector) == 0)
        && attributes(document, "href").all(|href| !href.starts_with(banned))
}

fn document_links(document: &Html) -> impl Iterator<Item = &str> {
    let links =
        document.tree.nodes().filter_map(|node| node.value().as_element()).filter(|e| e.name() == "link");
    links.filter_map(|e| e.attr("href"))
}

#[test]
fn hostile_text_stays_text() {
    each(&hostile(), &HOSTILE, |name, language, html, document| {
        assert_eq!(document.errors, Vec::<String>::new(), "{name} {language:?}\n{html}");
        assert!(!html.contains("<script") && !html.contains("<img src=https"), "{name}\n{html}");
        assert_eq!(count(document, "h1"), 1, "{name}");
        assert_eq!(count(document, "script, [onerror]"), 0, "{name}");
    });
    let page = Page::Denied { who: Some(&HOSTILE.who), request_id: EVIL, time: EVIL };
    let html = hostile().render(&page, Language::English).body;
    let document = Html::parse_document(std::str::from_utf8(&html).unwrap());
    let name = document.select(&Selector::parse(".who .name").unwrap()).next().unwrap();
    assert_eq!(name.text().collect::<String>(), EVIL);
}

#[test]
fn links_cannot_lead_anywhere_else() {
    for url in ["javascript:alert(1)", "//evil.example", "/\\evil.example", "data:text/html,x"] {
        let cast = Cast { url, ..Cast::EXAMPLE };
        each(&acme(), &cast, |name, _, html, document| {
            assert!(!html.contains(url), "{name}");
            assert!(attributes(document, "href").all(|href| href != url), "{name}");
        });
    }
}

#[test]
fn a_page_with_its_stylesheet_is_small() {
    let pages = acme();
    let css = pages.asset(&pages.theme.stylesheet).unwrap().body.len();
    each(&pages, &Cast::EXAMPLE, |name, language, html, _| {
        assert!(html.len() + css <= 15 * 1024, "{name} {language:?}: {} + {css} bytes", html.len());
    });
}

#[test]
fn failures_show_code_request_and_time() {
    for (name, page) in every_page(&Cast::EXAMPLE) {
        let html = acme().render(&page, Language::English);
        let html = std::str::from_utf8(&html.body).unwrap();
        match page.code() {
            Some("signin.framed") | None => assert!(!html.contains("class=\"reference\""), "{name}"),
            Some(code) => {
                for shown in [code, Cast::EXAMPLE.request_id, Cast::EXAMPLE.time] {
                    assert!(html.contains(&format!(">{shown}<")), "{name}: {shown}");
                }
            }
        }
        assert_eq!(page.code().is_none(), page.status() == StatusCode::OK, "{name}");
    }
}

#[test]
fn operators_get_the_callback_url_only_where_a_hint_is_given() {
    let page = |operator_hint| Page::Error {
        problem: Problem::AtlassianRefusedClient,
        retry_url: None,
        operator_hint,
        request_id: "r",
        time: "t",
    };
    let html = |page| String::from_utf8(acme().render(&page, Language::German).body.to_vec()).unwrap();
    let with = html(page(Some(&Cast::EXAMPLE.hint)));
    assert!(
        with.contains("https://app.example.com/api/auth/callback/atlassian") && with.contains("<details>")
    );
    assert!(!html(page(None)).contains("<details>"));
}

#[test]
fn signing_out_is_a_post_with_its_token() {
    let page = Page::SignOutAsk { who: &Cast::EXAMPLE.who, csrf: "tok\"en", action: "/_anteroom/sign-out" };
    let html = acme().render(&page, Language::English).body;
    let document = Html::parse_document(std::str::from_utf8(&html).unwrap());
    assert_eq!(count(&document, "form[method=post][action='/_anteroom/sign-out'] button[type=submit]"), 1);
    assert_eq!(count(&document, r#"form input[type=hidden][name=csrf][value='tok"en']"#), 1);
}

#[test]
fn the_real_atlassian_is_not_offered_in_a_demo() {
    let page = Page::SignedOut { sign_in_url: "/" };
    let html =
        |pages: Pages| String::from_utf8(pages.render(&page, Language::English).body.to_vec()).unwrap();
    assert!(!html(acme()).contains("id.atlassian.com"));
    assert!(html(hostile()).contains("href=\"https://id.atlassian.com/logout\""));
}

#[test]
fn only_the_framed_page_may_be_framed() {
    for (name, page) in every_page(&Cast::EXAMPLE) {
        let policy = acme().render(&page, Language::English).content_security_policy;
        assert_eq!(policy.contains("frame-ancestors 'none'"), name != "frame-blocked", "{name}");
        assert!(!policy.contains("unsafe") && policy.starts_with("default-src 'none'"), "{name}");
    }
}
