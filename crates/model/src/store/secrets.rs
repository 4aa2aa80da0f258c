//! Sealed values: credentials and the wrapped data keys. A store never sees a clear one.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{StoreError, choose};
use crate::clock::Millis;
use crate::id::{CredentialId, OrgId, Owner, UserId};

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
    /// The user is [`UserId::NOBODY`] for the organization's own.
    pub owner: Owner,
    pub provider: String,
    pub name: String,
    /// Field name → sealed bytes.
    pub fields: BTreeMap<String, Vec<u8>>,
    pub expires_at: Option<Millis>,
    /// The only hosts that it may be sent to; `None` keeps what a replaced one had.
    pub hosts: Option<Vec<String>>,
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
    /// `None`: the provider's own, where it has some.
    pub hosts: Option<Vec<String>>,
    /// Members who may use it beside its owner, in the order of their ids.
    pub shared_with: Vec<UserId>,
}

/// What is changed of a credential; the rest stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialChange {
    pub name: Option<String>,
    /// All fields anew, sealed.
    pub fields: Option<BTreeMap<String, Vec<u8>>>,
    /// `Some(None)`: never any more.
    pub expires_at: Option<Option<Millis>>,
    /// `Some(None)`: the provider's own again.
    pub hosts: Option<Option<Vec<String>>>,
    /// Who may use it from now on.
    pub shared_with: Option<Vec<UserId>>,
}

#[async_trait]
pub trait SecretStore: Send + Sync {
    async fn data_keys(&self) -> Result<Vec<DataKeyRecord>, StoreError>;

    /// Keeps the first key of an organization and version; returns the one that is kept.
    async fn put_data_key(&self, key: &DataKeyRecord) -> Result<DataKeyRecord, StoreError>;

    /// A sealed constant that proves that the key ring opens this database; `None` in a new one.
    async fn canary(&self) -> Result<Option<Vec<u8>>, StoreError>;

    async fn put_canary(&self, sealed: &[u8]) -> Result<(), StoreError>;

    /// Makes a credential, or replaces what the one of this id holds; its shares stay. Where the owner has another of that provider and
    /// name, nothing is written and that one is given: fields are sealed for one id and open under no other.
    async fn put_credential(&self, credential: &NewCredential) -> Result<CredentialRecord, StoreError>;

    /// The owner's own, by provider and name.
    async fn list_credentials(&self, owner: &Owner, provider: Option<&str>) -> Result<Vec<CredentialRecord>, StoreError>;

    /// What a user may use: their own, what is shared with them, and the organization's; by provider and name.
    async fn usable_credentials(&self, user: &Owner, provider: Option<&str>) -> Result<Vec<CredentialRecord>, StoreError>;

    /// The one that [`choose`] takes; by name, or without one the one called `default`, else the only one of the provider.
    async fn find_credential(&self, user: &Owner, provider: &str, name: Option<&str>) -> Result<Option<CredentialRecord>, StoreError> {
        Ok(choose(self.usable_credentials(user, Some(provider)).await?, user, name).found())
    }

    /// Changes one, whoever's it is; `None` when there is none. `Conflict`: its owner has another one of that name.
    async fn change_credential(
        &self,
        org: OrgId,
        id: CredentialId,
        change: &CredentialChange,
    ) -> Result<Option<CredentialRecord>, StoreError>;

    /// Removes one, whoever's it is, with its shares.
    async fn delete_credential(&self, org: OrgId, id: CredentialId) -> Result<bool, StoreError>;

    /// How many of the owner's own were removed; all of the provider's without a name.
    async fn delete_credentials(&self, owner: &Owner, provider: &str, name: Option<&str>) -> Result<u64, StoreError>;

    /// Notes the moment of use; may be delayed and joined with others.
    async fn touch_credential(&self, id: CredentialId) -> Result<(), StoreError>;
}
