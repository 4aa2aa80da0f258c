//! Sealed values: credentials and the wrapped data keys. A store never sees a clear one.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::StoreError;
use crate::clock::Millis;
use crate::id::{CredentialId, OrgId, Owner};

/// An organization's wrapped data key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataKeyRecord {
    pub org: OrgId,
    pub version: u32,
    /// Id of the key-ring key that wrapped it.
    pub kek_id: String,
    pub wrapped: Vec<u8>,
}

/// A credential to be stored, sealed field by field.
#[derive(Clone, Debug)]
pub struct NewCredential {
    pub id: CredentialId,
    pub owner: Owner,
    pub provider: String,
    pub name: String,
    /// Field name → sealed bytes.
    pub fields: BTreeMap<String, Vec<u8>>,
    pub expires_at: Option<Millis>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialRecord {
    pub id: CredentialId,
    pub owner: Owner,
    pub provider: String,
    pub name: String,
    pub fields: BTreeMap<String, Vec<u8>>,
    pub expires_at: Option<Millis>,
    pub last_used_at: Option<Millis>,
    pub created_at: Millis,
}

#[async_trait]
pub trait SecretStore: Send + Sync {
    async fn data_keys(&self) -> Result<Vec<DataKeyRecord>, StoreError>;

    /// Keeps the first key of an organization and version; returns the one that is kept.
    async fn put_data_key(&self, key: &DataKeyRecord) -> Result<DataKeyRecord, StoreError>;

    /// A sealed constant that proves that the key ring opens this database; `None` in a new one.
    async fn canary(&self) -> Result<Option<Vec<u8>>, StoreError>;

    async fn put_canary(&self, sealed: &[u8]) -> Result<(), StoreError>;

    /// Replaces the owner's credential of that provider and name (its id stays with the first).
    async fn put_credential(&self, credential: &NewCredential) -> Result<CredentialRecord, StoreError>;

    async fn list_credentials(&self, owner: &Owner, provider: Option<&str>) -> Result<Vec<CredentialRecord>, StoreError>;

    /// By name; without a name the one called `default`, else the only one of the provider.
    async fn find_credential(&self, owner: &Owner, provider: &str, name: Option<&str>) -> Result<Option<CredentialRecord>, StoreError>;

    /// How many were removed; all of the provider's without a name.
    async fn delete_credentials(&self, owner: &Owner, provider: &str, name: Option<&str>) -> Result<u64, StoreError>;

    /// Notes the moment of use; may be delayed and joined with others.
    async fn touch_credential(&self, id: CredentialId) -> Result<(), StoreError>;
}
