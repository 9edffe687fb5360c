//! What operators write about the proxy: what it comes to, what is refused, what is warned of.

use std::path::Path;
use std::time::Duration;

use anteroom::config::{Balance, Listen, Protocol, Server, Sources, WebSocketOrigins};
use anteroom::gate::Hosts;

use super::{Case, GOOD};
use crate::support::repository;

/// With everything that every site needs, and nothing about the proxy.
fn site(proxy: &str) -> Case {
    let base = GOOD.replace("[proxy]\nupstream = \"http://127.0.0.1:8080\"\n", "");
    let case = Case::new(&format!("app_urls = [\"https://wiki.example.com\"]\n{base}{proxy}\n"));
    let files = ["cert.pem", "key.pem", "ca.pem"];
    let case = files.into_iter().fold(case, |case, name| case.file(name, "PEM"));
    case.file("token", "Bearer hunter2-password\n")
}

#[test]
fn each_mistake_has_its_code_and_its_place() {
    let one = "[proxy]\nupstream = \"http://app\"\n";
    let many = "[[proxy.upstreams]]\nservers = [\"http://app\"]\n";
    let mut wrong = Vec::new();
    for (before, line, want) in [
        // Probes.
        (one, "[proxy.probes]\nlisten = \"0.0.0.0:4183\"", "probe-path proxy.probes.paths"),
        (one, "[proxy.probes]\npaths = [\"/a\", \"b\"]", "probe-path proxy.probes.paths[1]"),
        (one, "[proxy.probes]\npaths = [\"/a?b\"]", "probe-path proxy.probes.paths[0]"),
        (one, "[proxy.probes]\npaths = [\"/a/../b\"]", "probe-path proxy.probes.paths[0]"),
        (one, "[proxy.probes]\npaths = [\"/a*\", \"/%61\"]", "probe-path proxy.probes.paths[1]"),
        (one, "[proxy.probes]\nlisten = \"nowhere\"\npaths = [\"/a\"]", "address proxy.probes.listen"),
        (one, "[proxy.probes]\nlisten = \"0.0.0.0:4180\"\npaths = [\"/a\"]", "listeners proxy.probes.listen"),
        (one, "[proxy.probes]\nlisten = \"127.0.0.1:4181\"\npaths = [\"/a\"]", "listeners ops.listen"),
        (
            "[proxy]\nupstream = \"http://127.0.0.1:4183\"\n",
            "[proxy.probes]\npaths = [\"/a\"]",
            "upstream-loop proxy.upstream",
        ),
        (
            many,
            "path = \"/api/\"\n[proxy.probes]\npaths = [\"/api/a\", \"/apis\"]",
            "probe-path proxy.probes.paths[1]",
        ),
        (
            many,
            "hosts = [\"wiki.example.com\"]\n[proxy.probes]\npaths = [\"/a\"]",
            "probe-path proxy.probes.paths[0]",
        ),
        // One or many.
        (one, "[[proxy.upstreams]]\nservers = [\"http://b\"]", "upstream-both proxy.upstream"),
        (many, "[proxy]\nupstream_server_name = \"x\"", "upstream-both proxy.upstream_server_name"),
        ("", "[[proxy.upstreams]]\nname = \"a\"", "upstream-empty proxy.upstreams[0]"),
        (many, "hosts = []", "upstream-empty proxy.upstreams[0].hosts"),
        (
            many,
            "hosts = [\"app.example.com\", \"ci.example.com\"]",
            "upstream-host proxy.upstreams[0].hosts[1]",
        ),
        (many, "name = \"a b\"", "upstream-name proxy.upstreams[0].name"),
        (many, "path = \"api\"", "upstream-path proxy.upstreams[0].path"),
        (many, "path = \"/a/../b\"", "upstream-path proxy.upstreams[0].path"),
        (many, "path = \"/a//b\"", "upstream-path proxy.upstreams[0].path"),
        (many, "path = \"/a%2fb\"", "upstream-path proxy.upstreams[0].path"),
        (many, "path = \"/%61\"", "upstream-path proxy.upstreams[0].path"),
        (many, "path = \"/_anteroom/\"", "upstream-path proxy.upstreams[0].path"),
        (many, "rewrite = \"/a;b/\"", "upstream-path proxy.upstreams[0].rewrite"),
        (
            many,
            "[[proxy.upstreams]]\nname = \"b\"\nservers = [\"http://b\"]",
            "upstream-twice proxy.upstreams[1].servers",
        ),
        (
            many,
            "name = \"a\"\n[[proxy.upstreams]]\nname = \"a\"\npath = \"/a\"\nservers = [\"http://b\"]",
            "upstream-name proxy.upstreams[1].servers",
        ),
        (
            "",
            "[[proxy.upstreams]]\nservers = [\"http://a\", \"https://b\"]",
            "upstream proxy.upstreams[0].servers[1]",
        ),
        (
            "",
            "[[proxy.upstreams]]\nservers = [\"http://a\", \"http://a/\"]",
            "upstream proxy.upstreams[0].servers[1]",
        ),
        ("", "[[proxy.upstreams]]\nservers = [\"http://a/b\"]", "upstream proxy.upstreams[0].servers[0]"),
        ("", "[[proxy.upstreams]]\nservers = [\"unix:@a\"]", "upstream proxy.upstreams[0].servers[0]"),
        (
            "",
            "[[proxy.upstreams]]\nservers = [\"http://localhost:4180\"]",
            "upstream-loop proxy.upstreams[0].servers",
        ),
        ("", "[proxy]\nlisten = \"unix:a\"\nupstream = \"unix:a\"", "upstream-loop proxy.upstream"),
        (
            "",
            "[[proxy.upstreams]]\nservers = [\"https://10.0.0.1\"]",
            "upstream-server-name proxy.upstreams[0].servers",
        ),
        (
            "",
            "[[proxy.upstreams]]\nservers = [\"https://a\", \"https://b\"]",
            "upstream-server-name proxy.upstreams[0].servers",
        ),
        ("", "[proxy]\nupstream = \"https://[::1]:8443\"", "upstream-server-name proxy.upstream"),
        (
            "",
            "[proxy]\nupstream = \"https://a\"\nupstream_server_name = \"\"",
            "upstream-server-name proxy.upstream_server_name",
        ),
        (many, "protocol = \"auto\"", "upstream-protocol proxy.upstreams[0].protocol"),
        (
            "",
            "[[proxy.upstreams]]\nservers = [\"h2c://a\"]\nprotocol = \"http1\"",
            "upstream-protocol proxy.upstreams[0].protocol",
        ),
        (many, "protocol = \"http3\"", "choice proxy.upstreams[0].protocol"),
        (many, "cert_file = \"cert.pem\"", "certificate proxy.upstreams[0]"),
        (many, "ca_file = \"absent\"", "unreadable-file proxy.upstreams[0].ca_file"),
        (many, "headers = { Host = \"hunter2-password\" }", "set-header proxy.upstreams[0].headers.Host"),
        (
            many,
            "headers = { X_Forwarded_For = \"hunter2-password\" }",
            "set-header proxy.upstreams[0].headers.X_Forwarded_For",
        ),
        (
            many,
            "headers = { X-Anteroom-Email = \"x\" }",
            "set-header proxy.upstreams[0].headers.X-Anteroom-Email",
        ),
        (many, "headers = { Remote-User = \"x\" }", "set-header proxy.upstreams[0].headers.Remote-User"),
        (many, "headers = { \"a b\" = \"x\" }", "set-header proxy.upstreams[0].headers.a b"),
        (many, "headers = { a = \"x\", A = \"y\" }", "set-header proxy.upstreams[0].headers.a"),
        (many, "headers = { a = \"hunter2-password\\n\" }", "secret proxy.upstreams[0].headers.a"),
        (many, "headers = { a = 5 }", "type proxy.upstreams[0].headers.a"),
        (many, "headers_files = { a = \"absent\" }", "secret-file proxy.upstreams[0].headers_files.a"),
        (many, "health = {}", "upstream-health proxy.upstreams[0].health"),
        (many, "health = { path = \"x\" }", "upstream-health proxy.upstreams[0].health.path"),
        (
            many,
            "health = { path = \"/\", timeout = \"11s\" }",
            "upstream-health proxy.upstreams[0].health.timeout",
        ),
        (
            many,
            "health = { path = \"/\", healthy_after = 0 }",
            "limit proxy.upstreams[0].health.healthy_after",
        ),
        (many, "ejection = { duration = \"2h\" }", "duration proxy.upstreams[0].ejection.duration"),
        (many, "timeouts = { read = \"1\" }", "duration proxy.upstreams[0].timeouts.read"),
        (many, "keep_alive_pool = 0", "limit proxy.upstreams[0].keep_alive_pool"),
        // Entrance.
        (one, "listen = \"unix:@x\"", "unix-socket proxy.listen"),
        (one, "listen = \"systemd:\"", "systemd-socket proxy.listen"),
        (one, "unix_mode = \"8\"", "unix-mode proxy.unix_mode"),
        (one, "trusted_proxies = [\"10.0.0.1/8\"]", "trusted-proxy proxy.trusted_proxies[0]"),
        (one, "proxy_protocol = [\"0.0.0.0/0\"]", "trusted-proxy proxy.proxy_protocol[0]"),
        (one, "websocket_origins = \"all\"", "websocket-origin proxy.websocket_origins"),
        (
            one,
            "websocket_origins = [\"https://a\", \"http://b\"]",
            "websocket-origin proxy.websocket_origins[1]",
        ),
        (one, "tls = {}", "missing proxy.tls.certificates"),
        (one, "tls.certificates = [{}]", "certificate proxy.tls.certificates[0]"),
        (one, "tls.certificates = [{ cert_file = \"cert.pem\" }]", "certificate proxy.tls.certificates[0]"),
        (
            one,
            "tls.certificates = [{ cert_file = \"absent\", key_file = \"key.pem\" }]",
            "unreadable-file proxy.tls.certificates[0].cert_file",
        ),
        (
            one,
            "tls = { certificates = [{ cert_file = \"cert.pem\", key_file = \"key.pem\" }], client_ca_file = \"ca.pem\" }",
            "client-certificates proxy.tls.client_ca_file",
        ),
        (
            one,
            "tls = { certificates = [{ cert_file = \"cert.pem\", key_file = \"key.pem\" }], client_certificates = \"required\" }",
            "client-certificates proxy.tls.client_certificates",
        ),
        // Limits.
        (one, "timeouts.keep_alive = \"1500ms\"", "duration proxy.timeouts.keep_alive"),
        (one, "timeouts.body_read = \"25h\"", "duration proxy.timeouts.body_read"),
        (one, "limits.body_bytes = \"1.5MB\"", "size proxy.limits.body_bytes"),
        (one, "limits.body_bytes = -1", "type proxy.limits.body_bytes"),
        (one, "limits.header_bytes = \"2MiB\"", "limit proxy.limits.header_bytes"),
        (one, "limits.body_rate = 0", "limit proxy.limits.body_rate"),
        (one, "limits.connections = 0", "limit proxy.limits.connections"),
        (one, "limits.http2_resets = 1", "limit proxy.limits.http2_resets"),
        // [ops]
        (one, "[ops]\nupgrade_socket = \"@x\"", "unix-socket ops.upgrade_socket"),
        (
            "",
            "[proxy]\nupstream = \"http://a\"\nlisten = \"unix:a\"\n[ops]\nupgrade_socket = \"a\"",
            "listeners ops.upgrade_socket",
        ),
        (one, "[ops]\naccess_log_schema = \"esc\"", "choice ops.access_log_schema"),
        (one, "[ops.tracing]", "missing ops.tracing.endpoint"),
        (
            one,
            "[ops.tracing]\nendpoint = \"http://u:hunter2-password@c\"",
            "tracing-endpoint ops.tracing.endpoint",
        ),
        (one, "[ops.tracing]\nendpoint = \"http://c\"\nsample = 1.5", "tracing-sample ops.tracing.sample"),
        (
            one,
            "[ops.tracing]\nendpoint = \"http://c\"\nsample = 99999999999",
            "tracing-sample ops.tracing.sample",
        ),
        (one, "[ops.tracing]\nendpoint = \"http://c\"\nsample = -0.5", "type ops.tracing.sample"),
    ] {
        let mistakes = site(&format!("{before}{line}")).mistakes();
        let got: Vec<&str> = mistakes.iter().map(|m| m.split(" @").next().unwrap()).collect();
        if got != [format!("config.{want}")] {
            wrong.push(format!("{line}\n   got {got:?}\n  want {want}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_may_not_be_meant_is_a_warning() {
    let tls = "[proxy.tls]\ncertificates = [{ cert_file = \"cert.pem\", key_file = \"key.pem\" }]";
    for (text, want) in [
        ("[proxy]\nupstream = \"http://a\"\nupstream_ca_file = \"ca.pem\"".to_owned(), "upstream-tls-unused"),
        ("[[proxy.upstreams]]\nservers = [\"http://a\"]\npath = \"/a\"".into(), "upstream-gap"),
        (
            "[[proxy.upstreams]]\nservers = [\"http://a\"]\nhosts = [\"wiki.example.com\"]".into(),
            "upstream-gap",
        ),
        ("[proxy]\nupstream = \"http://a\"\ntrusted_proxies = [\"unix\"]".into(), "trusted-unix"),
        ("[proxy]\nupstream = \"http://a\"\nproxy_protocol = [\"unix\"]".into(), "trusted-unix"),
        (
            "[proxy]\nupstream = \"http://a\"\nlisten = \"unix:x\"\nproxy_protocol = [\"10.0.0.1\"]".into(),
            "proxy-protocol-unix",
        ),
        (format!("[proxy]\nupstream = \"http://a\"\n{tls}"), "secret-file-open"),
        (
            "[proxy]\nupstream = \"http://a\"\n[ops]\nlog_format = \"text\"\naccess_log_schema = \"ecs\""
                .into(),
            "access-log-schema",
        ),
        (
            "[[proxy.upstreams]]\nservers = [\"http://a\"]\nhosts = [\"app.example.com\", \"wiki.example.com\"]\n\
             [[proxy.upstreams]]\nservers = [\"http://b\"]\npath = \"/api/\""
                .into(),
            "upstream-shadowed",
        ),
    ] {
        let (_, warnings) = site(&text).load().unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(warnings.iter().map(|w| w.code).collect::<Vec<_>>(), [format!("config.{want}")], "{text}");
    }
    let local = GOOD.replace("https://app.example.com", "http://localhost:4180");
    let case = Case::new(&format!("{local}{tls}\n")).file("cert.pem", "").file("key.pem", "");
    let codes: Vec<_> = case.load().unwrap().1.iter().map(|w| w.code).collect();
    assert!(codes.contains(&"config.tls-mismatch"), "{codes:?}");
}

/// One that some host or path is left for is chosen there.
#[test]
fn an_upstream_is_hidden_only_where_others_take_everything() {
    let upstream = |port: u16, more: &str| {
        format!("[[proxy.upstreams]]\nname = \"u{port}\"\nservers = [\"http://a:{port}\"]\n{more}\n")
    };
    let (app, wiki) = ("hosts = [\"app.example.com\"]", "hosts = [\"wiki.example.com\"]");
    for (upstreams, hidden) in [
        (&[app, wiki, "path = \"/api/v2/\""][..], "u3"),
        (&[app, wiki, ""], "u3"),
        (&["path = \"/api\"", app, wiki], "u1"),
        (&[app, &format!("{wiki}\npath = \"/api\""), "path = \"/api/v2\"", ""], "u3"),
        (&[app, &format!("{wiki}\npath = \"/api\""), "path = \"/apis\"", ""], ""),
        (&[app, "path = \"/api\"", ""], ""),
        (&[app, wiki], ""),
        (&["", "path = \"/api\"", "path = \"/api/v2\""], ""),
    ] {
        let tables = upstreams.iter().zip(1..).map(|(more, port)| upstream(port, more));
        let (_, warnings) = site(&tables.collect::<String>()).load().unwrap();
        let said: Vec<&str> = warnings.iter().map(|w| w.what.as_str()).collect();
        let want = format!("the upstream `{hidden}` ");
        assert!(
            said.iter().all(|what| !hidden.is_empty() && what.starts_with(&want)),
            "{upstreams:?} {said:?}"
        );
        assert_eq!(said.len(), usize::from(!hidden.is_empty()), "{upstreams:?}");
    }
}

#[test]
fn traces_need_a_build_that_can_send_them() {
    let text = "[proxy]\nupstream = \"http://a\"\n[ops.tracing]\nendpoint = \"http://127.0.0.1:4318\"";
    let (_, warnings) = site(text).load().unwrap();
    let codes: Vec<_> = warnings.iter().map(|w| w.code).collect();
    let want: &[&str] = if cfg!(feature = "otel") { &[] } else { &["config.tracing-not-built"] };
    assert_eq!(codes, want);
}

/// The reason has to be the one that counts: these say nothing of who is signed in.
#[test]
fn headers_that_stand_for_a_method_are_refused_for_that() {
    for (name, why) in [
        ("X-HTTP-Method-Override", "another method"),
        ("X_Method_Override", "another method"),
        ("X-Rewrite-Url", "another method or path"),
        ("X-Forwarded-Method", "Anteroom says itself"),
        ("Remote-User", "who is signed in"),
    ] {
        let upstream = "[[proxy.upstreams]]\nservers = [\"http://a\"]";
        let errors = site(&format!("{upstream}\nheaders = {{ {name} = \"x\" }}")).load().unwrap_err();
        let said: Vec<&str> = errors.findings().iter().map(|finding| finding.what.as_str()).collect();
        assert!(said.len() == 1 && said[0].contains(why), "{said:?}");
    }
}

#[test]
fn everything_comes_to_what_it_says() {
    let case = site(
        r#"[proxy]
listen = "unix:///run/a.sock"
unix_mode = "0600"
pass_host = false
trusted_proxies = ["10.0.0.0/8", "unix"]
websocket_origins = ["https://Other.example:443", "https://b.example:8443"]
http2 = false
timeouts = { read = "90s" }
limits = { body_bytes = "10MB", header_bytes = "64KiB", http2_streams = 7 }
[[proxy.upstreams]]
servers = ["https://App.internal", "https://app.internal:8443"]
protocol = "auto"
ca_file = "ca.pem"
cert_file = "cert.pem"
key_file = "key.pem"
timeouts = { connect = "1s" }
headers_files = { Authorization = "token" }
[[proxy.upstreams]]
hosts = ["wiki.example.com"]
path = "/api"
rewrite = "/v2"
servers = ["h2c://10.0.0.1:50051", "h2c://10.0.0.2:50051"]
balance = "account"
pass_host = true
headers = { X-Key = "hunter2-password" }
health = { path = "/healthz?deep=1" }
"#,
    );
    let config = case.good();
    let proxy = config.proxy.unwrap();
    assert_eq!(proxy.listen, Listen::Unix { path: "/run/a.sock".into(), mode: 0o600 });
    assert!(proxy.trusted.unix() && proxy.trusted.contains([10, 1, 2, 3].into()) && !proxy.http2);
    let origins = ["https://other.example", "https://b.example:8443"].map(str::to_owned);
    assert_eq!(proxy.websocket_origins, WebSocketOrigins::OwnAnd(origins.into()));
    assert_eq!((proxy.limits.body_bytes, proxy.limits.header_bytes), (Some(10_000_000), 65536));
    // The one that names a host comes first.
    let [wiki, app] = proxy.upstreams.try_into().unwrap();
    assert_eq!((wiki.name.as_str(), app.name.as_str()), ("wiki.example.com-api", "app"));
    assert_eq!((&wiki.hosts, &app.hosts), (&Hosts::Only(vec![1]), &Hosts::Any));
    assert_eq!((wiki.path.as_str(), wiki.rewrite.as_deref()), ("/api/", Some("/v2/")));
    assert_eq!(wiki.servers[1], Server::Tcp { host: "10.0.0.2".into(), port: 50051 });
    assert_eq!((wiki.protocol, wiki.balance), (Protocol::Http2, Balance::Account));
    assert_eq!((wiki.pass_host, app.pass_host), (true, false), "without its own: the proxy's");
    assert_eq!(wiki.headers[0].1, "hunter2-password");
    assert_eq!(wiki.health.unwrap().path, "/healthz?deep=1");
    assert_eq!(wiki.tls, None);
    let tls = app.tls.unwrap();
    assert_eq!((tls.server_name.as_str(), app.protocol), ("app.internal", Protocol::Auto));
    assert!(tls.certificate.is_some() && tls.ca_file.is_some());
    assert_eq!(
        (app.timeouts.connect, app.timeouts.read),
        (Duration::from_secs(1), Duration::from_secs(90)),
        "without its own: the proxy's"
    );
    assert_eq!(app.headers[0].1, "Bearer hunter2-password");
    // The set to watch, beside the file of the system.
    let sources = Sources::read(&case.options);
    let files: Vec<&Path> =
        sources.files().filter_map(|file| file.strip_prefix(case.folder.path()).ok()).collect();
    let want = ["anteroom.toml", "token", "ca.pem", "cert.pem", "key.pem"];
    assert_eq!(files.len(), want.len(), "{files:?}");
    assert!(want.iter().all(|file| files.contains(&Path::new(file))), "{files:?}");
    assert_eq!(files[0], Path::new("anteroom.toml"));
}

#[test]
fn rates_traces_and_lists_come_from_the_environment_too() {
    let case = site("").env(&[
        ("ANTEROOM_PROXY__UPSTREAMS", "[{ servers = [\"http://a:1\", \"http://a:2\"] }]"),
        ("ANTEROOM_PROXY__LIMITS__BODY_BYTES", "64KiB"),
        ("ANTEROOM_PROXY__LIMITS__TARGET_BYTES", "2048"),
        ("ANTEROOM_PROXY__WEBSOCKET_ORIGINS", "any"),
        ("ANTEROOM_ACCESS__SIGN_IN_RATE", "0"),
        ("ANTEROOM_OPS__TRACING__ENDPOINT", "http://127.0.0.1:4318"),
        ("ANTEROOM_OPS__TRACING__SAMPLE", "0.25"),
        ("ANTEROOM_OPS__TRACING__HEADERS", "{ X-Key = \"hunter2-password\" }"),
        ("ANTEROOM_OPS__RELOAD", "false"),
    ]);
    let config = case.good();
    let proxy = config.proxy.unwrap();
    assert_eq!(proxy.upstreams[0].to_string(), "http://a:1, http://a:2");
    assert_eq!((proxy.limits.body_bytes, proxy.limits.target_bytes), (Some(65536), 2048));
    assert_eq!((proxy.websocket_origins, config.sign_in_rate), (WebSocketOrigins::Any, None));
    let tracing = config.ops.tracing.unwrap();
    assert_eq!((tracing.endpoint.as_str(), tracing.sample), ("http://127.0.0.1:4318/", 0.25));
    assert_eq!(tracing.headers[0].1, "hunter2-password");
    assert!(!config.ops.reload);
    let usual = site("[proxy]\nupstream = \"http://a\"").good();
    assert_eq!(usual.sign_in_rate.map(u32::from), Some(120));
    assert!(usual.ops.reload && usual.ops.upgrade_socket.is_none() && usual.ops.tracing.is_none());
}

#[test]
fn every_extract_in_the_guide_is_a_valid_configuration() {
    let text = std::fs::read_to_string(repository("docs/proxy.md")).unwrap();
    let blocks: Vec<&str> =
        text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 10, "{}", blocks.len());
    for block in blocks {
        let mut table: toml::Table = toml::from_str(GOOD).unwrap();
        let extract: toml::Table = toml::from_str(block).unwrap();
        if extract.get("proxy").is_some() {
            table.remove("proxy");
        }
        merge(&mut table, extract);
        let toml = toml::to_string(&table).unwrap().replace("/etc/anteroom/", "");
        let mut case = Case::new(&toml);
        for name in block.split("\"/etc/anteroom/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            case = case.file(name, "PEM");
        }
        case.load().unwrap_or_else(|errors| panic!("{block}\n{errors}"));
    }
}

fn merge(table: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => merge(under, over),
            (_, value) => drop(table.insert(key, value)),
        }
    }
}
