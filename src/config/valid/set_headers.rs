//! Headers to send along, checked: `headers` with values and `headers_files` with files that hold them.
//!
//! Guarantees: a name is there once; values are marked as sensitive, so that neither `Debug` nor HTTP/2's compression
//! repeats them (RFC 7541 §7.1.3).

use http::{HeaderName, HeaderValue};

use super::secrets;
use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::{RawHeaderFiles, RawSecretHeaders};
use crate::secret::{ExposeSecret, SecretString};

/// Every header, values first, then files. `refused` says why a name cannot be set, if so.
pub(super) fn check(
    values: &RawSecretHeaders,
    files: &RawHeaderFiles,
    table: &KeyPath,
    refused: impl Fn(&HeaderName) -> Option<&'static str>,
    check: &mut Check<'_>,
) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let mut given: Vec<(&str, KeyPath, Option<SecretString>)> = Vec::new();
    for (name, value) in &values.0 {
        given.push((name, table.key("headers").key(name), Some(value.0.clone())));
    }
    for (name, file) in files {
        let key = table.key("headers_files").key(name);
        let value = secrets::read(&key, &check.path(file), check);
        given.push((name, key, value));
    }
    let (mut headers, mut all_good) = (Vec::<(HeaderName, HeaderValue)>::new(), true);
    for (text, key, value) in given {
        let name = name(text).and_then(|name| match refused(&name) {
            Some(reason) => Err(reason),
            None if headers.iter().any(|(other, _)| *other == name) => Err("it is set already"),
            None => Ok(name),
        });
        if let Err(reason) = name {
            let mistake = Mistake::new(
                "config.set-header",
                format!("the header {text} cannot be set: {reason}"),
                "What arrives would not be what is written here",
                "remove it, or choose another name",
            );
            check.wrong::<()>(&key, mistake);
        }
        let value = value.and_then(|value| self::value(&key, value, check));
        match (name, value) {
            (Ok(name), Some(value)) => headers.push((name, value)),
            _ => all_good = false,
        }
    }
    all_good.then_some(headers)
}

fn name(text: &str) -> Result<HeaderName, &'static str> {
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| "it is not a header name")
}

fn value(key: &KeyPath, secret: SecretString, check: &mut Check<'_>) -> Option<HeaderValue> {
    let secret = secrets::one_line(key, secret, check)?;
    let value = HeaderValue::from_str(secret.expose_secret()).ok().filter(|value| value.to_str().is_ok());
    let Some(mut value) = value else {
        let mistake = Mistake::new(
            "config.set-header",
            format!("the value of `{key}` holds more than ASCII"),
            "Servers read other characters each in their own way",
            "encode it as the app expects, for example percent-encoded",
        );
        return check.wrong(key, mistake);
    };
    value.set_sensitive(true);
    Some(value)
}
