//! What did the client send? A request read whole, with its parameters decoded once.
//!
//! Bodies over [`MAX_BODY`] bytes are refused. Duplicate parameters are kept; the first one counts.

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::Value;

/// Largest request body, bytes.
const MAX_BODY: usize = 64 * 1024;

/// Name and value, decoded.
pub(super) type Pairs = Vec<(String, String)>;

/// A request, read whole.
#[derive(Debug)]
pub(super) struct Request {
    /// The method.
    pub(super) method: Method,
    /// The path as sent.
    pub(super) path: String,
    /// Path and query as sent.
    pub(super) target: String,
    /// The query, decoded.
    pub(super) query: Pairs,
    /// All headers.
    pub(super) headers: HeaderMap,
    /// `form`, `json` or `none`.
    pub(super) body_kind: &'static str,
    /// Form fields, or top-level JSON fields as text.
    pub(super) fields: Pairs,
    /// The body as sent.
    pub(super) raw: Bytes,
}

impl Request {
    /// Reads a request to its end; `None` when the body is too large or breaks off.
    pub(super) async fn read(request: http::Request<Incoming>) -> Option<Self> {
        let (head, body) = request.into_parts();
        let raw = Limited::new(body, MAX_BODY).collect().await.ok()?.to_bytes();
        let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let (body_kind, fields) = fields(content_type.unwrap_or_default(), &raw);
        Some(Self {
            path: head.uri.path().to_owned(),
            target: head.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            query: decoded(head.uri.query().unwrap_or_default().as_bytes()),
            method: head.method,
            headers: head.headers,
            body_kind,
            fields,
            raw,
        })
    }

    /// First query parameter of this name.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        first(&self.query, name)
    }

    /// First body field of this name.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        first(&self.fields, name)
    }

    /// A header as text.
    pub(super) fn header(&self, name: &http::HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The token of `Authorization: Bearer`.
    pub(super) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header(&header::AUTHORIZATION)?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    /// A cookie's value.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

fn first<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn decoded(bytes: &[u8]) -> Pairs {
    url::form_urlencoded::parse(bytes).map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
}

fn fields(content_type: &str, raw: &[u8]) -> (&'static str, Pairs) {
    if raw.is_empty() {
        return ("none", Pairs::new());
    }
    let json = content_type.to_ascii_lowercase().contains("json") || raw.trim_ascii_start().starts_with(b"{");
    if !json {
        return ("form", decoded(raw));
    }
    let Ok(Value::Object(object)) = serde_json::from_slice(raw) else { return ("json", Pairs::new()) };
    let text = |value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    ("json", object.into_iter().map(|(key, value)| (key, text(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_form_say_the_same() {
        let expected = vec![("code".to_owned(), "a b".to_owned()), ("n".to_owned(), "1".to_owned())];
        assert_eq!(fields("application/json", br#"{"code":"a b","n":1}"#), ("json", expected.clone()));
        assert_eq!(fields("application/x-www-form-urlencoded", b"code=a+b&n=1"), ("form", expected));
        assert_eq!(fields("application/json", b"[]"), ("json", Pairs::new()));
    }
}
