//! What an issuer's token says of somebody, once every rule of its check has held (OpenID Connect Core 3.1.3.7).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::jwks::Jwks;

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 32 << 10;
/// How far the issuer's clock may be ahead, in seconds.
const SKEW: i64 = 60;
/// How old a token may be that was asked for a moment ago, in seconds.
const OLDEST: i64 = 600;

/// What the token has to be for.
pub struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
    /// Unix seconds.
    pub now: i64,
}

/// Somebody, as the issuer knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdToken {
    pub subject: String,
    pub email: Option<String>,
    /// The issuer says that it proved the address.
    pub email_verified: bool,
    pub name: Option<String>,
}

/// Which rule did not hold.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the issuer's token is not taken: {0}")]
pub struct BadToken(&'static str);

const UNKNOWN_KEY: BadToken = BadToken("it names a key that the issuer does not publish");

pub fn names_unknown_key(error: &BadToken) -> bool {
    *error == UNKNOWN_KEY
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    azp: Option<String>,
    sub: String,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    nonce: String,
    email: Option<String>,
    email_verified: Option<Value>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl IdToken {
    /// Checks a token.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn read(text: &str, keys: &Jwks, expected: &Expected<'_>) -> Result<IdToken, BadToken> {
        if text.len() > LONGEST {
            return Err(BadToken("it is too long"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(BadToken("it has not three parts"))?;
        let (header, claims) = signed.split_once('.').ok_or(BadToken("it has not three parts"))?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| BadToken("it cannot be read"));
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| BadToken("its header cannot be read"))?;
        if header.crit.is_some() {
            return Err(BadToken("it asks for what is not understood"));
        }
        // The key decides the algorithm. Keys in the header (jwk, jku, x5u) are not looked at.
        let key = keys.find(header.kid.as_deref()).ok_or(UNKNOWN_KEY)?;
        if header.alg != key.algorithm() {
            return Err(BadToken("its algorithm is not its key's"));
        }
        if !key.has_signed(signed.as_bytes(), &decoded(signature)?) {
            return Err(BadToken("its signature is not right"));
        }
        let claims: Claims = serde_json::from_slice(&decoded(claims)?).map_err(|_| BadToken("its claims cannot be read"))?;
        if claims.iss != expected.issuer {
            return Err(BadToken("another issuer made it"));
        }
        let (ours, others) = match &claims.aud {
            Audience::One(aud) => (aud == expected.client_id, false),
            Audience::Many(all) => (all.iter().any(|aud| aud == expected.client_id), all.len() != 1),
        };
        if !ours || others && claims.azp.is_none() || claims.azp.as_ref().is_some_and(|azp| azp != expected.client_id) {
            return Err(BadToken("it was made for another client"));
        }
        if claims.exp <= expected.now {
            return Err(BadToken("it has expired"));
        }
        if claims.iat > expected.now + SKEW || claims.iat < expected.now - OLDEST || claims.nbf.is_some_and(|nbf| nbf > expected.now + SKEW)
        {
            return Err(BadToken("it was not made just now"));
        }
        if claims.nonce != expected.nonce {
            return Err(BadToken("it answers another login"));
        }
        if claims.sub.is_empty() || claims.sub.len() > 255 {
            return Err(BadToken("it names nobody"));
        }
        Ok(IdToken {
            subject: claims.sub,
            email: claims.email.filter(|email| !email.is_empty()),
            // A text "true" is what some send; whoever means it sends a truth value.
            email_verified: claims.email_verified == Some(Value::Bool(true)),
            name: claims.name,
        })
    }
}
