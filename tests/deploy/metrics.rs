//! Do the alerts and the dashboard ask for what there is? A Prometheus scrapes a running Anteroom, and the ops listener of
//! another one that has counted everything once; then it is asked each expression.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anteroom::metrics::{Decision, Entrance, Metrics, Mode};
use anteroom::ops::server::OpsState;
use anteroom::ops::{OpsServer, Readiness};
use anteroom::pages::Problem;
use serde_json::Value;
use tokio::sync::watch;

use super::machine::Machine;
use super::prometheus::{Prometheus, REMEDY};
use super::tools::text;
use super::unit::Unit;
use crate::support::process::Process;
use crate::support::raw::exchange;
use crate::support::site::Site;
use crate::support::{repository, venv};

#[test]
fn the_alerts_say_what_they_should() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["deploy/prometheus/alerts.yaml", "tests/deploy/alerts_test.yaml"] {
        let path = repository(file);
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let promtool = |arguments: &[&str]| {
        let mut command = Command::new("promtool");
        command.args(arguments).current_dir(folder.path());
        command
    };
    venv::run(&mut promtool(&["check", "rules", "--lint-fatal", "alerts.yaml"]), REMEDY);
    venv::run(&mut promtool(&["test", "rules", "alerts_test.yaml"]), REMEDY);
    // It would notice: an alert that waits for ever.
    let alerts = std::fs::read_to_string(folder.path().join("alerts.yaml")).unwrap();
    std::fs::write(folder.path().join("alerts.yaml"), alerts.replace("[15m]))\n", "[15m])) > 1e9\n"))
        .unwrap();
    assert!(!promtool(&["test", "rules", "alerts_test.yaml"]).output().unwrap().status.success());
}

/// What strangers can bring about wakes nobody, and what is counted only from its first time on would be seen too late.
#[tokio::test]
async fn what_an_alert_counts_is_the_operators_and_there_from_the_start() {
    let codes = Problem::FOR_THE_OPERATOR.map(Problem::code);
    let alerts = text("deploy/prometheus/alerts.yaml");
    let asked: BTreeSet<&str> = alerts
        .split("reason=~\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|reasons| reasons.starts_with("atlassian."))
        .collect();
    assert_eq!(asked, BTreeSet::from([&*codes.join("|")]));
    let site = Site::start().await;
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let scraped = exchange(site.ops(), request).await.text();
    for code in codes {
        let series = format!("anteroom_signins_total{{outcome=\"failed\",reason=\"{code}\"}} 0\n");
        assert!(scraped.contains(&series), "{scraped}");
    }
}

#[test]
fn every_alert_leads_to_a_page() {
    let alerts = text("deploy/prometheus/alerts.yaml");
    let base = "https://github.com/anteroom-dev/anteroom/blob/main/";
    let links = alerts.lines().filter_map(|line| line.trim().strip_prefix("runbook_url: "));
    let links: Vec<_> =
        links.map(|link| link.strip_prefix(base).unwrap_or_else(|| panic!("{link}"))).collect();
    assert_eq!(links.len(), alerts.matches("- alert: ").count());
    for link in links {
        let (page, anchor) = link.split_once('#').unwrap_or((link, ""));
        let page = text(page);
        let headings = page.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
        let mut anchors =
            headings.map(|heading| heading.to_lowercase().replace(' ', "-").replace(['`', ','], ""));
        assert!(anchor.is_empty() || anchors.any(|has| has == anchor), "no #{anchor} for {link}");
    }
}

#[tokio::test]
async fn everything_that_is_asked_for_is_counted() {
    let machine = Machine::new("").await;
    let mut command = Unit::read("anteroom.service").command(machine.folder.path());
    command.env("NOTIFY_SOCKET", machine.notify());
    let process = Process::start("anteroom", command, "cargo build");
    machine.told("READY=1", &process);
    machine.sign_in().await;
    let counted = Counted::everything().await;
    let prometheus = Prometheus::scraping(&[machine.ops, counted.address]).await;
    prometheus.wait_for("min(count_over_time(anteroom_ready[1m])) > 2 and count(anteroom_ready) == 2").await;

    let rules = prometheus.rules().await;
    assert!(rules.len() >= 13, "{rules:?}");
    for rule in &rules {
        assert_eq!(rule["health"], "ok", "{rule}");
        let expression = rule["query"].as_str().unwrap();
        let wanted = placeholders(&rule["annotations"].to_string(), "$labels.");
        // What an alert says of itself: labels of its series, unless it groups them.
        let grouped = grouped(expression);
        assert!(grouped.is_empty() || wanted.is_subset(&grouped), "{} lacks one of {wanted:?}", rule["name"]);
        for selector in selectors(expression) {
            holds(&prometheus, &selector, if grouped.is_empty() { &wanted } else { &grouped }).await;
        }
    }

    let asked = dashboard();
    assert!(asked.len() > 30, "{asked:?}");
    for (expression, legend) in &asked {
        let mut wanted = grouped(expression);
        wanted.extend(placeholders(legend, ""));
        holds(&prometheus, expression, &wanted).await;
    }

    // Each value that a label is compared with is one that the code writes.
    let sources = sources();
    let everything = asked.iter().map(|(e, _)| e.clone());
    let rules = rules.iter().map(|rule| rule["query"].as_str().unwrap().to_owned());
    for value in everything.chain(rules).flat_map(|expression| compared(&expression)) {
        assert!(sources.contains(&format!("\"{value}\"")), "nothing writes the value {value}");
    }

    // The test would notice: a name and a label that do not exist.
    assert!(prometheus.series("anteroom_sign_ins_total").await.is_empty());
    assert!(prometheus.series("anteroom_signins_total{result!=\"\"}").await.is_empty());
}

/// Whether an expression has an answer, each series of which has these labels.
async fn holds(prometheus: &Prometheus, expression: &str, wanted: &BTreeSet<String>) {
    let series = prometheus.series(expression).await;
    assert!(!series.is_empty(), "nothing answers {expression}");
    for labels in &series {
        let has = |label: &String| labels[label].as_str().is_some_and(|value| !value.is_empty());
        assert!(wanted.iter().all(has), "{expression}: {labels} lacks one of {wanted:?}");
    }
}

/// The expressions of the dashboard with its variables filled in as Grafana does, and their legends.
fn dashboard() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(repository("deploy/grafana/anteroom.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let filled = |expression: String| {
        let expression = expression.replace("$__rate_interval", "1m");
        let expression = expression.replace("$job", ".*").replace("$instance", ".*");
        assert!(!expression.contains('$'), "{expression}");
        expression
    };
    targets.map(|target| (filled(text(&target["expr"])), text(&target["legendFormat"]))).collect()
}

/// `x` of every `{{prefix x}}`.
fn placeholders(text: &str, prefix: &str) -> BTreeSet<String> {
    let inside = text.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
    inside.filter_map(|name| name.trim().strip_prefix(prefix)).map(str::to_owned).collect()
}

/// Every series that an expression rests on, with its labels compared.
fn selectors(expression: &str) -> Vec<String> {
    let begins = expression.match_indices("anteroom_").map(|(at, _)| &expression[at..]);
    begins
        .map(|rest| {
            let name = rest.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).next().unwrap();
            let labels = rest[name.len()..].strip_prefix('{').and_then(|rest| rest.split('}').next());
            labels.map_or_else(|| name.to_owned(), |labels| format!("{name}{{{labels}}}"))
        })
        .collect()
}

