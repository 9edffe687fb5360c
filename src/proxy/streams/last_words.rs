//! What does a client hear when its stream is ended? What its protocol has for it.
//!
//! | what | last words |
//! |---|---|
//! | WebSocket | a Close frame between two frames: 4401, or 1001 when Anteroom drains; the reason as its text |
//! | event stream | the event `session-ended`, after a complete event; the body's end |
//! | gRPC | trailers with `grpc-status: 16` (UNAUTHENTICATED) |
//! | no answer yet | 401, or as gRPC says it |
//! | any other body | none: it is cut, so that the client cannot take it for whole |
//!
//! 4401 is from the range that RFC 6455 §7.4.2 leaves to applications. 1008 would be mistaken for a refusal of the app's
//! own; 4401 reads as HTTP's 401, and `graphql-ws` clients know it and do not reconnect in vain.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use pingora::proxy::Session;
use tokio::time::timeout;

use super::Stream;
use super::form::{Form, Reason, is_grpc};
use crate::ops::RequestId;
use crate::proxy::below::client_of;
use crate::proxy::context::Request;
use crate::proxy::own_pages;

/// How long a client may take to take them.
const SAYING: Duration = Duration::from_millis(300);
/// How long a client may take to close after them.
const CLOSING: Duration = Duration::from_millis(500);

const SESSION_ENDED: u16 = 4401;
const GOING_AWAY: u16 = 1001;

/// Ends what was under way, if it failed because it had to end; says whether that is so.
pub(in crate::proxy) async fn last_words(session: &mut Session, request: &mut Request) -> bool {
    let Some(stream) = &request.stream else { return false };
    let Some(reason) = stream.watch.speak() else { return false };
    session.set_keepalive(None);
    let said = timeout(SAYING, say(session, stream, reason, request.id)).await;
    request.end_stream();
    // A connection that is closed while the client still sends could lose what was said (RFC 9112 §9.6).
    if let (Ok(Ok(true)), Some(client)) = (said, client_of(session)) {
        client.linger();
        if let ServerSession::H1(http1) = session.as_downstream_mut() {
            let _in_time = timeout(CLOSING, http1.shutdown()).await;
        }
    }
    true
}

/// Says them; `false` where there is nothing to say.
async fn say(session: &mut Session, stream: &Stream, reason: Reason, id: RequestId) -> pingora::Result<bool> {
    if !has_begun(session) {
        let kind = session.req_header().headers.get(CONTENT_TYPE);
        if kind.is_some_and(|kind| is_grpc(kind.as_bytes())) {
            let header = Box::new(trailers_only(reason)?);
            session.as_downstream_mut().write_response_header(header).await?;
            session.as_downstream_mut().write_response_body(Bytes::new(), true).await?;
        } else {
            let mut reply = own_pages::plain(StatusCode::UNAUTHORIZED);
            reply.body = Bytes::from_static(b"Your session has ended. Please sign in again.\n");
            own_pages::write(session, id, reply).await?;
        }
        return Ok(true);
    }
    let sent = session.body_bytes_sent();
    let (whole, between) = (stream.whole(sent), stream.between(sent));
    let client = session.as_downstream_mut();
    match (stream.form, reason) {
        (Form::WebSocket, _) if between => {
            client.write_response_body(close_frame(reason), false).await?;
        }
        (Form::EventStream, Reason::Session(_)) if between => {
            client.write_response_body(event(reason), true).await?;
        }
        (Form::EventStream, _) if whole => client.write_response_body(Bytes::new(), true).await?,
        (Form::Grpc, _) => client.write_response_trailers(trailers(reason)).await?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn has_begun(session: &Session) -> bool {
    let switched = |status| status == StatusCode::SWITCHING_PROTOCOLS;
    session.response_written().is_some_and(|sent| !sent.status.is_informational() || switched(sent.status))
}

/// RFC 6455 §5.5.1, unmasked as a server's are.
fn close_frame(reason: Reason) -> Bytes {
    let (code, text) = (if reason == Reason::Draining { GOING_AWAY } else { SESSION_ENDED }, reason.as_str());
    let mut frame = BytesMut::with_capacity(4 + text.len());
    frame.put_u8(0x88);
    // Our words are short: a control frame carries up to 125 bytes.
    frame.put_u8(u8::try_from(2 + text.len()).unwrap_or(2));
    frame.put_u16(code);
    frame.put_slice(text.as_bytes());
    frame.freeze()
}

fn event(reason: Reason) -> Bytes {
    let data = serde_json::json!({ "reason": reason.as_str(), "sign_in_url": "/_anteroom/sign-in" });
    format!("event: session-ended\ndata: {data}\n\n").into()
}

/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses>
fn trailers(reason: Reason) -> HeaderMap {
    let message = match reason {
        Reason::Session(_) => "the session has ended",
        Reason::Draining => "going away",
    };
    let status = if reason == Reason::Draining { "14" } else { "16" };
    let mut trailers = HeaderMap::with_capacity(2);
    trailers.insert("grpc-status", HeaderValue::from_static(status));
    trailers.insert("grpc-message", HeaderValue::from_static(message));
    trailers
}

fn trailers_only(reason: Reason) -> pingora::Result<ResponseHeader> {
    let mut header = ResponseHeader::build(StatusCode::OK, Some(4))?;
    header.insert_header(CONTENT_TYPE, "application/grpc")?;
    for (name, value) in &trailers(reason) {
        header.insert_header(name.clone(), value.clone())?;
    }
    // Over HTTP/2 the header is then the last frame.
    header.insert_header("content-length", "0")?;
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::End;

    #[test]
    fn words() {
        let reason = Reason::Session(End::SignedOut);
        assert_eq!(&close_frame(reason)[..], b"\x88\x0c\x11\x31signed_out");
        assert_eq!(&close_frame(Reason::Draining)[..], b"\x88\x0a\x03\xe9draining");
        assert_eq!(
            &event(reason)[..],
            b"event: session-ended\ndata: {\"reason\":\"signed_out\",\"sign_in_url\":\"/_anteroom/sign-in\"}\n\n"
        );
        assert_eq!(trailers(reason)["grpc-status"], "16");
        assert_eq!(trailers_only(reason).unwrap().headers["grpc-message"], "the session has ended");
    }
}
