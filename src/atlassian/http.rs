//! How is one HTTP call made? With a time limit, a size limit, and no redirect.
//!
//! A redirect is never followed: a second host would be handed the client secret or the token. Proxies of the
//! environment are not used, only the one that is configured: an address that somebody happened to leave there is no
//! decision. It is asked for a tunnel (RFC 9110 §9.3.6) and sees no secret. Errors tell the kind of a failure, never an
//! address or a body.

use std::error::Error;
use std::io;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Client, NoProxy, Proxy, tls};
use url::{Host, Url};

use super::settings::SetupError;
use super::{AtlassianError, Place};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The one client; it keeps connections between calls.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: Client,
    /// Whether a proxy stands between us and what is not on loopback.
    proxied: bool,
}

/// A proxy's loopback is not ours.
const DIRECT: &str = "localhost,127.0.0.0/8,::1";

impl Http {
    /// A client for these base URLs. Certificates are checked against the system's CAs.
    pub(super) fn new(
        bases: [&Url; 2],
        https_proxy: Option<&Url>,
        timeout: Duration,
    ) -> Result<Self, SetupError> {
        // reqwest takes the process-wide provider of cryptography; whoever came first has set the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let secure = bases.iter().all(|url| url.scheme() == "https");
        let mut builder = Client::builder()
            .user_agent(concat!("anteroom/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .https_only(secure)
            .tls_version_min(tls::Version::TLS_1_2)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout);
        if bases.iter().all(|url| url.scheme() == "http") {
            // The emulator needs no CA certificates, and a minimal container has none.
            builder = builder.tls_certs_only([]);
        }
        let unable = |e: reqwest::Error| {
            SetupError::Client(layers(&e).last().map_or_else(String::new, ToString::to_string))
        };
        if let Some(proxy) = https_proxy {
            let proxy = Proxy::https(proxy.as_str()).map_err(unable)?;
            builder = builder.proxy(proxy.no_proxy(NoProxy::from_string(DIRECT)));
        }
        let client = builder.build().map_err(unable)?;
        Ok(Self { client, proxied: https_proxy.is_some() && bases.into_iter().all(leaves) })
    }

    /// One call; at most `limit` bytes of body. Answers that say nothing about the request (redirects, 429, 5xx) are
    /// errors already.
    pub(super) async fn call(
        &self,
        place: Place,
        request: Request<Vec<u8>>,
        limit: usize,
    ) -> Result<Response<Vec<u8>>, AtlassianError> {
        let failed = |error: &reqwest::Error| {
            let stopped = error.is_connect() || error.is_timeout();
            let through = if self.proxied && stopped { ", through atlassian.https_proxy" } else { "" };
            AtlassianError::Unavailable { place, cause: kind(error) + through }
        };
        let absurd = |cause: String| AtlassianError::Unintelligible { place, cause };
        let request = request.try_into().map_err(|_| absurd("the request could not be made".into()))?;
        let mut answer = self.client.execute(request).await.map_err(|e| failed(&e))?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(absurd(format!("status {}, a redirect, which is not followed", status.as_u16())));
        }
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(AtlassianError::Unavailable { place, cause: format!("status {}", status.as_u16()) });
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| failed(&e))? {
            if body.len().saturating_add(chunk.len()) > limit {
                return Err(absurd(format!("the answer has more than {limit} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

/// Whether calls to it go through the proxy, if there is one.
fn leaves(base: &Url) -> bool {
    let here = match base.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    base.scheme() == "https" && !here
}

/// What kind of failure it was, in words that name no address.
fn kind(error: &reqwest::Error) -> String {
    if let Some(tls) = layers(error).find_map(|e| e.downcast_ref::<rustls::Error>()) {
        return match tls {
            rustls::Error::InvalidCertificate(_) => "its certificate is not trusted here".into(),
            _ => "the TLS handshake failed".into(),
        };
    }
    // The tunnel's errors have no type that others could name.
    let says = |words: &str| layers(error).any(|e| e.to_string() == words);
    let what = if says("tunnel error: proxy authorization required") {
        "the proxy wants a user and a password, which Anteroom does not send"
    } else if says("tunnel error: unsuccessful") {
        "the proxy refuses the tunnel"
    } else if error.is_timeout() {
        "no complete answer in time"
    } else if error.is_dns() {
        "its name could not be resolved"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    match layers(error).filter_map(|e| e.downcast_ref::<io::Error>()).last().map(io::Error::kind) {
        Some(kind) if kind != io::ErrorKind::Other => format!("{what} ({kind})"),
        _ => what.into(),
    }
}

/// The error, what caused it, what caused that, and so on. `source` of an I/O error skips what it wraps.
fn layers<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_is_on_loopback_is_not_asked_for_through_the_proxy() {
        let (proxy, here) = (
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        );
        let (at, port) = (proxy.local_addr().unwrap(), here.local_addr().unwrap().port());
        let at = Url::parse(&format!("http://{at}")).unwrap();
        for (host, direct) in [("127.0.0.1", true), ("localhost", true), ("auth.test.invalid", false)] {
            let base = Url::parse(&format!("https://{host}:{port}")).unwrap();
            let http = Http::new([&base, &base], Some(&at), Duration::from_secs(20)).unwrap();
            assert_eq!(http.proxied, !direct, "{host}");
            let request = Request::get(base.as_str()).body(Vec::new()).unwrap();
            tokio::select! {
                _ = http.call(Place::Token, request, 100) => panic!("nobody answers"),
                _ = here.accept() => assert!(direct, "{host}"),
                _ = proxy.accept() => assert!(!direct, "{host}"),
            }
        }
    }
}