/// The labels of `by (…)`.
fn grouped(expression: &str) -> BTreeSet<String> {
    let lists = expression.split("by (").skip(1).filter_map(|rest| rest.split(')').next());
    // `le` is used up by histogram_quantile.
    lists.flat_map(|list| list.split(", ")).filter(|label| *label != "le").map(str::to_owned).collect()
}

/// The values that labels are compared with, alternatives apart.
fn compared(expression: &str) -> BTreeSet<String> {
    let values = expression.split('"').skip(1).step_by(2).flat_map(|value| value.split('|'));
    values.filter(|value| ![".*", "5.."].contains(value)).map(str::to_owned).collect()
}

/// The text of the program.
fn sources() -> String {
    fn walk(folder: &std::path::Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, text);
            } else {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut text = String::new();
    walk(&repository("src"), &mut text);
    text
}

/// The ops listener of a process to which everything happened once.
struct Counted {
    address: SocketAddr,
    _stop: watch::Sender<bool>,
}

impl Counted {
    async fn everything() -> Self {
        let metrics = Arc::new(Metrics::new());
        let took = Duration::from_millis(80);
        metrics.request(502, took);
        metrics.decision(Decision::Denied, Mode::ForwardAuth);
        metrics.unreadable(Entrance::Proxy);
        metrics.gateway_refused("stranger");
        metrics.connection_refused("client_limit");
        metrics.http2_refused("resets");
        metrics.stream_ended("websocket", "expired");
        drop((metrics.stream("websocket"), metrics.upstream_healthy("app", "http://127.0.0.1:8080")));
        metrics.tls_handshake("ok");
        metrics.tls_certificates([("site.pem".to_owned(), 4_102_444_800)]);
        metrics.sign_in("failed", "signin.declined");
        metrics.sign_in("failed", "atlassian.unavailable");
        metrics.probe("failed");
        metrics.hand_off("success");
        metrics.reloaded("applied", 1);
        metrics.atlassian("token", "unavailable", took);
        let readiness = Readiness::new(Arc::clone(&metrics));
        let server = OpsServer::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = server.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(server.serve(OpsState { readiness, metrics }, stopped));
        Self { address, _stop: stop }
    }
}
