//! Credentials: sealed when they come in, opened for one attempt, redacted out of whatever comes back.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainspring_model::action::{ActionResult, Outcome};
use mainspring_model::catalog::Provider;
use mainspring_model::clock::{Clock, Millis};
use mainspring_model::credential::{Credential, Secret};
use mainspring_model::fault::{Class, Code, Fault};
use mainspring_model::id::{CredentialId, OrgId, Owner};
use mainspring_model::store::{CredentialRecord, DataKeyRecord, NewCredential, SealedRow, SealedTable, Store, StoreError};
use mainspring_vault::{Place, Redactor, Sealed, Vault, VaultError, WrappedKey};
use serde_json::Value;
use thiserror::Error;

use crate::driver::HOLD;
use crate::inner::passes;

/// Why a credential could not be sealed or opened.
#[derive(Debug, Error)]
pub enum SealError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// The one place where credentials are clear.
pub struct Credentials {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
    /// Values in use; the log sink redacts them too.
    redactor: Arc<Redactor>,
}

const TABLE: &str = SealedTable::Credentials.name();

impl Credentials {
    pub fn new(store: Arc<dyn Store>, vault: Arc<Vault>, clock: Arc<dyn Clock>, redactor: Arc<Redactor>) -> Credentials {
        Credentials { store, vault, clock, redactor }
    }

    /// Loads every organization's data key; a wrong key ring shows here.
    ///
    /// # Errors
    /// The store's and the vault's.
    pub async fn load_keys(&self) -> Result<(), SealError> {
        for record in self.store.data_keys().await? {
            self.vault.load_data_key(record.org, &wrapped_of(&record)?)?;
        }
        Ok(())
    }

    /// Loads one organization's data keys, with what other nodes made since.
    ///
    /// # Errors
    /// The store's and the vault's.
    pub async fn load_keys_of(&self, org: OrgId) -> Result<(), SealError> {
        for record in self.store.data_keys_of(org).await? {
            self.vault.load_data_key(org, &wrapped_of(&record)?)?;
        }
        Ok(())
    }

    /// Makes sure that the organization has a data key.
    ///
    /// # Errors
    /// The store's and the vault's.
    pub async fn ensure_key(&self, org: OrgId) -> Result<(), SealError> {
        if self.vault.data_key_version(org).is_some() {
            return Ok(());
        }
        let wrapped = self.vault.new_data_key(org)?;
        let record = DataKeyRecord { org, version: wrapped.version, kek_id: wrapped.kek_id.to_string(), wrapped: wrapped.bytes };
        let kept = self.store.put_data_key(&record).await?;
        // Another process may have been first: its key is the organization's.
        self.vault.load_data_key(org, &wrapped_of(&kept)?)?;
        Ok(())
    }

    /// Seals and stores a credential's fields; an earlier one of the same provider and name is replaced.
    ///
    /// # Errors
    /// The store's and the vault's.
    pub async fn put(
        &self,
        id: CredentialId,
        owner: Owner,
        provider: &str,
        name: &str,
        fields: BTreeMap<String, Secret>,
        expires_at: Option<Millis>,
    ) -> Result<CredentialRecord, SealError> {
        // Another node may have made a newer key since.
        self.load_keys_of(owner.org).await?;
        self.ensure_key(owner.org).await?;
        let id = self.store.find_credential(&owner, provider, Some(name)).await?.map_or(id, |known| known.id);
        let mut sealed = BTreeMap::new();
        for (field, secret) in fields {
            let place = place(&owner, &id, &field);
            sealed.insert(field.clone(), self.vault.seal(&place, secret.expose().as_bytes())?.to_bytes());
        }
        let new = NewCredential { id, owner, provider: provider.to_owned(), name: name.to_owned(), fields: sealed, expires_at };
        let stored = self.store.put_credential(&new).await?;
        self.catch_up(stored.owner.org, &sealed_row(&stored)).await?;
        Ok(stored)
    }

    /// Opens a stored credential's fields. A value that a newer data key sealed makes this node load the keys.
    ///
    /// # Errors
    /// The vault's, and the store's while the keys are loaded.
    pub async fn open_record(&self, record: &CredentialRecord) -> Result<Credential, SealError> {
        match self.open_fields(record) {
            Err(VaultError::DataKeyMissing { .. }) => {
                self.load_keys_of(record.owner.org).await?;
                Ok(self.open_fields(record)?)
            }
            opened => Ok(opened?),
        }
    }

    fn open_fields(&self, record: &CredentialRecord) -> Result<Credential, VaultError> {
        let mut fields = BTreeMap::new();
        for (field, bytes) in &record.fields {
            let place = place(&record.owner, &record.id, field);
            fields.insert(field.clone(), self.vault.open(&place, &Sealed::from_bytes(bytes.clone())?)?);
        }
        Ok(Credential { provider: record.provider.clone(), name: record.name.clone(), fields })
    }

