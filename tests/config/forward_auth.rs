//! `[forward_auth]` and several hosts: what a valid configuration means, and every mistake at its place.

use std::net::IpAddr;
use std::path::PathBuf;

use anteroom::config::{Audience, Dialect, Listen};
use anteroom::gate::Hosts;
use anteroom::identity::{AccountId, EmailVerified, Person};
use anteroom::secret::ExposeSecret;

use super::{Case, GOOD, broken};

/// Ends in `[session]`, as `GOOD` does; line 12 is `[forward_auth]`.
const GATEWAY: &str = r#"public_url = "https://auth.example.com"
app_urls = ["https://wiki.example.com", "https://ci.example.com:8443"]
[atlassian]
client_id = "0123456789abcdefghijABCDEFGHIJ01"
client_secret = "ATOA-hunter2-client-secret"
[access]
email_domains = ["example.com"]
[[routes]]
path = "/health"
hosts = ["WIKI.example.com", "ci.example.com", "wiki.example.com:443"]
access = "public"
[forward_auth]
trusted_proxies = ["10.0.0.0/8", "127.0.0.1"]
[session]
secret = "hunter2-session-secret-0123456789-abcdef"
"#;

/// Passes for a secret; `Case::load` looks for it in every message.
const KEY: &str = "hunter2-password-0123456789-abcdefghijklmnop";

fn with(line: &str, new: &str) -> String {
    assert!(GATEWAY.contains(line), "{line}");
    GATEWAY.replacen(line, new, 1)
}

#[test]
fn gateways_alone() {
    let config = Case::new(GATEWAY).good();
    assert!(config.proxy.is_none());
    let forward_auth = config.forward_auth.unwrap();
    assert_eq!(forward_auth.listen, Listen::Tcp("127.0.0.1:4182".parse().unwrap()));
    assert_eq!((forward_auth.oauth2_proxy, forward_auth.key.is_none()), (None, true));
    for (address, want) in [("10.1.2.3", true), ("::ffff:127.0.0.1", true), ("192.0.2.1", false)] {
        assert_eq!(forward_auth.trusted.contains(address.parse::<IpAddr>().unwrap()), want, "{address}");
    }
    let apps: Vec<&str> = config.app_urls.iter().map(|url| url.authority()).collect();
    assert_eq!(apps, ["wiki.example.com", "ci.example.com:8443"]);
    assert_eq!(config.route_table[0].hosts, Hosts::Only(vec![1, 2]));
    assert_eq!(config.session.cookie_domain, None);
    assert_eq!(config.headers.assertion, Some(Audience::OfTheApp));
}

#[test]
fn both_modes_at_once() {
    let config = Case::new(&format!("{GOOD}[forward_auth]\ntrusted_proxies = [\"127.0.0.1\"]\n")).good();
    assert!(config.proxy.is_some() && config.forward_auth.is_some() && config.app_urls.is_empty());
    assert!(Case::new(GOOD).good().forward_auth.is_none(), "off unless the table is there");
}

#[test]
fn from_the_environment() {
    let config = Case::new(&broken("upstream", ""))
        .env(&[
            ("ANTEROOM_APP_URLS", "https://wiki.example.com,https://ci.example.com"),
            ("ANTEROOM_FORWARD_AUTH__LISTEN", ":4182"),
            ("ANTEROOM_FORWARD_AUTH__TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::/32"),
            ("ANTEROOM_FORWARD_AUTH__KEY", KEY),
            ("ANTEROOM_FORWARD_AUTH__OAUTH2_PROXY", "nginx"),
            ("ANTEROOM_SESSION__COOKIE_DOMAIN", ".Example.COM"),
            ("ANTEROOM_HEADERS__AUDIENCE", "wiki"),
        ])
        .good();
    let forward_auth = config.forward_auth.unwrap();
    assert_eq!(forward_auth.listen, Listen::Tcp("0.0.0.0:4182".parse().unwrap()));
    assert_eq!(forward_auth.trusted.to_string(), "10.0.0.0/8, 2001:db8::/32");
    assert_eq!(forward_auth.key.unwrap().expose_secret(), KEY);
    assert_eq!(forward_auth.oauth2_proxy, Some(Dialect::Nginx));
    assert_eq!((config.proxy.is_none(), config.app_urls.len()), (true, 2));
    assert_eq!(config.session.cookie_domain.as_deref(), Some("example.com"));
    assert_eq!(config.headers.assertion, Some(Audience::Fixed("wiki".into())));
}

