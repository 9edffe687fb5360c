//! How does a `CheckResponse` say yes or no?
//!
//! Yes sets every identity header over whatever the client sent, and takes from the app's request what the client may
//! not say and Anteroom's own cookies. No is what Envoy's HTTP dialect would hear, its status never a 2xx.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tonic::Code;

use super::messages::{
    self, CheckResponse, DeniedHttpResponse, HeaderAppendAction, HeaderValueOption, HttpResponse, HttpStatus,
    OkHttpResponse, Status,
};
use crate::forward_auth::answer::{self, X_REQUEST_ID};
use crate::identity::headers::{HeaderSet, Layout};
use crate::ops::RequestId;
use crate::reply::Reply;

/// Yes, to a request with these headers. `strip` takes our cookies out of a line; `None` is a line without a rest.
pub(super) fn allow(
    identity: &HeaderSet,
    request: &HeaderMap,
    layout: &Layout,
    strip: impl Fn(&[u8]) -> Option<Cow<'_, [u8]>>,
) -> CheckResponse {
    let ours = |name: &HeaderName| identity.complete().any(|(set, _)| set == name);
    let reserved = layout.reserved_in(request).filter(|name| !ours(name));
    let mut remove: Vec<String> = reserved.map(ToString::to_string).collect();
    let mut headers: Vec<_> = identity.complete().map(|(name, value)| overwrite(name, value)).collect();
    match cookies(request, strip) {
        Cookies::Unchanged => {}
        Cookies::None => remove.push(COOKIE.as_str().to_owned()),
        Cookies::Only(rest) => headers.push(overwrite(&COOKIE, &rest)),
    }
    let ok = OkHttpResponse { headers, headers_to_remove: remove };
    CheckResponse {
        status: Some(Status { code: Code::Ok as i32 }),
        http_response: Some(HttpResponse::OkResponse(ok)),
    }
}

/// No, and the status that the browser gets.
pub(super) fn refuse(reply: Reply, origin: &str, id: RequestId) -> (CheckResponse, StatusCode) {
    let Reply { status, mut headers, body } = answer::refused(reply, origin);
    headers.insert(X_REQUEST_ID, id.value());
    // Envoy counts for itself.
    headers.remove(CONTENT_LENGTH);
    let way_in = status == StatusCode::UNAUTHORIZED || status.is_redirection();
    let code = if way_in { Code::Unauthenticated } else { Code::PermissionDenied };
    let denied = DeniedHttpResponse {
        status: Some(HttpStatus { code: i32::from(status.as_u16()) }),
        headers: headers.iter().map(|(name, value)| overwrite(name, value)).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let response = CheckResponse {
        status: Some(Status { code: code as i32 }),
        http_response: Some(HttpResponse::DeniedResponse(denied)),
    };
    (response, status)
}

/// What the app gets of the cookies.
enum Cookies {
    Unchanged,
    None,
    Only(HeaderValue),
}

fn cookies(request: &HeaderMap, strip: impl Fn(&[u8]) -> Option<Cow<'_, [u8]>>) -> Cookies {
    let lines = request.get_all(COOKIE).iter();
    let lines: Vec<_> = lines.map(|line| strip_joined(line.as_bytes(), &strip)).collect();
    if lines.iter().all(|line| matches!(line, Some(Cow::Borrowed(_)))) {
        return Cookies::Unchanged;
    }
    let rest: Vec<Cow<'_, [u8]>> = lines.into_iter().flatten().collect();
    // Bytes that came as header values are one.
    match HeaderValue::from_maybe_shared(Bytes::from(rest.join(&b"; "[..]))) {
        Ok(rest) if !rest.is_empty() => Cookies::Only(rest),
        _ => Cookies::None,
    }
}

/// As `strip`, for a line that Envoy may have joined out of several by commas. A cookie of ours behind a comma is taken
/// out; no session is ever read there, since a sibling domain could have written it into the value before.
fn strip_joined<'a>(line: &'a [u8], strip: impl Fn(&[u8]) -> Option<Cow<'_, [u8]>>) -> Option<Cow<'a, [u8]>> {
    let pieces = || line.split(|byte| *byte == b',');
    let ours = |piece: &[u8]| {
        let first = piece.split(|byte| *byte == b';').next();
        first.is_some_and(|first| strip(first).is_none())
    };
    if !pieces().skip(1).any(ours) {
        return strip(line);
    }
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for piece in pieces() {
        match lines.last_mut() {
            Some(last) if !ours(piece) => last.extend([b",", piece].concat()),
            _ => lines.push(piece.to_vec()),
        }
    }
    let kept: Vec<_> = lines.iter().filter_map(|line| strip(line)).collect();
    (!kept.is_empty()).then(|| kept.join(&b"; "[..]).into())
}

/// A `string` must be UTF-8, and Envoy does not read `raw_value` here. Other bytes become `!`, as where Envoy asks.
fn overwrite(name: &HeaderName, value: &HeaderValue) -> HeaderValueOption {
    let value = match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Bytes::copy_from_slice(text.as_bytes()),
        Err(_) => String::from_utf8_lossy(value.as_bytes()).replace('\u{fffd}', "!").into(),
    };
    let header = messages::HeaderValue { key: name.as_str().to_owned(), value, raw_value: Bytes::new() };
    HeaderValueOption {
        header: Some(header),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
    }
}
