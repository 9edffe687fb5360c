//! A Prometheus that scrapes what it is told to, on loopback, and answers what it is asked.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;
use url::Url;

use crate::support::person::Person;
use crate::support::process::Process;
use crate::support::{DEADLINE, repository};

pub(super) const REMEDY: &str = "sudo apt-get install -y --no-install-recommends prometheus";

pub(super) struct Prometheus {
    base: String,
    process: Process,
    _folder: TempDir,
}

impl Prometheus {
    /// Scrapes these, five times a second, and evaluates `deploy/prometheus/alerts.yaml`.
    pub(super) async fn scraping(targets: &[SocketAddr]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let targets: Vec<String> = targets.iter().map(|target| format!("\"{target}\"")).collect();
        let configuration = format!(
            "global: {{ scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms }}\n\
             rule_files: [\"{}\"]\n\
             scrape_configs: [{{ job_name: anteroom, static_configs: [{{ targets: [{}] }}] }}]\n",
            repository("deploy/prometheus/alerts.yaml").display(),
            targets.join(", "),
        );
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, configuration).expect("written");
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0");
        let process = Process::start("prometheus", command, REMEDY);
        let address = process
            .wait_for_line(|line| {
                // Since 3.0 there is a component between the two.
                let (_, rest) = line.split_once("msg=\"Listening on\"")?;
                let (_, address) = rest.split_once("address=")?;
                Some(address.split(' ').next()?.to_owned())
            })
            .await;
        Self { base: format!("http://{address}"), process, _folder: folder }
    }

    /// What it answers; empty while it starts.
    async fn ask(&self, path: &str, query: Option<&str>) -> Value {
        let mut url = Url::parse(&format!("{}{path}", self.base)).expect("a URL");
        if let Some(query) = query {
            url.query_pairs_mut().append_pair("query", query);
        }
        let page = Person::new().get(url.as_str()).await;
        serde_json::from_str(&page.body).unwrap_or_default()
    }

    /// The labels of every series that answers an expression; an expression that it cannot read fails.
    pub(super) async fn series(&self, expression: &str) -> Vec<Value> {
        let answer = self.ask("/api/v1/query", Some(expression)).await;
        assert_ne!(answer["status"], "error", "{expression}: {answer}");
        let series = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        series.into_iter().map(|series| series["metric"].clone()).collect()
    }

    /// Waits until an expression has an answer.
    pub(super) async fn wait_for(&self, expression: &str) {
        let until = Instant::now() + DEADLINE;
        while self.series(expression).await.is_empty() {
            assert!(Instant::now() < until, "no answer to {expression}. It said:\n{}", self.process.output());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The rules that it evaluates.
    pub(super) async fn rules(&self) -> Vec<Value> {
        let answer = self.ask("/api/v1/rules", None).await;
        let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
        groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect()
    }
}
