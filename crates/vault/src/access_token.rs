//! Access tokens: JWTs of one algorithm for each key id, whose claims are all required and typed.
//!
//! A token's header has to be, byte for byte, the header that one of our keys writes. So the algorithm, the key and everything else
//! a header could ask for is never read from a token, and no part of a token is parsed before its signature was found right.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainspring_model::id::UserId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::signing::SigningKeys;
use crate::{VaultError, sabotage};

/// The longest token that is looked at, in bytes; ours have about 400.
const LONGEST: usize = 2_048;
/// How far a token's making may lie ahead of this clock, in seconds: nodes differ a little.
const SKEW: i64 = 60;
/// The longest life that a token may give itself, in seconds.
const LONGEST_LIFE: i64 = 24 * 3_600;

const ISSUER: &str = "mainspring";
const AUDIENCE: &str = "mainspring-api";

/// What a token says; nothing else may stand in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: Uuid,
    iat: i64,
    exp: i64,
}

/// Whose token it is, and for how long. Times are Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessToken {
    pub user: UserId,
    /// The session that it was given to.
    pub session: Uuid,
    pub issued_at: i64,
    pub expires_at: i64,
}

impl AccessToken {
    /// The token's text.
    pub fn sign(&self, keys: &SigningKeys) -> String {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: self.user,
            sid: self.session,
            iat: self.issued_at,
            exp: self.expires_at,
        };
        // Texts, ids and numbers: this cannot fail.
        let claims = serde_json::to_vec(&claims).unwrap_or_default();
        let key = keys.first();
        let mut token = format!("{}.{}", key.header, URL_SAFE_NO_PAD.encode(claims));
        let signature = key.sign(&token);
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        token
    }

    /// Reads a token that one of the keys has signed and that holds at `now`, in Unix seconds. Asks nobody: whether its session
    /// still is one has to be asked elsewhere. Errors: `VAULT_TOKEN_MALFORMED`, without echoing the text.
    pub fn read(keys: &SigningKeys, text: &str, now: i64) -> Result<AccessToken, VaultError> {
        let malformed = |reason| VaultError::TokenMalformed { reason };
        if text.len() > LONGEST {
            return Err(malformed("it is longer than any token of ours"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(malformed("it has not three parts"))?;
        let (header, claims) = signed.split_once('.').ok_or(malformed("it has not three parts"))?;
        if !(sabotage::believes_header(header)) {
            let key = keys.by_header(header).ok_or(malformed("its header is none of ours"))?;
            let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed("its signature cannot be read"))?;
            if !key.has_signed(signed, &signature) {
                return Err(malformed("its signature is not right"));
            }
        }
        let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| malformed("its claims cannot be read"))?;
        // Unknown names, names that stand twice, numbers that are texts or fractions: each is refused by the type.
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| malformed("its claims are not ours"))?;
        if claims.iss != ISSUER || claims.aud != AUDIENCE {
            return Err(malformed("it was made for another service"));
        }
        if claims.iat < 0 || claims.exp <= claims.iat || claims.exp - claims.iat > LONGEST_LIFE {
            return Err(malformed("its times make no sense"));
        }
        if claims.iat > now + SKEW {
            return Err(malformed("it is from the future"));
        }
        if claims.exp <= now {
            return Err(malformed("it has expired"));
        }
        Ok(AccessToken { user: claims.sub, session: claims.sid, issued_at: claims.iat, expires_at: claims.exp })
    }
}
