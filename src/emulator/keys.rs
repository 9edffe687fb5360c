//! Who signs access tokens? One RSA-2048 key, RS256, published as JWKS.
//!
//! The key is made when first needed and shared by all emulators of the process, because making one is slow; a
//! fixture may bring its own. Clients should treat tokens as opaque, but some look inside.

use std::sync::OnceLock;

use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};

/// The key cannot be made or read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("signing_key is not an RSA private key in PKCS#8 PEM; leave it out to have one made")]
pub struct KeyError;

/// A signing key and its public half.
#[derive(Clone)]
pub(super) struct SigningKey {
    private: EncodingKey,
    kid: String,
    modulus: String,
    exponent: String,
}

impl SigningKey {
    /// The process's own key.
    pub(super) fn generated() -> Result<Self, KeyError> {
        static GENERATED: OnceLock<Result<SigningKey, KeyError>> = OnceLock::new();
        let make = || {
            let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError)?;
            let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| KeyError)?;
            Self::from_pkcs8(der.as_ref())
        };
        GENERATED.get_or_init(make).clone()
    }

    /// A fixture's key, PKCS#8 PEM.
    pub(super) fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let body: String = pem.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
        Self::from_pkcs8(&STANDARD.decode(body).map_err(|_| KeyError)?)
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let pair = KeyPair::from_pkcs8(der).map_err(|_| KeyError)?;
        let public = pair.public_key();
        let modulus = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let exponent = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            wrapped(&STANDARD.encode(der))
        );
        let private = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| KeyError)?;
        let kid = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, modulus.as_bytes()).as_ref());
        Ok(Self { private, kid: format!("emulator/{kid}"), modulus, exponent })
    }

    /// The JWKS document (RFC 7517).
    pub(super) fn jwks(&self) -> Value {
        json!({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": self.modulus, "e": self.exponent}]})
    }

    /// A JWT of these claims, padded to at least `least` bytes with `filler` under a claim of its own.
    pub(super) fn sign(
        &self,
        mut claims: Map<String, Value>,
        least: usize,
        filler: &str,
    ) -> Result<String, KeyError> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::RS256) };
        let mut sign = |padding: usize| {
            if padding > 0 {
                let text: String = filler.chars().cycle().take(padding).collect();
                claims.insert("https://emulator.invalid/padding".to_owned(), Value::String(text));
            }
            jsonwebtoken::encode(&header, &claims, &self.private).map_err(|_| KeyError)
        };
        let bare = sign(0)?;
        match least.saturating_sub(bare.len()) {
            0 => Ok(bare),
            // Base64 makes four bytes of three.
            missing => sign(missing.saturating_mul(3).div_ceil(4)),
        }
    }
}

/// PEM wants lines of 64.
fn wrapped(base64: &str) -> String {
    let lines: Vec<String> =
        base64.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_met_closely() {
        let key = SigningKey::generated().unwrap();
        for least in [0, 1024, 2560, 8192] {
            let token = key.sign(Map::new(), least, "abcdef").unwrap();
            assert!(
                token.len() >= least && (least == 0 || token.len() < least + 80),
                "{least}: {}",
                token.len()
            );
        }
    }

    #[test]
    fn a_fixture_may_bring_its_key() {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            wrapped(&STANDARD.encode(der.as_ref()))
        );
        let (one, two) = (SigningKey::from_pem(&pem).unwrap(), SigningKey::from_pem(&pem).unwrap());
        assert_eq!(one.jwks(), two.jwks());
        assert_ne!(one.jwks(), SigningKey::generated().unwrap().jwks());
        assert_eq!(one.sign(Map::new(), 0, "").unwrap(), two.sign(Map::new(), 0, "").unwrap());
    }

    #[test]
    fn rubbish_is_not_a_key() {
        assert!(
            SigningKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----").is_err()
        );
    }
}
