//! What is under way, and why must it end? The words that the log, the metrics and the client's last words share.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use pingora::http::ResponseHeader;

use crate::auth::End;

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Form {
    /// A WebSocket.
    WebSocket,
    /// Server-sent events.
    EventStream,
    /// gRPC, which can say how it ended.
    Grpc,
    /// Anything else, or none yet.
    Body,
}

/// Why something must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Reason {
    /// Its session no longer counts.
    Session(End),
    /// This process leaves.
    Draining,
}

impl Form {
    pub(super) fn of(response: &ResponseHeader) -> Self {
        if response.status == StatusCode::SWITCHING_PROTOCOLS {
            return Self::WebSocket;
        }
        match response.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes) {
            Some(kind) if is(kind, b"text/event-stream") => Self::EventStream,
            Some(kind) if is_grpc(kind) => Self::Grpc,
            _ => Self::Body,
        }
    }

    /// Whether it leaves when the drain begins, since it would never end by itself.
    pub(super) fn leaves_first(self) -> bool {
        matches!(self, Self::WebSocket | Self::EventStream)
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::EventStream => "event_stream",
            Self::Grpc => "grpc",
            Self::Body => "body",
        }
    }
}

impl Reason {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Session(end) => end.as_str(),
            Self::Draining => "draining",
        }
    }
}

/// Whether a content type is this one, with or without parameters.
fn is(kind: &[u8], wanted: &[u8]) -> bool {
    kind.split(|b| *b == b';').next().unwrap_or_default().trim_ascii().eq_ignore_ascii_case(wanted)
}

/// `application/grpc`, `application/grpc+proto`, …; not gRPC-Web, which has its trailers in the body.
pub(super) fn is_grpc(kind: &[u8]) -> bool {
    let essence = kind.split(|b| *b == b';' || *b == b'+').next().unwrap_or_default();
    is(essence, b"application/grpc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (status, kind, want) in [
            (101, None, Form::WebSocket),
            (200, Some("text/event-stream"), Form::EventStream),
            (200, Some("Text/Event-Stream; charset=utf-8"), Form::EventStream),
            (200, Some("text/event-streams"), Form::Body),
            (200, Some("application/grpc"), Form::Grpc),
            (200, Some("application/grpc+proto"), Form::Grpc),
            (200, Some("application/grpc-web+proto"), Form::Body),
            (200, Some("text/html"), Form::Body),
            (200, None, Form::Body),
        ] {
            let mut response = ResponseHeader::build(status, None).unwrap();
            if let Some(kind) = kind {
                response.insert_header(CONTENT_TYPE, kind).unwrap();
            }
            assert_eq!(Form::of(&response), want, "{status} {kind:?}");
        }
    }
}
