//! Credentials: sealed when they come in, opened for one attempt, redacted out of whatever comes back.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainspring_model::action::{ActionResult, Outcome};
use mainspring_model::catalog::Provider;
use mainspring_model::clock::{Clock, Millis};
use mainspring_model::credential::{Credential, Secret, host_of};
use mainspring_model::fault::{Class, Code, Fault};
use mainspring_model::id::{CredentialId, OrgId, Owner};
use mainspring_model::oauth;
use mainspring_model::state::StateWhat;
use mainspring_model::store::{
    Choice, CredentialChange, CredentialRecord, DataKeyRecord, NewCredential, SealedRow, SealedTable, Store, StoreError, choose,
};
use mainspring_vault::{Place, Redactor, Sealed, Vault, VaultError, WrappedKey};
use serde_json::Value;
use thiserror::Error;

use crate::driver::HOLD;
use crate::inner::passes;
use crate::oauth::OAuth;
use crate::references::References;

/// Why a credential could not be sealed or opened.
#[derive(Debug, Error)]
pub enum SealError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// The one place where credentials are clear. Cheap to clone.
#[derive(Clone)]
pub struct Credentials {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Values in use; the log sink redacts them too.
    pub(crate) redactor: Arc<Redactor>,
    pub(crate) oauth: Arc<OAuth>,
    pub(crate) references: Arc<References>,
}

const TABLE: &str = SealedTable::Credentials.name();

impl Credentials {
    pub fn new(store: Arc<dyn Store>, vault: Arc<Vault>, clock: Arc<dyn Clock>, redactor: Arc<Redactor>) -> Credentials {
        Credentials { store, vault, clock, redactor, oauth: Arc::default(), references: Arc::default() }
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
        self.put_bound(id, owner, provider, name, fields, expires_at, None).await
    }

    /// The same for a credential that is sent to certain hosts only.
    ///
    /// # Errors
    /// The store's and the vault's.
    #[expect(clippy::too_many_arguments, reason = "they are the row")]
    pub async fn put_bound(
        &self,
        id: CredentialId,
        owner: Owner,
        provider: &str,
        name: &str,
        fields: BTreeMap<String, Secret>,
        expires_at: Option<Millis>,
        hosts: Option<Vec<String>>,
    ) -> Result<CredentialRecord, SealError> {
        // Another node may have made a newer key since.
        self.load_keys_of(owner.org).await?;
        self.ensure_key(owner.org).await?;
        let known = self.store.list_credentials(&owner, Some(provider)).await?;
        let mut id = known.iter().find(|known| known.name == name).map_or(id, |known| known.id);
        loop {
            let mut sealed = BTreeMap::new();
            for (field, secret) in &fields {
                let place = place(&owner, &id, field);
                sealed.insert(field.clone(), self.vault.seal(&place, secret.expose().as_bytes())?.to_bytes());
            }
            let (provider, name, hosts) = (provider.to_owned(), name.to_owned(), hosts.clone());
            let stored = self.store.put_credential(&NewCredential { id, owner, provider, name, fields: sealed, expires_at, hosts }).await?;
            if stored.id == id {
                self.catch_up(stored.owner.org, &sealed_row(&stored)).await?;
                return Ok(stored);
            }
            // Somebody made one of this name meanwhile; the fields are sealed anew, for that one.
            id = stored.id;
        }
    }

    /// Changes a stored credential; of its fields those that are given, `None` for one that it loses. A token that is renewed meanwhile
    /// is not lost, unless other OAuth material is given.
    ///
    /// # Errors
    /// The store's and the vault's.
    pub async fn change(
        &self,
        record: &CredentialRecord,
        given: BTreeMap<String, Option<Secret>>,
        change: CredentialChange,
    ) -> Result<Option<CredentialRecord>, SealError> {
        let Some(mut current) = self.store.change_credential(record.owner.org, record.id, &change).await? else { return Ok(None) };
        if given.is_empty() {
            return Ok(Some(current));
        }
        self.load_keys_of(record.owner.org).await?;
        let material = given.keys().any(|field| oauth::FIELDS.contains(&field.as_str()));
        let mut given: BTreeMap<&str, Option<Secret>> = given.iter().map(|(field, value)| (field.as_str(), value.clone())).collect();
        given.insert(oauth::NEEDS_RECONNECT, None);
        if material {
            given.insert(oauth::CLAIM, None);
        }
        loop {
            let replaced = self.replace_fields(&current, &given).await?;
            let known = self.store.list_credentials(&record.owner, Some(&record.provider)).await?;
            let Some(found) = known.into_iter().find(|known| known.id == record.id) else { return Ok(None) };
            current = found;
            if replaced {
                self.catch_up(current.owner.org, &sealed_row(&current)).await?;
                return Ok(Some(current));
            }
        }
    }

