//! What does an answer of `GET /me` mean? Only `account_id` is certain; everything else may be missing, null or odd.
//! <https://developer.atlassian.com/cloud/confluence/user-identity-api/>
//!
//! What is odd never makes somebody more trusted: an email address that is none is dropped together with its mark, a
//! type or status that is no text counts as one that no policy knows.

use http::{Response, StatusCode};
use serde_json::{Map, Value};
use url::Url;

use super::{AtlassianError, Place};
use crate::identity::{AccountId, Email, EmailVerified, Person, Profile, display_text};

/// The longest name that is kept, in bytes.
const NAME: usize = 120;
/// The longest avatar URL that is kept, in bytes: it travels in a header and in the cookie.
const PICTURE: usize = 400;
/// The longest account type or status that is kept, in bytes.
const LABEL: usize = 40;

/// The profile in this answer.
pub(super) fn read(answer: &Response<Vec<u8>>) -> Result<Profile, AtlassianError> {
    let absurd = |cause: String| Err(AtlassianError::Unintelligible { place: Place::Me, cause });
    let object = serde_json::from_slice::<Map<String, Value>>(answer.body());
    match (answer.status(), object) {
        (StatusCode::OK, Ok(object)) => match profile(&object) {
            Some(profile) => Ok(profile),
            None => absurd("no usable account ID".into()),
        },
        (StatusCode::OK, Err(_)) => absurd("not a JSON object".into()),
        // The gateway says 401 "Unauthorized; scope does not match"; 403 has been reported for the same.
        (StatusCode::FORBIDDEN, Ok(_)) => Err(AtlassianError::ScopeMissing(Place::Me)),
        (StatusCode::UNAUTHORIZED, Ok(object)) if speaks_of_scope(&object) => {
            Err(AtlassianError::ScopeMissing(Place::Me))
        }
        (StatusCode::UNAUTHORIZED, _) => absurd("status 401 for a token that was issued just now".into()),
        (status, _) => absurd(format!("status {}", status.as_u16())),
    }
}

fn speaks_of_scope(object: &Map<String, Value>) -> bool {
    let message = object.get("message").or_else(|| object.get("error_description")).and_then(Value::as_str);
    message.is_some_and(|m| m.to_ascii_lowercase().contains("scope"))
}

fn profile(object: &Map<String, Value>) -> Option<Profile> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let email = text("email").and_then(|e| Email::parse(e).ok());
    let email_verified = match object.get("email_verified") {
        Some(Value::Bool(true)) if email.is_some() => EmailVerified::True,
        Some(Value::Bool(false)) => EmailVerified::False,
        _ => EmailVerified::Unknown,
    };
    Some(Profile {
        person: Person {
            account_id: AccountId::parse(text("account_id")?).ok()?,
            email,
            email_verified,
            name: text("name").and_then(|n| display_text(n, NAME)),
            picture: text("picture").and_then(picture),
        },
        account_type: label(object.get("account_type")),
        account_status: label(object.get("account_status")),
    })
}

/// Absent stays absent; what is there but no text must not pass for absent.
fn label(value: Option<&Value>) -> Option<Box<str>> {
    match value {
        None | Some(Value::Null) => None,
        Some(value) => {
            let text = value.as_str().and_then(|t| display_text(t, LABEL));
            Some(text.unwrap_or_else(|| "unreadable".into()))
        }
    }
}

