//! What does an answer of `POST /oauth/token` mean? (RFC 6749 §5.1, §5.2, read the way Atlassian writes them.)
//!
//! Atlassian's documentation shows answers without `token_type`; `expires_in` and `scope` say nothing we use. So only
//! `access_token` is read, and a token type that is given must be one we can use (RFC 6749 §7.1).

use http::StatusCode;
use oauth2::basic::{BasicErrorResponse, BasicErrorResponseType, BasicTokenType};
use oauth2::{AccessToken, RefreshToken, RequestTokenError, Scope, TokenResponse};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::{AtlassianError, Place};

/// A successful answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TokenAnswer {
    #[serde(deserialize_with = "usable_token")]
    access_token: AccessToken,
    #[serde(default = "bearer", deserialize_with = "only_bearer")]
    token_type: BasicTokenType,
}

impl TokenAnswer {
    /// The token, taken out to be wiped after use.
    pub(super) fn into_access_token(self) -> String {
        self.access_token.into_secret()
    }
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

fn only_bearer<'de, D: Deserializer<'de>>(from: D) -> Result<BasicTokenType, D::Error> {
    match Option::<String>::deserialize(from)? {
        Some(other) if !other.eq_ignore_ascii_case("bearer") => Err(de::Error::custom("not a bearer token")),
        _ => Ok(bearer()),
    }
}

/// Opaque, but it must fit into a header.
fn usable_token<'de, D: Deserializer<'de>>(from: D) -> Result<AccessToken, D::Error> {
    let token = String::deserialize(from)?;
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(de::Error::custom("not a token"));
    }
    Ok(AccessToken::new(token))
}

impl TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<std::time::Duration> {
        None
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        None
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

/// What a failed exchange means. `status` is the answer's, if there was one. Nothing of the answer's text is kept.
pub(super) fn refusal(
    status: Option<StatusCode>,
    error: RequestTokenError<AtlassianError, BasicErrorResponse>,
) -> AtlassianError {
    use BasicErrorResponseType::{InvalidClient, InvalidGrant, InvalidRequest, UnauthorizedClient};
    let number = status.map_or(0, |s| s.as_u16());
    let absurd = |cause: &str| AtlassianError::Unintelligible {
        place: Place::Token,
        cause: format!("status {number}, {cause}"),
    };
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(answer) => match answer.error() {
            // The same word that a decline has at the callback. Here it means a wrong secret.
            BasicErrorResponseType::Extension(code) if code == "access_denied" => {
                AtlassianError::ClientRefused
            }
            InvalidClient => AtlassianError::ClientRefused,
            UnauthorizedClient if status == Some(StatusCode::UNAUTHORIZED) => AtlassianError::ClientRefused,
            InvalidGrant | InvalidRequest | UnauthorizedClient => AtlassianError::CodeRefused,
            _ => absurd("an error code that does not belong here"),
        },
        RequestTokenError::Parse(..) if status == Some(StatusCode::OK) => {
            absurd("without a usable access token")
        }
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => absurd("not the JSON of RFC 6749"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_as_atlassian_writes_them() {
        for (body, want) in [
            (r#"{"access_token":"t","expires_in":3600,"scope":"read:me"}"#, true),
            (r#"{"access_token":"t","expires_in":"3600","scope":null,"token_type":"Bearer"}"#, true),
            (r#"{"access_token":"t","expires_in":null,"token_type":"bearer","refresh_token":"r"}"#, true),
            (r#"{"access_token":"t","token_type":null,"scope":["read:me"],"new":{"a":[1]}}"#, true),
            (r#"{"access_token":"t"}"#, true),
            (r#"{"access_token":"t","token_type":"mac"}"#, false),
            (r#"{"access_token":"t","token_type":1}"#, false),
            (r#"{"access_token":""}"#, false),
            (r#"{"access_token":"a b"}"#, false),
            (r#"{"access_token":"a\r\nX: y"}"#, false),
            (r#"{"access_token":null}"#, false),
            (r#"{"access_token":7}"#, false),
            (r#"{"token_type":"Bearer"}"#, false),
            ("[]", false),
            ("null", false),
        ] {
            let read = serde_json::from_str::<TokenAnswer>(body);
            assert_eq!(read.is_ok(), want, "{body}");
            let said = format!("{read:?}");
            assert!(!said.contains("\"t\"") && !said.contains("X: y"), "{said}");
        }
    }
}
