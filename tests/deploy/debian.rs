//! Does the Debian package hold? Built by its script with cargo-deb, read by dpkg-deb, judged by lintian, installed,
//! upgraded and purged in a folder.
//!
//! The program in it is the one that the tests were built with, stripped: what is packed how does not depend on its
//! optimisation. The release builds its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use super::tools::{text, verdict};
use crate::support::venv::run;
use crate::support::{repository, target};

pub(super) const CARGO_DEB: &str = "3.8.0";
const REMEDY: &str =
    "sudo apt-get install -y --no-install-recommends build-essential dpkg-dev fakeroot lintian";

/// Every file of the package, with its mode. All belong to root.
const FILES: [(&str, &str); 10] = [
    ("-rw-r--r--", "./etc/anteroom/anteroom.toml"),
    ("-rwxr-xr-x", "./usr/bin/anteroom"),
    ("-rw-r--r--", "./usr/lib/systemd/system/anteroom.service"),
    ("-rw-r--r--", "./usr/lib/systemd/system/anteroom.socket"),
    ("-rw-r--r--", "./usr/share/bash-completion/completions/anteroom"),
    ("-rw-r--r--", "./usr/share/doc/anteroom/changelog.Debian.gz"),
    ("-rw-r--r--", "./usr/share/doc/anteroom/copyright"),
    ("-rw-r--r--", "./usr/share/fish/vendor_completions.d/anteroom.fish"),
    ("-rw-r--r--", "./usr/share/man/man1/anteroom.1.gz"),
    ("-rw-r--r--", "./usr/share/zsh/vendor-completions/_anteroom"),
];

/// cargo-deb from crates.io, in `target/`, once; the program. Takes a minute, the first time.
fn cargo_deb() -> PathBuf {
    let folder = target("cargo-deb");
    fs::create_dir_all(&folder).expect("a folder in target/");
    let lock = fs::File::create(folder.join("lock")).expect("a lock file");
    lock.lock().expect("a lock");
    let installed = folder.join("installed");
    if fs::read_to_string(&installed).ok().as_deref() != Some(CARGO_DEB) {
        let mut install = Command::new("cargo");
        install.args([
            "install",
            "--quiet",
            "--locked",
            "--debug",
            "--force",
            "--version",
            CARGO_DEB,
            "cargo-deb",
        ]);
        install.arg("--root").arg(&folder).arg("--target-dir").arg(folder.join("build"));
        run(&mut install, "cargo-deb could not be installed from crates.io; is the network up?");
        fs::remove_dir_all(folder.join("build")).expect("what it was built in");
        // Written last: an interrupted installation starts again.
        fs::write(installed, CARGO_DEB).expect("a note in target/");
    }
    folder.join("bin/cargo-deb")
}

/// The package, built once for all tests, in `target/`. Two test runs at once wait for each other.
fn package() -> &'static Path {
    static BUILT: OnceLock<(fs::File, PathBuf)> = OnceLock::new();
    let (_, path) = BUILT.get_or_init(|| {
        let folder = target("deb");
        fs::create_dir_all(folder.join("release")).expect("a folder in target/");
        let lock = fs::File::create(folder.join("lock")).expect("a lock file");
        lock.lock().expect("a lock");
        let program = folder.join("release/anteroom");
        run(Command::new("strip").arg("-o").arg(program).arg(env!("CARGO_BIN_EXE_anteroom")), REMEDY);
        let mut build = Command::new(repository("deploy/debian/build"));
        build.args(["--no-build", "--fast"]).env("CARGO_TARGET_DIR", &folder);
        build.env("CARGO_DEB", cargo_deb());
        let (fine, said) = verdict(&mut build, REMEDY);
        assert!(fine && !said.contains("warning"), "{REMEDY}\n{said}");
        let built = said.lines().rfind(|line| line.ends_with(".deb")).expect("its path");
        let built = PathBuf::from(built);
        (lock, built)
    });
    path
}

/// What dpkg-deb says of the package.
fn read(option: &str, arguments: &[&str]) -> String {
    let (fine, said) = verdict(Command::new("dpkg-deb").arg(option).arg(package()).args(arguments), REMEDY);
    assert!(fine, "{said}");
    said
}

#[test]
fn the_package_holds_what_it_should() {
    let listed = read("--contents", &[]);
    let mut files = Vec::new();
    for line in listed.lines().filter(|line| !line.starts_with('d')) {
        let columns: Vec<_> = line.split_whitespace().collect();
        assert!(["0/0", "root/root"].contains(&columns[1]), "{line}");
        files.push((columns[0], *columns.last().unwrap()));
    }
    files.sort_by_key(|(_, path)| *path);
    assert_eq!(files, FILES);

    let field = |name: &str| read("--field", &[name]).trim().to_owned();
    assert_eq!(field("Package"), "anteroom");
    assert_eq!(field("Version"), format!("{}-1", env!("CARGO_PKG_VERSION")));
    let changelog = text("deploy/debian/changelog");
    assert!(changelog.starts_with(&format!("anteroom ({}) ", field("Version"))), "{changelog}");
    for library in ["libc6 (>= ", "libgcc-s1"] {
        assert!(field("Depends").contains(library), "{}", field("Depends"));
    }
    assert_eq!(read("--info", &["conffiles"]).trim(), "/etc/anteroom/anteroom.toml");
}

