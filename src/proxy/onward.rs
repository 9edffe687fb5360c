//! What does the app read of a request? The target that it is to see, what the client may say, and then our word: how the
//! request came, what it is called, who it is from.
//!
//! Guarantees: without a permit nothing is prepared; ours is set last, after everything that a client's `Connection` could
//! take away. Names of headers go on in lower case, as HTTP/2 has them (RFC 9113 §8.2) and any server must take them (RFC
//! 9110 §5.1): to carry along how a client spelled each would cost more than everything else that is decided here.

use http::Version;
use http::header::TE;
use http::request::Parts;
use pingora::http::RequestHeader;
use pingora::proxy::Session;
use pingora::{Error, ErrorType};

use super::below::client_of;
use super::context::Request;
use super::facts::host_of;
use super::service::Service;
use super::upstreams::Upstream;
use super::way::{self, Peer, Public, TRACEPARENT, X_REQUEST_ID};
use crate::gate::OriginId;
use crate::ops::tracing::place;

impl Service {
    /// Makes a header the one that the app reads. Runs after pingora removed what `Connection` names.
    pub(super) fn prepare(
        &self,
        session: &Session,
        header: &mut RequestHeader,
        request: &Request,
    ) -> pingora::Result<()> {
        let Some(permit) = &request.permit else {
            let why = "a request without a permit was about to be sent";
            return Error::e_explain(ErrorType::InternalError, why);
        };
        let target = target(header, request.upstream.as_deref())?;
        let mut parts = into_parts(header);
        let (received, host) = (session.req_header(), host_of(session.req_header()));
        let headers = &mut parts.headers;
        way::remove_claims(headers, self.auth.layout());
        way::remove_cookies(headers, |line| self.auth.cookie_names().strip(line));
        if let (Some(upstream), Some(under_way)) = (&request.upstream, &request.under_way) {
            upstream.prepare(headers, under_way.backend());
        }
        if let (Some(client), Some(public)) = (client_of(session), self.public(host)) {
            let peer = Peer { address: client.address(), written: &client.forwarded_for };
            let (told, forwarded) = (request.way.as_deref(), self.settings.forwarded);
            way::tell(headers, &received.headers, told, &peer, public, forwarded);
        }
        headers.insert(X_REQUEST_ID, request.id.value());
        if parts.version == Version::HTTP_2 && received.version == Version::HTTP_2 {
            // pingora took it away as a word between neighbours; gRPC servers insist on it, and trailers do pass here.
            if let Some(trailers) = received.headers.get(TE) {
                headers.insert(TE, trailers.clone());
            }
        }
        if let Some(here) = place(&request.upstream_span).and_then(|here| here.to_string().try_into().ok()) {
            headers.insert(TRACEPARENT, here);
        }
        if let Some(identity) = self.auth.identity_headers(permit, host) {
            for (name, value) in identity.iter() {
                headers.insert(name, value.clone());
            }
        }
        *header = parts.into();
        target.map_or(Ok(()), |target| header.set_raw_path(&target))
    }

    /// The app that a request is for, as people reach it: the central one when nobody named its host.
    fn public(&self, host: &str) -> Option<&Public> {
        let app = self.auth.origins().of_host(host).unwrap_or(OriginId::CENTRAL);
        self.public.get(app.place())
    }
}

/// Forgets how the names of a header were spelled, unless its target would be forgotten with that.
pub(super) fn forget_spelling(header: &mut RequestHeader) {
    if header.has_case() && header.raw_path() == kept(header).as_bytes() {
        *header = into_parts(header).into();
    }
}

fn into_parts(header: &mut RequestHeader) -> Parts {
    let blank = http::Request::new(()).into_parts().0;
    std::mem::replace(header, blank.into()).into()
}

/// The target that the app is to see, where the header's URI alone would not give it: rewritten, or of characters that a
/// URI does not keep. Of an absolute form (RFC 9112 §3.2.2) the URI has the path and the query.
fn target(header: &RequestHeader, upstream: Option<&Upstream>) -> pingora::Result<Option<Vec<u8>>> {
    let (received, kept) = (header.raw_path(), kept(header));
    let rewritten = upstream.map_or(Ok(None), |upstream| upstream.rewritten(kept))?;
    let unlike = received.starts_with(b"/") && received != kept.as_bytes();
    Ok(rewritten.map(String::into_bytes).or_else(|| unlike.then(|| received.to_vec())))
}

/// What a header's URI has of its target.
fn kept(header: &RequestHeader) -> &str {
    header.uri.path_and_query().map_or("/", |target| target.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(target: &[u8]) -> RequestHeader {
        let mut header = RequestHeader::build("GET", target, None).unwrap();
        header.append_header("X-Api-KEY", "1").unwrap();
        header
    }

    #[test]
    fn a_target_stays_as_it_is_whether_or_not_a_uri_keeps_it() {
        for sent in ["/a?b=c", "/", "/?", "/a%20b//c/?x=1&x=2?", "/a|b", "/a\"b{c}", "/\u{e9}"] {
            let mut header = header(sent.as_bytes());
            forget_spelling(&mut header);
            assert_eq!(header.raw_path(), sent.as_bytes(), "{sent}");
            let target = target(&header, None).unwrap();
            header = into_parts(&mut header).into();
            if let Some(target) = target {
                header.set_raw_path(&target).unwrap();
            }
            assert_eq!(header.raw_path(), sent.as_bytes(), "{sent}");
            assert_eq!(header.headers.get("x-api-key").unwrap(), "1");
        }
    }

    #[test]
    fn of_an_absolute_form_the_path_is_left() {
        let mut header = header(b"http://other.example/a?b=c");
        forget_spelling(&mut header);
        assert_eq!(header.raw_path(), b"http://other.example/a?b=c", "it is still to be judged");
        assert_eq!(target(&header, None).unwrap(), None);
        header = into_parts(&mut header).into();
        assert_eq!(header.raw_path(), b"/a?b=c");
    }
}
