//! `proxy.websocket_origins`, checked: origins as browsers write them, or a word.

use crate::config::check::Check;
use crate::config::finding::Mistake;
use crate::config::key::KeyPath;
use crate::config::raw::OneOrMany;
use crate::config::valid::public_url::PublicUrl;

/// From which pages a WebSocket may be opened (RFC 6455 §10.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebSocketOrigins {
    /// Those of this site's own hosts.
    Own,
    /// Those and these, as browsers write an `Origin`.
    OwnAnd(Vec<String>),
    /// Any; the app checks.
    Any,
}

const KEY: &str = "proxy.websocket_origins";

pub(super) fn check(raw: &OneOrMany<String>, check: &mut Check<'_>) -> Option<WebSocketOrigins> {
    match raw {
        OneOrMany::One(word) if word == "own" => return Some(WebSocketOrigins::Own),
        OneOrMany::One(word) if word == "any" => return Some(WebSocketOrigins::Any),
        _ => {}
    }
    let (mut origins, mut all_good) = (Vec::new(), true);
    for (index, text) in raw.indexed() {
        match PublicUrl::parse(text) {
            Ok(url) => origins.push(url.origin().to_owned()),
            Err(reason) => {
                all_good = false;
                let key = KeyPath::of(KEY);
                let mistake = Mistake::new(
                    "config.websocket-origin",
                    format!("this is no origin that a WebSocket may be opened from: {reason}"),
                    "Browsers send the origin of the page; it would never be this",
                    "write \"own\", \"any\", or a list of origins: websocket_origins = [\"https://other.example\"]",
                );
                check.wrong::<()>(&index.map_or(key.clone(), |at| key.at(at)), mistake.showing_the_url(text));
            }
        }
    }
    all_good.then_some(WebSocketOrigins::OwnAnd(origins))
}
