//! What can programs ask? Who is signed in, the keys of the assertion, and where to find them.

use http::StatusCode;
use http::header::CACHE_CONTROL;

use super::{Auth, RequestFacts};
use crate::gate::Asker;
use crate::identity::EmailVerified;
use crate::reply::Reply;

impl Auth {
    /// `GET /_anteroom/me`: the identity as the upstream sees it; 401 without a session.
    pub(super) fn me(&self, facts: &RequestFacts<'_>) -> Reply {
        let Some(live) = self.live_session(facts) else { return self.unauthenticated(facts, Asker::Program) };
        let (session, person) = (live.session(), &live.session().person);
        let idle_until = live.usage().last_seen().plus(self.settings.lifetimes.idle);
        Reply::json(
            StatusCode::OK,
            &serde_json::json!({
                "account_id": person.account_id,
                "email": person.email,
                "email_verified": match person.email_verified {
                    EmailVerified::True => Some(true),
                    EmailVerified::False => Some(false),
                    EmailVerified::Unknown => None,
                },
                "name": person.name,
                "picture": person.picture,
                "new_user": live.new_user(),
                "signed_in_at": session.started.to_string(),
                "expires_at": session.expires.to_string(),
                "idle_until": idle_until.min(session.expires).to_string(),
            }),
        )
    }

    /// Who is signed in, in the words of oauth2-proxy's `/oauth2/userinfo`; 401 without a session.
    /// <https://oauth2-proxy.github.io/oauth2-proxy/features/endpoints>
    pub fn oauth2_user_info(&self, facts: &RequestFacts<'_>) -> Reply {
        let Some(live) = self.live_session(facts) else { return self.unauthenticated(facts, Asker::Program) };
        let person = &live.session().person;
        Reply::json(
            StatusCode::OK,
            &serde_json::json!({
                "user": person.account_id,
                "email": person.email,
                "preferredUsername": person.name,
            }),
        )
    }

    /// `GET /_anteroom/jwks.json` (RFC 7517); 404 when the assertion is off.
    pub(super) fn jwks(&self) -> Reply {
        let Some(signer) = &self.presenter.signer else { return Reply::empty(StatusCode::NOT_FOUND) };
        let keys: serde_json::Value = serde_json::from_str(signer.jwks()).unwrap_or_default();
        // Shorter than an assertion's life, so that a rotated key is found in time.
        Reply::json(StatusCode::OK, &keys).with_text(CACHE_CONTROL, "public, max-age=120")
    }

    /// `GET /.well-known/anteroom`
    pub(super) fn discovery(&self, facts: &RequestFacts<'_>) -> Reply {
        let origin = self.origin(facts).as_str();
        let mut document = serde_json::json!({
            "sign_in_url": format!("{origin}/_anteroom/sign-in"),
            "sign_out_url": format!("{origin}/_anteroom/sign-out"),
            "identity_url": format!("{origin}/_anteroom/me"),
        });
        if let (Some(signer), Some(members)) = (&self.presenter.signer, document.as_object_mut()) {
            members.extend([
                ("issuer".to_owned(), signer.issuer().into()),
                ("audience".to_owned(), signer.audience_for(origin).into()),
                ("jwks_uri".to_owned(), format!("{origin}/_anteroom/jwks.json").into()),
                ("assertion_header".to_owned(), "X-Anteroom-Assertion".into()),
                ("assertion_signing_alg".to_owned(), "ES256".into()),
            ]);
        }
        Reply::json(StatusCode::OK, &document).with_text(CACHE_CONTROL, "public, max-age=300")
    }
}
