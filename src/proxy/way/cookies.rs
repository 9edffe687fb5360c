//! Which cookies reach the upstream? The app's, byte for byte, and none of ours.

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderValue;
use http::header::COOKIE;
use pingora::http::RequestHeader;

/// Takes our cookies out and leaves every other byte. `strip` does it for one line; `None` is a line without a rest.
pub(in crate::proxy) fn remove_cookies(
    request: &mut RequestHeader,
    strip: impl Fn(&[u8]) -> Option<Cow<'_, [u8]>>,
) -> pingora::Result<()> {
    let lines = request.headers.get_all(COOKIE).iter();
    let kept: Vec<Option<Cow<'_, [u8]>>> = lines.map(|line| strip(line.as_bytes())).collect();
    if kept.iter().all(|line| matches!(line, Some(Cow::Borrowed(_)))) {
        return Ok(());
    }
    let kept: Vec<Vec<u8>> = kept.into_iter().flatten().map(Cow::into_owned).collect();
    request.remove_header(&COOKIE);
    for line in kept {
        // Bytes that came as a header value are one.
        let value = HeaderValue::from_maybe_shared(Bytes::from(line));
        request.append_header("Cookie", value.unwrap_or(HeaderValue::from_static("")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::cookie::CookieNames;

    fn request(lines: &[(&'static str, &'static str)]) -> RequestHeader {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        for (name, value) in lines {
            request.append_header(*name, *value).unwrap();
        }
        request
    }

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
            let mut request = request(&[]);
            for line in lines {
                request.append_header("Cookie", *line).unwrap();
            }
            remove_cookies(&mut request, |line| names.strip(line)).unwrap();
            let left: Vec<_> = request.headers.get_all(COOKIE).iter().map(|v| v.to_str().unwrap()).collect();
            assert_eq!(left, want, "{lines:?}");
        }
    }
}
