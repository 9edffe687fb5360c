//! The real gateways with what `anteroom config` prints: doctor finds nothing in them. And nginx with one line changed.

use super::*;
use crate::support::gateway::nginx::Nginx;
use crate::support::gateway::{caddy, envoy, free_address, haproxy, nginx, printed, traefik};
use crate::support::process::Process;

const WRONG_DIALECT: &str = "proxy_pass http://anteroom/_anteroom/verify/forward;\nproxy_pass_request_body off;\n\
    proxy_set_header X-Forwarded-Method $request_method;\nproxy_set_header X-Forwarded-Uri $request_uri;\n\
    proxy_set_header X-Forwarded-Host $http_host;\n";

/// A site whose gateway is still to be started.
struct Real {
    site: Site,
    files: Files,
    gateway: SocketAddr,
    app: SocketAddr,
    host: String,
}

impl Real {
    async fn new() -> Self {
        let (gateway, app) = (free_address(), free_address());
        let site = Site::with(Plan::ada().gateway(Gateway::on(gateway.port())).config(ROUTES)).await;
        let (files, host) = (Files::new(&site.url(""), FORWARD_AUTH), site.host());
        Self { site, files, gateway, app, host }
    }

    /// What `anteroom config` prints for it.
    fn printed(&self, arguments: &[&str]) -> String {
        let (listen, anteroom) = (self.gateway.to_string(), self.site.address().to_string());
        let upstream = format!("http://{}", self.app);
        let flags = ["--listen", &listen, "--anteroom", &anteroom, "--upstream", &upstream];
        printed(&self.files.path("anteroom.toml"), &[arguments, &flags].concat())
    }

    async fn nginx(&self, configuration: &str) -> Process {
        nginx::start(Nginx::System, self.files.folder.path(), configuration, self.gateway, &self.host, None)
            .await
    }

    async fn doctor(&self) -> Report {
        let mut person = Person::new();
        let page = person.visit(&self.site.url("/_anteroom/start")).await;
        assert_eq!(page.url.path(), "/_anteroom/welcome", "{}", page.body);
        std::fs::write(self.files.path("cookie"), person.cookie_line(&self.site.url(""))).unwrap();
        let (echo, cookie) = (self.app.to_string(), self.files.path("cookie"));
        let rest = ["--echo", &echo, "--cookie-file", cookie.to_str().unwrap(), "--format", "json"];
        let usual = self.files.arguments();
        doctor(&[&usual.each_ref().map(String::as_str), &rest[..]].concat(), &Said::default()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_found_in_what_config_prints() {
    for name in ["nginx", "haproxy", "caddy", "traefik", "envoy"] {
        let real = Real::new().await;
        let (text, folder) = (real.printed(&[name]), real.files.folder.path());
        let (at, host) = (real.gateway, real.host.as_str());
        let _running = match name {
            "nginx" => real.nginx(&text).await,
            "haproxy" => {
                haproxy::start(folder, &text, &real.printed(&[name, "--format", "lua"]), at, host, None).await
            }
            "caddy" => caddy::start(folder, &text, at, host, None).await,
            "traefik" => traefik::start(folder, &text, at, host, None).await,
            _ => envoy::start(folder, &text, at, host, None).await,
        };
        let report = real.doctor().await;
        assert_eq!(
            (report.checks("problem"), report.exit),
            (BTreeSet::new(), Exit::Success),
            "{name}\n{}",
            report.out
        );
        assert!(report.checks("not_checked").is_empty(), "{name}\n{}", report.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_line_of_nginx_is_found() {
    for (line, instead, want) in [
        ("underscores_in_headers off;", "underscores_in_headers on;", "forged-headers"),
        ("proxy_set_header X-Anteroom-Email $said_x_anteroom_email;", "", "forged-headers"),
        ("proxy_set_header Remote-User \"\";", "", "reserved-headers"),
        ("proxy_set_header Cookie $anteroom_app_cookies;", "", "cookies"),
        (
            "X-Original-Method $request_method;",
            "X-Original-Method $http_x_original_method$request_method;",
            "forged-addresses",
        ),
        ("return 302 $anteroom_location;", "return 403;", "sign-in"),
        ("proxy_pass http://anteroom;\n        proxy_pass_request_body off;", WRONG_DIALECT, "sign-in"),
        ("auth_request /_anteroom/verify/nginx;", "", "script"),
    ] {
        let real = Real::new().await;
        let text = real.printed(&["nginx"]);
        assert!(text.contains(line), "{line} in\n{text}");
        let running = real.nginx(&text.replace(line, instead)).await;
        let report = real.doctor().await;
        assert!(report.checks("problem").contains(want), "{line}\n{}\n{}", report.out, running.output());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_line_of_traefik_and_envoy_is_found() {
    let case = Real::new().await;
    let (folder, at, host) = (case.files.folder.path(), case.gateway, case.host.as_str());
    let text = case.printed(&["traefik"]);
    let lenient = text.replace("aliasHeadersStrategy: delete", "aliasHeadersStrategy: keep");
    assert_ne!(text, lenient);
    let running = traefik::start(folder, &lenient, at, host, None).await;
    let report = case.doctor().await;
    assert!(report.checks("problem").contains("forged-headers"), "{}\n{}", report.out, running.output());
    assert!(report.out.to_lowercase().contains("x_anteroom_email: forged"), "{}", report.out);
    drop(running);

    let case = Real::new().await;
    let (folder, at, host) = (case.files.folder.path(), case.gateway, case.host.as_str());
    let text = case.printed(&["envoy"]);
    // Nothing is removed before the question: Envoy overwrites what the answer holds and passes the rest.
    let line = |line: &str| match line.split_once("- remove_on_match:") {
        Some((indent, _)) => format!("{indent}- remove: x-nothing\n"),
        None => format!("{line}\n"),
    };
    let early: String = text.lines().map(line).collect();
    assert_ne!(text.trim(), early.trim());
    let running = envoy::start(folder, &early, at, host, None).await;
    let report = case.doctor().await;
    assert!(report.checks("problem").contains("reserved-headers"), "{}\n{}", report.out, running.output());
}
