//! Does anything secret ever reach an output? Whatever the suite does, this listens.
//!
//! A secret is noted where it comes into being: in the configuration that a test writes, in the `Set-Cookie` that a client of
//! ours reads, in the request that it sends, in the journal of the offline Atlassian. A line is checked where it leaves: the
//! process's log (a subscriber for the whole test binary, with the production's own lines), the access and audit logs of
//! every site and rig, both streams of every `anteroom` that is started. Either may come first. What matched is kept, and
//! every site, rig, upstream and process that ends from then on fails its test.
//!
//! Not noted, on purpose: the key that `anteroom keygen` prints (printing it is what it is for), and the sign-in data
//! that the demo's own pages show; neither is a secret of anything else. Values under [`SHORTEST`] bytes are not noted:
//! they are words that may stand anywhere.

use std::collections::HashSet;
use std::process::{Command, Output};
use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};

use anteroom::ops::LogFormat;
use anteroom::ops::logging;

/// Bytes of the shortest value that is noted.
const SHORTEST: usize = 12;
/// Parameters of a query that a line may repeat: names and addresses, not values of anybody's session.
const HARMLESS: &[&str] = &[
    // Of Prometheus, in whose language the names of metrics and labels stand.
    "query",
    "error",
    "client_id",
    "scope",
    "audience",
    "prompt",
    "response_type",
    "code_challenge_method",
    "redirect_uri",
    "url",
];
/// Headers whose value is secret. `Cookie` is taken apart.
const HEADERS: &[&str] = &["authorization", "x-anteroom-gateway-key", "proxy-authorization"];

/// What is secret, what was said, and where both met.
#[derive(Debug, Default)]
struct Register {
    secrets: HashSet<String>,
    said: HashSet<String>,
    violations: Vec<String>,
    lines: usize,
}

impl Register {
    fn note(&mut self, secret: &str) {
        for token in tokens(secret) {
            if self.said.contains(&token) {
                self.violations.push(format!("{token} was in an output before it was noted"));
            }
            self.secrets.insert(token);
        }
    }

    fn check(&mut self, from: &str, line: &str) {
        self.lines += 1;
        for token in tokens(line) {
            if self.secrets.contains(&token) {
                self.violations.push(format!("{token} in {from}: {line}"));
            }
            self.said.insert(token);
        }
    }
}

/// The words of a text that are long enough to be told from others, as written and percent-decoded.
fn tokens(text: &str) -> HashSet<String> {
    let inside = |c: char| c.is_ascii_alphanumeric() || "_.~%+-".contains(c);
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    let words = text.split(|c| !inside(c)).chain(decoded.split(|c| !inside(c)));
    words.filter(|word| word.len() >= SHORTEST).map(str::to_owned).collect()
}

static REGISTER: LazyLock<Mutex<Register>> = LazyLock::new(Mutex::default);

fn register() -> MutexGuard<'static, Register> {
    REGISTER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes a secret.
pub(crate) fn note(secret: &str) {
    register().note(secret);
}

/// Notes the value of a `Set-Cookie` line.
pub(crate) fn note_set_cookie(line: &str) {
    let pair = line.split(';').next().unwrap_or_default();
    note(pair.split_once('=').map_or("", |(_, value)| value));
}

/// Notes what a query carries: `state`, `code`, tickets, and whatever else a test puts there.
pub(crate) fn note_query(query: &str) {
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        // Paths and addresses may be asked for by themselves.
        if !HARMLESS.contains(&&*name) && !value.contains('/') {
            note(&value);
        }
    }
}

/// Notes what a request carries: its query, its cookies and its credentials.
pub(crate) fn note_request(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let mut lines = head.split("\r\n");
    let target = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    note_query(target.split_once('?').map_or("", |(_, query)| query));
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let name = name.to_ascii_lowercase();
        if name == "cookie" {
            value.split(';').filter_map(|pair| pair.split_once('=')).for_each(|(_, value)| note(value));
        } else if HEADERS.contains(&name.as_str()) {
            note(value);
        }
    }
}

/// Notes what an answer carries.
pub(crate) fn note_response<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) {
    for (name, value) in headers {
        if name.eq_ignore_ascii_case("set-cookie") {
            note_set_cookie(value);
        } else if name.eq_ignore_ascii_case("location") {
            note_query(value.split_once('?').map_or("", |(_, query)| query));
        }
    }
}

/// Notes what a configuration keeps secret: the values of keys that are called so.
pub(crate) fn note_configuration(toml: &str) {
    for line in toml.lines() {
        let Some((key, value)) = line.split_once('=') else { continue };
        let key = key.trim().trim_matches('"').to_ascii_lowercase();
        let secret = ["secret", "key", "keys", "password", "token"].iter().any(|end| key.ends_with(end));
        if secret {
            value.split('"').skip(1).step_by(2).for_each(note);
        }
    }
}

