//! A person with a browser that has no script: cookies per origin, redirects followed one by one, every hop seen.

use std::collections::BTreeMap;

use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode};
use url::Url;

use super::secrets;

/// Cookies, and a client that follows nothing by itself.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    client: Client,
    cookies: BTreeMap<String, BTreeMap<String, String>>,
    /// Sent with every request, beside what a navigation sends.
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Page {
    /// The absolute target of a redirect.
    pub(crate) fn location(&self) -> Option<Url> {
        let location = self.headers.get(LOCATION)?.to_str().ok()?;
        self.url.join(location).ok()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

impl Person {
    pub(crate) fn new() -> Self {
        // The provider is process-wide; whoever comes second finds it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(Policy::none()).no_proxy().build().expect("a client");
        Self { client, cookies: BTreeMap::new(), headers: Vec::new() }
    }

    /// One navigation, no redirect followed.
    pub(crate) async fn get(&mut self, url: &str) -> Page {
        self.send(Method::GET, url, None).await
    }

    /// One form POST.
    pub(crate) async fn post(&mut self, url: &str, form: &[(&str, &str)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.send(Method::POST, url, Some(body)).await
    }

    /// A navigation to its end: follows redirects, at most twenty.
    pub(crate) async fn visit(&mut self, url: &str) -> Page {
        self.hops(url).await.pop().expect("at least one")
    }

    /// Every answer on the way.
    pub(crate) async fn hops(&mut self, url: &str) -> Vec<Page> {
        let mut pages = vec![self.get(url).await];
        for _ in 0..20 {
            match pages.last().and_then(Page::location) {
                Some(next) => pages.push(self.get(next.as_str()).await),
                None => return pages,
            }
        }
        panic!("redirected without end: {:?}", pages.iter().map(|p| p.url.to_string()).collect::<Vec<_>>());
    }

    async fn send(&mut self, method: Method, url: &str, form: Option<String>) -> Page {
        let url = Url::parse(url).unwrap_or_else(|e| panic!("{url}: {e}"));
        secrets::note_query(url.query().unwrap_or_default());
        let origin = url.origin().ascii_serialization();
        let mut request = self
            .client
            .request(method, url.clone())
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document")
            .header("accept", "text/html,*/*;q=0.8");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(jar) = self.cookies.get(&origin).filter(|jar| !jar.is_empty()) {
            let line: Vec<String> = jar.iter().map(|(n, v)| format!("{n}={v}")).collect();
            request = request.header(COOKIE, line.join("; "));
        }
        if let Some(form) = form {
            request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .header("origin", origin.clone())
                .body(form);
        }
        let response = request.send().await.unwrap_or_else(|e| panic!("{url}: {e}"));
        let (status, headers) = (response.status(), response.headers().clone());
        for line in headers.get_all(SET_COOKIE) {
            self.keep(&origin, line.to_str().expect("text"));
        }
        let body = response.text().await.expect("a body");
        Page { url, status, headers, body }
    }

    fn keep(&mut self, origin: &str, line: &str) {
        secrets::note_set_cookie(line);
        let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
        let (name, value) = pair.split_once('=').expect("name=value");
        let jar = self.cookies.entry(origin.to_owned()).or_default();
        if attributes.to_ascii_lowercase().contains("max-age=0") {
            jar.remove(name);
        } else {
            jar.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The cookies kept for an origin such as `http://localhost:4180`.
    pub(crate) fn cookies(&self, origin: &str) -> BTreeMap<String, String> {
        self.cookies.get(origin).cloned().unwrap_or_default()
    }

    /// The `Cookie` line for an origin.
    pub(crate) fn cookie_line(&self, origin: &str) -> String {
        let jar = self.cookies(origin);
        jar.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("; ")
    }

    /// Forgets a cookie.
    pub(crate) fn forget(&mut self, origin: &str, name: &str) {
        if let Some(jar) = self.cookies.get_mut(origin) {
            jar.remove(name);
        }
    }
}
