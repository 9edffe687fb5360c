//! What does every page look like? One sample of each, for the gallery example and for tests of all pages at once.

use super::page::{OperatorHint, Page, Service, Who};
use super::problem::{NotAllowedReason, Problem};

/// The texts that samples are filled with.
#[derive(Clone, Copy, Debug)]
pub struct Cast<'a> {
    /// Who is signed in.
    pub who: Who<'a>,
    /// Where links lead.
    pub url: &'a str,
    /// The CSRF token of the sign-out form.
    pub csrf: &'a str,
    /// The request ID shown.
    pub request_id: &'a str,
    /// The time shown.
    pub time: &'a str,
    /// What operators are told.
    pub hint: OperatorHint<'a>,
}

impl Cast<'static> {
    /// A made-up person on a made-up app.
    pub const EXAMPLE: Self = Self {
        who: Who {
            name: Some("Mia Krystof"),
            email: Some("mia@example.com"),
            account_id: "5b10a2844c20165700ede21g",
        },
        url: "/_anteroom/start?return_to=%2Fboards%2F7",
        csrf: "q83vEjRWeJA",
        request_id: "01JDA5Z3QK8M4T",
        time: "2026-11-22T15:31:14Z",
        hint: OperatorHint {
            callback_url: Some("https://app.example.com/api/auth/callback/atlassian"),
            requested_scopes: Some("read:me"),
            missing_scope: Some("read:me"),
        },
    };
}

/// Every page, in every variant, each with a name that can be a file name.
pub fn every_page<'a>(cast: &'a Cast<'a>) -> Vec<(String, Page<'a>)> {
    let Cast { who, url, csrf, request_id, time, hint } = cast;
    let mut pages: Vec<(String, Page<'a>)> = [
        ("sign-in", Page::SignIn { start_url: url, switched_account: false }),
        ("sign-in-switched", Page::SignIn { start_url: url, switched_account: true }),
        ("sign-out", Page::SignOutAsk { who, csrf, action: "/_anteroom/sign-out" }),
        ("signed-out", Page::SignedOut { sign_in_url: url }),
        ("welcome", Page::Welcome { who, continue_url: url }),
        ("too-many-redirects", Page::TooManyRedirects { retry_url: url, request_id, time }),
        ("upstream-down", Page::UpstreamDown { retry_url: Some(url), request_id, time }),
        ("bad-request", Page::BadRequest { request_id, time }),
        ("denied", Page::Denied { who: Some(who), request_id, time }),
        ("denied-everyone", Page::Denied { who: None, request_id, time }),
        ("frame-blocked", Page::FrameBlocked { open_url: url }),
    ]
    .map(|(name, page)| (name.to_owned(), page))
    .into();
    pages.extend([Service::Store, Service::Atlassian].map(|service| {
        let page = Page::Unavailable { service, retry_url: Some(url), request_id, time };
        (format!("unavailable-{service:?}").to_lowercase(), page)
    }));
    pages.extend(NotAllowedReason::ALL.map(|reason| {
        let page = Page::NotAllowed { who, reason, another_account_url: url, request_id, time };
        (format!("not-allowed-{}", reason.code()), page)
    }));
    pages.extend(Problem::ALL.map(|problem| {
        let page = Page::Error { problem, retry_url: Some(url), operator_hint: Some(hint), request_id, time };
        (format!("error-{}", problem.code()), page)
    }));
    pages
}
