//! What goes back? Status, headers and body, plus a word for the journal about what was decided.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};

/// The body type of every answer.
pub(super) type Body = BoxBody<Bytes, Infallible>;

/// An "endless" body stops after this many chunks of 16 KiB, so that a forgotten client ends too.
const ENDLESS_CHUNKS: usize = 4 * 1024;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    /// The status.
    pub(super) status: u16,
    /// Headers in order.
    pub(super) headers: Vec<(HeaderName, String)>,
    /// The body.
    pub(super) body: Bytes,
    /// For the journal.
    pub(super) outcome: Option<String>,
    /// The body goes on and on.
    pub(super) endless: bool,
}

impl Reply {
    /// An empty body.
    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), outcome: None, endless: false }
    }

    /// A body of this type.
    pub(super) fn of(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::empty(status) }.with(header::CONTENT_TYPE, content_type)
    }

    /// JSON that nobody may cache.
    pub(super) fn json(status: u16, value: &Value) -> Self {
        Self::of(status, "application/json", value.to_string()).with(header::CACHE_CONTROL, "no-store")
    }

    /// The gateway's `{"code","message"}`.
    pub(super) fn gateway(status: u16, message: &str) -> Self {
        Self::json(status, &json!({"code": status, "message": message})).said(message)
    }

    /// An OAuth error body (RFC 6749 §5.2).
    pub(super) fn oauth(status: u16, error: &str, description: &str) -> Self {
        Self::json(status, &json!({"error": error, "error_description": description}))
    }

    /// A page. `form-action` stays unset: Chromium applies it to the redirect after the consent form too.
    pub(super) fn html(status: u16, page: String) -> Self {
        Self::of(status, "text/html; charset=utf-8", page)
            .with(header::CACHE_CONTROL, "no-store")
            .with(
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'",
            )
            // `no-referrer` would make form posts say `Origin: null`.
            .with(header::REFERRER_POLICY, "same-origin")
            .with(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
    }

    /// A redirect: 302 after a GET, 303 after a POST.
    pub(super) fn redirect(status: u16, location: &str) -> Self {
        Self::empty(status).with(header::LOCATION, location).with(header::CACHE_CONTROL, "no-store")
    }

    /// With one more header.
    pub(super) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With a word for the journal.
    pub(super) fn said(mut self, outcome: impl Into<String>) -> Self {
        self.outcome = Some(outcome.into());
        self
    }

    /// The `Location`, if any.
    pub(super) fn location(&self) -> Option<String> {
        self.headers.iter().find(|(name, _)| name == header::LOCATION).map(|(_, value)| value.clone())
    }

    /// As hyper sends it. A header value that HTTP cannot carry is left out.
    pub(super) fn into_response(self) -> Response<Body> {
        let body = if self.endless {
            let chunk = Bytes::from(vec![b' '; 16 * 1024]);
            let chunks = stream::repeat(chunk).take(ENDLESS_CHUNKS).map(|chunk| Ok(Frame::data(chunk)));
            BodyExt::boxed(StreamBody::new(chunks))
        } else {
            Full::new(self.body).boxed()
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}