#[test]
fn listeners() {
    let listen = |lines: &str| {
        let toml = with("[forward_auth]\n", &format!("[forward_auth]\n{lines}\n"));
        let toml = toml.replace("\"10.0.0.0/8\", ", "\"10.0.0.0/8\", \"unix\", ");
        let case = Case::new(&toml);
        (case.good().forward_auth.unwrap().listen, case)
    };
    let unix = |path: &str, mode| Listen::Unix { path: PathBuf::from(path), mode };
    for (lines, want) in [
        ("listen = \"localhost:1\"", Listen::Tcp("127.0.0.1:1".parse().unwrap())),
        ("listen = \"[::]:1\"", Listen::Tcp("[::]:1".parse().unwrap())),
        ("listen = \"unix:/run/a.sock\"", unix("/run/a.sock", 0o660)),
        ("listen = \"unix:///run/a.sock\"\nunix_mode = \"600\"", unix("/run/a.sock", 0o600)),
        ("listen = \"systemd\"", Listen::Systemd { name: None }),
        ("listen = \"systemd:forward-auth\"", Listen::Systemd { name: Some("forward-auth".into()) }),
    ] {
        assert_eq!(listen(lines).0, want, "{lines}");
    }
    let (relative, case) = listen("listen = \"unix:a.sock\"");
    assert_eq!(relative, Listen::Unix { path: case.folder.path().join("a.sock"), mode: 0o660 });
}

#[test]
fn oauth2_proxys_headers_come_with_its_alias() {
    let sets = |toml: &str| {
        let person = Person {
            account_id: AccountId::parse("557058:ada").unwrap(),
            email: None,
            email_verified: EmailVerified::Unknown,
            name: None,
            picture: None,
        };
        let set = Case::new(toml).good().headers.layout.render(&person, false);
        set.iter().any(|(name, _)| name == "x-auth-request-user")
    };
    let on = with("[forward_auth]\n", "[forward_auth]\noauth2_proxy = \"forward\"\n");
    assert!(sets(&on) && !sets(GATEWAY));
}

#[test]
fn a_key_from_a_file() {
    let toml = with("[forward_auth]\n", "[forward_auth]\nkey_file = \"key\"\n");
    let case = Case::new(&toml).file("key", format!("{KEY}\n").as_str());
    assert_eq!(case.good().forward_auth.unwrap().key.unwrap().expose_secret(), KEY);
    let over = case.env(&[("ANTEROOM_FORWARD_AUTH__KEY", "another-password-0123456789-abcdefghij")]);
    assert!(over.good().forward_auth.unwrap().key.unwrap().expose_secret().starts_with("another"));
}

#[test]
fn development_on_names_below_localhost() {
    let toml = with("https://auth.example.com", "http://auth.anteroom.localhost:4182")
        .replace("https://wiki.example.com", "http://wiki.anteroom.localhost:4182")
        .replace("https://ci.example.com:8443", "http://ci.anteroom.localhost:4182")
        .replace(
            "\"WIKI.example.com\", \"ci.example.com\", \"wiki.example.com:443\"",
            "\"wiki.anteroom.localhost\"",
        );
    let domain = |domain: &str| Case::new(&format!("{toml}cookie_domain = \"{domain}\"\n"));
    let (config, warnings) = domain("anteroom.localhost").load().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((config.session.cookie_domain.as_deref(), warnings), (Some("anteroom.localhost"), vec![]));
    assert_eq!(config.route_table[0].hosts, Hosts::Only(vec![1]));
    let (_, warnings) = domain("localhost").load().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(warnings.iter().map(|w| w.code).collect::<Vec<_>>(), ["config.cookie-domain-localhost"]);
}

