//! The catalogue of the running server: built-in providers for everybody, and custom integrations for their organization only.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use mainspring_model::catalog::{BuiltIns, Catalog, Provider};
use mainspring_model::id::{IntegrationId, OrgId, Owner};
use mainspring_model::store::{IntegrationRecord, IntegrationStore, StoreError};
use mainspring_providers::custom::{self, Definition};
use mainspring_providers::egress::Egress;

/// Finds providers for an owner. `custom_api` is built in; every other `custom_…` is an integration of one organization.
pub struct ServerCatalog {
    built_ins: BuiltIns,
    egress: Arc<Egress>,
    custom: RwLock<HashMap<String, (OrgId, Arc<Provider>)>>,
}

impl ServerCatalog {
    pub fn new(built_ins: BuiltIns, egress: Arc<Egress>) -> ServerCatalog {
        ServerCatalog { built_ins, egress, custom: RwLock::default() }
    }

    /// Reads all integrations anew: at start, and when another process changed them.
    ///
    /// # Errors
    /// The store's; what was known stays.
    pub async fn reload(&self, store: &(impl IntegrationStore + ?Sized)) -> Result<(), StoreError> {
        let records = store.all_integrations().await?;
        let known = records
            .iter()
            .filter_map(|record| Some((Definition::provider_id(record.id), (record.owner.org, self.provider_of(record)?))))
            .collect();
        *self.custom.write().expect("no panic happens while the integrations are held") = known;
        Ok(())
    }

    /// An integration that was just stored here.
    pub fn put(&self, record: &IntegrationRecord) {
        let id = Definition::provider_id(record.id);
        let mut custom = self.custom.write().expect("no panic happens while the integrations are held");
        match self.provider_of(record) {
            Some(provider) => drop(custom.insert(id, (record.owner.org, provider))),
            None => drop(custom.remove(&id)),
        }
    }

    /// An integration that was just deleted here.
    pub fn remove(&self, id: IntegrationId) {
        self.custom.write().expect("no panic happens while the integrations are held").remove(&Definition::provider_id(id));
    }

    fn provider_of(&self, record: &IntegrationRecord) -> Option<Arc<Provider>> {
        let reason = match Definition::from_value(record.definition.clone()) {
            Ok(definition) => match custom::provider(record.id, &definition, self.egress.clone()) {
                Ok(provider) => return Some(Arc::new(provider)),
                Err(problems) => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            },
            Err(error) => error.to_string(),
        };
        // Stored by a version that allowed it: its plans fail with UNKNOWN_PROVIDER until it is mended.
        tracing::error!(integration = %record.id, reason, "a stored integration cannot be used");
        None
    }
}

impl Catalog for ServerCatalog {
    fn provider(&self, owner: &Owner, id: &str) -> Option<Arc<Provider>> {
        if !id.starts_with("custom_") {
            return self.built_ins.provider(owner, id);
        }
        let custom = self.custom.read().expect("no panic happens while the integrations are held");
        let found = custom.get(id).filter(|(org, _)| *org == owner.org).map(|(_, provider)| provider.clone());
        found.or_else(|| self.built_ins.provider(owner, id))
    }

    fn ids(&self, owner: &Owner) -> Vec<String> {
        let mut ids = self.built_ins.ids(owner);
        let custom = self.custom.read().expect("no panic happens while the integrations are held");
        ids.extend(custom.iter().filter(|(_, (org, _))| *org == owner.org).map(|(id, _)| id.clone()));
        ids.sort_unstable();
        ids
    }
}
