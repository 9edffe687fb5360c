//! How does a secret get in? Inline, or from a file: a systemd credential, a Docker secret, a Kubernetes volume.
//!
//! Guarantees: given twice is an error, never a silent choice; one newline at the end of a file is dropped, line breaks
//! inside are refused; no message repeats any of it.

use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::secret::{ExposeSecret, SecretString};
use crate::session::seal::{KeyRing, WeakSecret};

/// The largest secret file that is read, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Refuses a secret that is given inline and as a file.
pub(super) fn given_once(key: &str, inline: bool, file: bool, check: &mut Check<'_>) -> Option<()> {
    if !(inline && file) {
        return Some(());
    }
    check.wrong(
        &KeyPath::of(&format!("{key}_file")),
        Mistake::new(
            "config.secret-twice",
            format!("`{key}` and `{key}_file` are both set"),
            "Which of the two counts would be a guess",
            "remove one of them",
        ),
    )
}

/// Checks that a secret is one line without space around it.
pub(super) fn one_line(key: &KeyPath, secret: SecretString, check: &mut Check<'_>) -> Option<SecretString> {
    let text = secret.expose_secret();
    let reason = if text.is_empty() {
        "is empty"
    } else if text.contains(['\r', '\n']) {
        "holds a line break"
    } else if text.trim() != text {
        "has white space around it"
    } else if text.chars().any(char::is_control) {
        "holds a control character"
    } else {
        return Some(secret);
    };
    let mistake = Mistake::new(
        "config.secret",
        format!("the value of `{key}` {reason}"),
        "It is not what was issued: something was copied along, or left out",
        "copy it again, without quotes or line breaks around it",
    );
    check.wrong(key, mistake)
}

/// What makes a secret guessable, if anything, as the end of a sentence about it.
pub(super) fn weakness(secret: &SecretString) -> Option<&'static str> {
    match KeyRing::new(std::slice::from_ref(secret)).err()? {
        WeakSecret::Missing => Some("is empty"),
        WeakSecret::Short => Some("is shorter than 32 characters"),
        WeakSecret::Repetitive => Some("repeats too few characters to be random"),
    }
}

/// The text of a secret file, without one newline at its end.
pub(super) fn read(key: &KeyPath, path: &Path, check: &mut Check<'_>) -> Option<SecretString> {
    let mut text = Zeroizing::new(String::new());
    let opened = std::fs::File::open(path);
    let problem = match opened.and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text)) {
        Ok(length) if length as u64 <= MAX_BYTES => None,
        Ok(_) => Some("it is larger than 64 KB".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(reason) = problem {
        let mistake = Mistake::new(
            "config.secret-file",
            format!("the file of `{key}` cannot be read: {reason}"),
            "Without the secret nobody can sign in",
            "check the path (relative ones count from the working folder) and who may read it",
        );
        return check.wrong(key, mistake.showing_the_value());
    }
    warn_if_open(key, path, "Whoever reads it can act as this app", check);
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Some(SecretString::from(line.strip_suffix('\r').unwrap_or(line)))
}

/// Warns of a secret file that every user can read.
pub(super) fn warn_if_open(key: &KeyPath, path: &Path, meaning: &str, check: &mut Check<'_>) {
    if readable_by_everybody(path) {
        let mistake = Mistake::new(
            "config.secret-file-open",
            format!("the file of `{key}` can be read by every user of this machine"),
            meaning,
            "chmod o-r the file; a service of another user reads it by its group",
        );
        check.warn(key, mistake.showing_the_value());
    }
}

/// Whether a file is open to all, outside of the folders in which platforms mount secrets that way themselves.
fn readable_by_everybody(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let mounted = ["/run", "/var/run"].iter().any(|folder| path.starts_with(folder));
    !mounted && std::fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o004 != 0)
}
