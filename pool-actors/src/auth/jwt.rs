//! Signed tokens: who, in which session, for what, until when. HS256 and nothing else: a token that names another
//! algorithm, `none` included, is refused before its signature is looked at.

use std::fmt;

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result as JwtResult},
    signature::{self, Signer, Verifier},
};
use pool_domain::units::TimeMs;
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::ports::users::Role;

/// What a token is for. One for something else is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// To be sent with requests; short-lived.
    Access,
    /// To be traded, once, for the next pair.
    Refresh,
    /// The password was right, the second factor is still to come.
    Mfa,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The user's id.
    pub sub: String,
    /// Their name, for the trail.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The session.
    pub sid: String,
    /// Which pair of the session it belongs to.
    pub generation: u64,
    /// What for.
    pub purpose: Purpose,
    /// Good for nothing but setting up a second factor.
    pub setup: bool,
    /// Issued at, seconds since 1970.
    pub iat: u64,
    /// Good until, seconds since 1970.
    pub exp: u64,
}

/// Makes tokens and reads them.
#[derive(Clone)]
pub struct Signing {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signing(***)")
    }
}

impl Signing {
    /// With this key.
    ///
    /// # Panics
    /// Never: the library takes every key of this length.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        // Refused only if it is there already.
        let _ = PROVIDER.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        // By our own clock, below.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["exp", "sub"]);
        Self {
            encoding: EncodingKey::from_secret(key).expect("a key of 32 bytes"),
            decoding: DecodingKey::from_secret(key).expect("a key of 32 bytes"),
            validation,
        }
    }

    /// The token that says this.
    ///
    /// # Panics
    /// Never: plain data is JSON.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.encoding)
            .expect("plain data, signed with a key that fits")
    }

    /// What a token says, if it is ours, for this purpose, and still good.
    #[must_use]
    pub fn read(&self, token: &str, purpose: Purpose, now: TimeMs) -> Option<Claims> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?.claims;
        (claims.purpose == purpose && claims.exp.saturating_mul(1_000) > now.0).then_some(claims)
    }
}

/// HMAC with SHA-256 by ring, which TLS brings along anyway; the library's own choices bring RSA and curves.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(hmac::Key);

fn only(algorithm: Algorithm, key: JwtResult<&[u8]>) -> JwtResult<Hs256> {
    if algorithm != Algorithm::HS256 {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Hs256(hmac::Key::new(hmac::HMAC_SHA256, key?)))
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> JwtResult<Box<dyn JwtSigner>> {
    Ok(Box::new(only(*algorithm, Ok(key.as_bytes()))?))
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> JwtResult<Box<dyn JwtVerifier>> {
    Ok(Box::new(only(*algorithm, key.try_get_as_bytes())?))
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        hmac::verify(&self.0, message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: TimeMs = TimeMs(1_700_000_000_000);

    fn claims() -> Claims {
        Claims {
            sub: "u".into(),
            name: "alice".into(),
            role: Role::Miner,
            sid: "s".into(),
            generation: 1,
            purpose: Purpose::Access,
            setup: false,
            iat: NOW.0 / 1_000,
            exp: NOW.0 / 1_000 + 900,
        }
    }

    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
                << (8 * (3 - chunk.len()));
            for digit in 0..=chunk.len() {
                text.push(DIGITS[(word >> (18 - 6 * digit) & 63) as usize] as char);
            }
        }
        text
    }

    fn forged(header: &Value, claims: &Value, key: &[u8]) -> String {
        let body =
            format!("{}.{}", base64(header.to_string().as_bytes()), base64(claims.to_string().as_bytes()));
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), body.as_bytes());
        format!("{body}.{}", base64(signature.as_ref()))
    }

    #[test]
    fn what_was_signed_is_read_back_until_it_ends() {
        let signing = Signing::new(&[7; 32]);
        let token = signing.sign(&claims());
        assert_eq!(signing.read(&token, Purpose::Access, NOW), Some(claims()));
        assert_eq!(signing.read(&token, Purpose::Access, TimeMs(NOW.0 + 899_999)), Some(claims()));
        assert_eq!(signing.read(&token, Purpose::Access, TimeMs(NOW.0 + 900_000)), None);
        assert_eq!(signing.read(&token, Purpose::Refresh, NOW), None);
    }

    #[test]
    fn forgeries_are_refused() {
        let key = [7; 32];
        let signing = Signing::new(&key);
        let good = json!(claims());
        let hs256 = json!({ "alg": "HS256", "typ": "JWT" });
        assert!(
            signing.read(&forged(&hs256, &good, &key), Purpose::Access, NOW).is_some(),
            "the forger works"
        );
        assert_eq!(signing.read(&forged(&hs256, &good, &[8; 32]), Purpose::Access, NOW), None, "another key");
        for alg in ["none", "None", "NONE", "nOnE", "HS384", "HS512", "RS256", "ES256", "EdDSA", "", "hs256"]
        {
            let header = json!({ "alg": alg, "typ": "JWT" });
            let signed = forged(&header, &good, &key);
            let bare = format!("{}.", signed.rsplit_once('.').unwrap().0);
            assert_eq!(signing.read(&signed, Purpose::Access, NOW), None, "{alg}");
            assert_eq!(signing.read(&bare, Purpose::Access, NOW), None, "{alg} without a signature");
        }
        for header in
            [json!({}), json!({ "typ": "JWT" }), json!({ "alg": ["HS256"] }), json!({ "alg": null })]
        {
            assert_eq!(signing.read(&forged(&header, &good, &key), Purpose::Access, NOW), None, "{header}");
        }
        // Claims of another kind, none, or more than there are.
        for (name, value) in [
            ("exp", json!("9999999999")),
            ("exp", json!(-1)),
            ("exp", Value::Null),
            ("role", json!("root")),
            ("purpose", json!("refresh")),
            ("more", json!(1)),
        ] {
            let mut claims = good.clone();
            claims[name] = value;
            assert_eq!(signing.read(&forged(&hs256, &claims, &key), Purpose::Access, NOW), None, "{name}");
        }
        let token = signing.sign(&claims());
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last digit of the signature holds two bits that mean nothing; the library refuses them.
            assert_eq!(signing.read(&changed, Purpose::Access, NOW), None, "character {at}");
        }
        for rubbish in ["", ".", "..", "...", "a.b.c", &"x.".repeat(9_999)] {
            assert_eq!(signing.read(rubbish, Purpose::Access, NOW), None);
        }
    }
}
