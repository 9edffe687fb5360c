//! How can the upstream prove who is there? A signed JWT (RFC 7519, ES256) and the keys that check it (RFC 7517).
//!
//! Guarantees: at most five minutes of life; `kid` is the RFC 7638 thumbprint; the first key signs, all are published.
//! The keys are derived from the session secrets, so every replica and every restart has the same ones, and they
//! rotate together. Signing costs tens of microseconds: callers keep the token until half its life is over.

use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use aws_lc_rs::{agreement, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::Person;
use crate::clock::Timestamp;

/// How long an assertion is valid.
pub const LIFETIME: Duration = Duration::from_secs(300);

/// Signs assertions for one app.
pub struct Signer {
    header: Header,
    key: EncodingKey,
    issuer: String,
    audience: Option<String>,
    jwks: String,
}

/// One assertion's contents besides the person.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The origin of the app that the assertion is for: its `aud`, unless the operator chose another.
    pub app: &'a str,
    /// Whether the account is new here.
    pub new_user: bool,
    /// When the session began.
    pub signed_in_at: Timestamp,
    /// The end of the session: no assertion outlives it.
    pub expires: Timestamp,
    /// 16 random bytes: the token's ID.
    pub jti: [u8; 16],
    /// Names the session without giving it away.
    pub session: [u8; 16],
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: u64,
    nbf: u64,
    exp: u64,
    jti: String,
    sid: String,
    auth_time: u64,
    new_user: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<&'a str>,
}

/// A public key as JWKS publishes it; members in the order of the RFC 7638 thumbprint.
#[derive(Serialize)]
struct Thumbprint<'a> {
    crv: &'a str,
    kty: &'a str,
    x: &'a str,
    y: &'a str,
}

/// No usable key could be derived: the key ring is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no signing key could be derived from the session secrets")]
pub struct NoKey;

impl Signer {
    /// From 32-byte seeds, newest first (`KeyRing::assertion_seeds`). Without an `audience` every app has its own.
    pub fn new(seeds: &[[u8; 32]], issuer: String, audience: Option<String>) -> Result<Self, NoKey> {
        let keys: Vec<(EncodingKey, String, serde_json::Value)> = seeds.iter().filter_map(derive).collect();
        let published: Vec<&serde_json::Value> = keys.iter().map(|(_, _, jwk)| jwk).collect();
        let jwks = serde_json::json!({ "keys": published }).to_string();
        let (key, kid, _) = keys.into_iter().next().ok_or(NoKey)?;
        let header = Header { kid: Some(kid), ..Header::new(Algorithm::ES256) };
        Ok(Self { header, key, issuer, audience, jwks })
    }

    /// Signs an assertion about `person`. `None` only if the crypto library fails: the header is then left out.
    pub fn sign(&self, person: &Person, facts: &Facts<'_>, now: Timestamp) -> Option<String> {
        let exp = now.plus(LIFETIME).min(facts.expires);
        let claims = Claims {
            iss: &self.issuer,
            aud: self.audience_for(facts.app),
            sub: person.account_id.as_str(),
            iat: now.as_secs(),
            nbf: now.as_secs(),
            exp: exp.as_secs(),
            jti: URL_SAFE_NO_PAD.encode(facts.jti),
            sid: sid(&facts.session),
            auth_time: facts.signed_in_at.as_secs(),
            new_user: facts.new_user,
            email: person.email.as_ref().map(super::Email::as_str),
            email_verified: match person.email_verified {
                super::EmailVerified::True => Some(true),
                super::EmailVerified::False => Some(false),
                super::EmailVerified::Unknown => None,
            },
            name: person.name.as_deref(),
            picture: person.picture.as_deref(),
        };
        jsonwebtoken::encode(&self.header, &claims, &self.key).ok()
    }

    /// The published keys, as JSON.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// `iss` of every assertion.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `aud` of the assertions for an app, by its origin.
    pub fn audience_for<'a>(&'a self, app: &'a str) -> &'a str {
        self.audience.as_deref().unwrap_or(app)
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer(kid {:?})", self.header.kid)
    }
}

/// A session's public name: a hash, since the ID itself is the store's key.
fn sid(session: &[u8; 16]) -> String {
    let hash = digest::digest(&digest::SHA256, session);
    URL_SAFE_NO_PAD.encode(hash.as_ref().get(..16).unwrap_or_default())
}

