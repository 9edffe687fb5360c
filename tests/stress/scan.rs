//! What does a TLS scanner find? sslscan against the TLS listener: nothing old, nothing weak.

use super::anteroom::{Anteroom, tls};
use super::tools::run;
use crate::support::upstream::Upstream;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_old_and_nothing_weak() {
    let upstream = Upstream::start().await;
    let (_folder, tls) = tls();
    let anteroom = Anteroom::start(&format!("upstream = \"{}\"\n{tls}", upstream.url())).await;
    let target = anteroom.address.to_string();
    let output = run("sslscan", &["--xml=-", "--no-colour", &target]).await;
    let xml = String::from_utf8_lossy(&output.stdout).into_owned();
    let report = scraper::Html::parse_fragment(&xml);
    let select = |css: &str| scraper::Selector::parse(css).unwrap();
    for protocol in report.select(&select("protocol")) {
        let value = |name| protocol.value().attr(name).unwrap_or_default();
        let wanted = value("type") == "tls" && ["1.2", "1.3"].contains(&value("version"));
        assert_eq!(value("enabled") == "1", wanted, "{}{}\n{xml}", value("type"), value("version"));
    }
    let ciphers: Vec<_> = report.select(&select("cipher")).collect();
    assert!(!ciphers.is_empty(), "{xml}");
    for cipher in ciphers {
        let value = |name| cipher.value().attr(name).unwrap_or_default();
        // sslscan's words for what needs no mending; the others are weak, medium, null and anonymous.
        assert!(["strong", "acceptable"].contains(&value("strength")), "{}\n{xml}", value("cipher"));
        assert!(
            value("cipher").contains("ECDHE") || value("sslversion") == "TLSv1.3",
            "no forward secrecy\n{xml}"
        );
    }
    let compression = report.select(&select("compression")).any(|e| e.value().attr("supported") == Some("1"));
    assert!(!compression, "{xml}");
    let vulnerable = report.select(&select("heartbleed")).any(|e| e.value().attr("vulnerable") == Some("1"));
    assert!(!vulnerable, "{xml}");
}
