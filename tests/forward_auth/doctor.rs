//! Does `anteroom doctor --gateway` see what a gateway lets through? A toy gateway that can be made leaky in one way at a
//! time: each leak is found by the check that it concerns and by no other, and without one nothing is found.

mod gateways;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use anteroom::cli::{Cli, Exit, Terminal, execute};
use anteroom::config::Environment;
use anteroom::identity::headers::{Claim, Layout, Preset};
use anteroom::session::cookie::CookieNames;
use clap::Parser;
use http::HeaderName;
use pingora::tls::TlsAcceptor;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::http1::{Head, Reader};
use crate::support::person::Person;
use crate::support::repository;
use crate::support::secrets;
use crate::support::site::{CALLBACK, CLIENT_ID, Gateway, Plan, SECRET, Site};

const FORWARD_AUTH: &str = "[forward_auth]\ntrusted_proxies = [\"127.0.0.1\"]\n";
const ROUTES: &str = "[access]\nallow_any_atlassian_account = true\n\
                      [[routes]]\nprefix = \"/public\"\naccess = \"public\"\n";

/// What the toy gateway does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leak {
    None,
    /// Removes names that are written with `-` only.
    Twins,
    /// Neither removes nor sets one of the identity headers.
    LeavesOne,
    /// Removes what it sets itself and nothing else.
    OtherNames,
    /// Drops what the client's `Connection` names, after having set it.
    ConnectionDrops,
    /// Copies no header from the answer.
    CopiesNothing,
    /// Asks about `/_anteroom/`.
    AsksAboutOwn,
    /// Knows nothing of `/_anteroom/`, which is public to it.
    OwnToTheApp,
    /// Names itself as the host.
    OtherHost,
    /// Believes the client's `X-Forwarded-Uri`.
    BelievesUri,
    /// Believes the client's `X-Forwarded-Method`.
    BelievesMethod,
    /// Tells the path without the query.
    NoQuery,
    /// Answers 500 to a redirect, as nginx does.
    NoRedirects,
    /// Tells nothing of what kind of request it is.
    AllBrowsers,
    /// Opens `/public` by itself, by what the target begins with.
    OpensByPrefix,
    /// The same, and only then reads `..`: the app gets a path that looks innocent.
    OpensThenClimbs,
    /// Lets through when Anteroom does not answer.
    FailsOpen,
    /// Passes Anteroom's cookies on.
    Cookies,
    /// Takes away all cookies.
    NoCookies,
}

struct Toy {
    anteroom: Mutex<SocketAddr>,
    leak: Mutex<Leak>,
    layout: Layout,
    said: Said,
    /// Where requests go; where doctor listens when absent.
    app: Mutex<Option<SocketAddr>>,
}

/// What doctor says on standard error; its second word is where the app is.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Said {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
    fn app(&self) -> Option<SocketAddr> {
        let text = self.text();
        text.split_once("for the app on ")?.1.split_once(".\n")?.0.parse().ok()
    }
}

type Lines = Vec<(String, String)>;

impl Toy {
    fn leak(&self) -> Leak {
        *self.leak.lock().unwrap()
    }

