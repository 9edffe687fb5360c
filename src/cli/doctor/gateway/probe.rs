//! What is sent, and what became of it? One request, written out byte for byte, and where it ended.

use url::Url;

use super::echo::PROBE;
use super::message::Head;
use super::wire::Answer;
use crate::secret::{ExposeSecret, SecretString};

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Probe<'a> {
    /// Sent as written.
    pub(super) target: String,
    lines: Vec<(String, String)>,
    connection: Vec<String>,
    cookie: Option<&'a SecretString>,
}

impl<'a> Probe<'a> {
    /// As a browser opens a page.
    pub(super) fn navigation(target: impl Into<String>) -> Self {
        let lines = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), ("Accept", "text/html")];
        Self::with_lines(target, &lines)
    }

    /// As a script asks.
    pub(super) fn script(target: impl Into<String>) -> Self {
        let lines = [("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty"), ("Accept", "application/json")];
        Self::with_lines(target, &lines)
    }

    fn with_lines(target: impl Into<String>, lines: &[(&str, &str)]) -> Self {
        let lines = lines.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { target: target.into(), lines: lines.collect(), connection: Vec::new(), cookie: None }
    }

    /// With a header more.
    #[must_use]
    pub(super) fn line(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.lines.push((name.into(), value.into()));
        self
    }

    /// With these names in `Connection`.
    #[must_use]
    pub(super) fn in_connection(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.connection.extend(names);
        self
    }

    /// With the session, if there is one.
    #[must_use]
    pub(super) fn signed_in(mut self, cookie: Option<&'a SecretString>) -> Self {
        self.cookie = cookie;
        self
    }

    /// The request, to this host and with this ID.
    pub(super) fn bytes(&self, host: &str, id: &str) -> String {
        let Self { target, lines, connection, cookie } = self;
        let version = env!("CARGO_PKG_VERSION");
        let mut text = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: anteroom-doctor/{version}\r\n{PROBE}: {id}\r\n"
        );
        for (name, value) in lines {
            text += &format!("{name}: {value}\r\n");
        }
        if let Some(cookie) = cookie {
            text += &format!("Cookie: {}\r\n", cookie.expose_secret());
        }
        let close = std::iter::once("close").chain(connection.iter().map(String::as_str));
        let close = close.collect::<Vec<_>>().join(", ");
        format!("{text}Connection: {close}\r\n\r\n")
    }
}

/// What became of a request.
#[derive(Debug)]
pub(super) struct Seen {
    /// The request's ID.
    pub(super) id: String,
    /// What the gateway answered, if it did.
    pub(super) answer: Option<Answer>,
    /// The request as the app would have got it.
    pub(super) at_app: Option<Head>,
    /// The address that was asked, for relative redirects.
    pub(super) asked: Url,
}

impl Seen {
    /// The status, 0 without an answer.
    pub(super) fn status(&self) -> u16 {
        self.answer.as_ref().map_or(0, |answer| answer.head.status())
    }

    /// Whether the app got it, or something answered as only the app would.
    pub(super) fn let_through(&self) -> bool {
        self.at_app.is_some() || (200..300).contains(&self.status())
    }

    /// Where a redirect leads.
    pub(super) fn location(&self) -> Option<Url> {
        let redirect = matches!(self.status(), 301 | 302 | 303 | 307 | 308);
        let head = &self.answer.as_ref().filter(|_| redirect)?.head;
        self.asked.join(head.value("location")?).ok()
    }

    /// The redirect to Anteroom's sign-in, if this is one.
    pub(super) fn sign_in(&self) -> Option<Url> {
        self.location().filter(|url| url.path().starts_with("/_anteroom/"))
    }

    /// The way back in a redirect to the sign-in; without one it is the start page.
    pub(super) fn return_to(&self) -> Option<String> {
        let url = self.sign_in()?;
        let mut pairs = url.query_pairs();
        let back = pairs.find(|(name, _)| name == "return_to").map(|(_, value)| value.into_owned());
        Some(back.unwrap_or_else(|| "/".to_owned()))
    }

    /// Whether the answer's body holds these words.
    pub(super) fn says(&self, words: &str) -> bool {
        self.answer.as_ref().is_some_and(|answer| String::from_utf8_lossy(&answer.body).contains(words))
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.answer.as_ref()?.body).ok()
    }

    /// For people. No query of a redirect: it may hold what is nobody's business.
    pub(super) fn described(&self) -> String {
        let answered = match (self.status(), self.location()) {
            (0, _) => "no answer: the gateway closed the connection or kept silent".to_owned(),
            (status, Some(to)) => {
                format!("{status} to {}{}", to.origin().ascii_serialization(), to.path())
            }
            (status, None) => status.to_string(),
        };
        match &self.at_app {
            Some(head) => format!("{answered}; the app got {}", head.target()),
            None => answered,
        }
    }
}