/// The P-256 key of a seed. A seed outside the curve's order (one in 2³²) is hashed on until it fits.
fn derive(seed: &[u8; 32]) -> Option<(EncodingKey, String, serde_json::Value)> {
    let mut scalar = *seed;
    for _ in 0..8 {
        if let Ok(private) = agreement::PrivateKey::from_private_key(&agreement::ECDH_P256, &scalar) {
            let public = private.compute_public_key().ok()?;
            let pair = EcdsaKeyPair::from_private_key_and_public_key(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                &scalar,
                public.as_ref(),
            )
            .ok()?;
            let key = EncodingKey::from_ec_der(pair.to_pkcs8v1().ok()?.as_ref());
            let (kid, jwk) = jwk(public.as_ref())?;
            return Some((key, kid, jwk));
        }
        scalar = digest::digest(&digest::SHA256, &scalar).as_ref().try_into().ok()?;
    }
    None
}

fn jwk(point: &[u8]) -> Option<(String, serde_json::Value)> {
    // SEC 1 §2.3.3: 0x04 ‖ x ‖ y.
    let (x, y) = point.strip_prefix(&[4])?.split_at_checked(32)?;
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let canonical = serde_json::to_vec(&Thumbprint { crv: "P-256", kty: "EC", x: &x, y: &y }).ok()?;
    let kid = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &canonical));
    let jwk = serde_json::json!({
        "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": "ES256", "kid": kid,
    });
    Some((kid, jwk))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::ada;
    use jsonwebtoken::jwk::JwkSet;
    use jsonwebtoken::{DecodingKey, Validation};

    fn signer(seeds: &[[u8; 32]]) -> Signer {
        Signer::new(seeds, "https://app.example".into(), Some("app".into())).unwrap()
    }

    fn facts(expires: u64) -> Facts<'static> {
        let t = Timestamp::from_secs;
        Facts {
            app: "https://other.example",
            new_user: true,
            signed_in_at: t(50),
            expires: t(expires),
            jti: [1; 16],
            session: [2; 16],
        }
    }

    fn verify(token: &str, jwks: &str) -> Result<serde_json::Value, jsonwebtoken::errors::Error> {
        let set: JwkSet = serde_json::from_str(jwks).unwrap();
        let kid = jsonwebtoken::decode_header(token)?.kid.unwrap();
        let key = DecodingKey::from_jwk(set.find(&kid).unwrap())?;
        let mut rules = Validation::new(Algorithm::ES256);
        rules.validate_exp = false;
        rules.set_audience(&["app"]);
        rules.set_issuer(&["https://app.example"]);
        Ok(jsonwebtoken::decode(token, &key, &rules)?.claims)
    }

    #[test]
    fn verifies_against_the_published_keys() {
        let signer = signer(&[[5; 32], [6; 32]]);
        let token = signer.sign(&ada(50).person, &facts(10_000), Timestamp::from_secs(100)).unwrap();
        let claims = verify(&token, signer.jwks()).unwrap();
        assert_eq!(claims["sub"], "557058:ada");
        assert_eq!(claims["email_verified"], true);
        assert_eq!(claims["exp"], 400);
        assert_eq!(claims["new_user"], true);
        assert_eq!(claims["auth_time"], 50);
    }

    #[test]
    fn a_retired_key_still_verifies_and_a_foreign_one_does_not() {
        let old = signer(&[[5; 32]]);
        let token = old.sign(&ada(0).person, &facts(900), Timestamp::from_secs(100)).unwrap();
        assert!(verify(&token, signer(&[[6; 32], [5; 32]]).jwks()).is_ok());
        let (head, _) = token.rsplit_once('.').unwrap();
        let forged = format!("{head}.{}", URL_SAFE_NO_PAD.encode([1; 64]));
        assert!(verify(&forged, old.jwks()).is_err());
    }

    #[test]
    fn never_outlives_the_session() {
        let signer = signer(&[[5; 32]]);
        let token = signer.sign(&ada(0).person, &facts(150), Timestamp::from_secs(100)).unwrap();
        assert_eq!(verify(&token, signer.jwks()).unwrap()["exp"], 150);
    }

    #[test]
    fn the_same_seed_gives_the_same_key() {
        assert_eq!(signer(&[[5; 32]]).jwks(), signer(&[[5; 32]]).jwks());
        assert!(Signer::new(&[], String::new(), None).is_err());
    }
}
