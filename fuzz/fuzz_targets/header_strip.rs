//! Can a client's identity header or our cookie reach the upstream?
//!
//! Input: a header name, a line feed, a `Cookie` line. Claims: every spelling that a gateway could read as a reserved name
//! is reserved; ordinary names are not; stripping removes our cookies and leaves all others byte for byte, in order.
#![no_main]

use std::sync::LazyLock;

use anteroom::identity::headers::{Claim, Layout, Preset};
use anteroom::session::cookie::{self, CookieNames};
use http::header::{COOKIE, HeaderName, HeaderValue};
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;

const RESERVED: [&str; 8] = [
    "x-anteroom-account-id",
    "x-anteroom-assertion",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-auth-request-user",
    "remote-user",
    "x-original-url",
    "x-webauth-user",
];
const FREE: [&str; 6] = ["accept", "cookie", "authorization", "x-request-id", "x-forwarded-for", "sec-fetch-mode"];

static LAYOUT: LazyLock<Layout> = LazyLock::new(|| {
    let own = HeaderName::from_static("x-webauth-user");
    Layout::new(&[Preset::Anteroom, Preset::Remote], &[(own, Claim::Email)], Claim::Email)
});

/// How CGI names a header; gateways differ in whether only `-` or every punctuation mark becomes `_`.
fn cgi(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

fn check_name(name: &HeaderName) {
    let seen = cgi(name.as_str());
    let ours = seen.starts_with("X_ANTEROOM_") && seen.len() > "X_ANTEROOM_".len();
    if ours || RESERVED.iter().any(|r| cgi(r) == seen) {
        assert!(LAYOUT.reserved(name), "{name} reaches the upstream as {seen}");
    }
    assert!(!(LAYOUT.reserved(name) && FREE.contains(&name.as_str())), "{name} is taken from the app");
}

fn name_of(segment: &[u8]) -> &[u8] {
    segment.split(|b| *b == b'=').next().unwrap_or_default().trim_ascii()
}

fn ours(segment: &[u8]) -> bool {
    let name = name_of(segment);
    let bare = name.strip_prefix(b"__Host-").unwrap_or(name);
    bare == b"anteroom" || bare == b"anteroom-loop" || bare.starts_with(b"anteroom-flow-")
}

fn check_cookies(line: &[u8]) {
    let segments = |line: &[u8]| -> Vec<Vec<u8>> { line.split(|b| *b == b';').map(<[u8]>::to_vec).collect() };
    let mut foreign = segments(line);
    foreign.retain(|s| !ours(s));
    let touched = foreign.len() < segments(line).len();
    let names = CookieNames::new(true);
    let Some(kept) = cookie::strip(line, &names) else {
        assert!(touched && foreign.iter().all(|s| s.trim_ascii().is_empty()), "an app's cookie was lost");
        return;
    };
    if let (true, Some(first)) = (touched, foreign.first_mut()) {
        *first = first.trim_ascii_start().to_vec();
    }
    assert_eq!(segments(&kept), foreign);
    assert_eq!(cookie::strip(&kept, &names).as_deref(), Some(&*kept), "stripping twice changes nothing");
    if let Ok(value) = HeaderValue::from_bytes(&kept) {
        let headers = HeaderMap::from_iter([(COOKIE, value)]);
        for names in [names, CookieNames::new(false)] {
            assert_eq!(cookie::scan(&headers, &names), cookie::OwnCookies::default());
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut halves = data.splitn(2, |b| *b == b'\n');
    if let Ok(name) = HeaderName::from_bytes(halves.next().unwrap_or_default()) {
        check_name(&name);
    }
    check_cookies(halves.next().unwrap_or_default());
});
