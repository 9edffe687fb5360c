//! How do Anteroom's own answers reach the client? With a length and a request ID, on a connection that stays open.
//!
//! `respond_error` is not used: it always closes the connection and names pingora.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{HeaderValue, Method, StatusCode, Version};
use pingora::ErrorType;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use tokio::time::timeout;

use super::below::client_of;
use crate::ops::RequestId;
use crate::reply::Reply;

/// The largest body that Anteroom's own endpoints read, in bytes.
const MAX_BODY: usize = 8 * 1024;
/// A body up to this length, in bytes, is read to its end so that the connection can go on.
const MAX_DRAINED: usize = 64 * 1024;
/// How long its end is waited for before the answer: it usually follows its header at once.
const DRAIN_TIME: Duration = Duration::from_millis(300);
/// How long a client may take over a body that an endpoint of ours needs.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Sends an answer. What is left of the request is read first only if it is short and on its way: pingora ends every
/// connection that is answered before, and a client that keeps its body back must not keep the answer back with it.
pub(super) async fn write(session: &mut Session, id: RequestId, reply: Reply) -> pingora::Result<()> {
    if !session.is_body_done() && is_short(session) {
        let _then_the_connection_ends = timeout(DRAIN_TIME, session.drain_request_body()).await;
    }
    if !session.is_body_done() {
        session.set_keepalive(None);
        linger(session);
    }
    send(session, id, reply).await
}

/// Sends an answer after a failure, and ends the connection so that the client has time to read it.
pub(super) async fn write_last(session: &mut Session, id: RequestId, reply: Reply) -> pingora::Result<()> {
    session.set_keepalive(None);
    send(session, id, reply).await?;
    if !session.is_http2() {
        linger(session);
        session.downstream_session.finish_body().await?;
        session.downstream_session.shutdown().await;
    }
    Ok(())
}

async fn send(session: &mut Session, id: RequestId, reply: Reply) -> pingora::Result<()> {
    let mut header = ResponseHeader::build(reply.status, Some(reply.headers.len() + 4))?;
    for (name, value) in &reply.headers {
        header.append_header(name, value)?;
    }
    header.insert_header("X-Request-Id", id.value())?;
    if !matches!(reply.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        header.insert_header(CONTENT_LENGTH, HeaderValue::from(reply.body.len()))?;
    }
    let bodiless = reply.body.is_empty() || session.req_header().method == Method::HEAD;
    session.write_response_header(Box::new(header), bodiless).await?;
    if !bodiless {
        session.write_response_body(Some(reply.body), true).await?;
    }
    Ok(())
}

/// The request's body, for an endpoint of ours. `Err` is the status to answer.
pub(super) async fn read_body(session: &mut Session) -> Result<Vec<u8>, StatusCode> {
    if announced(session).is_some_and(|length| length > MAX_BODY) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    if session.get_header(EXPECT).is_some() && session.write_continue_response().await.is_err() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let mut body = Vec::new();
    let read = async {
        while let Some(piece) = session.read_request_body().await.map_err(|error| unread(&error))? {
            if body.len() + piece.len() > MAX_BODY {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            body.extend_from_slice(&piece);
        }
        Ok(())
    };
    timeout(BODY_TIME, read).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))?;
    Ok(body)
}

fn unread(error: &pingora::Error) -> StatusCode {
    match error.etype() {
        ErrorType::ReadTimedout => StatusCode::REQUEST_TIMEOUT,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Whether it is worth reading the body to its end. Nobody who waits for a 100 is going to send it (RFC 9110 §10.1.1).
fn is_short(session: &Session) -> bool {
    let short = announced(session).is_some_and(|length| length <= MAX_DRAINED);
    short && session.get_header(EXPECT).is_none()
}

/// An HTTP/2 stream ends by itself (RFC 9113 §8.1).
fn linger(session: &Session) {
    if session.req_header().version != Version::HTTP_2
        && let Some(client) = client_of(session)
    {
        client.linger();
    }
}

fn announced(session: &Session) -> Option<usize> {
    if session.get_header(TRANSFER_ENCODING).is_some() {
        return None;
    }
    session.get_header(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The answer to a WebSocket of a page that may not open one. Only its developer will see it.
pub(super) fn foreign_websocket() -> Reply {
    let mut reply = plain(StatusCode::FORBIDDEN);
    reply.body = Bytes::from_static(
        b"A page of another site tried to open a WebSocket here, and may not. If it should, name its origin in \
          proxy.websocket_origins.\n",
    );
    reply
}

/// A plain answer where no page fits.
pub(super) fn plain(status: StatusCode) -> Reply {
    let mut reply = Reply::empty(status)
        .with(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    reply.body = Bytes::from_static(match status {
        StatusCode::METHOD_NOT_ALLOWED => b"This method is not served here.\n",
        StatusCode::REQUEST_TIMEOUT => b"The request took too long to arrive. Please try again.\n",
        StatusCode::PAYLOAD_TOO_LARGE => b"The request is too large.\n",
        StatusCode::URI_TOO_LONG => b"The address is too long.\n",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            b"The request's headers are too large. If this is a browser, deleting this site's cookies helps.\n"
        }
        _ => b"The request could not be answered.\n",
    });
    reply
}
