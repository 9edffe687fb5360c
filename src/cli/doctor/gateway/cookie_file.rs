//! Which session does doctor use? The `Cookie` line of a browser that is signed in, from a file: never from the command
//! line, where every process could read it, and never printed.

use std::path::Path;

use crate::secret::{ExposeSecret, SecretString};
use crate::session::cookie::CookieNames;

/// Reads the line. `Err` says what is wrong, without repeating any of it.
pub(super) fn read(path: &Path, names: &CookieNames) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(path)
        .map(SecretString::from)
        .map_err(|error| format!("--cookie-file: cannot read {}: {error}", path.display()))?;
    parse(text.expose_secret(), names).map_err(|reason| format!("--cookie-file: {} {reason}", path.display()))
}

fn parse(text: &str, names: &CookieNames) -> Result<SecretString, String> {
    let line = text.trim();
    let line = match line.split_at_checked("cookie:".len()) {
        Some((name, rest)) if name.eq_ignore_ascii_case("cookie:") => rest.trim(),
        _ => line,
    };
    if line.bytes().any(|b| !(b' '..=b'~').contains(&b)) {
        return Err("holds more than one line, or characters that no cookie has".into());
    }
    let session = names.session();
    let held = line.split(';').any(|pair| {
        pair.trim().split_once('=').is_some_and(|(name, value)| name == session && !value.is_empty())
    });
    if !held {
        return Err(format!(
            "does not hold the cookie {session}. Sign in with a browser, copy the value of Cookie from the request \
             headers in its developer tools, and write that one line into the file"
        ));
    }
    Ok(SecretString::from(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_with_the_session() {
        let names = CookieNames::new(true);
        for good in
            ["__Host-anteroom=s3cret", "Cookie: a=b; __Host-anteroom=s3cret\n", "cookie:__Host-anteroom=s"]
        {
            let line = parse(good, &names).unwrap();
            assert!(
                line.expose_secret().contains("__Host-anteroom=s")
                    && !line.expose_secret().contains("ookie:")
            );
        }
        for bad in
            ["", "a=s3cret", "__Host-anteroom=", "__Host-anteroom=s3cret\r\nX: y", "x__Host-anteroom=s3cret"]
        {
            let reason = parse(bad, &names).unwrap_err();
            assert!(!reason.contains("s3cret"), "{reason}");
        }
    }
}