#[test]
fn each_mistake_has_its_code_and_its_place() {
    let trusted = "trusted_proxies = [\"10.0.0.0/8\", \"127.0.0.1\"]";
    let apps = "app_urls = [\"https://wiki.example.com\", \"https://ci.example.com:8443\"]";
    let hosts = "hosts = [\"WIKI.example.com\", \"ci.example.com\", \"wiki.example.com:443\"]";
    let gateway = "[forward_auth]\ntrusted_proxies = [\"10.0.0.0/8\", \"127.0.0.1\"]\n";
    let session = "[session]\n";
    let listen = |listen: &str| format!("listen = \"{listen}\"\ntrusted_proxies = [\"127.0.0.1\", \"unix\"]");
    let long = format!("unix:/{}", "x".repeat(107));
    let app = |url: &str| {
        format!("app_urls = [\"https://wiki.example.com\", \"{url}\", \"https://ci.example.com\"]")
    };
    let domain = |domain: &str| format!("[session]\ncookie_domain = \"{domain}\"\n");
    let mut wrong = Vec::new();
    for (line, new, want) in [
        // The table and its types.
        (trusted, "".into(), "config.missing forward_auth.trusted_proxies @anteroom.toml"),
        (
            trusted,
            "trusted_proxies = []".into(),
            "config.missing forward_auth.trusted_proxies @anteroom.toml:13:1",
        ),
        (
            trusted,
            "trusted_proxies = \"unix\"".into(),
            "config.type forward_auth.trusted_proxies @anteroom.toml:13:1",
        ),
        (
            trusted,
            format!("{trusted}\nlissten = \"x\""),
            "config.unknown-key forward_auth.lissten @anteroom.toml:14:1",
        ),
        ("[forward_auth]", "[forward-auth]".into(), "config.unknown-key forward-auth @anteroom.toml:12:1"),
        (
            trusted,
            format!("{trusted}\noauth2_proxy = \"on\""),
            "config.choice forward_auth.oauth2_proxy @anteroom.toml:14:16",
        ),
        // Whom to trust.
        (
            trusted,
            "trusted_proxies = [\"10.0.0.0/8\", \"10.1.2.3/8\"]".into(),
            "config.trusted-proxy forward_auth.trusted_proxies[1] @anteroom.toml:13:34",
        ),
        (
            trusted,
            "trusted_proxies = [\"0.0.0.0/0\"]".into(),
            "config.trusted-proxy forward_auth.trusted_proxies[0] @anteroom.toml:13:20",
        ),
        (
            trusted,
            "trusted_proxies = [\"::/0\"]".into(),
            "config.trusted-proxy forward_auth.trusted_proxies[0] @anteroom.toml:13:20",
        ),
        (
            trusted,
            "trusted_proxies = [\"*\"]".into(),
            "config.trusted-proxy forward_auth.trusted_proxies[0] @anteroom.toml:13:20",
        ),
        (
            trusted,
            format!("{trusted}\nlisten = \"unix:/run/a.sock\""),
            "config.trusted-nobody forward_auth.trusted_proxies @anteroom.toml:13:19",
        ),
        (
            trusted,
            "trusted_proxies = [\"unix\"]".into(),
            "config.trusted-nobody forward_auth.trusted_proxies @anteroom.toml:13:19",
        ),
        // Where to listen.
        (trusted, listen("gateway"), "config.address forward_auth.listen @anteroom.toml:13:10"),
        (trusted, listen("127.0.0.1"), "config.address forward_auth.listen @anteroom.toml:13:10"),
        (trusted, listen("unix:"), "config.unix-socket forward_auth.listen @anteroom.toml:13:10"),
        (trusted, listen("unix:/run/"), "config.unix-socket forward_auth.listen @anteroom.toml:13:10"),
        (trusted, listen("unix:@abstract"), "config.unix-socket forward_auth.listen @anteroom.toml:13:10"),
        (trusted, listen(&long), "config.unix-socket forward_auth.listen @anteroom.toml:13:10"),
        (trusted, listen("systemd:"), "config.systemd-socket forward_auth.listen @anteroom.toml:13:10"),
        (trusted, listen("systemd:a:b"), "config.systemd-socket forward_auth.listen @anteroom.toml:13:10"),
        (
            trusted,
            format!("{trusted}\nunix_mode = \"rw-rw----\""),
            "config.unix-mode forward_auth.unix_mode @anteroom.toml:14:13",
        ),
        (
            trusted,
            format!("{trusted}\nunix_mode = \"1777\""),
            "config.unix-mode forward_auth.unix_mode @anteroom.toml:14:13",
        ),
        (
            trusted,
            format!("{trusted}\nunix_mode = \"0444\""),
            "config.unix-mode forward_auth.unix_mode @anteroom.toml:14:13",
        ),
        (trusted, listen("127.0.0.1:4181"), "config.listeners ops.listen @anteroom.toml"),
        (
            session,
            "[proxy]\nlisten = \"0.0.0.0:4182\"\nupstream = \"http://app\"\n[session]\n".into(),
            "config.listeners forward_auth.listen @anteroom.toml",
        ),
        // The key.
        (
            trusted,
            format!("{trusted}\nkey = \"hunter2-password\""),
            "config.gateway-key forward_auth.key @anteroom.toml:14:1",
        ),
        (
            trusted,
            format!("{trusted}\nkey = \"{}\"", "hunter2-password-é-0123456789-abcdefghijk"),
            "config.gateway-key forward_auth.key @anteroom.toml:14:1",
        ),
        (
            trusted,
            format!("{trusted}\nkey = \"{}\"", "x".repeat(40)),
            "config.gateway-key forward_auth.key @anteroom.toml:14:1",
        ),
        (
            trusted,
            format!("{trusted}\nkey = \"{KEY} \""),
            "config.secret forward_auth.key @anteroom.toml:14:1",
        ),
        (
            trusted,
            format!("{trusted}\nkey = \"{KEY}\"\nkey_file = \"x\""),
            "config.secret-twice forward_auth.key_file @anteroom.toml:15:1",
        ),
        (
            trusted,
            format!("{trusted}\nkey_file = \"absent\""),
            "config.secret-file forward_auth.key_file @anteroom.toml:14:12",
        ),
        // app_urls
        (apps, app("wiki2.example.com"), "config.app-url app_urls[1] @anteroom.toml:2:41"),
        (apps, app("https://x.example.com/x"), "config.app-url app_urls[1] @anteroom.toml:2:41"),
        (apps, app("https://u:hunter2-password@x"), "config.app-url app_urls[1] @anteroom.toml:2:41"),
        (apps, app("https://AUTH.example.com:443"), "config.app-url app_urls[1] @anteroom.toml:2:41"),
        (apps, app("https://wiki.example.com/"), "config.app-url app_urls[1] @anteroom.toml:2:41"),
        (apps, app("https://wiki.example.com:8443"), "config.app-url app_urls[1] @anteroom.toml:2:41"),
        (apps, app("http://localhost:4180"), "config.app-url app_urls[1] @anteroom.toml:2:41"),
        // routes.hosts
        (
            hosts,
            "hosts = [\"wiki.example.com\", \"wikki.example.com\"]".into(),
            "config.route-host routes[0].hosts[1] @anteroom.toml:10:30",
        ),
        (
            hosts,
            "hosts = [\"https://wiki.example.com\"]".into(),
            "config.route-host routes[0].hosts[0] @anteroom.toml:10:10",
        ),
        (
            hosts,
            "hosts = [\"ci.example.com:443\"]".into(),
            "config.route-host routes[0].hosts[0] @anteroom.toml:10:10",
        ),
        (hosts, "hosts = []".into(), "config.route-empty routes[0].hosts @anteroom.toml:10:1"),
        (hosts, "methods = []".into(), "config.route-empty routes[0].methods @anteroom.toml:10:1"),
        // session.cookie_domain
        (session, domain("com"), "config.cookie-domain session.cookie_domain @anteroom.toml:15:17"),
        (session, domain("co.uk"), "config.cookie-domain session.cookie_domain @anteroom.toml:15:17"),
        (session, domain("fly.dev"), "config.cookie-domain session.cookie_domain @anteroom.toml:15:17"),
        (session, domain("localhost"), "config.cookie-domain session.cookie_domain @anteroom.toml:15:17"),
        (session, domain("127.0.0.1"), "config.cookie-domain session.cookie_domain @anteroom.toml:15:17"),
        (
            session,
            domain("example.com:443"),
            "config.cookie-domain session.cookie_domain @anteroom.toml:15:17",
        ),
        (
            session,
            domain("wiki.example.com"),
            "config.cookie-domain session.cookie_domain @anteroom.toml:15:17",
        ),
        (session, domain("xample.com"), "config.cookie-domain session.cookie_domain @anteroom.toml:15:17"),
        // What the proxy still needs.
        (gateway, "".into(), "config.missing proxy.upstream @anteroom.toml"),
        (
            session,
            "[proxy]\nlisten = \"x\"\n[session]\n".into(),
            "config.address proxy.listen @anteroom.toml:15:10",
        ),
    ] {
        let got = Case::new(&with(line, &new)).mistakes();
        if got != [want] {
            wrong.push(format!("{new}\n   got {got:?}\n  want {want:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_network_with_a_slip_is_told_which_one_was_meant() {
    let toml = with("\"127.0.0.1\"", "\"10.1.2.3/8\"");
    let said = Case::new(&toml).load().map(|_| ()).unwrap_err().to_string();
    assert!(said.contains("the network is 10.0.0.0/8, the address alone 10.1.2.3"), "{said}");
    let said =
        Case::new(&with("ci.example.com\", \"", "wikis.example.com\", \"")).load().map(|_| ()).unwrap_err();
    assert!(said.to_string().contains("did you mean `wiki.example.com`?"), "{said}");
}

#[test]
fn mistakes_hide_no_others() {
    let toml =
        with("[\"10.0.0.0/8\", \"127.0.0.1\"]", "[\"0.0.0.0/0\", \"all\"]\nlisten = \"x\"\nkey = \"short\"")
            .replace("https://auth.example.com", "http://auth.example.com")
            .replace("https://ci.example.com:8443", "ci")
            .replace("[session]", "[session]\ncookie_domain = \"co.uk\"");
    let got = Case::new(&toml).mistakes();
    let codes: Vec<&str> = got.iter().filter_map(|m| m.split(' ').next()).collect();
    let want = [
        "config.public-url",
        "config.app-url",
        "config.trusted-proxy",
        "config.trusted-proxy",
        "config.address",
        "config.gateway-key",
        "config.cookie-domain",
    ];
    assert_eq!(codes, want, "{got:?}");
}

#[test]
fn what_may_not_be_meant_is_a_warning() {
    let trusted = "trusted_proxies = [\"10.0.0.0/8\", \"127.0.0.1\"]";
    let both = "trusted_proxies = [\"127.0.0.1\", \"unix\"]";
    for (line, new, want) in [
        (trusted, both.into(), vec!["config.trusted-unix"]),
        (trusted, format!("{both}\nlisten = \"systemd\""), vec![]),
        (trusted, format!("{both}\nlisten = \"unix:/run/a.sock\""), vec![]),
        (
            trusted,
            format!("{both}\nlisten = \"unix:/run/a.sock\"\nunix_mode = \"0666\""),
            vec!["config.socket-open"],
        ),
        (
            trusted,
            format!("{both}\nlisten = \"unix:/run/a.sock\"\nunix_mode = \"0666\"\nkey = \"{KEY}\""),
            vec![],
        ),
        (
            "[session]",
            "[new_user]\nuntil = \"acknowledged\"\n[session]".into(),
            vec!["config.new-user-unseen"],
        ),
        (
            "[session]",
            "[proxy]\nupstream = \"http://app\"\n[new_user]\nuntil = \"acknowledged\"\n[session]".into(),
            vec![],
        ),
        ("[session]\n", "[session]\ncookie_domain = \"example.com\"\n".into(), vec![]),
    ] {
        let (_, warnings) = Case::new(&with(line, &new)).load().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(warnings.iter().map(|w| w.code).collect::<Vec<_>>(), want, "{new}");
    }
}
