//! What does a `CheckRequest` ask about? Its attributes alone count; the gRPC call's own headers are the gateway's.
//!
//! Guarantees: as in [`super::super::original`], what is missing or not to be parsed is refused. A header that cannot be
//! read is refused as well: it could not be named among those that the app must not see.

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::messages::{AttributeContext, CheckRequest, HttpRequest};
use crate::forward_auth::original::{self, Original, Unreadable};
use crate::forward_auth::peer::Peer;

/// A question, with its headers where a decision looks for them.
#[derive(Debug)]
pub(super) struct Question {
    http: HttpRequest,
    method: Method,
    headers: HeaderMap,
    client: Option<IpAddr>,
}

impl Question {
    /// Takes the request out of a message.
    pub(super) fn of(message: CheckRequest) -> Result<Self, Unreadable> {
        const REQUEST: Unreadable = Unreadable("attributes.request.http");
        let AttributeContext { source, request } = message.attributes.ok_or(REQUEST)?;
        let mut http = request.and_then(|request| request.http).ok_or(REQUEST)?;
        if !http.query.is_empty() || !http.fragment.is_empty() {
            return Err(Unreadable("the query or the fragment beside the path"));
        }
        let method = Method::from_bytes(&http.method).map_err(|_| Unreadable("the method"))?;
        let headers = headers(&mut http)?;
        let address = source.and_then(|source| source.address?.socket_address);
        let client = address.and_then(|at| std::str::from_utf8(&at.address).ok()?.parse().ok());
        Ok(Self { http, method, headers, client })
    }

    /// The request as the gateway got it. Where the message names no client, `peer` stands for it.
    pub(super) fn original(&self, peer: Peer) -> Result<Original<'_>, Unreadable> {
        let text = |bytes, what| std::str::from_utf8(bytes).map_err(|_| Unreadable(what));
        let path = text(&self.http.path, "the original path")?;
        let host = text(&self.http.host, "Host")?;
        let told = original::envoy(&self.method, path, host, &self.headers, peer)?;
        let Some(client) = self.client else { return Ok(told) };
        Ok(Original { client: client.to_canonical(), crowd: false, ..told })
    }
}

fn headers(http: &mut HttpRequest) -> Result<HeaderMap, Unreadable> {
    let mut headers = HeaderMap::new();
    match http.header_map.take() {
        Some(raw) => {
            for line in raw.headers {
                let value = if line.raw_value.is_empty() { line.value } else { line.raw_value };
                add(&mut headers, &line.key, value)?;
            }
        }
        None => {
            for (name, value) in std::mem::take(&mut http.headers) {
                add(&mut headers, &name, value.into())?;
            }
        }
    }
    Ok(headers)
}

fn add(headers: &mut HeaderMap, name: &str, value: Bytes) -> Result<(), Unreadable> {
    // What HTTP/2 writes this way stands in fields of its own.
    if name.starts_with(':') {
        return Ok(());
    }
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Unreadable("a header's name"))?;
    let value = HeaderValue::from_maybe_shared(value).map_err(|_| Unreadable("a header's value"))?;
    headers.try_append(name, value).map_err(|_| Unreadable("the headers: too many"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::super::messages::{self, Request};
    use super::*;

    fn message(path: &'static str) -> CheckRequest {
        let line = |key: &str, value: &'static str| messages::HeaderValue {
            key: key.into(),
            value: Bytes::new(),
            raw_value: value.into(),
        };
        let lines = vec![line("Cookie", "a=1"), line("cookie", "b=2"), line(":path", "/elsewhere")];
        let http = HttpRequest {
            method: "GET".into(),
            path: path.into(),
            host: "wiki.example".into(),
            header_map: Some(messages::HeaderMap { headers: lines }),
            ..HttpRequest::default()
        };
        let request = Some(Request { http: Some(http) });
        CheckRequest { attributes: Some(AttributeContext { source: None, request }) }
    }

    fn peer() -> Peer {
        Peer::Address([192, 0, 2, 1].into())
    }

    #[test]
    fn a_message_is_read_whole() {
        let question = Question::of(message("/a%20b?x=1")).unwrap();
        let original = question.original(peer()).unwrap();
        assert_eq!((original.host, original.path, original.query), ("wiki.example", "/a%20b", Some("x=1")));
        assert_eq!(original.client.to_string(), "192.0.2.1");
        let lines: Vec<_> =
            original.headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        assert_eq!(lines, ["cookie: a=1", "cookie: b=2"]);
    }

    proptest! {
        #[test]
        fn garbage_is_no_question(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let read = CheckRequest::decode(bytes.as_slice()).ok().map(Question::of);
            let told = read.as_ref().map(|question| question.as_ref().map(|q| q.original(peer()).is_ok()));
            prop_assert!(!matches!(told, Some(Ok(true))));
        }

        #[test]
        fn a_spoilt_byte_does_no_harm(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = message("/admin").encode_to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(Ok(question)) = CheckRequest::decode(bytes.as_slice()).map(Question::of)
                && let Ok(original) = question.original(peer())
            {
                prop_assert!(original.path.starts_with('/') && !original.host.is_empty());
            }
        }
    }
}
