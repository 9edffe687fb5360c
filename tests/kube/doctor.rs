//! `anteroom doctor` in a pod: each of the three things, there and missing. 127.0.0.2 stands for the pod's address: loopback's
//! whole network is this machine, and an app on 127.0.0.1 alone does not answer there.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::gateway::free_address;
use crate::support::secrets;
use crate::support::site::{Plan, Site};
use crate::support::upstream::{Answer, Upstream};

const POD: &str = "127.0.0.2";

/// A folder with the configuration of a sidecar.
fn configured(upstream: SocketAddr, probes: Option<SocketAddr>, more: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let probes = probes
        .map(|at| format!("[proxy.probes]\nlisten = \"0.0.0.0:{}\"\npaths = [\"/healthz\"]\n", at.port()))
        .unwrap_or_default();
    let config = format!(
        "public_url = \"https://app.example.com\"\n[atlassian]\nclient_id = \"0123456789abcdefghijABCDEFGHIJ01\"\n\
         client_secret = \"ATOA-doctor\"\n[proxy]\nlisten = \"0.0.0.0:4180\"\nupstream = \"http://127.0.0.1:{}\"\n{probes}\
         [access]\nemail_domains = [\"example.com\"]\n[session]\nsecret = \"kube-doctor-secret-0123456789-abcdefghijk\"\n[ops]\nlisten = \
         \"0.0.0.0:4181\"\n{more}\n",
        upstream.port()
    );
    std::fs::write(folder.path().join("anteroom.toml"), config).unwrap();
    folder
}

/// Outcome and meaning by check.
fn checked(
    upstream: SocketAddr,
    probes: Option<SocketAddr>,
    more: &str,
    arguments: &[&str],
) -> (i32, Vec<(String, String, String)>) {
    looked(&configured(upstream, probes, more), arguments)
}

fn looked(folder: &TempDir, arguments: &[&str]) -> (i32, Vec<(String, String, String)>) {
    let arguments = [&["--format", "json", "--address", POD], arguments].concat();
    let output = doctor(folder, &arguments, &[]);
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let field = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
    let checks = said["checks"].as_array().unwrap().iter();
    let all = checks.map(|c| (field(c, "check"), field(c, "outcome"), field(c, "meaning"))).collect();
    (output.status.code().unwrap(), all)
}

/// `anteroom doctor` with the configuration of this folder.
fn doctor(folder: &TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
    command.arg("doctor").args(arguments).current_dir(folder.path()).env_clear();
    secrets::output(command.envs(environment.iter().copied()))
}

/// Answers everything with this, until the tests end.
fn on_every_address(answer: String) -> SocketAddr {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _gone = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(answer.as_bytes()));
        }
    });
    address
}

/// Answers with a stream that goes on for longer than anybody waits.
fn dripping() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _gone = stream.read(&mut [0; 4096]);
        let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        stream.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
        while stream.write_all(b":\n").is_ok() {
            let _said_no_more = stream.read(&mut [0; 1]);
        }
    });
    address
}