    /// The credential for one attempt. `None`: none is stored and none was named.
    ///
    /// # Errors
    /// `MISSING_CREDENTIALS` when a named one does not exist or has expired.
    pub async fn open(&self, owner: &Owner, provider: &Provider, name: Option<&str>) -> Result<Option<Credential>, Fault> {
        if provider.credential.is_empty() && name.is_none() {
            return Ok(None);
        }
        let record = self.find(owner, &provider.id, name).await?;
        let Some(record) = record else {
            return match name {
                None => Ok(None),
                Some(name) => Err(Fault::new(Code::MISSING_CREDENTIALS, format!("{} has no credential named \"{name}\"", provider.id))),
            };
        };
        if record.expires_at.is_some_and(|at| at <= self.clock.now()) {
            let message = format!("the credential \"{}\" of {} has expired; store a new one", record.name, provider.id);
            return Err(Fault::new(Code::MISSING_CREDENTIALS, message));
        }
        let credential = self.open_patiently(&record).await?;
        if let Err(error) = self.store.touch_credential(record.id).await {
            tracing::warn!(%error, "the moment of a credential's use was not noted");
        }
        Ok(Some(credential))
    }

    /// Asks the store until it answers: that it was away for a while is no failure of the step.
    async fn find(&self, owner: &Owner, provider: &str, name: Option<&str>) -> Result<Option<CredentialRecord>, Fault> {
        loop {
            match self.store.find_credential(owner, provider, name).await {
                Ok(record) => return Ok(record),
                Err(error) if passes(&error) => {
                    tracing::error!(provider, %error, "a credential could not be read; trying again");
                    self.clock.sleep_until(self.clock.now().saturating_add(HOLD)).await;
                }
                Err(error) => return Err(Fault::internal(error.to_string())),
            }
        }
    }

    /// Like [`Credentials::find`], waits for a store that is away.
    async fn open_patiently(&self, record: &CredentialRecord) -> Result<Credential, Fault> {
        loop {
            match self.open_record(record).await {
                Ok(credential) => return Ok(credential),
                Err(SealError::Store(error)) if passes(&error) => {
                    tracing::error!(provider = record.provider, %error, "data keys could not be read; trying again");
                    self.clock.sleep_until(self.clock.now().saturating_add(HOLD)).await;
                }
                Err(error) => {
                    let message = format!("the credential \"{}\" of {} cannot be opened: {error}", record.name, record.provider);
                    return Err(Fault::new(Code::MISSING_CREDENTIALS, message).class(Class::Auth));
                }
            }
        }
    }

    /// Takes the credential's values out of a result, in every encoding.
    ///
    /// # Errors
    /// The fault in the result, redacted.
    pub fn redact_result(&self, credential: &Credential, result: ActionResult) -> Result<Outcome, Fault> {
        let redactor = Redactor::new();
        for (name, secret) in &credential.fields {
            if is_plain(name) {
                continue;
            }
            redactor.add(secret.expose());
            self.redactor.add(secret.expose());
        }
        match result {
            Ok(Outcome::Done(mut output)) => {
                redactor.redact_value(&mut output.value);
                output.message = redactor.redact(&output.message).into_owned();
                let mut metadata = Value::Object(output.metadata);
                redactor.redact_value(&mut metadata);
                output.metadata = match metadata {
                    Value::Object(fields) => fields,
                    _ => serde_json::Map::new(),
                };
                Ok(Outcome::Done(output))
            }
            Ok(other) => Ok(other),
            Err(mut fault) => {
                fault.message = redactor.redact(&fault.message).into_owned();
                if let Some(details) = &mut fault.details {
                    redactor.redact_value(details);
                }
                Err(fault)
            }
        }
    }
}

/// Fields that are addresses and names, which outputs may repeat: redacting a base URL would only garble them.
fn is_plain(field: &str) -> bool {
    matches!(field, "base_url" | "username" | "header_name" | "query_name" | "organization" | "region" | "host" | "port")
}

pub(crate) fn wrapped_of(record: &DataKeyRecord) -> Result<WrappedKey, VaultError> {
    Ok(WrappedKey { kek_id: record.kek_id.parse()?, version: record.version, bytes: record.wrapped.clone() })
}

/// A credential as a rotation of keys sees it.
fn sealed_row(record: &CredentialRecord) -> SealedRow {
    let CredentialRecord { id, owner, fields, .. } = record;
    SealedRow { table: SealedTable::Credentials, org: owner.org, user: Some(owner.user), id: id.0, fields: fields.clone() }
}

fn place<'a>(owner: &Owner, id: &'a CredentialId, field: &'a str) -> Place<'a> {
    Place { table: TABLE, org: owner.org, owner: Some(owner.user), row: id.0.as_bytes(), field }
}