    fn anteroom(&self) -> SocketAddr {
        *self.anteroom.lock().unwrap()
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let toy = Arc::clone(&self);
            tokio::spawn(async move {
                let mut reader = Reader::new(stream);
                let Ok(Some(head)) = reader.head().await else { return };
                let answer = toy.answer(&head).await;
                let _gone = reader.stream.write_all(&answer).await;
                let _gone = reader.stream.shutdown().await;
            });
        }
    }

    async fn answer(&self, head: &Head) -> Vec<u8> {
        let target = head.start_line.split(' ').nth(1).unwrap_or_default();
        let own = target.starts_with("/_anteroom/") || target.starts_with(CALLBACK);
        if own && self.leak() == Leak::OwnToTheApp {
            return self.pass(head, target, None).await;
        }
        if own && self.leak() != Leak::AsksAboutOwn {
            let mut lines = without(&head.headers, &["x-forwarded-for", "connection"]);
            if self.leak() == Leak::OtherHost {
                lines = without(&lines, &["host"]);
                lines.push(("Host".into(), "anteroom".into()));
            }
            let answer = ask(self.anteroom(), target, &lines).await;
            return answer.unwrap_or_else(|_| status("502 Bad Gateway"));
        }
        if let Some(climbed) = target.strip_prefix("/public/..")
            && self.leak() == Leak::OpensThenClimbs
            && climbed.starts_with('/')
        {
            return self.pass(head, climbed, Some(&nobody(&self.layout))).await;
        }
        if self.leak() == Leak::OpensByPrefix && target.starts_with("/public") {
            return self.pass(head, target, Some(&nobody(&self.layout))).await;
        }
        match ask(self.anteroom(), "/_anteroom/verify/forward", &self.question(head, target)).await {
            Err(_) if self.leak() == Leak::FailsOpen => self.pass(head, target, None).await,
            Err(_) => status("502 Bad Gateway"),
            Ok(answer) if answer.starts_with(b"HTTP/1.1 200") => {
                let mut reader = Reader::new(answer.as_slice());
                let said = reader.head().await.unwrap().unwrap();
                self.pass(head, target, Some(&said.headers)).await
            }
            Ok(answer) if self.leak() == Leak::NoRedirects && answer.starts_with(b"HTTP/1.1 302") => {
                status("500 Internal Server Error")
            }
            Ok(answer) => answer,
        }
    }

    fn question(&self, head: &Head, target: &str) -> Lines {
        let believed = |leak, name, own: &str| match head.header(name) {
            Some(said) if self.leak() == leak => said.to_owned(),
            _ => own.to_owned(),
        };
        let uri = match self.leak() {
            Leak::NoQuery => target.split('?').next().unwrap(),
            _ => target,
        };
        let set = [
            ("X-Forwarded-Method", believed(Leak::BelievesMethod, "x-forwarded-method", "GET")),
            ("X-Forwarded-Proto", "http".into()),
            ("X-Forwarded-Host", head.header("host").unwrap_or_default().to_owned()),
            ("X-Forwarded-Uri", believed(Leak::BelievesUri, "x-forwarded-uri", uri)),
            ("X-Forwarded-For", "192.0.2.7".into()),
        ];
        let names = set.each_ref().map(|(name, _)| *name);
        let mut lines = without(&without(&head.headers, &names), &["connection", "host"]);
        if self.leak() == Leak::AllBrowsers {
            lines = without(&lines, &["accept", "sec-fetch-mode", "sec-fetch-dest"]);
            lines.push(("Accept".into(), "text/html".into()));
        }
        lines.push(("Host".into(), "anteroom".into()));
        lines.extend(set.map(|(name, value)| (name.to_owned(), value)));
        lines
    }

    /// To the app, with the identity that Anteroom's answer holds.
    async fn pass(&self, head: &Head, target: &str, answer: Option<&Lines>) -> Vec<u8> {
        let forwarded = |name: &str| {
            let header = HeaderName::from_bytes(name.as_bytes()).unwrap();
            let known = match self.leak() {
                Leak::Twins => !name.contains(['_', '.']) && self.layout.reserved(&header),
                Leak::LeavesOne => {
                    !name.eq_ignore_ascii_case("x-anteroom-picture") && self.layout.reserved(&header)
                }
                Leak::OtherNames => {
                    name.to_ascii_lowercase().replace(['_', '.'], "-").starts_with("x-anteroom-")
                }
                _ => self.layout.reserved(&header),
            };
            !known && !name.eq_ignore_ascii_case("connection")
        };
        let mut lines: Lines = head.headers.iter().filter(|(name, _)| forwarded(name)).cloned().collect();
        let names = CookieNames::new(false);
        for line in lines.iter_mut().filter(|(name, _)| name.eq_ignore_ascii_case("cookie")) {
            if let Some(left) = names.strip(line.1.as_bytes()).filter(|_| self.leak() != Leak::Cookies) {
                line.1 = String::from_utf8(left.into_owned()).unwrap();
            }
        }
        if self.leak() == Leak::NoCookies {
            lines = without(&lines, &["cookie"]);
        }
        let copied = |name: &str| match self.leak() {
            Leak::CopiesNothing => false,
            Leak::LeavesOne => !name.eq_ignore_ascii_case("x-anteroom-picture"),
            _ => name.to_ascii_lowercase().starts_with("x-anteroom-"),
        };
        let said = answer
            .into_iter()
            .flatten()
            .filter(|(name, _)| name.to_ascii_lowercase().starts_with("x-anteroom-"));
        lines.extend(said.filter(|(name, _)| copied(name)).cloned());
        if self.leak() == Leak::ConnectionDrops {
            let named = head.header("connection").unwrap_or_default().to_owned();
            lines = without(&lines, &named.split(", ").collect::<Vec<_>>());
        }
        let app = *self.app.lock().unwrap();
        match app.or_else(|| self.said.app()) {
            Some(app) => ask(app, target, &lines).await.unwrap_or_else(|_| status("502 Bad Gateway")),
            // The app itself, which doctor has not replaced.
            None => status("200 OK"),
        }
    }
}

