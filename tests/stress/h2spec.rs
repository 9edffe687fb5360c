//! Is the HTTP/2 of both listeners what RFC 9113 and RFC 7541 say? h2spec asks; what it finds is mended or explained here.

use std::collections::BTreeMap;

use super::anteroom::{Anteroom, tls};
use super::tools::{h2spec, run};
use crate::support::upstream::{Answer, Upstream};

/// Cases that fail, each with the reason why that is right. h2spec asks for RFC 7540, which RFC 9113 follows in these.
type Explained = &'static [(&'static str, &'static str)];

const IN_THE_CLEAR: Explained = &[(
    "http2/3.5: Sends invalid connection preface",
    "both versions share the port: what does not begin with the preface is HTTP/1.1, gets a 400 in it, and is closed",
)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls() {
    let (_folder, tls) = tls();
    conforms(&tls, &["-t", "-k"], &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_clear() {
    conforms("", &[], IN_THE_CLEAR).await;
}

async fn conforms(proxy: &str, flags: &[&str], explained: Explained) {
    let upstream = Upstream::answering(Answer::ok("hello, this is an answer of some length")).await;
    let anteroom = Anteroom::start(&format!("upstream = \"{}\"\n{proxy}", upstream.url())).await;
    let report = tempfile::NamedTempFile::new().unwrap();
    let (port, path) = (anteroom.address.port().to_string(), report.path().display().to_string());
    let own = ["-h", "127.0.0.1", "-p", &port, "-P", "/public/", "-o", "3", "-j", &path];
    let arguments: Vec<&str> = own.iter().chain(flags).copied().collect();
    let program = h2spec();
    let output = run(program.to_str().unwrap(), &arguments).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = failures(&std::fs::read_to_string(report.path()).unwrap());
    let new: BTreeMap<_, _> =
        failed.iter().filter(|(case, _)| explained.iter().all(|(known, _)| known != case)).collect();
    assert!(new.is_empty(), "{new:#?}\n{said}");
    println!("{}", said.lines().rev().find(|line| line.contains("tests,")).unwrap_or(&said));
    let passed: Vec<_> = explained.iter().filter(|(known, _)| !failed.contains_key(*known)).collect();
    assert!(passed.is_empty(), "these pass now, so no word is needed: {passed:?}");
}

/// Failed cases of a JUnit report, `package: name`, with what was wrong.
fn failures(xml: &str) -> BTreeMap<String, String> {
    let report = scraper::Html::parse_fragment(xml);
    let cases = scraper::Selector::parse("testcase").unwrap();
    let failure = scraper::Selector::parse("failure, error").unwrap();
    let cases = report.select(&cases).filter_map(|case| {
        let what = case.select(&failure).next()?.text().collect::<String>();
        let value = |name| case.value().attr(name).unwrap_or_default().to_owned();
        Some((format!("{}: {}", value("package"), value("classname")), what))
    });
    cases.collect()
}