fn picture(text: &str) -> Option<Box<str>> {
    let url = Url::parse(text).ok()?;
    let fits = url.scheme() == "https"
        && url.username().is_empty()
        && url.password().is_none()
        && url.as_str().len() <= PICTURE;
    fits.then(|| url.as_str().into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: &str) -> Result<Profile, AtlassianError> {
        let mut answer = Response::new(body.as_bytes().to_vec());
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        read(&answer)
    }

    /// The documented answer, with some members replaced; null takes one out.
    fn me(changes: &Value) -> Result<Profile, AtlassianError> {
        let mut body = json!({
            "account_type": "atlassian", "account_id": "557058:ada", "email": "ada@example.com",
            "email_verified": true, "name": "Ada Lovelace", "picture": "https://avatar.example/ada.png",
            "account_status": "active", "nickname": "ada", "zoneinfo": "Europe/London", "locale": "en-GB",
            "extended_profile": { "job_title": "Analyst" }
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::String(s) if s == "(gone)" => drop(body.as_object_mut().unwrap().remove(name)),
                value => drop(body.as_object_mut().unwrap().insert(name.clone(), value.clone())),
            }
        }
        answer(200, &body.to_string())
    }

    #[test]
    fn the_documented_answer() {
        let profile = me(&json!({})).unwrap();
        assert_eq!(profile.person.account_id.as_str(), "557058:ada");
        assert_eq!(profile.person.email.unwrap().as_str(), "ada@example.com");
        assert_eq!(profile.person.email_verified, EmailVerified::True);
        assert_eq!(profile.person.name.as_deref(), Some("Ada Lovelace"));
        assert_eq!(profile.person.picture.as_deref(), Some("https://avatar.example/ada.png"));
        assert_eq!(profile.account_type.as_deref(), Some("atlassian"));
        assert_eq!(profile.account_status.as_deref(), Some("active"));
    }

    #[test]
    fn the_account_id_alone_is_enough() {
        let profile = answer(200, r#"{"account_id":"5b10a2844c20165700ede21g"}"#).unwrap();
        let person = &profile.person;
        assert_eq!((&person.email, &person.name, &person.picture), (&None, &None, &None));
        assert_eq!(person.email_verified, EmailVerified::Unknown);
        assert_eq!((profile.account_type, profile.account_status), (None, None));
    }

    #[test]
    fn an_email_is_verified_only_if_there_is_one_and_atlassian_says_so() {
        for (email, verified, want) in [
            (json!("a@ex.org"), json!(true), (true, EmailVerified::True)),
            (json!("a@ex.org"), json!(false), (true, EmailVerified::False)),
            (json!("a@ex.org"), json!("(gone)"), (true, EmailVerified::Unknown)),
            (json!("a@ex.org"), json!(null), (true, EmailVerified::Unknown)),
            (json!("a@ex.org"), json!("true"), (true, EmailVerified::Unknown)),
            (json!("a@ex.org"), json!(1), (true, EmailVerified::Unknown)),
            (json!("a@evil.org@ex.org"), json!(true), (false, EmailVerified::Unknown)),
            (json!(null), json!(true), (false, EmailVerified::Unknown)),
            (json!(7), json!(true), (false, EmailVerified::Unknown)),
            (json!("(gone)"), json!(false), (false, EmailVerified::False)),
        ] {
            let person = me(&json!({ "email": email, "email_verified": verified })).unwrap().person;
            assert_eq!((person.email.is_some(), person.email_verified), want, "{email} {verified}");
        }
    }

    #[test]
    fn names_and_pictures_are_made_safe() {
        let long = format!("https://avatar.example/{}", "x".repeat(400));
        for (member, value, want) in [
            ("name", json!("Eve\r\nX-Admin: 1"), Some("Eve  X-Admin: 1")),
            ("name", json!("  "), None),
            ("name", json!(["Eve"]), None),
            ("name", json!("日本語".repeat(40)), Some(&"日本語".repeat(40)[..120])),
            ("picture", json!("http://avatar.example/a.png"), None),
            ("picture", json!("javascript:alert(1)"), None),
            ("picture", json!("https://user:pass@avatar.example/a"), None),
            ("picture", json!("//avatar.example/a"), None),
            ("picture", json!(long), None),
            ("picture", json!(null), None),
            ("picture", json!("https://avatar.example/a b\r\nc"), Some("https://avatar.example/a%20bc")),
        ] {
            let person = me(&json!({ member: value })).unwrap().person;
            let got = if member == "name" { person.name } else { person.picture };
            assert_eq!(got.as_deref(), want, "{member} {value}");
        }
    }

    #[test]
    fn an_odd_type_or_status_is_not_taken_for_absent() {
        for (value, want) in [
            (json!("customer"), Some("customer")),
            (json!("(gone)"), None),
            (json!(null), None),
            (json!(3), Some("unreadable")),
            (json!(""), Some("unreadable")),
            (json!(["active"]), Some("unreadable")),
        ] {
            let profile = me(&json!({ "account_type": value, "account_status": value })).unwrap();
            assert_eq!(profile.account_type.as_deref(), want, "{value}");
            assert_eq!(profile.account_status.as_deref(), want, "{value}");
        }
    }

    #[test]
    fn answers_that_are_no_profile() {
        let absurd = |cause: &str| AtlassianError::Unintelligible { place: Place::Me, cause: cause.into() };
        let scope = AtlassianError::ScopeMissing(Place::Me);
        for (status, body, want) in [
            (200, "[]", absurd("not a JSON object")),
            (200, "null", absurd("not a JSON object")),
            (200, "<html>Sign in</html>", absurd("not a JSON object")),
            (200, "", absurd("not a JSON object")),
            (200, &"[".repeat(10_000), absurd("not a JSON object")),
            (200, "{}", absurd("no usable account ID")),
            (200, r#"{"account_id":""}"#, absurd("no usable account ID")),
            (200, r#"{"account_id":5}"#, absurd("no usable account ID")),
            (200, r#"{"account_id":"a b"}"#, absurd("no usable account ID")),
            (401, r#"{"code":401,"message":"Unauthorized; scope does not match"}"#, scope.clone()),
            (403, r#"{"code":403,"message":"Forbidden"}"#, scope),
            (
                401,
                r#"{"code":401,"message":"Unauthorized"}"#,
                absurd("status 401 for a token that was issued just now"),
            ),
            (401, "", absurd("status 401 for a token that was issued just now")),
            (403, "<html>blocked</html>", absurd("status 403")),
            (404, "{}", absurd("status 404")),
            (204, "", absurd("status 204")),
        ] {
            assert_eq!(answer(status, body), Err(want), "{status} {body:.60}");
        }
    }
}
