//! `anteroom check`: is the configuration valid, could it be put in force, and what does it come to? No network.

use std::io;

use clap::Args;
use serde_json::{Value, json};

use super::{ConfigArgs, Exit, Format, Terminal};
use crate::app::{StartError, try_files};
use crate::config::{
    Config, ConfigErrors, Dialect, Finding, ForwardAuth, Origin, Proxy, PublicUrl, Upstream, Warning,
};
use crate::gate::{Access, Hosts, Methods, PathPattern, Route};
use crate::policy::AccessPolicy;

/// `anteroom check`
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Prints what the configuration comes to, or every mistake.
pub(super) fn check(args: &CheckArgs, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let options = args.config.load_options(&terminal.environment);
    let loaded = Config::load(&options);
    if let Ok((config, warnings)) = &loaded
        && let Err(error) = try_files(config)
    {
        return unusable(args.format, &error, config, warnings, terminal);
    }
    match (args.format, loaded) {
        (Format::Text, Ok((config, warnings))) => {
            terminal.warn(&warnings)?;
            writeln!(terminal.out, "{}", text(&config))?;
            Ok(Exit::Success)
        }
        (Format::Text, Err(errors)) => terminal.refuse(&errors),
        (Format::Json, Ok((config, warnings))) => {
            writeln!(terminal.out, "{:#}", valid(&config, &warnings))?;
            Ok(Exit::Success)
        }
        (Format::Json, Err(errors)) => {
            writeln!(terminal.out, "{:#}", invalid(&errors))?;
            Ok(Exit::Usage)
        }
    }
}

/// Everything is as it may be written, and a file that it names is not what it should be.
fn unusable(
    format: Format,
    error: &StartError,
    config: &Config,
    warnings: &[Warning],
    terminal: &mut Terminal<'_>,
) -> io::Result<Exit> {
    let path = config.read_from.file.clone();
    let finding = Finding {
        code: "config.unusable-file",
        key: "proxy".into(),
        origin: path.map_or(Origin::Unset, |path| Origin::File { path, line: 0, column: 0, snippet: None }),
        what: error.to_string(),
        meaning: "Anteroom would not start with this, and a reload would leave in force what is".into(),
        remedy: "replace the file, or name another one".into(),
    };
    match format {
        Format::Text => {
            terminal.warn(warnings)?;
            writeln!(terminal.err, "{}\n\nThe configuration has 1 mistake.", finding.render("error"))?;
        }
        Format::Json => {
            let said = json!({ "valid": false, "errors": [finding], "warnings": warnings });
            writeln!(terminal.out, "{said:#}")?;
        }
    }
    Ok(Exit::Usage)
}

fn text(config: &Config) -> String {
    let from = config.read_from.file.as_deref().unwrap_or("no file, environment only");
    let profile = config.read_from.profile.as_ref().map(|p| format!(", profile {p}")).unwrap_or_default();
    let mut lines = vec![format!("config is valid ({from}{profile})"), String::new()];
    let mut say = |name: &str, value: &str| lines.push(format!("  {name:<16}{value}"));
    say("public URL", config.public_url.origin());
    for (index, app) in config.app_urls.iter().enumerate() {
        say(if index == 0 { "more apps" } else { "" }, app.origin());
    }
    say("callback URL", callback_url(config).as_str());
    say("", "Register exactly this one at https://developer.atlassian.com/console/myapps/");
    say("", "(your app, Authorization, OAuth 2.0 (3LO)).");
    match &config.proxy {
        Some(proxy) => {
            say("listens on", &proxy.listen.to_string());
            for (index, line) in upstreams(config, proxy).iter().enumerate() {
                say(if index == 0 { "upstream" } else { "" }, line);
            }
            if let Some(probes) = &proxy.probes {
                say("probes", &format!("{}: {}, without a session", probes.listen, probes.paths.join(" ")));
            }
        }
        None => say("reverse proxy", "off: proxy.upstream is not set"),
    }
    if let Some(forward_auth) = &config.forward_auth {
        say("forward-auth", &forward_auth.listen.to_string());
        for (index, line) in who_asks(forward_auth).iter().enumerate() {
            say(if index == 0 { "asked by" } else { "" }, line);
        }
    }
    say("asks for", &config.atlassian.scopes.join(" "));
    for (index, who) in who(&config.access).iter().enumerate() {
        say(if index == 0 { "may sign in" } else { "" }, who);
    }
    for (index, rule) in config.route_table.iter().enumerate() {
        say(if index == 0 { "routes" } else { "" }, &route(config, rule));
    }
    say(if config.route_table.is_empty() { "routes" } else { "" }, "everything else: signed-in");
    if let Some(domain) = &config.session.cookie_domain {
        say("cookie", &format!("shared by all hosts below {domain}"));
    }
    say("store", &config.store.to_string());
    say("health", &config.ops.listen.map_or("off".into(), |address| format!("http://{address}/readyz")));
    lines.join("\n")
}

