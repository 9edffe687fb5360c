//! What is answered? Status, headers and body as plain data, and the single map from errors to answers.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
    SET_COOKIE, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::pages::{ASSET_CONTENT_SECURITY_POLICY, Asset, CONTENT_SECURITY_POLICY as STRICT, Rendered};

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// A complete answer; shells add framing (`Content-Length`, `Connection`) and `X-Request-Id`.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Headers, several `Set-Cookie` lines included.
    pub headers: HeaderMap,
    /// Body; not sent for `HEAD`.
    pub body: Bytes,
}

impl Reply {
    /// An empty answer that nobody may cache.
    pub fn empty(status: StatusCode) -> Self {
        let headers = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static("no-store"))]);
        Self { status, headers, body: Bytes::new() }
    }

    /// A redirect that nobody may cache: 302.
    pub fn redirect(location: &str) -> Self {
        // A target that is no header value would be a programming error; the start page is the safe reading of it.
        let location = HeaderValue::from_str(location).unwrap_or(HeaderValue::from_static("/"));
        Self::empty(StatusCode::FOUND).with(LOCATION, location)
    }

    /// JSON.
    pub fn json(status: StatusCode, body: &serde_json::Value) -> Self {
        let mut reply = Self::empty(status).with(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        reply.body = body.to_string().into();
        reply
    }

    /// A redirect after a POST: 303.
    pub fn see_other(location: &str) -> Self {
        Self { status: StatusCode::SEE_OTHER, ..Self::redirect(location) }
    }

    /// A page, with the headers that keep it to itself.
    pub fn page(page: Rendered) -> Self {
        let mut reply = Self::empty(page.status)
            .with(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
            .with(CONTENT_LANGUAGE, HeaderValue::from_static(page.language.tag()))
            .with(VARY, HeaderValue::from_static("Accept-Language, Cookie"))
            .with(CONTENT_SECURITY_POLICY, HeaderValue::from_static(page.content_security_policy))
            .with(REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
            .with(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
            .with(OPENER_POLICY, HeaderValue::from_static("same-origin"));
        if page.content_security_policy == STRICT {
            reply = reply.with(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        }
        reply.body = page.body;
        reply
    }

    /// A stylesheet or an image whose name changes with its content.
    pub fn asset(asset: Asset) -> Self {
        let mut reply = Self::empty(StatusCode::OK)
            .with(CONTENT_TYPE, HeaderValue::from_static(asset.content_type))
            .with(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"))
            .with(CONTENT_SECURITY_POLICY, HeaderValue::from_static(ASSET_CONTENT_SECURITY_POLICY))
            .with(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        reply.body = asset.body;
        reply
    }

    /// A gRPC refusal: 200 with the status in the headers ("Trailers-Only").
    /// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>
    pub fn grpc(status: u8, message: &str) -> Self {
        Self::empty(StatusCode::OK)
            .with(CONTENT_TYPE, HeaderValue::from_static("application/grpc"))
            .with(HeaderName::from_static("grpc-status"), HeaderValue::from(u16::from(status)))
            .with_text(HeaderName::from_static("grpc-message"), message)
    }

    /// With one more header whose value is made up at run time; left out if it cannot be one.
    #[must_use]
    pub fn with_text(self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => self.with(name, value),
            Err(_) => self,
        }
    }

    /// With one more header (set, not appended).
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With one more `Set-Cookie` line.
    #[must_use]
    pub fn with_cookie(mut self, line: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(line) {
            self.headers.append(SET_COOKIE, value);
        }
        self
    }
}
