//! A gateway in a few lines: it asks in whichever dialect, with exactly the headers given; the HTTP ones over a bare
//! socket.

use super::super::support::person::Person;
use super::super::support::raw::{RawClient, RawResponse};
use super::super::support::site::{Gateway, Plan, Site};
use super::check::check;

/// What a browser sends with a navigation.
pub(super) const NAVIGATION: &[(&str, &str)] =
    &[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), ("Accept", "text/html")];
/// What a script sends.
pub(super) const SCRIPT: &[(&str, &str)] =
    &[("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty"), ("Accept", "application/json")];

/// How a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Nginx,
    Forward,
    Envoy,
    Grpc,
}

/// The dialects that a bare socket can speak.
pub(super) const HTTP: [Dialect; 3] = [Dialect::Nginx, Dialect::Forward, Dialect::Envoy];
pub(super) const ALL: [Dialect; 4] = [Dialect::Nginx, Dialect::Forward, Dialect::Envoy, Dialect::Grpc];

/// One question.
#[derive(Clone, Debug)]
pub(super) struct Question<'a> {
    pub(super) method: &'a str,
    /// The site's own when absent.
    pub(super) host: Option<&'a str>,
    pub(super) target: &'a str,
    pub(super) headers: Vec<(&'a str, &'a str)>,
}

impl<'a> Question<'a> {
    /// A navigation to a target.
    pub(super) fn to(target: &'a str) -> Self {
        Self { method: "GET", host: None, target, headers: NAVIGATION.to_vec() }
    }

    pub(super) fn method(self, method: &'a str) -> Self {
        Self { method, ..self }
    }

    pub(super) fn host(self, host: &'a str) -> Self {
        Self { host: Some(host), ..self }
    }

    /// With these headers instead of a navigation's.
    pub(super) fn headers(self, headers: &[(&'a str, &'a str)]) -> Self {
        Self { headers: headers.to_vec(), ..self }
    }

    /// With these headers besides.
    pub(super) fn with(mut self, headers: &[(&'a str, &'a str)]) -> Self {
        self.headers.extend(headers);
        self
    }

    /// The bytes that a gateway of this dialect sends.
    pub(super) fn bytes(&self, dialect: Dialect, site: &Site) -> String {
        self.head(dialect, &self.host.map_or_else(|| site.host(), str::to_owned))
    }

    /// The same about this host.
    pub(super) fn head(&self, dialect: Dialect, host: &str) -> String {
        let Self { method, target, .. } = self;
        let mut head = match dialect {
            Dialect::Nginx => format!(
                "GET /_anteroom/verify/nginx HTTP/1.1\r\nHost: anteroom\r\n\
                 X-Original-URL: http://{host}{target}\r\nX-Original-Method: {method}\r\n"
            ),
            Dialect::Forward => format!(
                "GET /_anteroom/verify/forward HTTP/1.1\r\nHost: anteroom\r\nX-Forwarded-Method: {method}\r\n\
                 X-Forwarded-Proto: http\r\nX-Forwarded-Host: {host}\r\nX-Forwarded-Uri: {target}\r\n\
                 X-Forwarded-For: 198.51.100.7\r\n"
            ),
            Dialect::Envoy => {
                format!(
                    "{method} /_anteroom/verify/envoy{target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n"
                )
            }
            Dialect::Grpc => panic!("a message, not a head"),
        };
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head + "\r\n"
    }

    /// Asks, and hears.
    pub(super) async fn ask(&self, dialect: Dialect, site: &Site) -> RawResponse {
        if dialect == Dialect::Grpc {
            let host = self.host.map_or_else(|| site.host(), str::to_owned);
            return check(site.address(), &self.message(&host)).await.into();
        }
        let mut gateway = RawClient::connect(site.address()).await;
        gateway.send(self.bytes(dialect, site)).await;
        let method = if dialect == Dialect::Envoy { self.method } else { "GET" };
        gateway.response_to(method).await
    }
}

/// A site that is asked by a gateway.
pub(super) async fn site(plan: Plan) -> Site {
    Site::with(plan.gateway(Gateway::none())).await
}

/// Signs Ada in through the forward-auth listener; gives her `Cookie` line.
pub(super) async fn sign_in(site: &Site) -> String {
    let mut person = Person::new();
    let page = person.visit(&site.url("/_anteroom/start")).await;
    assert_eq!(page.url.path(), "/_anteroom/welcome", "{}", page.body);
    person.cookie_line(&site.url(""))
}
