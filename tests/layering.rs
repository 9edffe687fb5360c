//! Does the house still stand? Reads every source file and fails on an import that points up, a dependency in a second
//! home, a core that reaches outside, and on files that break the house numbers (see `CONTRIBUTING.md`).
//!
//! It reads tokens, not types: comments, strings and `#[cfg(test)]` items are left out, then every path that starts
//! at `crate`, `anteroom` or `super` is resolved to the top-level module it names. Each rule is also run against a
//! small file that breaks it, so a checker that has gone blind fails too.

mod checked;
mod reader;

use std::collections::BTreeSet;
use std::path::Path;

use self::reader::{all_paths, outside_names, own_paths, tokens, without_tests, words};
use super::support::repository;

const CORE: &[&str] = &["gate", "policy", "identity", "session", "sign_in"];
const LEAVES: &[&str] = &["secret", "clock", "entropy", "net", "span"];
const SHELL: &[&str] = &["auth", "reply", "gate", "identity", "metrics"];

/// What each top-level module may import besides itself. A module without a row may not exist.
fn may_import(module: &str) -> Option<BTreeSet<&'static str>> {
    let parts: &[&[&'static str]] = match module {
        "main" | "app" | "cli" => return Some(ALL.iter().copied().collect()),
        "lib" => &[],
        "proxy" | "forward_auth" => &[SHELL, LEAVES, &["ops"]],
        "ops" | "emulator" => &[SHELL, LEAVES],
        "auth" => &[&["reply", "pages", "atlassian", "store", "metrics"], CORE, LEAVES],
        "reply" => &[&["pages", "atlassian", "store"], CORE, LEAVES],
        "pages" => &[CORE, LEAVES],
        "atlassian" | "store" => &[CORE, LEAVES, &["metrics"]],
        "config" => &[CORE, LEAVES, &["pages"]],
        "gate" | "policy" | "identity" | "session" | "sign_in" => &[CORE, LEAVES],
        "kube" => &[LEAVES],
        "secret" | "clock" | "entropy" | "net" | "metrics" | "span" => &[LEAVES],
        _ => return None,
    };
    Some(parts.iter().flat_map(|part| part.iter().copied()).collect())
}

/// Every module that a path can name.
const ALL: &[&str] = &[
    "app",
    "cli",
    "proxy",
    "forward_auth",
    "ops",
    "emulator",
    "auth",
    "reply",
    "pages",
    "atlassian",
    "store",
    "config",
    "gate",
    "policy",
    "identity",
    "session",
    "sign_in",
    "kube",
    "secret",
    "clock",
    "entropy",
    "net",
    "metrics",
    "span",
];