/// Checks a line of an output.
pub(crate) fn check(from: &str, line: &str) {
    register().check(from, line);
}

/// Runs a program to its end and checks what it said.
pub(crate) fn output(command: &mut Command) -> Output {
    let output = command.output().expect("the program runs");
    for stream in [&output.stdout, &output.stderr] {
        String::from_utf8_lossy(stream).lines().for_each(|line| check("a program's output", line));
    }
    output
}

/// Listens to the whole process's log from now on.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let write = |line: &[u8]| check("the process's log", String::from_utf8_lossy(line).trim_end());
        // Fails in the child of a test that logs by itself; its output is checked by its parent.
        let _elsewhere = logging::init_to(LogFormat::Json, "trace", write);
    });
}

/// Fails the test when anything secret was in any output so far.
pub(crate) fn verify() {
    let found = register().violations.clone();
    // A test that fails already must not be torn down by this.
    if !found.is_empty() && !std::thread::panicking() {
        panic!("secrets in outputs:\n{}", found.join("\n"));
    }
}

mod tests {
    use super::*;
    use crate::support::person::Person;
    use crate::support::site::{Plan, Site};

    #[test]
    fn what_is_said_is_found_however_it_is_written() {
        let secret = "hush-0123456789";
        for line in [
            secret,
            "{\"url.path\":\"/cb?code=hush-0123456789&state=x\"}",
            "Cookie: a=b; s=hush-0123456789",
            "GET /hush%2d0123456789 200",
            "a=hush-0123456789,b",
            "[\"hush-0123456789\"]",
        ] {
            for noted_first in [true, false] {
                let mut register = Register::default();
                if noted_first {
                    register.note(secret);
                }
                register.check("a test", line);
                if !noted_first {
                    register.note(secret);
                }
                assert_eq!(register.violations.len(), 1, "{line} {noted_first}");
            }
        }
        let mut register = Register::default();
        register.note("hush-0123456789");
        register.note("short");
        for line in ["hush-012345678", "hush-01234567890", "short", ""] {
            register.check("a test", line);
        }
        assert!(register.violations.is_empty(), "{register:?}");
    }

    /// Through every place where something is noted, a sign-in leaves what it needs, and what it logs is heard.
    #[tokio::test]
    async fn a_sign_in_is_listened_to() {
        let site = Site::with(Plan::ada()).await;
        let mut person = Person::new();
        let marker = "query-canary-0123456789";
        person.visit(&site.url(&format!("/headers?q={marker}"))).await;
        let page = person.visit(&site.url("/_anteroom/start?return_to=%2Fheaders")).await;
        assert!(page.status.is_success());
        site.note_secrets();
        tracing::warn!(target: "anteroom::tests", heard = "listened-to-0123456789", "heard");
        let register = register();
        let origin = site.url("");
        for value in person.cookies(&origin).values() {
            assert!(register.secrets.contains(value), "a cookie was not noted");
        }
        assert!(register.secrets.contains(marker));
        for entry in site.emulator.journal() {
            for (name, value) in entry.query.iter().chain(&entry.body) {
                if ["code", "state", "client_secret", "code_verifier"].contains(&name.as_str()) {
                    assert!(tokens(value).iter().all(|token| register.secrets.contains(token)), "{name}");
                }
            }
        }
        assert!(register.said.contains("listened-to-0123456789"), "the process's log is heard");
        assert!(register.lines > 3 && !register.said.contains(marker));
    }

    /// The ends that fail a test do so: one secret said aloud in a process of its own.
    #[tokio::test]
    async fn a_leak_fails_the_test_that_ends_next() {
        let mut child = super::super::process::Process::start(
            "a leak",
            {
                let mut command = Command::new(std::env::current_exe().expect("this binary"));
                command
                    .args(["support::secrets::tests::child_that_leaks", "--exact", "--nocapture"])
                    .env(CHILD, "1");
                command
            },
            "build the tests",
        );
        let status = child.wait_for_exit().await;
        assert!(!status.success(), "{}", child.output());
        child.wait_for_line(|line| line.contains("secrets in outputs").then_some(())).await;
    }

    const CHILD: &str = "ANTEROOM_TEST_LEAK";

    #[tokio::test]
    #[allow(clippy::disallowed_methods, reason = "how a test tells its child apart from itself")]
    async fn child_that_leaks() {
        if std::env::var_os(CHILD).is_none() {
            return;
        }
        let site = Site::with(Plan::default()).await;
        tracing::warn!(target: "anteroom::tests", secret = crate::support::site::SECRET, "aloud");
        drop(site);
    }
}
