//! Idempotency keys: a keyed hash of run and step path, the same on every attempt, restart and node, and unguessable outside.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use mainspring_model::id::RunId;
use sha2::Sha256;

use crate::cipher::Key;
use crate::place::length_prefixed;

/// The organization's key for idempotency keys; lives inside its wrapped data keys. `Debug` prints nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct OrgKey(pub(crate) Key);

impl OrgKey {
    /// Separated by its label from the use of the data key as a cipher key.
    pub(crate) fn derive(data_key: &Key) -> OrgKey {
        let mut key = Key::default();
        key.copy_from_slice(&hmac(data_key, b"mainspring/organization-key/v1"));
        OrgKey(key)
    }
}

impl fmt::Debug for OrgKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OrgKey(…)")
    }
}

/// base32(HMAC-SHA256(organization key, run + step path)), 52 characters of `a-z2-7`, no padding.
/// `step_path` is written as in the journal: `outer[3].inner[0]`.
pub fn idempotency_key(org_key: &OrgKey, run: RunId, step_path: &str) -> String {
    base32(&hmac(&org_key.0, &length_prefixed(&[b"mainspring/idempotency/v1", run.0.as_bytes(), step_path.as_bytes()])))
}

fn hmac(key: &Key, message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(&**key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// RFC 4648 base32 in lower case without padding. Written out: a dependency for ten lines would cost more than it saves.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut buffer, mut bits) = (0u32, 0u32);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(ALPHABET[(buffer >> bits) as usize & 31] as char);
        }
        buffer &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(ALPHABET[(buffer << (5 - bits)) as usize & 31] as char);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base32;

    #[test]
    fn base32_agrees_with_rfc_4648() {
        for (plain, text) in
            [("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foob", "mzxw6yq"), ("fooba", "mzxw6ytb"), ("foobar", "mzxw6ytboi")]
        {
            assert_eq!(base32(plain.as_bytes()), text);
        }
    }
}