fn nobody(layout: &Layout) -> Lines {
    layout.names().map(|name| (name.to_string(), "-".to_owned())).collect()
}

fn without(lines: &Lines, names: &[&str]) -> Lines {
    lines.iter().filter(|(name, _)| !names.iter().any(|n| n.eq_ignore_ascii_case(name))).cloned().collect()
}

fn status(line: &str) -> Vec<u8> {
    format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into_bytes()
}

async fn ask(to: SocketAddr, target: &str, lines: &Lines) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(to).await?;
    let mut text = format!("GET {target} HTTP/1.1\r\nConnection: close\r\n");
    lines.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
    stream.write_all((text + "\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

/// A site behind the toy gateway.
struct Case {
    /// Runs as long as this lives.
    _site: Site,
    toy: Arc<Toy>,
    files: Files,
    session: String,
}

/// How doctor ended.
struct Report {
    exit: Exit,
    out: String,
    err: String,
}

impl Case {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let site = Site::with(Plan::ada().gateway(Gateway::on(port)).config(ROUTES)).await;
        let toy = Arc::new(Toy {
            anteroom: Mutex::new(site.address()),
            leak: Mutex::new(Leak::None),
            layout: Layout::new(&[Preset::Anteroom], &[], Claim::AccountId),
            said: Said::default(),
            app: Mutex::new(None),
        });
        tokio::spawn(Arc::clone(&toy).serve(listener));
        let mut person = Person::new();
        let page = person.visit(&site.url("/_anteroom/start")).await;
        assert_eq!(page.url.path(), "/_anteroom/welcome", "{}", page.body);
        let session = person.cookie_line(&site.url(""));
        let files = Files::new(&site.url(""), FORWARD_AUTH);
        std::fs::write(files.path("cookie"), format!("Cookie: theme=dark; {session}\n")).unwrap();
        Self { _site: site, toy, files, session }
    }

    fn leaks(&self, leak: Leak) {
        *self.toy.leak.lock().unwrap() = leak;
    }

    /// `anteroom doctor` at the gateway with these arguments.
    async fn doctor(&self, arguments: &[&str]) -> Report {
        let usual = self.files.arguments();
        doctor(&[&usual.each_ref().map(String::as_str), arguments].concat(), &self.toy.said).await
    }

    async fn signed_in(&self) -> Report {
        let cookie = self.files.path("cookie");
        self.doctor(&["--echo", "127.0.0.1:0", "--cookie-file", cookie.to_str().unwrap(), "--format", "json"])
            .await
    }
}

/// What is typed and read.
struct Files {
    folder: TempDir,
    gateway: String,
}

impl Files {
    fn new(gateway: &str, mode: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let config = format!(
            "public_url = \"{gateway}\"\n[atlassian]\nclient_id = \"{CLIENT_ID}\"\nclient_secret = \"{SECRET}\"\n\
             {mode}[session]\nsecret = \"{SECRET}\"\n{ROUTES}"
        );
        std::fs::write(folder.path().join("anteroom.toml"), config).unwrap();
        Self { folder, gateway: gateway.to_owned() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn arguments(&self) -> [String; 6] {
        let config = self.path("anteroom.toml").to_str().unwrap().to_owned();
        ["anteroom", "doctor", "--config", &config, "--gateway", &self.gateway].map(str::to_owned)
    }
}

async fn doctor(arguments: &[impl AsRef<str>], said: &Said) -> Report {
    let cli = Cli::try_parse_from(arguments.iter().map(AsRef::as_ref)).unwrap();
    said.0.lock().unwrap().clear();
    let mut err = said.clone();
    let (exit, out) = tokio::task::spawn_blocking(move || {
        let mut out = Vec::new();
        let mut terminal = Terminal { environment: Environment::default(), out: &mut out, err: &mut err };
        let exit = execute(cli, &mut terminal);
        (exit, out)
    })
    .await
    .unwrap();
    Report { exit, out: String::from_utf8(out).unwrap(), err: said.text() }
}

impl Report {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }

    /// The checks that came out like this.
    fn checks(&self, outcome: &str) -> BTreeSet<String> {
        let json = self.json();
        let checks = json["checks"].as_array().unwrap().iter().filter(|check| check["outcome"] == outcome);
        checks.map(|check| check["check"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_leak_is_found_by_its_check_and_by_no_other() {
    let case = Case::new().await;
    for (leak, want) in [
        (Leak::None, &[][..]),
        (Leak::Twins, &["forged-headers", "reserved-headers"]),
        (Leak::LeavesOne, &["forged-headers"]),
        (Leak::OtherNames, &["reserved-headers"]),
        (Leak::ConnectionDrops, &["lost-headers"]),
        (Leak::CopiesNothing, &["identity"]),
        (Leak::AsksAboutOwn, &["own-paths", "callback"]),
        (Leak::OwnToTheApp, &["own-paths", "callback"]),
        (Leak::OtherHost, &["own-paths", "callback"]),
        (Leak::BelievesUri, &["forged-addresses"]),
        (Leak::BelievesMethod, &["forged-addresses"]),
        (Leak::NoQuery, &["deep-link"]),
        (Leak::NoRedirects, &["sign-in"]),
        (Leak::AllBrowsers, &["script"]),
        (Leak::OpensByPrefix, &["paths"]),
        (Leak::OpensThenClimbs, &["paths"]),
        (Leak::NoCookies, &["cookies"]),
        (Leak::Cookies, &[]),
    ] {
        case.leaks(leak);
        let report = case.signed_in().await;
        let want: BTreeSet<String> = want.iter().map(|check| (*check).to_owned()).collect();
        assert_eq!(report.checks("problem"), want, "{leak:?}\n{}", report.out);
        let exit = if want.is_empty() { Exit::Success } else { Exit::Findings };
        assert_eq!(report.exit, exit, "{leak:?}");
        assert_eq!(report.checks("note").contains("cookies"), leak == Leak::Cookies, "{leak:?}");
        let secret = case.session.split_once('=').unwrap().1;
        assert!(!report.out.contains(secret) && !report.err.contains(secret), "{leak:?}");
        for check in report.json()["checks"].as_array().unwrap() {
            let closed = check["remedies"].as_object().unwrap().len();
            assert!(check["outcome"] != "problem" || closed > 0, "{check:#}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_fails_open_is_told_from_one_that_fails_closed() {
    let case = Case::new().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    *case.toy.anteroom.lock().unwrap() = nobody;
    let arguments = ["--echo", "127.0.0.1:0", "--format", "json"];
    for (leak, open) in [(Leak::None, false), (Leak::FailsOpen, true)] {
        case.leaks(leak);
        let report = case.doctor(&arguments).await;
        let problems = report.checks("problem");
        assert!(problems.contains("own-paths") && problems.contains("sign-in"), "{}", report.out);
        assert_eq!(problems.contains("paths"), open, "{}", report.out);
        assert_eq!(report.out.contains("Anybody can use the app"), open);
        assert_eq!(report.exit, Exit::Findings);
        let without_echo = case.doctor(&["--format", "json"]).await;
        assert_eq!(without_echo.out.contains("Anybody can use the app"), open);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_seen_is_said_with_the_reason() {
    let case = Case::new().await;
    let not_checked = |report: &Report| {
        let json = report.json();
        let checks =
            json["checks"].as_array().unwrap().iter().filter(|check| check["outcome"] == "not_checked");
        checks.map(|check| check["meaning"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join("\n")
    };
    let report = case.doctor(&["--format", "json"]).await;
    assert!(not_checked(&report).contains("--echo"), "{}", report.out);
    let report = case.doctor(&["--echo", "127.0.0.1:0", "--format", "json"]).await;
    assert!(not_checked(&report).contains("--cookie-file"), "{}", report.out);
    assert_eq!((report.exit, report.json()["signed_in"].as_bool()), (Exit::Success, Some(false)));
    // Without a public route the cookie is the only way.
    let config = std::fs::read_to_string(case.files.path("anteroom.toml")).unwrap();
    std::fs::write(case.files.path("anteroom.toml"), config.split("[[routes]]").next().unwrap()).unwrap();
    let report = case.signed_in().await;
    assert!(not_checked(&report).contains("no public path"), "{}", report.out);
    assert!(report.checks("ok").contains("forged-headers"), "{}", report.out);
    case.leaks(Leak::BelievesUri);
    assert!(
        case.signed_in().await.checks("problem").contains("forged-addresses"),
        "seen without a public path"
    );
    case.leaks(Leak::None);
    // A session that has ended is none.
    std::fs::write(case.files.path("cookie"), "anteroom=ended\n").unwrap();
    let report = case.signed_in().await;
    assert!(report.checks("not_checked").contains("session"), "{}", report.out);
    assert_eq!(report.json()["signed_in"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_app_in_the_apps_place_is_noticed() {
    let case = Case::new().await;
    // The toy passes to the app that doctor names; here to another.
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = other.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = other.accept().await {
            let mut reader = Reader::new(stream);
            let _head = reader.head().await;
            let _gone = reader.stream.write_all(&status("200 OK")).await;
        }
    });
    *case.toy.app.lock().unwrap() = Some(address);
    let report = case.signed_in().await;
    assert_eq!(report.checks("problem").into_iter().collect::<Vec<_>>(), ["echo"], "{}", report.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_read_it_in_80_columns() {
    let case = Case::new().await;
    case.leaks(Leak::Twins);
    let cookie = case.files.path("cookie");
    let report = case.doctor(&["--echo", "127.0.0.1:0", "--cookie-file", cookie.to_str().unwrap()]).await;
    let long: Vec<&str> = report.out.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(long.iter().all(|line| !line.trim().contains("  ")), "{long:#?}");
    for part in [
        "PROBLEM",
        "underscores_in_headers off",
        "aliasHeadersStrategy",
        "To close it, see",
        "X.Anteroom.Email: forged",
    ] {
        assert!(report.out.contains(part), "{part}\n{}", report.out);
    }
    assert!(report.err.contains("Standing in for the app on 127.0.0.1:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_end_with_2_and_what_cannot_run_with_1() {
    let case = Case::new().await;
    let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = held.local_addr().unwrap().to_string();
    std::fs::write(case.files.path("no-session"), "theme=s3cret").unwrap();
    let (no_session, absent) = (case.files.path("no-session"), case.files.path("absent"));
    for (arguments, exit, part) in [
        (vec!["--path", "/a/../b"], Exit::Usage, "one reading"),
        (vec!["--path", "no-slash"], Exit::Usage, "one reading"),
        (
            vec!["--cookie-file", no_session.to_str().unwrap()],
            Exit::Usage,
            "does not hold the cookie anteroom",
        ),
        (vec!["--cookie-file", absent.to_str().unwrap()], Exit::Usage, "cannot read"),
        (vec!["--echo", &taken], Exit::Failure, "cannot listen"),
    ] {
        let report = case.doctor(&arguments).await;
        assert_eq!((report.exit, report.out.as_str()), (exit, ""), "{arguments:?}: {}", report.err);
        assert!(report.err.contains(part) && !report.err.contains("s3cret"), "{arguments:?}: {}", report.err);
    }
    let config = case.files.path("anteroom.toml");
    let config = config.to_str().unwrap();
    for (gateway, part) in [
        ("https://evil.example", "does not know this host"),
        ("http://localhost:1/x", "behind the host"),
        ("wiki", "not a URL"),
    ] {
        let report =
            doctor(&["anteroom", "doctor", "--config", config, "--gateway", gateway], &Said::default()).await;
        assert_eq!(report.exit, Exit::Usage, "{gateway}: {}", report.err);
        assert!(report.err.contains(part), "{}", report.err);
    }
    for without in ["--echo=127.0.0.1:0", "--cookie-file=x", "--path=/"] {
        assert!(Cli::try_parse_from(["anteroom", "doctor", without]).is_err(), "{without} without --gateway");
    }
    let gone = Files::new("http://localhost:1", FORWARD_AUTH);
    let report = doctor(&gone.arguments(), &Said::default()).await;
    assert_eq!(report.exit, Exit::Failure, "{}", report.out);
    assert!(report.err.contains("http://localhost:1 cannot be reached"), "{}", report.err);
    let proxy = Files::new("http://localhost:1", "[proxy]\nupstream = \"http://127.0.0.1:1\"\n");
    let report = doctor(&proxy.arguments(), &Said::default()).await;
    assert_eq!(report.exit, Exit::Usage, "{}", report.err);
    assert!(report.err.contains("no [forward_auth]"), "{}", report.err);
}

/// The certificate is for 127.0.0.1 and not for localhost; its CA is known where SSL_CERT_FILE names it.
#[tokio::test(flavor = "multi_thread")]
async fn tls_is_verified() {
    let chain = vec![CertificateDer::from_pem_file(repository("tests/proxy/tls/upstream.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(repository("tests/proxy/tls/upstream.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(tcp).await else { return };
                let _request = stream.read(&mut [0; 4096]).await;
                let _gone = stream.write_all(&status("200 OK")).await;
            });
        }
    });
    for (host, ca, code, part) in [
        ("127.0.0.1", "ca.pem", 3, "Anybody can use the app"),
        ("127.0.0.1", "other-ca.pem", 1, "certificate is not trusted here"),
        ("localhost", "ca.pem", 1, "certificate is not trusted here"),
    ] {
        let case = Files::new(&format!("https://{host}:{port}"), FORWARD_AUTH);
        let arguments = case.arguments();
        let ca = repository("tests/proxy/tls").join(ca);
        let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
        command.args(&arguments[1..]).env_clear().env("SSL_CERT_FILE", &ca);
        let output = tokio::task::spawn_blocking(move || secrets::output(&mut command)).await.unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        // Remedies are in columns.
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(code), "{host} {}: {said}", ca.display());
        assert!(said.contains(part), "{host}: {said}");
    }
}
