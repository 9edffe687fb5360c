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

/// An `error` of the callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// `access_denied`: the person pressed Cancel.
    Declined,
    /// Another code of RFC 6749 §4.1.2.1 or OpenID Connect Core §3.1.2.6; `unrecognized` for the sender's own words.
    Other(&'static str),
}

impl Reported {
    fn parse(code: &str) -> Self {
        const KNOWN: [&str; 9] = [
            "invalid_request",
            "unauthorized_client",
            "unsupported_response_type",
            "invalid_scope",
            "server_error",
            "temporarily_unavailable",
            "login_required",
            "consent_required",
            "interaction_required",
        ];
        match KNOWN.iter().find(|known| **known == code) {
            _ if code == "access_denied" => Self::Declined,
            Some(known) => Self::Other(known),
            None => Self::Other("unrecognized"),
        }
    }
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
            (Some(error), None) => Ok(Self { state, outcome: Outcome::Reported(Reported::parse(&error)) }),
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
            ("error=server_error&state=s", Ok("server_error")),
            ("error=%3Cscript%3E&state=s", Ok("unrecognized")),
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
                Outcome::Reported(Reported::Other(code)) => code,
            });
            assert_eq!(got, want, "{query}");
        }
    }
}
