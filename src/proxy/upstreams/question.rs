//! One question to one server, outside of any request of a person: a health check, a probe.
//!
//! Nothing of it is kept: the connection ends with the answer.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Uri, Version};
use pingora::connectors::ConnectorOptions;
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::protocols::http::client::HttpSession;
use pingora::upstreams::peer::HttpPeer;

use super::tls::NOBODY;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// GET or HEAD.
    pub(crate) method: &'a Method,
    /// Path and query.
    pub(crate) target: &'a str,
    /// The server's own.
    pub(crate) host: &'a str,
    /// Who says to be asking.
    pub(crate) user_agent: &'a HeaderValue,
    /// Bytes of the body to read.
    pub(crate) most: usize,
}

/// What was answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// The final status; 0 when there was none.
    pub(crate) status: u16,
    /// As the server says.
    pub(crate) content_type: Option<HeaderValue>,
    /// As much of it as was to be read.
    pub(crate) body: Bytes,
}

/// Asks by connections of its own, which trust nobody but whom each peer names.
pub(crate) fn connector() -> Connector {
    let mut options = ConnectorOptions::new(1);
    options.ca_file = Some(NOBODY.into());
    Connector::new(Some(options))
}

/// Asks.
pub(crate) async fn ask(
    connector: &Connector,
    peer: &HttpPeer,
    tls: bool,
    question: Question<'_>,
) -> pingora::Result<Answer> {
    let (mut session, _new) = connector.get_http_session(peer).await?;
    let Question { method, target, host, .. } = question;
    let mut header = RequestHeader::build(method.clone(), target.as_bytes(), None)?;
    header.insert_header("User-Agent", question.user_agent)?;
    if matches!(session, HttpSession::H2(_)) {
        let scheme = if tls { "https" } else { "http" };
        let parts = Uri::builder().scheme(scheme).authority(host).path_and_query(target).build();
        header.set_uri(
            parts.map_err(|_| pingora::Error::explain(pingora::ErrorType::InternalError, "no URI"))?,
        );
        header.set_version(Version::HTTP_2);
    } else {
        header.insert_header("Host", host)?;
        header.insert_header("Connection", "close")?;
    }
    session.write_request_header(Box::new(header)).await?;
    session.finish_request_body().await?;
    session.read_response_header().await?;
    let mut answer = match session.response_header() {
        Some(header) => Answer {
            status: header.status.as_u16(),
            content_type: header.headers.get(CONTENT_TYPE).cloned(),
            body: Bytes::new(),
        },
        None => Answer::default(),
    };
    let mut body = BytesMut::new();
    while *method != Method::HEAD && body.len() < question.most {
        let Some(more) = session.read_response_body().await? else { break };
        body.extend_from_slice(more.get(..question.most.saturating_sub(body.len())).unwrap_or(&more));
    }
    answer.body = body.freeze();
    session.shutdown().await;
    Ok(answer)
}