#[test]
fn lintian_finds_nothing() {
    let lint = |package: &Path| {
        // The first upload to Debian would close the request for the package; this one is not uploaded there.
        let options = ["--fail-on", "error,warning", "--suppress-tags", "initial-upload-closes-no-bugs"];
        verdict(Command::new("lintian").args(options).arg("--allow-root").arg(package), REMEDY)
    };
    let (fine, said) = lint(package());
    assert!(fine, "{said}");
    // It would notice: no manual page, and a folder that everybody writes to.
    let folder = tempfile::tempdir().unwrap();
    let (tree, worse) = (folder.path().join("tree"), folder.path().join("anteroom_worse.deb"));
    run(Command::new("dpkg-deb").arg("--raw-extract").arg(package()).arg(&tree), REMEDY);
    fs::remove_dir_all(tree.join("usr/share/man")).unwrap();
    fs::set_permissions(tree.join("etc/anteroom"), fs::Permissions::from_mode(0o777)).unwrap();
    let mut pack = Command::new("dpkg-deb");
    run(pack.args(["-Znone", "--root-owner-group", "--build"]).arg(&tree).arg(&worse), REMEDY);
    let (fine, said) = lint(&worse);
    assert!(!fine && said.contains("no-manual-page") && said.contains("non-standard-dir-perm"), "{said}");
}

/// A folder to install in, with an empty list of packages, and programs that stand in for those of a running systemd: a
/// test must not touch the services of the machine that it runs on.
struct Root(TempDir);

impl Root {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for path in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "stubs"] {
            fs::create_dir_all(folder.path().join(path)).expect("a folder");
        }
        fs::write(folder.path().join("var/lib/dpkg/status"), "").expect("written");
        for name in ["systemctl", "deb-systemd-invoke"] {
            let stub = folder.path().join("stubs").join(name);
            fs::write(&stub, "#!/bin/sh\n").expect("written");
            fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).expect("executable");
        }
        Self(folder)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}")).permissions().mode() & 0o7777
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Runs dpkg on it, as a root that fakeroot makes up.
    fn dpkg(&self, arguments: &[&str]) {
        let mut dpkg = Command::new("fakeroot");
        dpkg.args(["dpkg", "--force-depends", "--force-script-chrootless", "--force-confold"]);
        dpkg.arg(format!("--root={}", self.0.path().display())).arg("--log=/dev/null").args(arguments);
        let stubs = self.path("stubs");
        dpkg.env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", stubs.display()));
        run(&mut dpkg, REMEDY);
    }
}

#[test]
fn it_installs_upgrades_and_leaves_nothing_behind() {
    let (root, deb) = (Root::new(), package().to_str().unwrap());
    root.dpkg(&["--install", deb]);
    let version = verdict(Command::new(root.path("usr/bin/anteroom")).arg("--version"), REMEDY);
    assert_eq!(version, (true, format!("anteroom {}\n", env!("CARGO_PKG_VERSION"))));
    // The service has a user of its own, so it reads the configuration as anybody; of the secrets it gets copies.
    assert_eq!(root.mode("etc/anteroom/anteroom.toml"), 0o644);
    assert_eq!(root.mode("etc/anteroom/secrets"), 0o700);
    assert_eq!(root.mode("etc/anteroom/secrets/session-keys"), 0o600);
    let keys = root.read("etc/anteroom/secrets/session-keys");
    assert!(keys.trim().len() >= 32);
    // Nothing starts before it is filled in: no unit is wanted by any target.
    let enabled = root.path("etc/systemd/system");
    assert!(!enabled.exists() || fs::read_dir(&enabled).unwrap().next().is_none());

    fs::write(root.path("etc/anteroom/anteroom.toml"), "# mine\n").unwrap();
    fs::write(root.path("etc/anteroom/secrets/client-secret"), "mine").unwrap();
    root.dpkg(&["--install", deb]);
    assert_eq!(root.read("etc/anteroom/anteroom.toml"), "# mine\n");
    assert_eq!(root.read("etc/anteroom/secrets/session-keys"), keys, "an upgrade signs nobody out");

    fs::create_dir_all(root.path("var/lib/private/anteroom")).unwrap();
    root.dpkg(&["--remove", "anteroom"]);
    assert_eq!(root.read("etc/anteroom/secrets/session-keys"), keys, "removed, not purged");
    assert!(!root.path("usr/bin/anteroom").exists());
    root.dpkg(&["--purge", "anteroom"]);
    for gone in ["etc/anteroom", "var/lib/private/anteroom", "usr/lib/systemd/system/anteroom.service"] {
        assert!(!root.path(gone).exists(), "{gone} is left");
    }
}

/// Connections wait in the socket while the service restarts; closing it would reset them.
#[test]
fn an_upgrade_restarts_the_service_and_leaves_the_socket() {
    let script = read("--info", &["postinst"]);
    let told: Vec<_> =
        script.lines().map(str::trim).filter(|line| line.starts_with("deb-systemd-invoke")).collect();
    assert_eq!(told, ["deb-systemd-invoke try-restart anteroom.service >/dev/null || true"], "{script}");
    let before = read("--info", &["prerm"]);
    let stops =
        before.lines().position(|line| line.contains("deb-systemd-invoke stop")).expect("removed: stopped");
    let condition = before.lines().take(stops).filter(|line| line.starts_with("if ")).last();
    assert!(condition.is_some_and(|line| line.contains("= remove")), "{before}");
}

#[test]
fn paths_are_where_the_unit_looks() {
    let unit = super::unit::Unit::read("anteroom.service");
    let files: Vec<_> = FILES.iter().map(|(_, path)| path.trim_start_matches('.')).collect();
    let mut words = unit.one("Service.ExecStart").split(' ').filter(|word| word.starts_with('/'));
    assert!(words.all(|path| files.contains(&path)));
    for credential in unit.all("Service.LoadCredential") {
        assert!(
            credential.contains(":/etc/anteroom/secrets/"),
            "{credential}: the package makes that folder"
        );
    }
}