#[track_caller]
fn says(found: &[(String, String, String)], check: &str, outcome: &str, meaning: &str) {
    let of = found.iter().find(|(name, ..)| name == check).unwrap();
    assert!(of.1 == outcome && of.2.contains(meaning), "{check} {outcome} {meaning}: {found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_as_it_should_be() {
    let app = Upstream::answering(Answer::ok("well")).await;
    let probes = free_address();
    let site = Site::with(Plan::ada().upstream(app.url()).config(&format!(
        "[access]\nallow_any_atlassian_account = true\n[proxy.probes]\nlisten = \"0.0.0.0:{}\"\npaths = [\"/healthz\"]\n",
        probes.port()
    )))
    .await;
    let service = site.address().to_string();
    let listen = on_every_address(String::new()).port();
    let more = format!(
        "[test]\npublic_url = \"http://{}\"\n[test.proxy]\nlisten = \"0.0.0.0:{listen}\"",
        site.host()
    );
    let arguments = ["--service", &service, "--profile", "test"];
    let (upstream, address) = (app.address(), Some(probes));
    let (code, found) = tokio::task::block_in_place(|| checked(upstream, address, &more, &arguments));
    assert_eq!(code, 0, "{found:#?}");
    for check in ["listen", "app", "service", "probes"] {
        says(&found, check, "ok", "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_that_is_missing_is_named() {
    // An app on every address, a Service that leads to it, and a probe port that nobody listens on.
    let open = TcpListener::bind("0.0.0.0:0").unwrap();
    let at = SocketAddr::from(([127, 0, 0, 1], open.local_addr().unwrap().port()));
    let app = Upstream::answering(Answer::ok("hello")).await;
    let service = app.address().to_string();
    let nobody = free_address();
    let ask = |upstream, probes, more: &str, arguments: &[&str]| {
        tokio::task::block_in_place(|| checked(upstream, probes, more, arguments))
    };
    let (code, found) = ask(at, Some(nobody), "", &["--service", &service]);
    assert_eq!(code, 3);
    says(&found, "app", "problem", &format!("{POD}:{}", at.port()));
    says(&found, "service", "problem", "targetPort");
    says(&found, "probes", "problem", "Nobody answers");

    let (code, found) =
        ask(nobody, None, "[test.proxy]\nlisten = \"127.0.0.1:4180\"", &["--profile", "test"]);
    assert_eq!(code, 3);
    says(&found, "listen", "problem", "proxy.listen");
    says(&found, "app", "not_checked", "Nobody listens");
    says(&found, "service", "not_checked", "--service");
    says(&found, "probes", "note", "[proxy.probes]");

    for (key, check) in [("ops", "listen"), ("proxy.probes", "probes")] {
        let deaf = format!("[test.{key}]\nlisten = \"127.0.0.1:4999\"");
        let (_, found) = ask(at, Some(nobody), &deaf, &["--profile", "test"]);
        says(&found, check, "problem", &format!("{key}.listen"));
    }
    let (_, found) = ask(at, None, "[test.proxy]\nlisten = \"unix:/run/a.sock\"", &["--profile", "test"]);
    says(&found, "listen", "problem", "unix:/run/a.sock, which the Service does not reach");
    let (_, found) = ask(at, None, "", &[]);
    says(&found, "listen", "not_checked", "Nobody listens at 127.0.0.2:4180");
    // Where nobody says no, nobody has said yes: an address of somebody else's proves nothing.
    let (_, found) = ask(app.address(), None, "", &["--address", "192.0.2.77"]);
    says(&found, "app", "not_checked", "192.0.2.77 is no address of this pod");

    // Something else on the probe port: an app that fails, and one that knows no such path.
    for (answer, meaning) in
        [("500 Oops", "answers 500"), ("404 Not Found", "404"), ("502 Bad Gateway", "does not answer it")]
    {
        let raw = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
        let (_, found) = ask(app.address(), Some(on_every_address(raw)), "", &[]);
        says(&found, "probes", "problem", meaning);
    }
    let elsewhere = "[test.proxy]\nupstream = \"http://192.0.2.1:80\"";
    let (_, found) = ask(app.address(), None, elsewhere, &["--profile", "test"]);
    says(&found, "app", "not_checked", "not in this pod");
    let own = format!("[test.proxy]\nupstream = \"http://{POD}:80\"");
    let (_, found) = ask(app.address(), None, &own, &["--profile", "test"]);
    says(&found, "app", "problem", POD);

    // What is unclear about one app says nothing for another.
    for other in [format!("http://{nobody}"), "http://192.0.2.1:80".into()] {
        let folder = configured(at, None, "");
        let file = folder.path().join("anteroom.toml");
        let one = std::fs::read_to_string(&file).unwrap();
        let upstream = |name: &str, url: &str| {
            format!("[[proxy.upstreams]]\nname = \"{name}\"\npath = \"/{name}\"\nservers = [\"{url}\"]\n")
        };
        let app = format!("http://{at}");
        let without = one.replace(&format!("upstream = \"{app}\"\n"), "");
        let two = format!("{without}{}{}", upstream("b", &other), upstream("a", &app));
        std::fs::write(&file, two).unwrap();
        let (code, found) = tokio::task::block_in_place(|| looked(&folder, &[]));
        assert_eq!(code, 3, "{found:#?}");
        says(&found, "app", "problem", &format!("{POD}:{}", at.port()));
    }
    // The app's second port, which nobody has named.
    let (_, found) = ask(app.address(), None, "", &[]);
    says(&found, "others", "note", &at.port().to_string());

    // A Service that leads to another site's Anteroom, and one that never ends its answer.
    let other = "{\"sign_in_url\": \"https://other.example/_anteroom/sign-in\"}";
    let other = format!("HTTP/1.1 401 Unauthorized\r\nContent-Length: {}\r\n\r\n{other}", other.len());
    let service = on_every_address(other).to_string();
    let (_, found) = ask(app.address(), None, "", &["--service", &service]);
    says(&found, "service", "problem", "another Anteroom");
    let (_, found) = ask(app.address(), None, "", &["--service", &dripping().to_string()]);
    says(&found, "service", "problem", "it answered 200");
}

#[test]
fn it_knows_whether_it_is_in_a_pod() {
    let folder = configured(free_address(), None, "");
    let elsewhere = doctor(&folder, &[], &[]);
    let said = String::from_utf8(elsewhere.stderr).unwrap();
    assert!(elsewhere.status.code() == Some(2) && said.contains("kubectl exec POD"), "{said}");
    let usage = doctor(&folder, &["--pod", "--echo", "127.0.0.1:0"], &[]);
    assert_eq!(usage.status.code(), Some(2), "--echo means nothing without a gateway");

    for (arguments, environment) in
        [(&[][..], &[("KUBERNETES_SERVICE_HOST", "10.96.0.1")][..]), (&["--pod"], &[])]
    {
        let inside = doctor(&folder, arguments, environment);
        let page = String::from_utf8(inside.stdout).unwrap();
        assert_eq!(inside.status.code(), Some(0), "{page}");
        assert!(
            page.starts_with("Inside of this pod, ") && page.contains("The app listens on loopback"),
            "{page}"
        );
    }
}