/// Where a dependency may be named. A crate is matched with its satellites: `pingora` is `pingora_core` too.
const HOMES: &[(&str, &[&str])] = &[
    ("pingora", &["proxy", "app"]),
    ("h2", &["proxy"]),
    ("tokio_rustls", &["proxy"]),
    ("x509_parser", &["proxy"]),
    ("ppp", &["proxy"]),
    ("hyper", &["forward_auth", "ops", "emulator"]),
    ("reqwest", &["atlassian", "ops"]),
    ("opentelemetry", &["ops"]),
    ("tracing_opentelemetry", &["ops"]),
    ("oauth2", &["atlassian"]),
    ("jsonwebtoken", &["identity", "emulator"]),
    ("figment", &["config"]),
    ("askama", &["pages", "emulator", "cli"]),
    ("redb", &["store"]),
    ("ipnet", &["net"]),
    ("hickory_resolver", &["proxy"]),
    ("x509_parser", &["proxy"]),
    ("psl", &["config"]),
    ("listenfd", &["ops"]),
    ("rustix", &["app"]),
    ("tonic", &["forward_auth"]),
    ("prost", &["forward_auth"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("granit_parser", &["kube"]),
    ("rustls_platform_verifier", &["cli"]),
];

/// What would let the core wait, look outside or roll dice.
const NOT_IN_CORE: &[&str] = &[
    "tokio",
    "async",
    "await",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "ToSocketAddrs",
    "SystemTime",
    "Instant",
    "SystemClock",
    "SystemEntropy",
    "SystemRandom",
    "aws_lc_rs::rand",
];

/// Lines a file may have without its tests.
const LONGEST: usize = 400;
/// The house's median file, once there are enough files for a median to mean something.
const MEDIAN: usize = 130;
const ENOUGH: usize = 20;

/// One file, named by its path inside the repository.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// The module it holds: `src/auth/start.rs` is `[auth, start]`, `src/auth/mod.rs` is `[auth]`.
    fn module(&self) -> Vec<&str> {
        let inside = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        inside.split('/').filter(|part| *part != "mod").collect()
    }

    /// Whether it is a test module in a file of its own; what it is called decides.
    fn is_test(&self) -> bool {
        self.module().last() == Some(&"tests")
    }

    /// Its top-level module.
    fn top(&self) -> &str {
        self.module()[0]
    }
}

// ── The rules ──────────────────────────────────────────────────────────────────────────────────────────────────

/// Every complaint about one file under `src/`.
fn complaints(source: &Source) -> Vec<String> {
    let tokens = tokens(&without_tests(&source.text));
    let mut found = shape(source);
    if source.is_test() {
        return found;
    }
    found.extend(arrows(source, &tokens));
    found.extend(homes(source, &tokens));
    found.extend(core(source, &tokens));
    found
}

fn arrows(source: &Source, tokens: &[String]) -> Vec<String> {
    let Some(allowed) = may_import(source.top()) else {
        return vec![format!("{}: `{}` has no place in the layer table", source.path, source.top())];
    };
    let paths = own_paths(tokens, &source.module());
    let wrong = paths.iter().filter(|to| {
        let to = to.as_str();
        to != source.top() && ALL.contains(&to) && !allowed.contains(to)
    });
    wrong.map(|to| format!("{}: `{}` may not import `{to}`", source.path, source.top())).collect()
}

fn homes(source: &Source, tokens: &[String]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for name in outside_names(tokens) {
        let home = HOMES.iter().find(|(crate_, _)| {
            name == *crate_ || name.strip_prefix(crate_).is_some_and(|rest| rest.starts_with('_'))
        });
        if let Some((_, homes)) = home
            && !homes.contains(&source.top())
        {
            found.insert(format!("{}: `{name}` lives in {homes:?} only", source.path));
        }
    }
    found.into_iter().collect()
}

fn core(source: &Source, tokens: &[String]) -> Vec<String> {
    // Manifests are text too; nobody but the root asks for them.
    if !CORE.contains(&source.top()) && source.top() != "kube" {
        return Vec::new();
    }
    let paths = all_paths(tokens);
    let found = NOT_IN_CORE.iter().filter(|banned| {
        paths.iter().any(|path| {
            path == *banned
                || path.starts_with(&format!("{banned}::"))
                || path.ends_with(&format!("::{banned}"))
                || path.contains(&format!("::{banned}::"))
        })
    });
    found.map(|what| format!("{}: the core may not see `{what}`", source.path)).collect()
}

/// What holds for every Rust file, tests too.
fn shape(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |what: String| found.push(format!("{}: {what}", source.path));
    let first = source.text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!["));
    if !first.is_some_and(|line| line.starts_with("//!")) {
        say("starts without a module doc (`//!`)".into());
    }
    for (number, line) in source.text.lines().enumerate() {
        for word in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")] {
            if words(line).any(|w| w == word) {
                say(format!("line {}: left for later", number + 1));
            }
        }
        for call in [concat!("todo", "!"), concat!("unimplemented", "!"), concat!("#[", "ignore")] {
            if line.contains(call) {
                say(format!("line {}: `{call}`", number + 1));
            }
        }
    }
    if source.path.starts_with("src/") && !source.is_test() {
        let lines = length(source);
        if lines > LONGEST {
            say(format!("{lines} lines without its tests; the house allows {LONGEST}"));
        }
    }
    found
}

/// Lines without the test module.
fn length(source: &Source) -> usize {
    without_tests(&source.text).lines().count()
}

fn median(mut lengths: Vec<usize>) -> usize {
    lengths.sort_unstable();
    lengths.get(lengths.len() / 2).copied().unwrap_or_default()
}

/// A store client has one home each: redb may be named in one file of `store/`, or in one folder of it.
fn redb_homes(sources: &[Source]) -> BTreeSet<String> {
    let at_home = sources.iter().filter(|source| {
        outside_names(&tokens(&without_tests(&source.text))).iter().any(|name| name == "redb")
    });
    at_home.map(|source| source.module().into_iter().take(2).collect::<Vec<_>>().join("::")).collect()
}

// ── The house as it is ─────────────────────────────────────────────────────────────────────────────────────────

fn sources(folder: &str) -> Vec<Source> {
    fn walk(folder: &Path, found: &mut Vec<Source>) {
        for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path())
        {
            if entry.is_dir() {
                walk(&entry, found);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let inside = entry.strip_prefix(repository("")).expect("inside").display().to_string();
                let text = std::fs::read_to_string(&entry).expect("UTF-8");
                found.push(Source { path: inside, text });
            }
        }
    }
    let mut found = Vec::new();
    walk(&repository(folder), &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

#[test]
fn imports_point_down_and_dependencies_have_one_home() {
    let sources = sources("src");
    assert!(sources.len() > 10, "the walk found only {} files", sources.len());
    let mut found: Vec<String> = sources.iter().flat_map(complaints).collect();
    let homes = redb_homes(&sources);
    if homes.len() > 1 {
        found.push(format!("redb has more than one home: {homes:?}"));
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn files_stay_small() {
    let lengths: Vec<usize> = sources("src").iter().filter(|source| !source.is_test()).map(length).collect();
    if lengths.len() > ENOUGH {
        let median = median(lengths);
        assert!(median <= MEDIAN, "the median file has {median} lines; the house allows {MEDIAN}");
    }
}

#[test]
fn tests_have_the_shape_of_the_house() {
    let found: Vec<String> = sources("tests").iter().flat_map(shape).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}
