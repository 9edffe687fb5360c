//! What did the browser bring back? The callback's query, parsed once (RFC 6749 §4.1.2, RFC 9207 not used here).
//!
//! A doubled parameter is malformed: two readings of one callback must not exist.

use url::form_urlencoded;

use crate::secret::SecretString;

/// A well-formed callback.
#[derive(Debug)]
pub struct Callback {
    /// The `state` that came back; absent only beside an error.
    pub state: Option<String>,
    /// What Atlassian says.
    pub outcome: Outcome,
}

/// Code or error.
#[derive(Debug)]
pub enum Outcome {
    /// An authorization code, opaque.
    Code(SecretString),
    /// An `error` code, mapped to the ones we know. The description is never kept: it is the sender's text.
    Reported(Reported),
}

/// The `error` codes of the callback that mean something of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// `access_denied`: the person pressed Cancel.
    Declined,
    /// Anything else.
    Other,
}

/// A callback that has no single reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the callback has neither exactly one code and state nor an error")]
pub struct Malformed;

impl Callback {
    /// Parses the query string (without `?`).
    pub fn parse(query: &str) -> Result<Self, Malformed> {
        let (mut code, mut state, mut error) = (None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let slot = match name.as_ref() {
                "code" => &mut code,
                "state" => &mut state,
                "error" => &mut error,
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(Malformed);
            }
        }
        let state = state.filter(|s| !s.is_empty());
        // The error first, so that a decline is never reported as tampering.
        match (error, code) {
            (Some(error), None) => {
                let reported = if error == "access_denied" { Reported::Declined } else { Reported::Other };
                Ok(Self { state, outcome: Outcome::Reported(reported) })
            }
            (None, Some(code)) if !code.is_empty() && state.is_some() => {
                Ok(Self { state, outcome: Outcome::Code(SecretString::from(code)) })
            }
            _ => Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (query, want) in [
            ("code=c&state=s", Ok("code")),
            ("state=s&code=c&extra=1", Ok("code")),
            ("error=access_denied&error_description=%3Cscript%3E&state=s", Ok("declined")),
            ("error=access_denied", Ok("declined")),
            ("error=server_error&state=s", Ok("other")),
            ("code=a&code=b&state=s", Err(Malformed)),
            ("code=a&state=s&state=t", Err(Malformed)),
            ("error=a&error=b&state=s", Err(Malformed)),
            ("error=a&code=c&state=s", Err(Malformed)),
            ("code=c", Err(Malformed)),
            ("code=&state=s", Err(Malformed)),
            ("code=c&state=", Err(Malformed)),
            ("state=s", Err(Malformed)),
            ("", Err(Malformed)),
        ] {
            let got = Callback::parse(query).map(|c| match c.outcome {
                Outcome::Code(_) => "code",
                Outcome::Reported(Reported::Declined) => "declined",
                Outcome::Reported(Reported::Other) => "other",
            });
            assert_eq!(got, want, "{query}");
        }
    }
}
