//! An organization's data key and its wrapped form, the one row per organization and version that a key rotation rewrites.

use std::fmt;

use mainspring_model::id::OrgId;
use zeroize::Zeroizing;

use crate::cipher::{self, ALGORITHM, FORMAT, Key};
use crate::idempotency::OrgKey;
use crate::key_ring::{KekId, KeyRing};
use crate::place::length_prefixed;
use crate::{Entropy, VaultError};

/// A data key sealed by a key of the ring; safe to store. Delete all of an organization's to shred everything it sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Which key of the ring wrapped it.
    pub kek_id: KekId,
    /// Counts from 1 per organization; (organization, version) is unique.
    pub version: u32,
    /// `v1 | alg | nonce | ciphertext + tag`.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedKey(version {}, by {}, {} bytes)", self.version, self.kek_id, self.bytes.len())
    }
}

/// An unwrapped data key, together with the organization's key for idempotency keys. The latter is derived from the first data
/// key and carried over by every rotation, because an idempotency key must be the same on every attempt of a step.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DataKey {
    pub(crate) version: u32,
    pub(crate) seal: Key,
    pub(crate) org: OrgKey,
}

impl DataKey {
    /// Version 1, or the successor of `previous`.
    pub(crate) fn generate(previous: Option<&DataKey>, entropy: &dyn Entropy) -> Result<DataKey, VaultError> {
        let seal = cipher::random_key(entropy)?;
        let org = previous.map_or_else(|| OrgKey::derive(&seal), |previous| previous.org.clone());
        Ok(DataKey { version: previous.map_or(1, |previous| previous.version + 1), seal, org })
    }

    /// Sealed by the ring's first key.
    pub(crate) fn wrap(&self, ring: &KeyRing, org: OrgId, entropy: &dyn Entropy) -> Result<WrappedKey, VaultError> {
        let kek = ring.first();
        let mut plain = Zeroizing::new([0u8; 64]);
        plain[..32].copy_from_slice(&*self.seal);
        plain[32..].copy_from_slice(&*self.org.0);
        let bytes = cipher::seal(&kek.key, &[FORMAT, ALGORITHM], &aad(org, self.version, kek.id), &*plain, entropy)?;
        Ok(WrappedKey { kek_id: kek.id, version: self.version, bytes })
    }

    /// Opened by the key that `wrapped` names, and no other.
    pub(crate) fn unwrap(ring: &KeyRing, org: OrgId, wrapped: &WrappedKey) -> Result<DataKey, VaultError> {
        let kek = ring.find(wrapped.kek_id)?;
        let [FORMAT, ALGORITHM, body @ ..] = wrapped.bytes.as_slice() else {
            return Err(VaultError::Malformed { reason: "unknown format of a wrapped data key" });
        };
        let plain = cipher::open(&kek.key, &aad(org, wrapped.version, kek.id), body, "data key")?;
        if plain.len() != 64 {
            return Err(VaultError::Malformed { reason: "a wrapped data key of the wrong length" });
        }
        let (mut seal, mut idempotency) = (Key::default(), Key::default());
        seal.copy_from_slice(&plain[..32]);
        idempotency.copy_from_slice(&plain[32..]);
        Ok(DataKey { version: wrapped.version, seal, org: OrgKey(idempotency) })
    }
}

fn aad(org: OrgId, version: u32, kek: KekId) -> Vec<u8> {
    length_prefixed(&[b"mainspring/data-key/v1", org.0.as_bytes(), &version.to_be_bytes(), &kek.0])
}
