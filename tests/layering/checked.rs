//! Would the checker notice? Each rule is run against a small file that breaks it, and against one that does not.

use super::*;

/// What one file with this body is told.
fn told(path: &str, body: &str) -> String {
    complaints(&Source::new(path, &format!("//! Doc.\n{body}"))).join("\n")
}

#[test]
fn arrows_that_point_up_or_sideways_are_found() {
    let cases = [
        ("src/gate/mod.rs", "use crate::config::Config;", "`gate` may not import `config`"),
        ("src/gate/mod.rs", "use crate::metrics;", "`gate` may not import `metrics`"),
        ("src/gate/path.rs", "use crate::{clock::Timestamp, net, store::{self, Account}};", "import `store`"),
        ("src/session/mod.rs", "fn f() -> crate::auth::X { crate::auth::x() }", "import `auth`"),
        ("src/session/mod.rs", "fn f(x: anteroom::pages::P) {}", "import `pages`"),
        ("src/auth/start.rs", "use super::super::config::Config;", "`auth` may not import `config`"),
        ("src/auth/start.rs", "pub(in crate::proxy) fn f() {}", "`auth` may not import `proxy`"),
        ("src/clock.rs", "use super::gate;", "`clock` may not import `gate`"),
        ("src/clock.rs", "use crate::metrics;", "`clock` may not import `metrics`"),
        ("src/proxy/mod.rs", "use crate::atlassian::Client;", "`proxy` may not import `atlassian`"),
        ("src/proxy/mod.rs", "use crate::store;", "`proxy` may not import `store`"),
        ("src/ops/mod.rs", "use crate::proxy;", "`ops` may not import `proxy`"),
        ("src/emulator/mod.rs", "use crate::ops;", "`emulator` may not import `ops`"),
        ("src/store/redb.rs", "use crate::atlassian;", "`store` may not import `atlassian`"),
        ("src/pages/mod.rs", "use crate::auth;", "`pages` may not import `auth`"),
        ("src/config/mod.rs", "use crate::app;", "`config` may not import `app`"),
        ("src/attic.rs", "", "`attic` has no place in the layer table"),
    ];
    for (path, body, complaint) in cases {
        assert!(told(path, body).contains(complaint), "{path}: {body}\n{}", told(path, body));
    }
}

#[test]
fn arrows_that_point_down_are_not() {
    let cases = [
        ("src/app.rs", "use crate::{config::Config, proxy, store, auth::Auth};"),
        (
            "src/proxy/mod.rs",
            "use crate::{auth::Auth, gate::RequestFacts, identity::headers, ops, net, metrics};",
        ),
        ("src/auth/callback.rs", "use super::start::Start; use super::super::store::Accounts;"),
        (
            "src/gate/mod.rs",
            "use crate::identity::Identity; use std::net::IpAddr; let x = 'a'; fn f<'a>() {}",
        ),
        (
            "src/gate/mod.rs",
            "// use crate::config;\n/* crate::app::run */ /// [`crate::proxy`]\nfn f() { \"crate::store::x\"; r#\"crate::\"auth\"#; }",
        ),
        (
            "src/gate/mod.rs",
            "#[cfg(test)]\nmod tests { use crate::store::Memory; fn f() { \"}\"; } }\nfn g() {}",
        ),
        ("src/gate/tests.rs", "use crate::store::Memory;"),
        ("src/config/mod.rs", "use crate::{pages::Branding, policy::Rules, secret::SecretString};"),
    ];
    for (path, body) in cases {
        assert_eq!(told(path, body), "", "{path}: {body}");
    }
}

#[test]
fn second_homes_are_found() {
    let cases = [
        ("src/ops/mod.rs", "use pingora::prelude::*;", "pingora"),
        ("src/ops/mod.rs", "fn f() { pingora_core::x() }", "pingora_core"),
        ("src/proxy/mod.rs", "use hyper::{Request, body::Body};", "hyper"),
        ("src/proxy/mod.rs", "use hyper_util as util;", "hyper_util"),
        ("src/auth/mod.rs", "async fn f(c: reqwest::Client) {}", "reqwest"),
        ("src/auth/mod.rs", "use oauth2;", "oauth2"),
        ("src/session/mod.rs", "use ::jsonwebtoken::encode;", "jsonwebtoken"),
        ("src/cli/mod.rs", "use figment::Figment;", "figment"),
        ("src/auth/mod.rs", "use redb::Database;", "redb"),
    ];
    for (path, body, dependency) in cases {
        assert!(told(path, body).contains(&format!("`{dependency}` lives in")), "{path}: {body}");
    }
    for (path, body) in [
        ("src/proxy/mod.rs", "use pingora::prelude::*;"),
        ("src/app.rs", "use pingora::x;"),
        ("src/store/embedded.rs", "use redb::Database;"),
        ("src/atlassian/mod.rs", "use {oauth2::Client, reqwest::Url};"),
        ("src/auth/mod.rs", "fn f(hyperlink: u8) { my::hyper_link(hyperlink) }"),
    ] {
        assert_eq!(told(path, body), "", "{path}: {body}");
    }
    let two = [("src/store/embedded.rs", "use redb::A;"), ("src/store/other.rs", "fn f() { redb::b() }")];
    assert_eq!(redb_homes(&two.map(|(path, text)| Source::new(path, text))).len(), 2);
    let one = [("src/store/embedded/mod.rs", "use redb::A;"), ("src/store/embedded/b.rs", "use redb::B;")];
    assert_eq!(redb_homes(&one.map(|(path, text)| Source::new(path, text))).len(), 1);
}

#[test]
fn a_core_that_looks_outside_is_found() {
    for body in [
        "use tokio::time::sleep;",
        "async fn f() {}",
        "fn f() { g().await }",
        "use std::net::{IpAddr, TcpStream};",
        "fn f() { std::time::SystemTime::now() }",
        "use std::time::{Duration, Instant};",
        "fn f() { std::env::args() }",
        "use std::env;",
        "use crate::clock::SystemClock;",
        "use aws_lc_rs::{aead, rand};",
        "use std::{collections::BTreeMap, fs::File};",
    ] {
        assert!(told("src/policy/mod.rs", body).contains("the core may not see"), "{body}");
    }
    assert_eq!(
        told("src/policy/mod.rs", "use std::net::IpAddr; use std::time::Duration; use aws_lc_rs::aead;"),
        ""
    );
}

#[test]
fn shapes_that_break_the_house_are_found() {
    let long = format!("//! Doc.\n{}", "fn f() {}\n".repeat(LONGEST));
    let cases = [
        ("fn f() {}".to_owned(), "module doc"),
        ("// Only a comment.\n//! Late.\n".to_owned(), "module doc"),
        (format!("//! Doc.\n// {}: later\n", concat!("TO", "DO")), "line 2: left for later"),
        (format!("//! Doc.\nfn f() {{ {}() }}\n", concat!("unimplemented", "!")), "line 2"),
        (format!("//! Doc.\n{}]\nfn f() {{}}\n", concat!("#[", "ignore")), "line 2"),
        (long.clone(), "401 lines"),
    ];
    for (text, complaint) in cases {
        let said = shape(&Source::new("src/clock.rs", &text)).join("\n");
        assert!(said.contains(complaint), "{complaint}: {said}");
    }
    let mostly_tests = format!("//! Doc.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(LONGEST));
    assert_eq!(shape(&Source::new("src/clock.rs", &mostly_tests)), Vec::<String>::new());
    assert_eq!(shape(&Source::new("tests/clock.rs", &long)), Vec::<String>::new());
    assert_eq!(median(vec![500, 1, 100]), 100);
}
