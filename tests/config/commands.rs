//! The commands of the real binary: what they print, where, and their exit codes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};

use crate::support::secrets;

use super::{Case, GOOD, SECRETS, broken};

fn anteroom(case: &Case, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
    command.args(arguments).current_dir(case.folder.path()).env_clear();
    SECRETS.iter().for_each(|secret| secrets::note(secret));
    let output = secrets::output(&mut command);
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    SECRETS.iter().for_each(|secret| assert!(!said.contains(secret), "{said}"));
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn check_says_what_a_valid_configuration_comes_to() {
    let case = Case::new(&format!(
        "{GOOD}[[routes]]\nprefix = \"/public\"\nmethods = [\"GET\"]\naccess = \"public\"\n"
    ));
    let output = anteroom(&case, &["check"]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    let said = text(&output.stdout);
    for part in [
        "config is valid (anteroom.toml)",
        "https://app.example.com/api/auth/callback/atlassian",
        "everybody with a verified email address at example.com",
        "GET /public and below: public",
        "everything else: signed-in",
        "http://127.0.0.1:8080",
    ] {
        assert!(said.contains(part), "{part} in:\n{said}");
    }
    let output = anteroom(&case, &["check", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["valid"], true);
    assert_eq!(json["callback_url"], "https://app.example.com/api/auth/callback/atlassian");
}

#[test]
fn check_ends_with_2_and_all_mistakes() {
    let case = Case::new(&broken("client_id", "clientid = \"x\"\nscopes = [\"openid\"]"));
    let output = anteroom(&case, &["check"]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""));
    let said = text(&output.stderr);
    assert!(
        said.contains("anteroom.toml:3:1")
            && said.contains("anteroom.toml:4:11")
            && said.contains("2 mistakes"),
        "{said}"
    );
    let output = anteroom(&case, &["check", "--format", "json"]);
    assert_eq!(output.status.code(), Some(2));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["errors"][0]["code"], "config.unknown-key");
    assert_eq!(
        (&json["errors"][0]["line"], &json["errors"][0]["file"]),
        (&3.into(), &"anteroom.toml".into())
    );
    assert_eq!(json["errors"].as_array().unwrap().len(), 2);
}

#[test]
fn usage_ends_with_2_and_help_with_0() {
    let case = Case::new("");
    for (arguments, code) in [
        (vec!["--help"], 0),
        (vec!["--version"], 0),
        (vec!["check", "--help"], 0),
        (vec!["chek"], 2),
        (vec!["check", "--fromat", "json"], 2),
        (vec!["completions", "cmd"], 2),
        (vec!["check", "--config", "absent.toml"], 2),
        (vec!["check", "--profile", "absent"], 2),
        (vec!["healthcheck", "--url", "http://192.0.2.1/"], 2),
        (vec!["healthcheck", "--url", "https://127.0.0.1/"], 2),
        (vec!["healthcheck"], 2),
    ] {
        assert_eq!(anteroom(&case, &arguments).status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn keygen_makes_a_secret_that_is_accepted() {
    let case = Case::new("");
    let (one, two) = (anteroom(&case, &["keygen"]), anteroom(&case, &["keygen"]));
    assert_ne!(one.stdout, two.stdout);
    let secret = text(&one.stdout);
    assert_eq!(secret.trim_end().len(), 43);
    let case = Case::new(&broken("secret", "secret_file = \"session.key\"")).file("session.key", &secret);
    case.good();
}

#[test]
fn generated_texts() {
    let case = Case::new("");
    for (arguments, part) in [
        (vec!["schema"], "\"$schema\""),
        (vec!["man"], "ANTEROOM HEALTHCHECK"),
        (vec!["completions", "bash"], "_anteroom"),
        (vec!["completions", "zsh"], "#compdef anteroom"),
        (vec!["completions", "fish"], "complete -c anteroom"),
    ] {
        let output = anteroom(&case, &arguments);
        assert!(output.status.success() && text(&output.stdout).contains(part), "{arguments:?}");
    }
}

#[test]
fn healthcheck_asks_the_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let mut lines = Vec::new();
        for answer in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 503 Service Unavailable\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "nonsense nonsense",
        ] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 256];
            let length = stream.read(&mut request).unwrap();
            lines.push(text(&request[..length]).lines().next().unwrap().to_owned());
            stream.write_all(answer.as_bytes()).unwrap();
        }
        lines
    });
    let case = Case::new(&format!("{GOOD}[ops]\nlisten = \"{address}\"\n"));
    let url = format!("http://{address}/livez");
    let codes = [
        anteroom(&case, &["healthcheck"]).status.code(),
        anteroom(&case, &["healthcheck"]).status.code(),
        anteroom(&case, &["healthcheck", "--url", &url]).status.code(),
        anteroom(&case, &["healthcheck"]).status.code(),
    ];
    assert_eq!(codes, [Some(0), Some(1), Some(0), Some(1)]);
    let ready = "GET /readyz HTTP/1.1";
    assert_eq!(server.join().unwrap(), [ready, ready, "GET /livez HTTP/1.1", ready]);
    assert_eq!(anteroom(&case, &["healthcheck"]).status.code(), Some(1), "nobody listens any more");
    let off = Case::new(&format!("{GOOD}[ops]\nlisten = \"off\"\n"));
    assert_eq!(anteroom(&off, &["healthcheck"]).status.code(), Some(2));
}

