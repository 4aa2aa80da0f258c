//! The keys that sign access tokens: from a secret of the operator's, else derived from the key ring; the first one signs.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::place::length_prefixed;
use crate::{KeyRing, VaultError};

type HmacSha256 = Hmac<Sha256>;

/// The shortest secret, in bytes: as long as the hash that it keys.
const SHORTEST: usize = 32;

/// A key, and the one header that tokens signed by it have.
pub(crate) struct SigningKey {
    /// Base64url of the header. A token's own must be these very bytes, so that nothing in it is ever read to choose how it is checked.
    pub(crate) header: String,
    key: Zeroizing<[u8; 32]>,
}

impl SigningKey {
    fn of(secret: &[u8]) -> SigningKey {
        let key = Zeroizing::new(mac(secret, &[b"mainspring/access-token/v1"]));
        let id = Sha256::digest(length_prefixed(&[b"mainspring/access-token-id/v1", &*key]));
        let id: String = id[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let header = URL_SAFE_NO_PAD.encode(format!("{{\"alg\":\"HS256\",\"kid\":\"{id}\",\"typ\":\"at+jwt\"}}"));
        SigningKey { header, key }
    }

    pub(crate) fn sign(&self, text: &str) -> [u8; 32] {
        let mut mac = HmacSha256::new_from_slice(&*self.key).expect("HMAC takes keys of any length");
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// In a time that tells nothing of the right signature.
    pub(crate) fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        let mut mac = HmacSha256::new_from_slice(&*self.key).expect("HMAC takes keys of any length");
        mac.update(text.as_bytes());
        mac.verify_slice(signature).is_ok()
    }
}

/// The keys that sign and check access tokens; the first one signs. Never empty. Prints nothing of them.
pub struct SigningKeys(Vec<SigningKey>);

impl SigningKeys {
    /// Reads `AUTH_JWT_SECRET`: at least 32 bytes drawn at random, or a list of them between commas; the first signs, the others
    /// still check. Errors: `VAULT_KEY_WEAK`, `VAULT_KEY_DUPLICATE`; none echoes the text.
    pub fn parse(text: &str) -> Result<SigningKeys, VaultError> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        for (at, part) in parts.iter().enumerate() {
            let position = at + 1;
            if let Some(reason) = weakness(part.as_bytes()) {
                return Err(VaultError::KeyWeak { position, reason });
            }
            if parts[..at].contains(part) {
                return Err(VaultError::KeyDuplicate { position });
            }
        }
        Ok(SigningKeys(parts.iter().map(|part| SigningKey::of(part.as_bytes())).collect()))
    }

    /// A key derived from each of the ring's, in their order.
    pub fn of_ring(ring: &KeyRing) -> SigningKeys {
        SigningKeys(ring.secrets().map(|secret| SigningKey::of(&mac(secret, &[b"mainspring/signing/v1"]))).collect())
    }

    pub(crate) fn first(&self) -> &SigningKey {
        self.0.first().expect("there is always a key")
    }

    pub(crate) fn by_header(&self, header: &str) -> Option<&SigningKey> {
        self.0.iter().find(|key| key.header == header)
    }

    /// 256 bits that only these keys' holder can tell from `parts`, for one purpose. One value for each key, the signing one's first.
    pub fn derive<'a>(&'a self, purpose: &'a str, parts: &'a [&'a [u8]]) -> impl Iterator<Item = Zeroizing<[u8; 32]>> + 'a {
        self.0.iter().map(move |key| {
            let all: Vec<&[u8]> =
                [b"mainspring/derive/v1".as_slice(), purpose.as_bytes()].into_iter().chain(parts.iter().copied()).collect();
            Zeroizing::new(mac(&*key.key, &all))
        })
    }
}

/// The signature of any text, in base64url: tests forge tokens whose signature is right. It makes nothing that [`AccessToken::sign`]
/// could not, given the keys.
///
/// [`AccessToken::sign`]: crate::AccessToken::sign
#[doc(hidden)]
pub fn sign_for_tests(keys: &SigningKeys, text: &str) -> String {
    URL_SAFE_NO_PAD.encode(keys.first().sign(text))
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeys({})", self.0.len())
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = HmacSha256::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(&length_prefixed(parts));
    mac.finalize().into_bytes().into()
}

/// Why a secret can be guessed. Hex and base64 of random bytes pass: 32 random hexadecimal digits have fewer than 8 kinds once in
/// ten million draws.
fn weakness(secret: &[u8]) -> Option<&'static str> {
    let mut kinds = [false; 256];
    secret.iter().for_each(|byte| kinds[usize::from(*byte)] = true);
    let steps = |step: i16| secret.windows(2).filter(|pair| i16::from(pair[1]) - i16::from(pair[0]) == step).count();
    if secret.len() < SHORTEST {
        Some("it is shorter than 32 bytes")
    } else if kinds.iter().filter(|seen| **seen).count() < 8 {
        Some("it has hardly any different characters")
    } else if steps(1).max(steps(-1)).max(steps(0)) * 2 > secret.len() {
        Some("it counts or repeats")
    } else if (1..=secret.len() / 2).any(|length| secret.chunks(length).all(|chunk| secret.starts_with(chunk))) {
        Some("it repeats a part of itself")
    } else {
        None
    }
}
