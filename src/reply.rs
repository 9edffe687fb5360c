//! What is answered? Status, headers and body as plain data, and the single map from errors to answers.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

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