    /// Opens a stored credential's fields, references as they are. A value that a newer data key sealed makes this node load the keys.
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
        Ok(Credential {
            id: Some(record.id),
            provider: record.provider.clone(),
            name: record.name.clone(),
            fields,
            hosts: record.hosts.clone().unwrap_or_default(),
        })
    }

    /// The credential for one attempt. `None`: none is stored and none was named.
    ///
    /// # Errors
    /// `MISSING_CREDENTIALS` when a named one does not exist or has expired.
    pub async fn open(&self, owner: &Owner, provider: &Provider, name: Option<&str>) -> Result<Option<Credential>, Fault> {
        self.open_anew(owner, provider, name, None).await
    }

    /// The same, once the service did not take `refused`: with another access token, where there is a way to one.
    pub(crate) async fn open_anew(
        &self,
        owner: &Owner,
        provider: &Provider,
        name: Option<&str>,
        refused: Option<&str>,
    ) -> Result<Option<Credential>, Fault> {
        if provider.credential.is_empty() && name.is_none() {
            return Ok(None);
        }
        let record = match (choose(self.usable(owner, &provider.id).await?, owner, name), name) {
            (Choice::Found(record), _) => *record,
            // Several of one's own without a default: never a guess among them.
            (Choice::Missing | Choice::Several(_), None) => return Ok(None),
            (Choice::Missing, Some(name)) => {
                return Err(Fault::new(Code::MISSING_CREDENTIALS, format!("{} has no credential named \"{name}\"", provider.id)));
            }
            (Choice::Several(ids), Some(name)) => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                let ids = ids.join(", ");
                let message =
                    format!("{} has several credentials \"{name}\"; write the id of one in the step instead ({ids})", provider.id);
                return Err(Fault::new(Code::MISSING_CREDENTIALS, message));
            }
        };
        self.open_chosen(provider, &record, refused).await.map(Some)
    }

    /// One that was found, for one attempt.
    ///
    /// # Errors
    /// `MISSING_CREDENTIALS` when it has expired or does not open; `SECRET_REFERENCE`; `NEEDS_RECONNECT` and `TOKEN_REFRESH_FAILED` of an OAuth credential.
    pub async fn open_this(&self, provider: &Provider, record: &CredentialRecord) -> Result<Credential, Fault> {
        self.open_chosen(provider, record, None).await
    }

    async fn open_chosen(&self, provider: &Provider, record: &CredentialRecord, refused: Option<&str>) -> Result<Credential, Fault> {
        if record.expires_at.is_some_and(|at| at <= self.clock.now()) {
            let message = format!("the credential \"{}\" of {} has expired; store a new one", record.name, provider.id);
            return Err(Fault::new(Code::MISSING_CREDENTIALS, message));
        }
        let opened = self.resolved(record, self.open_patiently(record).await?).await?;
        let mut credential = self.with_token(provider, record, opened, refused).await?;
        if record.hosts.is_none() {
            credential.hosts = default_hosts(provider, &credential);
        }
        // Before the attempt: what it logs, and what a panic of it says, is redacted too.
        for (_, secret) in credential.fields.iter().filter(|(name, _)| !is_plain(name)) {
            self.redactor.add(secret.expose());
        }
        if let Err(error) = self.store.touch_credential(record.id).await {
            tracing::warn!(%error, "the moment of a credential's use was not noted");
        }
        Ok(credential)
    }

    /// Asks the store until it answers: that it was away for a while is no failure of the step.
    async fn usable(&self, user: &Owner, provider: &str) -> Result<Vec<CredentialRecord>, Fault> {
        loop {
            match self.store.usable_credentials(user, Some(provider)).await {
                Ok(records) => return Ok(records),
                Err(error) if passes(&error) => {
                    tracing::error!(provider, %error, "a credential could not be read; trying again");
                    self.clock.sleep_until(self.clock.now().saturating_add(HOLD)).await;
                }
                Err(error) => return Err(Fault::internal(error.to_string())),
            }
        }
    }

    /// Like [`Credentials::usable`], waits for a store that is away.
    pub(crate) async fn open_patiently(&self, record: &CredentialRecord) -> Result<Credential, Fault> {
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
            Ok(Outcome::State(mut ask)) => {
                ask.key = redactor.redact(&ask.key).into_owned();
                match &mut ask.what {
                    StateWhat::Get { default: value } | StateWhat::Set { value } => redactor.redact_value(value),
                    StateWhat::Unseen { items, .. } => items.iter_mut().for_each(|item| redactor.redact_value(item)),
                    StateWhat::Increment { .. } | StateWhat::Delete => {}
                }
                Ok(Outcome::State(ask))
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
pub(crate) fn is_plain(field: &str) -> bool {
    matches!(
        field,
        "base_url" | "username" | "header_name" | "query_name" | "organization" | "region" | "host" | "hosts" | "port" | "security"
    )
}

/// The provider's own hosts, where it has some, and the server that the credential names.
fn default_hosts(provider: &Provider, credential: &Credential) -> Vec<String> {
    let mut hosts = provider.hosts.clone();
    if !hosts.is_empty() {
        hosts.extend(credential.field("base_url").and_then(host_of));
    }
    hosts
}

pub(crate) fn wrapped_of(record: &DataKeyRecord) -> Result<WrappedKey, VaultError> {
    Ok(WrappedKey { kek_id: record.kek_id.parse()?, version: record.version, bytes: record.wrapped.clone() })
}

/// A credential as a rotation of keys sees it.
pub(crate) fn sealed_row(record: &CredentialRecord) -> SealedRow {
    let CredentialRecord { id, owner, fields, .. } = record;
    SealedRow { table: SealedTable::Credentials, org: owner.org, user: Some(owner.user), id: id.0, fields: fields.clone() }
}

pub(crate) fn place<'a>(owner: &Owner, id: &'a CredentialId, field: &'a str) -> Place<'a> {
    Place { table: TABLE, org: owner.org, owner: Some(owner.user), row: id.0.as_bytes(), field }
}
