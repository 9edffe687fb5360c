//! Who is asking: a person who navigates, a frame, a program, gRPC? Fetch Metadata first, `Accept` as the fallback.
//!
//! Only [`Asker::Navigation`] may start a sign-in; everything doubtful is a program and gets a 401 that it can read.
//! <https://www.w3.org/TR/fetch-metadata/>

use http::header::{ACCEPT, CONTENT_TYPE, UPGRADE};
use http::{HeaderMap, Method};

/// The kind of client behind a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A person opens a page at the top level.
    Navigation,
    /// A page wants this inside a frame, where no sign-in page may be shown.
    Frame,
    /// Scripts, API clients, sockets, prefetches, icons, service workers.
    Program,
    /// gRPC or gRPC-Web, which wants a `grpc-status`.
    Grpc,
}

impl Asker {
    /// Classifies a request. `path` is the raw path.
    pub fn of(method: &Method, path: &str, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        if headers.get(CONTENT_TYPE).is_some_and(|v| v.as_bytes().starts_with(b"application/grpc")) {
            return Self::Grpc;
        }
        let (mode, destination) = (text("sec-fetch-mode"), text("sec-fetch-dest"));
        // A form that was sent too late; nobody but a browser says so, and scripts cannot.
        let form = method == Method::POST && (mode, destination) == (Some("navigate"), Some("document"));
        let program = !(method == Method::GET || method == Method::HEAD || form)
            || headers.contains_key(UPGRADE)
            || text("x-requested-with").is_some_and(|v| v.eq_ignore_ascii_case("XMLHttpRequest"))
            || text("sec-purpose").is_some_and(|v| v.contains("prefetch"))
            || text("purpose").is_some_and(|v| v.eq_ignore_ascii_case("prefetch"))
            || text("x-moz").is_some_and(|v| v.eq_ignore_ascii_case("prefetch"))
            || headers.contains_key("service-worker")
            || never_a_page(path);
        if program {
            return Self::Program;
        }
        match (mode, destination) {
            (Some("navigate"), Some("document") | None) => Self::Navigation,
            (Some("navigate"), Some("iframe" | "frame" | "embed" | "object" | "fencedframe")) => Self::Frame,
            (Some(_), _) | (None, Some(_)) => Self::Program,
            // No Fetch Metadata: an old browser, or plain http to a host that is not trustworthy.
            (None, None) if accepts_html(headers) => Self::Navigation,
            (None, None) => Self::Program,
        }
    }
}

/// Paths that browsers and robots fetch on their own account.
fn never_a_page(path: &str) -> bool {
    matches!(path, "/favicon.ico" | "/robots.txt" | "/manifest.json" | "/site.webmanifest" | "/sw.js")
        || path.starts_with("/apple-touch-icon")
        || path.starts_with("/.well-known/")
}

/// Whether a page is named in `Accept` with a weight above zero; `*/*` alone is what programs send.
fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let page = parts.next().is_some_and(|kind| {
            kind.eq_ignore_ascii_case("text/html") || kind.eq_ignore_ascii_case("application/xhtml+xml")
        });
        let refused = |p: &str| {
            p.strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok()).is_some_and(|q| q <= 0.0)
        };
        page && !parts.any(refused)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(method: &str, path: &str, headers: &[(&str, &str)]) -> Asker {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
        }
        Asker::of(&method.parse().unwrap(), path, &map)
    }

    #[test]
    fn table() {
        let navigate = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        let html = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        for (method, path, headers, want) in [
            ("GET", "/", &navigate[..], Asker::Navigation),
            ("HEAD", "/", &navigate, Asker::Navigation),
            ("POST", "/", &navigate, Asker::Navigation),
            ("PUT", "/", &navigate, Asker::Program),
            ("DELETE", "/", &navigate, Asker::Program),
            ("POST", "/", &[("sec-fetch-mode", "navigate")], Asker::Program),
            ("POST", "/", &[navigate[0], ("sec-fetch-dest", "iframe")], Asker::Program),
            ("POST", "/", &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), html], Asker::Program),
            ("POST", "/", &[html], Asker::Program),
            ("POST", "/", &[navigate[0], navigate[1], ("content-type", "application/grpc")], Asker::Grpc),
            ("GET", "/favicon.ico", &navigate, Asker::Program),
            ("GET", "/robots.txt", &[html], Asker::Program),
            ("GET", "/", &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe"), html], Asker::Frame),
            ("GET", "/", &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), html], Asker::Program),
            ("GET", "/", &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")], Asker::Program),
            ("GET", "/", &[("sec-fetch-dest", "document"), html], Asker::Program),
            ("GET", "/", &[navigate[0], navigate[1], ("sec-purpose", "prefetch;prerender")], Asker::Program),
            ("GET", "/", &[navigate[0], navigate[1], ("purpose", "prefetch")], Asker::Program),
            ("GET", "/", &[navigate[0], navigate[1], ("service-worker", "script")], Asker::Program),
            ("GET", "/", &[html], Asker::Navigation),
            ("GET", "/", &[html, ("x-requested-with", "XMLHttpRequest")], Asker::Program),
            ("GET", "/", &[html, ("upgrade", "websocket")], Asker::Program),
            ("GET", "/", &[("accept", "*/*")], Asker::Program),
            ("GET", "/", &[("accept", "text/html;q=0, application/json")], Asker::Program),
            ("GET", "/", &[("accept", "application/json, text/html;q=0.1")], Asker::Navigation),
            ("GET", "/", &[], Asker::Program),
            ("POST", "/pkg.Service/Call", &[("content-type", "application/grpc+proto")], Asker::Grpc),
        ] {
            assert_eq!(asker(method, path, headers), want, "{method} {path} {headers:?}");
        }
    }
}
