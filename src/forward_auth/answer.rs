//! How does a gateway hear yes or no? In the statuses and headers that its dialect knows.
//!
//! Yes is 200, no body, and every identity header with a value: some gateways know no other 2xx (Envoy, Gateway API),
//! some copy whatever else stands in the answer into the app's request. No is never a 2xx, carries an absolute
//! `Location` (Traefik resolves a relative one against our own address) and at most one `Set-Cookie` (nginx and HAProxy
//! join several into one line that no browser reads).

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::{Either, Full};

use super::Body;
use crate::identity::headers::HeaderSet;
use crate::ops::RequestId;
use crate::reply::Reply;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Yes.
pub(super) fn allow(identity: &HeaderSet) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::default()));
    response.headers_mut().clone_from(identity.answer());
    response
}

/// No, for a gateway that passes the whole answer on: Traefik, Caddy, HAProxy, Envoy.
pub(super) fn refuse(reply: Reply, origin: &str, id: RequestId) -> Response<Body> {
    plain(refused(reply, origin), id)
}

/// No, as the browser behind such a gateway gets it.
pub(super) fn refused(mut reply: Reply, origin: &str) -> Reply {
    reply.status = refusal(&reply);
    make_absolute(&mut reply, origin);
    if let Some(location) = reply.headers.get(LOCATION)
        && reply.body.is_empty()
    {
        // For gateways that lose `Location` on the way (envoyproxy/gateway#8202).
        reply.body = signpost(location).into();
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    }
    reply
}

/// No, for nginx: 401, with a `Location` where a person can sign in, or 403. It answers 500 to anything else, so a
/// redirect would never arrive.
pub(super) fn refuse_nginx(mut reply: Reply, origin: &str, id: RequestId) -> Response<Body> {
    let status = refusal(&reply);
    reply.status = match status {
        StatusCode::UNAUTHORIZED => status,
        _ if status.is_redirection() => StatusCode::UNAUTHORIZED,
        _ => StatusCode::FORBIDDEN,
    };
    make_absolute(&mut reply, origin);
    if reply.status == StatusCode::UNAUTHORIZED && !reply.headers.contains_key(WWW_AUTHENTICATE) {
        let challenge = format!("Anteroom sign_in_url=\"{origin}/_anteroom/sign-in\"");
        reply = reply.with_text(WWW_AUTHENTICATE, &challenge);
    }
    // nginx never shows it.
    reply.body = Bytes::new();
    reply.headers.remove(CONTENT_TYPE);
    plain(reply, id)
}

/// An answer as it is: for requests that are Anteroom's own.
pub(super) fn plain(reply: Reply, id: RequestId) -> Response<Body> {
    let Reply { status, mut headers, body } = reply;
    headers.insert(X_REQUEST_ID, id.value());
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let mut response = Response::new(Either::Left(Full::new(body)));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The status of a refusal. gRPC refuses with 200 and a status in the headers, which every gateway would take for a yes;
/// its clients read 401 and 403 as well.
fn refusal(reply: &Reply) -> StatusCode {
    if !reply.status.is_success() && !reply.status.is_informational() {
        return reply.status;
    }
    match reply.headers.get(GRPC_STATUS).map(HeaderValue::as_bytes) {
        Some(b"16") => StatusCode::UNAUTHORIZED,
        _ => StatusCode::FORBIDDEN,
    }
}

fn make_absolute(reply: &mut Reply, origin: &str) {
    let local = reply.headers.get(LOCATION).filter(|to| to.as_bytes().starts_with(b"/"));
    let absolute = local.and_then(|to| to.to_str().ok()).map(|to| format!("{origin}{to}"));
    if let Some(Ok(absolute)) = absolute.map(HeaderValue::try_from) {
        reply.headers.insert(LOCATION, absolute);
    }
    if let Some(first) = reply.headers.remove(SET_COOKIE) {
        reply.headers.insert(SET_COOKIE, first);
    }
}

fn signpost(location: &HeaderValue) -> String {
    let url = location.to_str().unwrap_or_default();
    let url = url.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<!doctype html><title>Sign in</title><meta http-equiv=\"refresh\" content=\"0; url={url}\">\
         <p><a href=\"{url}\">Go on to sign in</a></p>\n"
    )
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::entropy::SystemEntropy;
    use crate::ops::RequestIds;

    const HERE: &str = "https://wiki.example";

    fn id() -> RequestId {
        RequestIds::new(&SystemEntropy).next()
    }

    fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
        response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    fn redirect() -> Reply {
        Reply::redirect("/_anteroom/sign-in?return_to=%2Fa%3Fb%3D1%26c").with_cookie("a=1").with_cookie("b=2")
    }

    #[test]
    fn a_refusal_is_never_a_yes() {
        let statuses = (100..=599).filter_map(|code| StatusCode::from_u16(code).ok());
        let replies = statuses.map(Reply::empty).chain([16, 7, 3, 14, 0].map(|code| Reply::grpc(code, "no")));
        for reply in replies {
            let said = reply.status;
            let nginx = refuse_nginx(reply.clone(), HERE, id()).status().as_u16();
            assert!(nginx == 401 || nginx == 403, "{said}: {nginx}");
            let others = refuse(reply, HERE, id()).status();
            assert!(!others.is_success() && !others.is_informational(), "{said}: {others}");
        }
        assert_eq!(refuse(Reply::grpc(16, ""), HERE, id()).status(), 401);
        assert_eq!(refuse(Reply::grpc(7, ""), HERE, id()).status(), 403);
    }

    #[tokio::test]
    async fn a_way_in_is_absolute_and_comes_with_one_cookie() {
        let want = "https://wiki.example/_anteroom/sign-in?return_to=%2Fa%3Fb%3D1%26c";
        let nginx = refuse_nginx(redirect(), HERE, id());
        assert_eq!((nginx.status().as_u16(), header(&nginx, "location")), (401, Some(want)));
        assert!(
            header(&nginx, "www-authenticate").unwrap().contains("https://wiki.example/_anteroom/sign-in")
        );
        let others = refuse(redirect(), HERE, id());
        assert_eq!((others.status().as_u16(), header(&others, "location")), (302, Some(want)));
        for response in [nginx, others] {
            assert_eq!(response.headers().get_all(SET_COOKIE).iter().count(), 1);
            assert_eq!(header(&response, "cache-control"), Some("no-store"));
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(body.is_empty() || std::str::from_utf8(&body).unwrap().contains(want), "{body:?}");
        }
        let elsewhere = Reply::redirect("https://auth.example/x");
        assert_eq!(header(&refuse(elsewhere, HERE, id()), "location"), Some("https://auth.example/x"));
    }

    #[test]
    fn a_yes_is_bare() {
        let response = allow(&HeaderSet::default());
        let names: Vec<&str> = response.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!((response.status().as_u16(), names), (200, vec!["cache-control", "x-anteroom-assertion"]));
    }
}