#[test]
fn check_names_the_gateways_and_the_hosts() {
    let case = Case::new(&format!(
        "app_urls = [\"https://wiki.example.com\"]\n{GOOD}cookie_domain = \"example.com\"\n\
         [forward_auth]\nlisten = \"unix:/run/a.sock\"\ntrusted_proxies = [\"10.0.0.0/8\", \"unix\"]\n\
         key = \"hunter2-session-secret-0123456789-abcdef\"\noauth2_proxy = \"nginx\"\n\
         [[routes]]\npath = \"/health\"\nhosts = [\"wiki.example.com\"]\naccess = \"public\"\n"
    ));
    let said = text(&anteroom(&case, &["check"]).stdout);
    for part in [
        "more apps       https://wiki.example.com\n",
        "listens on      127.0.0.1:4180\n",
        "forward-auth    unix:/run/a.sock\n",
        "asked by        10.0.0.0/8, unix\n",
        "X-Anteroom-Gateway-Key",
        "asked as nginx asks",
        "/health on wiki.example.com: public\n",
        "below example.com",
    ] {
        assert!(said.contains(part), "{part} in:\n{said}");
    }
    let output = anteroom(&case, &["check", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["app_urls"][0], "https://wiki.example.com");
    assert_eq!(
        json["forward_auth"],
        serde_json::json!({
            "listen": "unix:/run/a.sock",
            "trusted_proxies": "10.0.0.0/8, unix",
            "key": true,
            "oauth2_proxy": "nginx",
        })
    );
    let alone = GOOD.replace("[proxy]\nupstream = \"http://127.0.0.1:8080\"\n", "");
    let case = Case::new(&format!("{alone}[forward_auth]\ntrusted_proxies = [\"127.0.0.1\"]\n"));
    let said = text(&anteroom(&case, &["check"]).stdout);
    assert!(
        said.contains("reverse proxy   off") && said.contains("forward-auth    127.0.0.1:4182"),
        "{said}"
    );
}

/// What only a start would find out.
#[test]
fn check_reads_the_files_that_a_start_reads() {
    let upstream = "upstream = \"https://127.0.0.1:8080\"\nupstream_server_name = \"app.test\"\nupstream_ca_file = \"ca.pem\"";
    let tls = "upstream = \"http://127.0.0.1:8080\"\n[proxy.tls]\n\
               certificates = [{ cert_file = \"ca.pem\", key_file = \"ca.pem\" }]";
    for written in [upstream, tls] {
        let toml = GOOD.replace("upstream = \"http://127.0.0.1:8080\"", written);
        let case = Case::new(&toml).file("ca.pem", "no certificate\n");
        case.good();
        let output = anteroom(&case, &["check"]);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""), "{written}");
        let said = text(&output.stderr);
        assert!(said.contains("config.unusable-file") && said.contains("ca.pem"), "{said}");
        let output = anteroom(&case, &["check", "--format", "json"]);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &json["valid"]), (Some(2), &false.into()));
        assert_eq!(json["errors"][0]["code"], "config.unusable-file");
    }
}
