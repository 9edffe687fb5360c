//! Does every way back stay on this site?
//!
//! Claims, for whatever parses: the URL standard resolves it to the same origin and the same text, from any page; it is
//! none of Anteroom's own endpoints; it survives being carried in a query, and a second parsing.
#![no_main]

use anteroom::gate::ReturnTo;
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;
use url::{Position, Url, form_urlencoded};

fuzz_target!(|text: &str| {
    let Some(back) = ReturnTo::parse(text) else { return };
    assert!(back.as_str().len() <= ReturnTo::MAX && back.as_str().is_ascii());
    assert_eq!(ReturnTo::parse(back.as_str()).as_ref(), Some(&back));

    for page in ["https://app.example/deep/page?q#f", "http://127.0.0.1:4180/", "https://app.example/_anteroom/start"] {
        let here = Url::parse(page).expect("a constant");
        let there = here.join(back.as_str()).expect("a path joins any page");
        assert_eq!(there.origin(), here.origin(), "{text:?} leaves the site");
        // The standard may percent-encode a quote or a bracket; it must not resolve or drop anything.
        let (theirs, ours) = (&there[Position::BeforePath..], back.as_str());
        assert!(percent_decode_str(theirs).eq(percent_decode_str(ours)), "{ours:?} became {theirs:?}");
        let path: Vec<u8> = percent_decode_str(there.path()).collect();
        assert!(!path.starts_with(b"/_anteroom/") && path != b"/_anteroom", "{text:?} is an endpoint");
    }

    let query = format!("return_to={}", back.encoded());
    let carried = form_urlencoded::parse(query.as_bytes()).next().expect("one pair");
    assert_eq!(carried.1, back.as_str());
});
