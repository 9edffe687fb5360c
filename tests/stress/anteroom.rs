//! The program as people run it, in a process of its own, so that its memory and its processor time are its alone.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anteroom::clock::{Clock, SystemClock};
use anteroom::entropy::{Entropy, SystemEntropy};
use anteroom::identity::{AccountId, EmailVerified, Person};
use anteroom::secret::SecretString;
use anteroom::session::cookie::{CookieNames, seal};
use anteroom::session::seal::{KeyRing, Purpose};
use anteroom::session::{Session, SessionId};

use crate::support::process::Process;
use crate::support::raw::exchange;

const SECRET: &str = "stress-only-secret-0123456789-abcdefghij";
pub(super) const HOST: &str = "app.example";

/// A running Anteroom, signed in to.
pub(super) struct Anteroom {
    pub(super) address: SocketAddr,
    ops: SocketAddr,
    /// `name=value` of a session.
    pub(super) cookie: String,
    process: Process,
    _folder: tempfile::TempDir,
}

impl Anteroom {
    /// `proxy` is TOML from the table `[proxy]` on, `listen` excepted.
    pub(super) async fn start(proxy: &str) -> Self {
        let folder = tempfile::TempDir::new().expect("a folder");
        let file = folder.path().join("anteroom.toml");
        let toml = format!(
            "public_url = \"https://{HOST}\"\n\
             [atlassian]\nclient_id = \"peers\"\nclient_secret = \"stress-client-secret\"\n\
             [session]\nsecret = \"{SECRET}\"\n[store]\nurl = \"memory:\"\n\
             [access]\nallow_any_atlassian_account = true\n\
             [ops]\nlisten = \"127.0.0.1:0\"\nshutdown_delay = \"0s\"\naccess_log = false\n\
             [[routes]]\nprefix = \"/public/\"\naccess = \"public\"\n\
             [proxy]\nlisten = \"127.0.0.1:0\"\n{proxy}\n"
        );
        std::fs::write(&file, toml).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
        command.arg("run").arg("--config").arg(&file).env("ANTEROOM_OPS__LOG_FORMAT", "json");
        let process = Process::start("anteroom", command, "");
        let places = process.wait_for_line(|line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            let place = |key: &str| find(&line, key)?.parse::<SocketAddr>().ok();
            Some((place("listen")?, place("ops")?))
        });
        let (address, ops) = places.await;
        Self { address, ops, cookie: cookie(), process, _folder: folder }
    }

    /// A signed-in request: `line` is method and target, `headers` end with CRLF each.
    pub(super) fn request(&self, line: &str, headers: &str) -> String {
        format!("{line} HTTP/1.1\r\nHost: {HOST}\r\nCookie: {}\r\n{headers}\r\n", self.cookie)
    }

    /// Resident memory, in bytes.
    pub(super) fn resident(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.process.id())).expect("running");
        statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("pages") * 4096
    }

    /// The value of a series without labels, or with exactly these.
    pub(super) async fn metric(&self, series: &str) -> f64 {
        let scraped =
            exchange(self.ops, "GET /metrics HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n").await;
        let text = scraped.text();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        let number = value.and_then(|value| value.split(' ').next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no series {series} in\n{text}"))
    }

    /// Waits until a series has this value or less.
    pub(super) async fn falls_to(&self, series: &str, value: f64) {
        let wait = async {
            while self.metric(series).await > value {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let fell = tokio::time::timeout(Duration::from_secs(60), wait).await;
        assert!(fell.is_ok(), "{series} stays at {}", self.metric(series).await);
    }
}

/// How many file descriptors a process of ours may open.
pub(super) fn descriptors() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("Linux");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    line.split_whitespace().nth(4).and_then(|hard| hard.parse().ok()).unwrap_or(usize::MAX)
}

/// A certificate for [`HOST`], and the TOML that serves it; valid as long as the folder lives.
pub(super) fn tls() -> (tempfile::TempDir, String) {
    let folder = tempfile::TempDir::new().expect("a folder");
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).expect("a certificate");
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let files = format!("cert_file = \"{}\", key_file = \"{}\"", cert.display(), key.display());
    (folder, format!("[proxy.tls]\ncertificates = [{{ {files} }}]"))
}

fn find<'a>(line: &'a serde_json::Value, key: &str) -> Option<&'a str> {
    line.get(key).or_else(|| line.get("labels")?.get(key))?.as_str()
}

fn cookie() -> String {
    let entropy: &dyn Entropy = &SystemEntropy;
    let sealer = KeyRing::new(&[SecretString::from(SECRET)]).expect("a key").sealer(Purpose::Session);
    let (names, now) = (CookieNames::new(true), SystemClock.now());
    let session = Session {
        id: SessionId::from_bytes(entropy.bytes()),
        person: Person {
            account_id: AccountId::parse("557058:ada").expect("an account"),
            email: None,
            email_verified: EmailVerified::True,
            name: None,
            picture: None,
        },
        started: now,
        expires: now.plus(Duration::from_secs(3600)),
        new_user: false,
    };
    let value = seal(&session, &names, HOST, &sealer, entropy.bytes()).expect("sealed");
    format!("{}={value}", names.session())
}
