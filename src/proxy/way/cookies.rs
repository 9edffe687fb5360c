//! Which cookies reach the upstream? The app's, byte for byte, and none of ours.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{COOKIE, Entry};
use http::{HeaderMap, HeaderValue};

/// Takes our cookies out and leaves every other byte. `strip` does it for one line; `None` is a line without a rest.
pub(in crate::proxy) fn remove_cookies(
    headers: &mut HeaderMap,
    strip: impl Fn(&[u8]) -> Option<Cow<'_, [u8]>>,
) {
    let Entry::Occupied(mut entry) = headers.entry(COOKIE) else { return };
    // Bytes that came as a header value are one.
    let value = |rest: Vec<u8>| HeaderValue::from_maybe_shared(Bytes::from(rest)).ok();
    let mut gone = Vec::new();
    for (at, line) in entry.iter_mut().enumerate() {
        match strip(line.as_bytes()) {
            Some(Cow::Borrowed(_)) => {}
            rest => match rest.and_then(|rest| value(rest.into_owned())) {
                Some(rest) => *line = rest,
                None => gone.push(at),
            },
        }
    }
    if gone.is_empty() {
        return;
    }
    let (_, lines) = entry.remove_entry_mult();
    let left: Vec<HeaderValue> =
        lines.enumerate().filter(|(at, _)| !gone.contains(at)).map(|(_, line)| line).collect();
    for line in left {
        headers.append(COOKIE, line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::cookie::CookieNames;

    #[test]
    fn cookies_of_the_app_stay_byte_for_byte() {
        let names = CookieNames::new(true);
        for (lines, want) in [
            (&["a=1;  b=\"x y\" ;c"][..], &["a=1;  b=\"x y\" ;c"][..]),
            (&["a=1; __Host-anteroom=s; b=2"], &["a=1; b=2"]),
            (&["__Host-anteroom=s"], &[]),
            (&["__Host-anteroom=s; a=1"], &["a=1"]),
            (&["a=1", "__Host-anteroom=s", "b=2"], &["a=1", "b=2"]),
            (&[], &[]),
        ] {
            let mut headers: HeaderMap =
                lines.iter().map(|line| (COOKIE, HeaderValue::from_static(line))).collect();
            remove_cookies(&mut headers, |line| names.strip(line));
            let left: Vec<_> = headers.get_all(COOKIE).iter().map(|v| v.to_str().unwrap()).collect();
            assert_eq!(left, want, "{lines:?}");
        }
    }
}
