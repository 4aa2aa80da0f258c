//! The vault: a key ring plus the unwrapped data keys of the organizations in use; seals and opens values at their places.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, RwLock};

use mainspring_model::id::{OrgId, RunId};
use zeroize::{Zeroize, Zeroizing};

use crate::data_key::DataKey;
use crate::sealed::{HEAD, Sealed};
use crate::{Entropy, KeyRing, OrgKey, Place, Secret, VaultError, WrappedKey, cipher, idempotency_key};

/// Seals and opens. Shared freely: all methods take `&self`, and no lock is held while a cipher runs.
pub struct Vault {
    ring: KeyRing,
    entropy: Arc<dyn Entropy>,
    keys: RwLock<HashMap<OrgId, BTreeMap<u32, Arc<DataKey>>>>,
}

impl Vault {
    /// A vault without data keys; load each organization's before use.
    pub fn new(ring: KeyRing, entropy: Arc<dyn Entropy>) -> Vault {
        Vault { ring, entropy, keys: RwLock::default() }
    }

    /// The ring, for its ids and the canary.
    pub fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// The randomness this vault was given.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// Makes a data key for `org`: version 1, or the successor of the newest one loaded. It is **not** in use yet: store it
    /// durably under unique (organization, version), then [`Vault::load_data_key`] what the store holds, so that nothing is ever
    /// sealed by a key that a crash could lose. Errors: `VAULT_NO_ENTROPY`.
    pub fn new_data_key(&self, org: OrgId) -> Result<WrappedKey, VaultError> {
        let previous = self.newest(org);
        DataKey::generate(previous.as_deref(), self.entropy())?.wrap(&self.ring, org, self.entropy())
    }

    /// Unwraps a stored data key and keeps it; loading it again is harmless. New values are sealed by the newest version loaded.
    /// Errors: `VAULT_KEY_UNKNOWN`, `VAULT_OPEN_FAILED`, `VAULT_MALFORMED`, `VAULT_DATA_KEY_CONFLICT`.
    pub fn load_data_key(&self, org: OrgId, wrapped: &WrappedKey) -> Result<(), VaultError> {
        let key = DataKey::unwrap(&self.ring, org, wrapped)?;
        let mut keys = self.keys.write().expect("no panic happens while the keys are held");
        let versions = keys.entry(org).or_default();
        match versions.get(&key.version) {
            Some(known) if **known != key => Err(VaultError::DataKeyConflict { org, version: key.version }),
            Some(_) => Ok(()),
            None => {
                versions.insert(key.version, Arc::new(key));
                Ok(())
            }
        }
    }

    /// The version that seals new values of `org`, or `None` while nothing is loaded.
    pub fn data_key_version(&self, org: OrgId) -> Option<u32> {
        self.newest(org).map(|key| key.version)
    }

    /// Drops an organization's keys from memory: after it was deleted, or when a rotation elsewhere asks for fresh ones.
    pub fn forget(&self, org: OrgId) {
        self.keys.write().expect("no panic happens while the keys are held").remove(&org);
    }

    /// Seals `plain` for `place` by the organization's newest data key. Errors: `VAULT_DATA_KEY_MISSING`, `VAULT_NO_ENTROPY`.
    pub fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Result<Sealed, VaultError> {
        let key = self.newest(place.org).ok_or(VaultError::DataKeyMissing { org: place.org, version: None })?;
        cipher::seal(&key.seal, &Sealed::head(key.version), &place.aad(key.version), plain, self.entropy()).map(Sealed)
    }

    /// Opens a text. Errors: as [`Vault::open_bytes`], and `VAULT_NOT_TEXT`.
    pub fn open(&self, place: &Place<'_>, sealed: &Sealed) -> Result<Secret, VaultError> {
        let mut plain = self.open_bytes(place, sealed)?;
        match String::from_utf8(std::mem::take(&mut *plain)) {
            Ok(text) => Ok(Secret::new(text)),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(VaultError::NotText)
            }
        }
    }

    /// Opens bytes, wiped on drop. Errors: `VAULT_OPEN_FAILED` when changed or moved, `VAULT_DATA_KEY_MISSING` when its key version is not loaded.
    pub fn open_bytes(&self, place: &Place<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let version = sealed.key_version();
        let key = self.version(place.org, version).ok_or(VaultError::DataKeyMissing { org: place.org, version: Some(version) })?;
        cipher::open(&key.seal, &place.aad(version), &sealed.0[HEAD..], "value")
    }

    /// Rotation of the ring: the same data key wrapped by the ring's first key, or `None` when it already is. Store it by
    /// compare-and-set on the old row. Errors: as [`Vault::load_data_key`].
    pub fn rewrap(&self, org: OrgId, wrapped: &WrappedKey) -> Result<Option<WrappedKey>, VaultError> {
        if wrapped.kek_id == self.ring.first_id() {
            return Ok(None);
        }
        DataKey::unwrap(&self.ring, org, wrapped)?.wrap(&self.ring, org, self.entropy()).map(Some)
    }

    /// Rotation of a data key: the same value sealed by the newest version, or `None` when it already is. Store it by
    /// compare-and-set on the old bytes. Errors: as [`Vault::open_bytes`].
    pub fn reseal(&self, place: &Place<'_>, sealed: &Sealed) -> Result<Option<Sealed>, VaultError> {
        if Some(sealed.key_version()) == self.data_key_version(place.org) {
            return Ok(None);
        }
        let plain = self.open_bytes(place, sealed)?;
        self.seal(place, &plain).map(Some)
    }

    /// The organization's key for [`idempotency_key`]; unchanged by rotations. Errors: `VAULT_DATA_KEY_MISSING`.
    pub fn org_key(&self, org: OrgId) -> Result<OrgKey, VaultError> {
        self.newest(org).map(|key| key.org.clone()).ok_or(VaultError::DataKeyMissing { org, version: None })
    }

    /// The idempotency key of a step of a run of `org`. Errors: `VAULT_DATA_KEY_MISSING`.
    pub fn idempotency_key(&self, org: OrgId, run: RunId, step_path: &str) -> Result<String, VaultError> {
        Ok(idempotency_key(&self.org_key(org)?, run, step_path))
    }

    fn newest(&self, org: OrgId) -> Option<Arc<DataKey>> {
        self.keys.read().expect("no panic happens while the keys are held").get(&org)?.last_key_value().map(|(_, key)| key.clone())
    }

    fn version(&self, org: OrgId, version: u32) -> Option<Arc<DataKey>> {
        self.keys.read().expect("no panic happens while the keys are held").get(&org)?.get(&version).cloned()
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({:?})", self.ring)
    }
}
