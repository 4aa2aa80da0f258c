//! Values of credentials that are kept elsewhere: asked for when a credential is used, and never stored.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use mainspring_model::credential::{Credential, Secret};
use mainspring_model::fault::{Class, Code, Fault};
use mainspring_model::id::{OrgId, Owner};
use mainspring_model::oauth;
use mainspring_model::secret_reference::{self, Reference};
use mainspring_model::store::CredentialRecord;

use crate::credentials::{Credentials, is_plain};

/// Why a secret was not got; neither text holds a value.
#[derive(Debug)]
pub enum Unread {
    /// Until somebody changes something.
    Refused(String),
    /// Its keeper cannot be asked now.
    Away(String),
}

/// The way to secrets that are kept elsewhere, as far as the operator opened it.
#[async_trait]
pub trait SecretSource: Send + Sync {
    /// Whether credentials of the organization may name it.
    ///
    /// # Errors
    /// Why not, without the reference.
    fn allows(&self, org: OrgId, reference: &Reference) -> Result<(), String>;

    /// The secret as it is now, or was within the last minute. Asked for what [`SecretSource::allows`] alone.
    ///
    /// # Errors
    /// [`Unread`].
    async fn read(&self, owner: Owner, reference: &Reference) -> Result<Secret, Unread>;
}

#[derive(Default)]
pub(crate) struct References {
    source: OnceLock<Arc<dyn SecretSource>>,
}

impl Credentials {
    /// Where referred-to secrets come from; the first one stays. Without one every reference is refused.
    pub fn read_references_by(&self, source: Arc<dyn SecretSource>) {
        if self.references.source.set(source).is_err() {
            tracing::debug!("there is a way to secrets that are kept elsewhere already");
        }
    }

    /// Reads a value that begins as references do, for a field of a credential of the organization.
    ///
    /// # Errors
    /// Why it cannot stand there, without the value.
    pub fn check_reference(&self, org: OrgId, field: &str, text: &str) -> Result<Reference, String> {
        let source = self.references.source.get().ok_or_else(|| "this process reads no secrets that are kept elsewhere".to_owned())?;
        // Outputs may repeat such fields, so a secret in them would come out.
        if is_plain(field) || (oauth::FIELDS.contains(&field) && !SECRET_MATERIAL.contains(&field)) {
            return Err("this field is no secret and takes no reference; write its value".to_owned());
        }
        let reference = Reference::parse(text)?;
        source.allows(org, &reference)?;
        Ok(reference)
    }

    /// An opened credential with what its references name.
    ///
    /// # Errors
    /// `SECRET_REFERENCE` when one gives nothing.
    pub async fn resolved(&self, record: &CredentialRecord, mut credential: Credential) -> Result<Credential, Fault> {
        let noted: Vec<(String, Secret)> =
            secret_reference::noted(&credential.fields).map(|(field, text)| (field.to_owned(), Secret::new(text))).collect();
        for (field, text) in noted {
            let secret = self.one(record, &field, text.expose()).await?;
            // Before anything can print it.
            self.redactor.add(secret.expose());
            credential.fields.insert(field, secret);
        }
        credential.fields.retain(|field, _| !secret_reference::is_note(field));
        Ok(credential)
    }

    async fn one(&self, record: &CredentialRecord, field: &str, text: &str) -> Result<Secret, Fault> {
        let fault = |reason: &str| {
            let text = format!("the credential \"{}\" of {}, field \"{field}\": {text}: {reason}", record.name, record.provider);
            Fault::new(Code::SECRET_REFERENCE, text)
        };
        let reference = self.check_reference(record.owner.org, field, text).map_err(|reason| fault(&reason))?;
        let source = self.references.source.get().ok_or_else(|| Fault::internal("a reference was allowed by nobody"))?;
        match source.read(record.owner, &reference).await {
            Ok(secret) if secret.expose().is_empty() => Err(fault("it is empty")),
            Ok(secret) => Ok(secret),
            Err(Unread::Refused(reason)) => Err(fault(&reason)),
            Err(Unread::Away(reason)) => Err(Fault { retryable: true, ..fault(&reason).class(Class::Transient) }),
        }
    }
}

/// OAuth material that may be kept elsewhere; the rest is names, addresses and moments.
const SECRET_MATERIAL: [&str; 3] = [oauth::ACCESS_TOKEN, oauth::REFRESH_TOKEN, oauth::CLIENT_SECRET];
