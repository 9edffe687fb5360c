//! Envoy in a few lines: one gRPC call of `Check` over HTTP/2 without TLS, its message written and read field by field.
//!
//! The messages are derived from Envoy's published ones a second time here, so that a number confused in one place
//! shows; that both agree with Envoy itself, Envoy shows.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::support::DEADLINE;
use super::super::support::http1::Head;
use super::super::support::raw::RawResponse;
use super::rig::Question;

/// The method's path.
pub(super) const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
/// What a gRPC client sends.
pub(super) const GRPC: (&str, &str) = ("content-type", "application/grpc");

#[derive(Clone, PartialEq, Message)]
pub(super) struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) attributes: Option<Attributes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Attributes {
    #[prost(message, optional, tag = "1")]
    source: Option<Source>,
    #[prost(message, optional, tag = "4")]
    pub(super) request: Option<HttpAttributes>,
    #[prost(map = "string, string", tag = "10")]
    context_extensions: std::collections::HashMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
struct Source {
    #[prost(message, optional, tag = "1")]
    address: Option<Address>,
    #[prost(string, tag = "2")]
    service: String,
}

#[derive(Clone, PartialEq, Message)]
struct Address {
    #[prost(message, optional, tag = "1")]
    socket_address: Option<SocketAddress>,
}

#[derive(Clone, PartialEq, Message)]
struct SocketAddress {
    #[prost(string, tag = "2")]
    address: String,
    #[prost(uint32, tag = "3")]
    port: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HttpAttributes {
    #[prost(message, optional, tag = "2")]
    pub(super) http: Option<Http>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Http {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, tag = "2")]
    pub(super) method: String,
    #[prost(btree_map = "string, string", tag = "3")]
    pub(super) headers: BTreeMap<String, String>,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) path: Vec<u8>,
    #[prost(string, tag = "5")]
    pub(super) host: String,
    #[prost(string, tag = "6")]
    pub(super) scheme: String,
    #[prost(string, tag = "7")]
    pub(super) query: String,
    #[prost(string, tag = "8")]
    pub(super) fragment: String,
    #[prost(int64, tag = "9")]
    pub(super) size: i64,
    #[prost(string, tag = "10")]
    pub(super) protocol: String,
    #[prost(string, tag = "11")]
    pub(super) body: String,
    #[prost(message, optional, tag = "13")]
    pub(super) header_map: Option<RawHeaders>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RawHeaders {
    #[prost(message, repeated, tag = "1")]
    pub(super) headers: Vec<Line>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Line {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
    #[prost(bytes = "vec", tag = "3")]
    pub(super) raw_value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct LineOption {
    #[prost(message, optional, tag = "1")]
    pub(super) header: Option<Line>,
    #[prost(int32, tag = "3")]
    pub(super) append_action: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<Code>,
    #[prost(message, optional, tag = "2")]
    pub(super) denied: Option<Denied>,
    #[prost(message, optional, tag = "3")]
    pub(super) ok: Option<Allowed>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Code {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Denied {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<Code>,
    #[prost(message, repeated, tag = "2")]
    pub(super) headers: Vec<LineOption>,
    #[prost(string, tag = "3")]
    pub(super) body: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Allowed {
    #[prost(message, repeated, tag = "2")]
    pub(super) headers: Vec<LineOption>,
    #[prost(string, repeated, tag = "5")]
    pub(super) headers_to_remove: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    pub(super) response_headers_to_add: Vec<LineOption>,
}

/// What came back of one call.
#[derive(Debug)]
pub(super) struct Called {
    /// The HTTP status.
    pub(super) http: u16,
    /// `grpc-status`, wherever it stood.
    pub(super) code: Option<i32>,
    /// Without the five bytes before a message.
    pub(super) body: Bytes,
}

impl Called {
    /// The message of a call that went well.
    pub(super) fn message(&self) -> CheckResponse {
        assert_eq!((self.http, self.code), (200, Some(0)), "{self:?}");
        let response = CheckResponse::decode(self.body.clone()).expect("a CheckResponse");
        let yes = response.status.as_ref().expect("always there").code == 0;
        assert_eq!((yes, !yes), (response.ok.is_some(), response.denied.is_some()), "{response:?}");
        response
    }
}

impl Question<'_> {
    /// The message that Envoy makes of this request.
    pub(super) fn message(&self, host: &str) -> CheckRequest {
        let mut headers: BTreeMap<String, String> = [
            (":authority", host),
            (":method", self.method),
            (":path", self.target),
            (":scheme", "http"),
            ("x-forwarded-proto", "http"),
            ("x-request-id", "4a6d"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (name, value) in &self.headers {
            let merged = headers.entry(name.to_ascii_lowercase());
            merged
                .and_modify(|line| *line = format!("{line},{value}"))
                .or_insert_with(|| (*value).to_owned());
        }
        let http = Http {
            id: "4a6d".into(),
            method: self.method.into(),
            headers,
            path: self.target.into(),
            host: host.into(),
            scheme: "http".into(),
            size: -1,
            protocol: "HTTP/1.1".into(),
            ..Http::default()
        };
        let socket_address = Some(SocketAddress { address: "198.51.100.7".into(), port: 4711 });
        let source = Some(Source { address: Some(Address { socket_address }), service: "edge".into() });
        let context_extensions = [("route".to_owned(), "x".to_owned())].into();
        let request = Some(HttpAttributes { http: Some(http) });
        CheckRequest { attributes: Some(Attributes { source, request, context_extensions }) }
    }
}

impl CheckRequest {
    /// Its request, to be changed.
    pub(super) fn http(&mut self) -> &mut Http {
        self.attributes.as_mut().unwrap().request.as_mut().unwrap().http.as_mut().unwrap()
    }

    /// Its headers line by line, in the order given, as with `encode_raw_headers`.
    pub(super) fn raw(mut self, lines: &[(&str, &[u8])]) -> Self {
        let line = |(key, value): &(&str, &[u8])| Line {
            key: (*key).to_owned(),
            raw_value: value.to_vec(),
            value: String::new(),
        };
        let headers = lines.iter().map(line).collect();
        let http = self.http();
        (http.headers, http.header_map) = (BTreeMap::new(), Some(RawHeaders { headers }));
        self
    }
}

/// One call of `Check`.
pub(super) async fn check(address: SocketAddr, message: &CheckRequest) -> Called {
    call(address, CHECK, &[GRPC], framed(&message.encode_to_vec())).await
}

/// A message on the wire: not compressed, its length, itself.
pub(super) fn framed(message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(message.len().try_into().unwrap());
    bytes.put(message);
    bytes.freeze()
}

/// Any call, its body as it is.
pub(super) async fn call(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: Bytes) -> Called {
    timeout(DEADLINE, post(address, path, headers, body)).await.expect("an answer until the deadline")
}

async fn post(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: Bytes) -> Called {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut gateway, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let mut request = Request::post(format!("http://anteroom{path}")).header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = gateway.send_request(request.body(Full::new(body)).unwrap()).await.expect("a response");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("the whole of it");
    let mut headers = parts.headers;
    headers.extend(body.trailers().cloned().unwrap_or_default());
    let code = headers.get("grpc-status").map(|code| code.to_str().unwrap().parse().unwrap());
    let mut body = body.to_bytes();
    if code == Some(0) {
        let length = u32::from_be_bytes(body[1..5].try_into().unwrap());
        assert_eq!(usize::try_from(length).unwrap() + 5, body.len(), "one message");
        body = body.slice(5..);
    }
    drop(gateway);
    connection.await.unwrap().expect("a clean end");
    Called { http: parts.status.as_u16(), code, body }
}

/// What the browser or the app would see of an answer, for tables that ask in every dialect.
impl From<Called> for RawResponse {
    fn from(called: Called) -> Self {
        if called.code != Some(0) {
            return Self {
                status: called.http,
                head: Head::default(),
                raw_body: Vec::new(),
                body: Vec::new(),
            };
        }
        let CheckResponse { denied, ok, .. } = called.message();
        let (status, lines, body) = match (denied, ok) {
            (Some(denied), _) => (denied.status.unwrap().code, denied.headers, denied.body.into_bytes()),
            (None, ok) => (200, ok.unwrap().headers, Vec::new()),
        };
        let line = |line: LineOption| {
            assert_eq!(line.append_action, 2, "OVERWRITE_IF_EXISTS_OR_ADD");
            let Line { key, value, .. } = line.header.unwrap();
            (key, value)
        };
        let head = Head { headers: lines.into_iter().map(line).collect(), ..Head::default() };
        Self { status: status.try_into().unwrap(), head, raw_body: body.clone(), body }
    }
}
