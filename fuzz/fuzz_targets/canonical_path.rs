//! Has a path that passes exactly one reading?
//!
//! Readings compared: decoded once, decoded again and again, parameters dropped, and the URL standard's own. Claims: all
//! have the same segments, none of them empty or made of dots; a route that opens `/public` opens nothing else.
#![no_main]

use std::sync::LazyLock;

use anteroom::gate::{Access, CanonicalPath, Hosts, Methods, PathPattern, Route, Routes};
use http::Method;
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;

static ROUTES: LazyLock<Routes> = LazyLock::new(|| {
    let public = PathPattern::Prefix("/public".into());
    Routes::new(&[Route { path: public, methods: Methods::Any, hosts: Hosts::Any, access: Access::Public }])
        .expect("a plain route")
});

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// What a server sees that drops `;parameters` and takes a decoded `?` for the start of a query.
fn cut(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    path.split('/').map(|s| s.split(';').next().unwrap_or_default()).collect::<Vec<_>>().join("/")
}

fn is_public(path: &str) -> bool {
    path == "/public" || path.starts_with("/public/")
}

fuzz_target!(|raw: &str| {
    let Ok(path) = CanonicalPath::parse(raw) else { return };
    assert!(path.as_str().starts_with('/'));
    assert_eq!(path.as_str(), decoded(raw), "policy reads what one decoding gives");

    let standard = url::Url::parse(&format!("http://upstream.example{raw}")).expect("a path is a URL's path");
    assert_eq!(standard.host_str(), Some("upstream.example"));
    assert_eq!(path.as_str(), decoded(standard.path()), "the URL standard reads the same");

    let mut readings = vec![path.as_str().to_owned()];
    readings.extend((0..8).scan(path.as_str().to_owned(), |text, _| {
        *text = decoded(text);
        Some(text.clone())
    }));
    readings.extend(readings.clone().iter().map(|r| cut(r)));
    for reading in &readings {
        let slashes = |text: &str| text.matches('/').count();
        assert!(slashes(reading) <= slashes(path.as_str()), "a separator appears in {reading:?}");
        let below = reading.strip_prefix('/').expect("absolute in every reading");
        for (from_end, segment) in below.rsplit('/').enumerate() {
            assert!(segment != "." && segment != "..", "dots in {reading:?}");
            assert!(from_end == 0 || !segment.is_empty(), "an empty segment in {reading:?}");
        }
        assert!(!reading.contains(['\\', '\0', '\r', '\n']), "a control character in {reading:?}");
    }

    if ROUTES.access(&Method::GET, &path) == Ok(Access::Public) {
        for reading in &readings {
            assert!(is_public(reading), "{raw:?} is public, and {reading:?} to somebody");
        }
    }
});
