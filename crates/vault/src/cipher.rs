//! XChaCha20-Poly1305 with a random 192-bit nonce: the only cipher here, so that a nonce never needs a counter.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::{Entropy, VaultError};

/// A 256-bit key, wiped on drop.
pub(crate) type Key = Zeroizing<[u8; 32]>;

pub(crate) const FORMAT: u8 = 1;
pub(crate) const ALGORITHM: u8 = 1;
pub(crate) const NONCE: usize = 24;
pub(crate) const TAG: usize = 16;

/// A fresh random key.
pub(crate) fn random_key(entropy: &dyn Entropy) -> Result<Key, VaultError> {
    let mut key = Key::default();
    entropy.fill(&mut *key)?;
    Ok(key)
}

/// `head | nonce | ciphertext | tag`, authenticated together with `aad`.
pub(crate) fn seal(key: &Key, head: &[u8], aad: &[u8], plain: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, VaultError> {
    let mut nonce = [0u8; NONCE];
    entropy.fill(&mut nonce)?;
    let mut bytes = Vec::with_capacity(head.len() + NONCE + plain.len() + TAG);
    bytes.extend_from_slice(head);
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(plain);
    let body = &mut bytes[head.len() + NONCE..];
    let tag = XChaCha20Poly1305::new((&**key).into())
        .encrypt_inout_detached(&XNonce::from(nonce), aad, body.into())
        .expect("a plaintext is far below the cipher's limit of 256 GiB");
    bytes.extend_from_slice(&tag);
    Ok(bytes)
}

/// Opens `nonce | ciphertext | tag`, what [`seal`] wrote behind its head. The buffer has no spare capacity and is wiped on drop.
pub(crate) fn open(key: &Key, aad: &[u8], sealed: &[u8], what: &'static str) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    if sealed.len() < NONCE + TAG {
        return Err(VaultError::Malformed { reason: "too short" });
    }
    let (nonce, rest) = sealed.split_at(NONCE);
    let (body, tag) = rest.split_at(rest.len() - TAG);
    let nonce: [u8; NONCE] = nonce.try_into().expect("split at the nonce's length");
    let tag: [u8; TAG] = tag.try_into().expect("split at the tag's length");
    let mut plain = Zeroizing::new(body.to_vec());
    XChaCha20Poly1305::new((&**key).into())
        .decrypt_inout_detached(&XNonce::from(nonce), aad, plain.as_mut_slice().into(), &Tag::from(tag))
        .map_err(|_| VaultError::OpenFailed { what })?;
    Ok(plain)
}