fn valid(config: &Config, warnings: &[Warning]) -> Value {
    json!({
        "valid": true,
        "file": config.read_from.file,
        "profile": config.read_from.profile,
        "public_url": config.public_url.origin(),
        "callback_url": callback_url(config),
        "app_urls": config.app_urls.iter().map(PublicUrl::origin).collect::<Vec<_>>(),
        "listen": config.proxy.as_ref().map(|proxy| proxy.listen.to_string()),
        "upstreams": config.proxy.as_ref().map(|proxy| proxy.upstreams.iter().map(|upstream| json!({
            "name": upstream.name,
            "hosts": on_hosts(config, &upstream.hosts),
            "path": upstream.path,
            "servers": upstream.to_string(),
        })).collect::<Vec<_>>()),
        "probes": config.proxy.as_ref().and_then(|proxy| proxy.probes.as_ref()).map(|probes| json!({
            "listen": probes.listen,
            "paths": probes.paths,
        })),
        "forward_auth": config.forward_auth.as_ref().map(|forward_auth| json!({
            "listen": forward_auth.listen.to_string(),
            "trusted_proxies": forward_auth.trusted.to_string(),
            "key": forward_auth.key.is_some(),
            "oauth2_proxy": forward_auth.oauth2_proxy.map(Dialect::as_str),
        })),
        "scopes": config.atlassian.scopes,
        "may_sign_in": who(&config.access),
        "routes": config.route_table.iter().map(|rule| route(config, rule)).collect::<Vec<_>>(),
        "store": config.store.to_string(),
        "ops_listen": config.ops.listen,
        "warnings": warnings,
    })
}

fn invalid(errors: &ConfigErrors) -> Value {
    json!({ "valid": false, "errors": errors.findings(), "warnings": errors.warnings() })
}

fn callback_url(config: &Config) -> String {
    config.public_url.callback_url(&config.atlassian.callback_path).into()
}

/// Who may sign in, one rule per line.
fn who(policy: &AccessPolicy) -> Vec<String> {
    let (verified, or_not) =
        if policy.unverified_emails { ("", ", verified or not") } else { ("verified ", "") };
    let an = if policy.unverified_emails { "an" } else { "a" };
    let list = |items: Vec<&str>| items.join(", ");
    let mut rules = Vec::new();
    if policy.any_account {
        rules.push("everybody with an Atlassian account".to_owned());
    }
    if !policy.email_domains.is_empty() {
        let domains = list(policy.email_domains.iter().map(|d| d.as_str()).collect());
        rules.push(format!("everybody with {an} {verified}email address at {domains}{or_not}"));
    }
    if !policy.emails.is_empty() {
        let emails = list(policy.emails.iter().map(|e| e.as_str()).collect());
        rules.push(format!("people with the {verified}email addresses {emails}{or_not}"));
    }
    if !policy.account_ids.is_empty() {
        rules.push(format!("accounts {}", list(policy.account_ids.iter().map(|a| a.as_str()).collect())));
    }
    rules
}

/// Which gateways may ask, and what they have to bring.
fn who_asks(forward_auth: &ForwardAuth) -> Vec<String> {
    let mut lines = vec![forward_auth.trusted.to_string()];
    if forward_auth.key.is_some() {
        lines.push("and only with the key in X-Anteroom-Gateway-Key".into());
    }
    if let Some(dialect) = forward_auth.oauth2_proxy {
        lines.push(format!("/oauth2/auth answers as oauth2-proxy does, asked as {} asks", dialect.as_str()));
    }
    lines
}

fn route(config: &Config, route: &Route) -> String {
    let path = match &route.path {
        PathPattern::Exact(path) => path.clone(),
        PathPattern::Prefix(path) => format!("{path} and below"),
        PathPattern::Glob(glob) => format!("{glob} (glob)"),
    };
    let methods = match &route.methods {
        Methods::Any => String::new(),
        Methods::Only(methods) => {
            format!("{} ", methods.iter().map(|m| m.as_str()).collect::<Vec<_>>().join(","))
        }
    };
    let hosts = match on_hosts(config, &route.hosts) {
        None => String::new(),
        Some(hosts) => format!(" on {}", hosts.join(", ")),
    };
    let access = match route.access {
        Access::Public => "public",
        Access::SignedIn => "signed-in",
        Access::Deny => "deny",
    };
    format!("{methods}{path}{hosts}: {access}")
}

/// Where requests go, one upstream per line; a single one for everything is just named by its servers.
fn upstreams(config: &Config, proxy: &Proxy) -> Vec<String> {
    let line = |upstream: &Upstream| match (on_hosts(config, &upstream.hosts), upstream.path.as_str()) {
        (None, "/") => upstream.to_string(),
        (None, path) => format!("{upstream} for {path}"),
        (Some(hosts), path) => format!("{upstream} for {path} on {}", hosts.join(", ")),
    };
    proxy.upstreams.iter().map(line).collect()
}

/// The hosts of those that are named; `None` for all.
fn on_hosts<'a>(config: &'a Config, hosts: &Hosts) -> Option<Vec<&'a str>> {
    let Hosts::Only(places) = hosts else { return None };
    let sites: Vec<&PublicUrl> = [&config.public_url].into_iter().chain(&config.app_urls).collect();
    Some(places.iter().filter_map(|place| sites.get(*place)).map(|site| site.authority()).collect())
}
